package io.costguard.redis;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.exceptions.JedisAccessControlException;
import redis.clients.jedis.exceptions.JedisException;

/** Hears what is told on a channel, on a thread and a connection of its own, until it is closed. It reconnects. */
final class Listening implements AutoCloseable {
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long FORBIDDEN_RETRY_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Redis redis;
    private final String channel;
    private final Listener listener;
    private final Thread thread;
    private volatile JedisPubSub ears;
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
        this.ears = newEars();
        this.thread = new Thread(this::listen, "costguard-line");
        thread.setDaemon(true);
        thread.start();
    }

    private void listen() {
        while (!closed) {
            long pause = RETRY_NANOS;
            try {
                redis.subscribe(ears, channel);
            } catch (JedisAccessControlException e) {
                listener.onForbidden(String.valueOf(e.getMessage()));
                pause = FORBIDDEN_RETRY_NANOS;
            } catch (JedisException e) {
                pause = RETRY_NANOS; // what is missed meanwhile, heartbeats tell
            }
            if (!closed) {
                ears = newEars();
                LockSupport.parkNanos(this, pause);
            }
        }
    }

    private JedisPubSub newEars() {
        return new JedisPubSub() {
            @Override
            public void onMessage(String from, String message) {
                listener.onMessage(message);
            }

            @Override
            public void onSubscribe(String to, int channels) {
                listener.onListening();
                if (closed) {
                    unsubscribe();
                }
            }
        };
    }

    @Override
    public void close() {
        closed = true;
        try {
            JedisPubSub open = ears;
            if (open.isSubscribed()) {
                open.unsubscribe();
            }
        } catch (JedisException e) {
            // It is cut already.
        }
        LockSupport.unpark(thread);
    }
}
