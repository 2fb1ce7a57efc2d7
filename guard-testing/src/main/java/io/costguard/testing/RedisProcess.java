package io.costguard.testing;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.IntSupplier;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A redis-server as a child process on a free port of the loopback interface, with a directory of its own. */
final class RedisProcess implements RedisServer {
    private static final String LOOPBACK = "127.0.0.1";
    private static final Duration READY_WITHIN = Duration.ofSeconds(10);
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(1);
    // As glibc and macOS say it, and as musl does.
    private static final Pattern ADDRESS_IN_USE = Pattern.compile("Address (already )?in use");
    private static final int PORTS_TRIED = 10;
    // The bus of a cluster node listens 10,000 ports higher.
    private static final int HIGHEST_PORT = 55_535;

    private final String origin;
    private final Path binary;
    private final List<String> arguments;
    private final Path directory;
    private final Path log;
    /** Empty; a sentinel does not start without, and keeps in it what it knows. */
    private final Path configuration;

    private final Thread atExit = new Thread(this::endAndClean, "redis-for-tests-exit");
    private int port;
    private boolean closed;
    private @Nullable ClosedPort down;
    private volatile @Nullable Process process;

    /** Returns when the server answers. */
    static RedisProcess start(String origin, Path binary, List<String> arguments) {
        return start(origin, binary, arguments, RedisProcess::freePort);
    }

    /** A port is chosen before the server binds it, so somebody else may be faster: then the next is tried. */
    static RedisProcess start(String origin, Path binary, List<String> arguments, IntSupplier ports) {
        if (arguments.contains("--port")) throw new IllegalArgumentException("The port is not the caller's to choose");
        RedisProcess redis = new RedisProcess(origin, binary, arguments);
        try {
            redis.launchOnOneOf(ports);
        } catch (RuntimeException e) {
            redis.close();
            throw e;
        }
        return redis;
    }

    private RedisProcess(String origin, Path binary, List<String> arguments) {
        this.origin = origin;
        this.binary = binary;
        this.arguments = List.copyOf(arguments);
        try {
            this.directory = Files.createTempDirectory("redis-for-tests");
            this.configuration = Files.createFile(directory.resolve("redis.conf"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        this.log = directory.resolve("redis.log");
        Runtime.getRuntime().addShutdownHook(atExit);
    }

    @Override
    public String origin() {
        return origin;
    }

    @Override
    public synchronized URI uri() {
        return URI.create("redis://" + LOOPBACK + ":" + port);
    }

    /** Whether the process is there, suspended or not. */
    boolean isAlive() {
        Process current = process;
        return current != null && current.isAlive();
    }

    @Override
    public synchronized void kill() {
        end();
        if (down == null) down = new ClosedPort(port); // else another server may be given it, and speak for this one
    }

    @Override
    public synchronized void restart() {
        if (closed) throw new IllegalStateException("This Redis is closed");
        end();
        letPortGo();
        try {
            launch();
        } catch (PortTaken e) {
            throw new IllegalStateException("Port " + port + " was taken while the server was down", e);
        }
    }

    @Override
    public synchronized void suspend() {
        signal("STOP");
    }

    @Override
    public synchronized void resume() {
        signal("CONT");
    }

    @Override
    public synchronized void close() {
        if (closed) return;
        closed = true;
        letPortGo();
        endAndClean();
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            // The JVM is ending: the hook runs, and finds nothing left to do.
        }
    }

    private synchronized void launchOnOneOf(IntSupplier ports) {
        IllegalStateException failure = new IllegalStateException("No free port for " + binary);
        for (int i = 0; i < PORTS_TRIED; i++) {
            port = ports.getAsInt();
            try {
                launch();
                return;
            } catch (PortTaken e) {
                failure.addSuppressed(e);
            }
        }
        throw failure;
    }

    private void launch() throws PortTaken {
        List<String> command =
                new ArrayList<>(List.of(binary.toString(), configuration.toString(), "--port", Integer.toString(port)));
        command.addAll(List.of("--bind", LOOPBACK, "--dir", directory.toString(), "--daemonize", "no"));
        command.addAll(List.of("--save", "", "--appendonly", "no"));
        command.addAll(arguments); // last, so that they win
        try {
            Process started = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            process = started;
            started.getOutputStream().close();
            awaitAnswer(started);
        } catch (IOException e) {
            throw new IllegalStateException("Cannot run " + binary + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            end();
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while " + binary + " was starting", e);
        }
    }

    private void awaitAnswer(Process started) throws PortTaken, IOException, InterruptedException {
        long deadline = System.nanoTime() + READY_WITHIN.toNanos();
        while (!started.waitFor(5, MILLISECONDS)) {
            if (System.nanoTime() - deadline > 0) {
                end();
                throw new IllegalStateException(
                        binary + " did not answer within " + READY_WITHIN.toSeconds() + " s. It said:\n" + words());
            }
            Map<String, String> info;
            try {
                info = Resp.info(uri(), ANSWER_WITHIN);
            } catch (IOException e) {
                continue; // not yet
            }
            String answering = info.getOrDefault("process_id", "");
            if (answering.equals(Long.toString(started.pid()))) return;
            // Whoever has the port may be another server, and ours about to fail. If it says who it is, that is known;
            // one that wants a password first does not: then ours has time to fail.
            if (answering.isEmpty() && !started.waitFor(200, MILLISECONDS)) return;
            end();
            throw new PortTaken("Another Redis answers on port " + port);
        }
        String words = words();
        if (ADDRESS_IN_USE.matcher(words).find()) throw new PortTaken(words);
        throw new IllegalStateException(
                binary + " ended with code " + started.exitValue() + " instead of starting. It said:\n" + words);
    }

    private String words() throws IOException {
        return Files.readString(log).strip();
    }

    /** SIGKILL, which a suspended process obeys too. */
    private void end() {
        Process current = process;
        if (current != null) current.destroyForcibly().onExit().join();
    }

    private void letPortGo() {
        if (down != null) down.close();
        down = null;
    }

    /** Takes no lock: a JVM that ends does not wait for a server that starts. */
    private void endAndClean() {
        end();
        delete(directory);
    }

    private void signal(String name) {
        Process current = process;
        if (current == null || !current.isAlive()) throw new IllegalStateException("This Redis is not running");
        try {
            // By the shell, which has a kill of its own: small images lack the program.
            Process kill = new ProcessBuilder("sh", "-c", "kill -" + name + " " + current.pid())
                    .inheritIO()
                    .start();
            if (kill.waitFor() != 0) throw new IllegalStateException("Cannot send SIG" + name + " to " + current);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while sending SIG" + name, e);
        }
    }

    static int freePort() {
        while (true) {
            try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                if (socket.getLocalPort() <= HIGHEST_PORT) return socket.getLocalPort();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static void delete(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        } catch (IOException | UncheckedIOException e) {
            // Left to the system's own cleaning of temporary files.
        }
    }

    private static final class PortTaken extends Exception {
        private static final long serialVersionUID = 1;

        PortTaken(String message) {
            super(message);
        }
    }
}
