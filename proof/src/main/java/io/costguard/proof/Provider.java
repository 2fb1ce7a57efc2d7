package io.costguard.proof;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A server of HTTP/1.1 on the loopback interface that answers, byte for byte, what it is told to. Safe for use by many threads. */
public final class Provider implements AutoCloseable {
    private static final int WAITING_CONNECTIONS = 1_000;

    private final ServerSocket server;
    private final Script script;
    private final Set<Socket> connections = ConcurrentHashMap.newKeySet();
    private final ExecutorService threads;

    /** How a request is answered. */
    public interface Script {
        /** Answers with the bytes of a head and a body; {@return whether another request may follow on the connection} */
        boolean answer(Asked asked, OutputStream connection) throws IOException;
    }

    /** A request, as it came. */
    public record Asked(List<String> head, byte[] body) {
        public String target() {
            return head.get(0).split(" ", 3)[1];
        }

        public Optional<String> header(String name) {
            return head.stream()
                    .filter(line -> line.regionMatches(true, 0, name + ":", 0, name.length() + 1))
                    .map(line -> line.substring(name.length() + 1).strip())
                    .findFirst();
        }
    }

    private Provider(Script script) throws IOException {
        this.script = script;
        this.server = new ServerSocket(0, WAITING_CONNECTIONS, InetAddress.getLoopbackAddress());
        this.threads = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "provider");
            thread.setDaemon(true);
            return thread;
        });
    }

    public static Provider answering(Script script) throws IOException {
        Provider provider = new Provider(script);
        provider.threads.execute(provider::accept);
        return provider;
    }

    public URI uri(String path) {
        return URI.create("http://127.0.0.1:" + server.getLocalPort() + path);
    }

    /** {@return how many connections are open} */
    int connections() {
        return connections.size();
    }

    private void accept() {
        try {
            while (true) {
                Socket socket = server.accept();
                connections.add(socket);
                threads.execute(() -> serve(socket));
            }
        } catch (IOException e) {
            // It was closed.
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            socket.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(socket.getInputStream());
            boolean open = true;
            while (open) {
                Optional<Asked> asked = read(in);
                open = asked.isPresent() && script.answer(asked.get(), socket.getOutputStream());
            }
        } catch (IOException e) {
            // The client left.
        } finally {
            connections.remove(socket);
        }
    }

    private static Optional<Asked> read(InputStream in) throws IOException {
        String first = line(in);
        if (first.isEmpty()) {
            return Optional.empty();
        }
        List<String> head = new ArrayList<>(List.of(first));
        for (String line = line(in); !line.isEmpty(); line = line(in)) {
            head.add(line);
        }
        Asked asked = new Asked(List.copyOf(head), new byte[0]);
        byte[] body = new byte[0];
        if (asked.header("transfer-encoding").isPresent()) {
            body = chunks(in);
        } else if (asked.header("content-length").isPresent()) {
            int length = Integer.parseInt(asked.header("content-length").get());
            body = in.readNBytes(length);
            if (body.length < length) {
                throw new EOFException();
            }
        }
        return Optional.of(new Asked(asked.head, body));
    }

    private static byte[] chunks(InputStream in) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        while (true) {
            int length = Integer.parseInt(line(in).toLowerCase(Locale.ROOT), 16);
            body.write(in.readNBytes(length));
            line(in);
            if (length == 0) {
                return body.toByteArray();
            }
        }
    }

    /** The next line without its end; empty where there is none. */
    private static String line(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = in.read(); b >= 0 && b != '\n'; b = in.read()) {
            line.write(b);
        }
        return line.toString(ISO_8859_1).stripTrailing();
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket connection : connections) {
            connection.close();
        }
        threads.shutdownNow();
    }
}
