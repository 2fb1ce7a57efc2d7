package io.costguard.testing;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A link to a Redis that loses, holds and cuts what passes, when a test says so.
 *
 * <p>It listens on a free port of the loopback interface and carries whole requests one way and whole replies the
 * other. Nothing is random and nothing is timed: what a method asks for holds from its return on, and what happens
 * in other threads can be awaited. A script that ran and whose reply comes too late:
 *
 * <pre>{@code
 * try (FaultyLink link = FaultyLink.to(redis)) {
 *     link.replies().holdNext("EVALSHA");
 *     Future<Permit> asked = executor.submit(() -> guard.acquire(call));   // of a guard at link.url()
 *     link.replies().awaitWithheld(1);      // the script has run
 *     ...                                   // the caller gives up
 *     link.replies().pass();                // the reply arrives after all
 * }
 * }</pre>
 *
 * <p>A Redis that is down looks, through the link, like one that resets every connection: use
 * {@link #refuseConnections()} for a closed port.
 *
 * <p>Thread safe. Its threads are daemons and gone when {@link #close()} returns.
 */
public final class FaultyLink implements AutoCloseable {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();
    private static final int CONNECT_MILLIS = 5_000;
    private static final Duration AWAIT_AT_MOST = Duration.ofSeconds(10);
    // Takes its place among what is held, so that a connection ends after what was sent on it.
    private static final byte[] END = {};

    private final InetSocketAddress target;
    private final URI uri;
    private final Direction requests;
    private final Direction replies;
    private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
    private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
    private ServerSocket listener;
    private Thread acceptor;
    private @Nullable ClosedPort refusing;
    private boolean closed;

    /**
     * {@return a link to this Redis, or to another one that comes back at the same place}
     *
     * @param redis where it leads
     */
    public static FaultyLink to(RedisForTests redis) {
        return to(URI.create(redis.url()), AWAIT_AT_MOST);
    }

    /**
     * {@return a link to a server that speaks Redis's protocol, such as a node of a cluster}
     *
     * @param host of the server
     * @param port of the server
     */
    public static FaultyLink to(String host, int port) {
        return to(URI.create("redis://" + host + ":" + port), AWAIT_AT_MOST);
    }

    static FaultyLink to(URI redis, Duration awaitAtMost) {
        if (!"redis".equals(redis.getScheme())) throw new IllegalArgumentException("What is encrypted cannot be read");
        return new FaultyLink(redis, awaitAtMost);
    }

    private FaultyLink(URI redis, Duration awaitAtMost) {
        this.target = new InetSocketAddress(redis.getHost(), Resp.port(redis));
        this.requests = new Direction("requests", awaitAtMost);
        this.replies = new Direction("replies", awaitAtMost);
        this.listener = listen(0);
        String userInfo = redis.getRawUserInfo() == null ? "" : redis.getRawUserInfo() + "@";
        this.uri = URI.create(
                "redis://" + userInfo + LOOPBACK.getHostAddress() + ":" + listener.getLocalPort() + redis.getRawPath());
        this.acceptor = startAccepting(listener);
    }

    /** {@return the URL of the Redis, user, password and database included, with the link in its place} */
    public String url() {
        return uri.toString();
    }

    /** {@return where it listens} */
    public String host() {
        return uri.getHost();
    }

    /** {@return where it listens} */
    public int port() {
        return uri.getPort();
    }

    /** {@return what clients send to the server} */
    public Direction requests() {
        return requests;
    }

    /** {@return what the server sends to clients} */
    public Direction replies() {
        return replies;
    }

    /** Resets all connections there are, so that clients see "connection reset". New ones are accepted. */
    public void resetConnections() {
        connections.forEach(Connection::reset);
    }

    /**
     * Ends what the server sends on all connections there are: clients read the end, and what they still send arrives and is not answered. New ones
     * are whole.
     */
    public void halfCloseConnections() {
        connections.forEach(Connection::endReplies);
    }

    /** Closes the port: who connects is refused. Connections there are stay. */
    public synchronized void refuseConnections() {
        if (refusing != null) return;
        stopAccepting();
        refusing = new ClosedPort(uri.getPort()); // else another server may be given it, and speak for this one
    }

    /** Opens the port again. */
    public synchronized void acceptConnections() {
        if (closed) throw new IllegalStateException("This link is closed");
        if (refusing == null) return;
        refusing.close();
        refusing = null;
        listener = listen(uri.getPort());
        acceptor = startAccepting(listener);
    }

    /** Resets all connections, closes the port and ends all threads. */
    @Override
    public synchronized void close() {
        closed = true;
        stopAccepting();
        if (refusing != null) refusing.close();
        resetConnections();
        threads.forEach(FaultyLink::join);
    }

    private void stopAccepting() {
        close(listener);
        join(acceptor); // while a thread is inside accept(), the system keeps the port open
    }

    private static ServerSocket listen(int port) {
        try {
            ServerSocket socket = new ServerSocket();
            socket.setReuseAddress(true); // the port must be ours again while old connections linger
            socket.bind(new InetSocketAddress(LOOPBACK, port));
            return socket;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Thread startAccepting(ServerSocket accepting) {
        return startThread("accept", () -> {
            while (true) {
                try {
                    connect(accepting.accept());
                } catch (IOException e) {
                    return; // the port was closed
                }
            }
        });
    }

    private void connect(Socket client) {
        Connection connection = new Connection(client);
        connections.add(connection);
        try {
            client.setTcpNoDelay(true);
            connection.server.setTcpNoDelay(true);
            connection.server.connect(target, CONNECT_MILLIS);
        } catch (IOException e) {
            connection.reset();
            return;
        }
        threads.removeIf(thread -> !thread.isAlive());
        threads.add(startThread("requests", connection::carryRequests));
        threads.add(startThread("replies", connection::carryReplies));
    }

    private Thread startThread(String name, Runnable task) {
        Thread thread = new Thread(task, "faulty-link-" + uri.getPort() + "-" + name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static void join(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join(AWAIT_AT_MOST.toMillis());
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
    }

    private static void close(AutoCloseable socket) {
        try {
            socket.close();
        } catch (Exception e) {
            // It is gone either way.
        }
    }

    /**
     * One direction of all connections of a link. At first everything passes.
     *
     * <p>Commands are names such as {@code "EVALSHA"}; none means all. A reply belongs to the command that it answers.
     *
     * <p>Deciding about a message and delivering it are one step, under this object's monitor: hence nothing slips
     * through after a method has returned, and a receiver that does not read stalls its direction.
     */
    public static final class Direction {
        private enum Treatment {
            PASS,
            PASS_BYTE_BY_BYTE,
            DROP,
            HOLD,
            RESET
        }

        private static final class Message {
            final Connection connection;
            final String command;
            final byte[] bytes;

            Message(Connection connection, String command, byte[] bytes) {
                this.connection = connection;
                this.command = command;
                this.bytes = bytes;
            }
        }

        private final String name;
        private final Duration awaitAtMost;
        private final Deque<Message> held = new ArrayDeque<>();
        private final Map<String, Integer> passed = new HashMap<>();
        private Treatment treatment = Treatment.PASS;
        private Set<String> commands = Set.of();
        private int spared;
        private int left;
        private int withheld;

        private Direction(String name, Duration awaitAtMost) {
            this.name = name;
            this.awaitAtMost = awaitAtMost;
        }

        /** Delivers what is held, in order, and lets everything pass from now on. */
        public synchronized void pass() {
            treat(Treatment.PASS, 0);
            while (!held.isEmpty()) deliver(held.remove());
        }

        /** As {@link #pass()}, with every byte in a packet of its own. */
        public synchronized void passByteByByte() {
            treat(Treatment.PASS_BYTE_BY_BYTE, 0);
            while (!held.isEmpty()) deliver(held.remove());
        }

        /**
         * Loses these from now on, and all that is held.
         *
         * @param commands such as {@code EVALSHA}; all, if none is named
         */
        public synchronized void drop(String... commands) {
            loseHeld();
            treat(Treatment.DROP, Integer.MAX_VALUE, commands);
        }

        /**
         * Loses the next of these, and all that is held; then everything passes.
         *
         * @param commands such as {@code EVALSHA}; all, if none is named
         */
        public synchronized void dropNext(String... commands) {
            loseHeld();
            treat(Treatment.DROP, 1, commands);
        }

        /**
         * Holds these from now on, until {@link #pass()}. What follows on the same connection is held too, its end
         * included: a late request reaches the server although its client is gone.
         *
         * @param commands such as {@code EVALSHA}; all, if none is named
         */
        public synchronized void hold(String... commands) {
            treat(Treatment.HOLD, Integer.MAX_VALUE, commands);
        }

        /**
         * Holds the next of these, and what follows on its connection. Other connections pass.
         *
         * @param commands such as {@code EVALSHA}; all, if none is named
         */
        public synchronized void holdNext(String... commands) {
            treat(Treatment.HOLD, 1, commands);
        }

        /**
         * Lets so many of these pass, and loses those that follow: each with its connection, which is reset, so that its client sees it at once.
         *
         * @param passing how many get through before
         * @param commands such as {@code EVALSHA}; all, if none is named
         */
        public synchronized void resetAfter(int passing, String... commands) {
            treat(Treatment.RESET, Integer.MAX_VALUE, commands);
            spared = passing;
        }

        /** {@return how many were lost or held since that was last asked for} */
        public synchronized int withheld() {
            return withheld;
        }

        /**
         * {@return how many of these were delivered since the link began}
         *
         * @param commands such as {@code EVALSHA}; all, if none is named
         */
        public synchronized int passed(String... commands) {
            Set<String> wanted = upperCase(commands);
            return passed.entrySet().stream()
                    .filter(entry -> wanted.isEmpty() || wanted.contains(entry.getKey()))
                    .mapToInt(Map.Entry::getValue)
                    .sum();
        }

        /**
         * Returns when that many of these were delivered since the link began.
         *
         * @param count how many
         * @param commands such as {@code EVALSHA}; all, if none is named
         * @throws InterruptedException if this thread is interrupted while it waits
         */
        public synchronized void awaitPassed(int count, String... commands) throws InterruptedException {
            await(() -> passed(commands) >= count, count + " passed " + String.join(", ", commands));
        }

        /**
         * Returns when that many were dropped or held since dropping or holding was last asked for.
         *
         * @param count how many
         * @throws InterruptedException if this thread is interrupted while it waits
         */
        public synchronized void awaitWithheld(int count) throws InterruptedException {
            await(() -> withheld >= count, count + " withheld");
        }

        private void await(BooleanSupplier condition, String what) throws InterruptedException {
            long deadline = System.nanoTime() + awaitAtMost.toNanos();
            while (!condition.getAsBoolean()) {
                long millis = Duration.ofNanos(deadline - System.nanoTime()).toMillis();
                if (millis <= 0) {
                    throw new AssertionError("Not within " + awaitAtMost.toMillis() + " ms: " + name + ", " + what
                            + ". Passed were " + passed + ", withheld " + withheld);
                }
                wait(millis);
            }
        }

        private void treat(Treatment treatment, int count, String... commands) {
            this.treatment = treatment;
            this.commands = upperCase(commands);
            this.spared = 0;
            this.left = count;
            this.withheld = 0;
        }

        private void loseHeld() {
            held.removeIf(message -> message.bytes != END);
            while (!held.isEmpty()) deliver(held.remove());
        }

        private synchronized void carry(Message message) {
            boolean chosen = message.bytes != END && left > 0 && concerns(message.command);
            if (chosen && spared > 0) {
                spared--;
                chosen = false;
            }
            if (chosen) {
                withheld++;
                left--;
            }
            boolean behindHeld = held.stream().anyMatch(other -> other.connection == message.connection);
            if (chosen && treatment == Treatment.RESET) {
                message.connection.reset();
            } else if (behindHeld || (chosen && treatment == Treatment.HOLD)) {
                held.add(message);
            } else if (!chosen) {
                deliver(message);
            }
            notifyAll();
        }

        private boolean concerns(String command) {
            return commands.isEmpty() || commands.contains(command);
        }

        private void deliver(Message message) {
            if (message.bytes == END) {
                message.connection.end(this);
                return;
            }
            int packet = treatment == Treatment.PASS_BYTE_BY_BYTE ? 1 : message.bytes.length;
            if (message.connection.write(this, message.command, message.bytes, packet)) {
                passed.merge(message.command, 1, Integer::sum);
                notifyAll();
            }
        }

        private static Set<String> upperCase(String... commands) {
            return Arrays.stream(commands)
                    .map(command -> command.toUpperCase(Locale.ROOT))
                    .collect(Collectors.toUnmodifiableSet());
        }
    }

    /** One client and its connection to the server. */
    private final class Connection {
        private final Socket client;
        private final Socket server = new Socket();
        // Commands the server has yet to answer, so that a reply is known by its command.
        private final Queue<String> unanswered = new ConcurrentLinkedQueue<>();
        private volatile boolean isHalfClosed;

        Connection(Socket client) {
            this.client = client;
        }

        void carryRequests() {
            try {
                InputStream in = new BufferedInputStream(client.getInputStream());
                while (true) {
                    byte[] request = Resp.readMessage(in);
                    requests.carry(new Direction.Message(this, Resp.commandOf(request), request));
                }
            } catch (IOException e) {
                requests.carry(new Direction.Message(this, "", END));
            }
        }

        void carryReplies() {
            try {
                InputStream in = new BufferedInputStream(server.getInputStream());
                while (true) {
                    byte[] reply = Resp.readMessage(in);
                    String command = reply[0] == '>' ? null : unanswered.poll(); // a push answers nothing
                    replies.carry(new Direction.Message(this, command == null ? "" : command, reply));
                }
            } catch (IOException e) {
                replies.carry(new Direction.Message(this, "", END));
            }
        }

        /** Whether that worked: the receiver may be gone. */
        boolean write(Direction direction, String command, byte[] bytes, int packet) {
            if (direction == requests) unanswered.add(command); // before the server can answer
            try {
                OutputStream out = (direction == requests ? server : client).getOutputStream();
                for (int from = 0; from < bytes.length; from += packet) {
                    out.write(bytes, from, Math.min(packet, bytes.length - from));
                }
                return true;
            } catch (IOException e) {
                if (direction == requests || !isHalfClosed) reset();
                return false;
            }
        }

        void endReplies() {
            isHalfClosed = true;
            try {
                client.shutdownOutput();
            } catch (IOException e) {
                reset();
            }
        }

        /** A client that ends may have replies to come; a server that ends has nothing more to do. */
        void end(Direction direction) {
            if (direction == requests) {
                try {
                    server.shutdownOutput();
                } catch (IOException e) {
                    reset();
                }
            } else {
                close(client);
                close(server);
                connections.remove(this);
            }
        }

        void reset() {
            try {
                client.setSoLinger(true, 0);
            } catch (IOException e) {
                // Closed already.
            }
            close(client);
            close(server);
            connections.remove(this);
        }
    }
}
