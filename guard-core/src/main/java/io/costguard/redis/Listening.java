package io.costguard.redis;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.exceptions.JedisAccessControlException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Hears what is told on a channel, on a thread and a connection of its own, until it is closed. It reconnects.
 *
 * <p>A connection that leads nowhere would stay silent for ever. So it is asked again and again to subscribe to its channel, which
 * changes nothing, needs no right more, and is answered; one that is silent for {@link #SILENCE} all the same is given up by its read
 * timeout, by which the thread of a closed one ends too.
 */
final class Listening implements AutoCloseable {
    /** The read timeout of a connection that listens; of a client that was handed in, that is for its owner to set. */
    static final Duration SILENCE = Duration.ofSeconds(5);

    private static final long PROBE_NANOS = SILENCE.toNanos() / 3;
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long FORBIDDEN_RETRY_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Redis redis;
    private final String channel;
    private final Listener listener;
    private final Thread thread;
    private volatile Ears ears = new Ears();
    private volatile boolean closed;

    /** Told on the thread that listens: be quick. */
    interface Listener {
        void onMessage(String message);

        /** From now on nothing is missed. */
        void onListening();

        void onForbidden(String why);
    }

    Listening(Redis redis, String channel, Listener listener) {
        this.redis = redis;
        this.channel = channel;
        this.listener = listener;
        this.thread = new Thread(this::listen, "costguard-line");
        thread.setDaemon(true);
        thread.start();
    }

    private void listen() {
        while (!closed) {
            long pause = RETRY_NANOS;
            probeLater(ears);
            try {
                redis.subscribe(ears, channel);
            } catch (JedisAccessControlException e) {
                listener.onForbidden(String.valueOf(e.getMessage()));
                pause = FORBIDDEN_RETRY_NANOS;
            } catch (JedisException e) {
                pause = RETRY_NANOS; // what is missed meanwhile, heartbeats tell
            }
            if (!closed) {
                ears = new Ears();
                LockSupport.parkNanos(this, pause);
            }
        }
    }

    private void probeLater(Ears open) {
        CompletableFuture.delayedExecutor(PROBE_NANOS, TimeUnit.NANOSECONDS).execute(() -> {
            if (!closed && open == ears) {
                open.tell(() -> open.subscribe(channel));
                probeLater(open);
            }
        });
    }

    /** One connection. */
    private final class Ears extends JedisPubSub {
        private final ReentrantLock writing = new ReentrantLock();
        private boolean listening;

        @Override
        public void onMessage(String from, String message) {
            listener.onMessage(message);
        }

        @Override
        public void onSubscribe(String to, int channels) {
            if (!listening) {
                listening = true;
                listener.onListening();
            }
            if (closed) {
                tell(this::unsubscribe);
            }
        }

        void tell(Runnable command) {
            writing.lock();
            try {
                if (isSubscribed()) {
                    command.run();
                }
            } catch (JedisException e) {
                // It is cut already, which the thread that listens hears.
            } finally {
                writing.unlock();
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        Ears open = ears;
        open.tell(open::unsubscribe);
        LockSupport.unpark(thread);
    }
}
