package io.costguard.benchmarks;

import io.costguard.testing.Recordings;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;

/**
 * An LLM provider on the loopback interface, which answers each call at once, as OpenAI once answered it.
 *
 * <p>It is a thread of this process for each connection, blocked on it, and not a process of its own: a second JVM would compile
 * and collect on the core that is measured. What it takes, it takes from guarded and unguarded calls alike.
 */
final class LocalProvider implements AutoCloseable {
    private static final Recordings.Exchange RECORDED = Recordings.of("openai-chat-structured-output-json-schema");

    private static final String REQUEST = new String(RECORDED.request(), StandardCharsets.UTF_8);

    /** What differs from prompt to prompt, so that no client knows one already. */
    private static final String TOPIC = "opentelemetry";

    private static final String CONTENT_LENGTH = "content-length:";

    private final ServerSocket server;
    private final byte[] body = RECORDED.response();
    private final byte[] response;
    private final AtomicLong answered = new AtomicLong();

    private LocalProvider(ServerSocket server) {
        this.server = server;
        String head =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + body.length + "\r\n\r\n";
        response = (head + new String(body, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
    }

    static LocalProvider start() throws IOException {
        LocalProvider provider = new LocalProvider(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()));
        daemon(provider::accept);
        return provider;
    }

    URI url() {
        return URI.create("http://127.0.0.1:" + server.getLocalPort() + "/v1/chat/completions");
    }

    String model() {
        return RECORDED.model();
    }

    byte[] request(int number) {
        return REQUEST.replace(TOPIC, "topic " + number).getBytes(StandardCharsets.UTF_8);
    }

    int answerLength() {
        return body.length;
    }

    /** What each answer says that its call took. */
    long reportedTokens() {
        return RECORDED.reportedInput().orElseThrow()
                + RECORDED.reportedOutput().orElseThrow();
    }

    /** How many calls got an answer. */
    long answered() {
        return answered.get();
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket connection = server.accept();
                daemon(() -> serve(connection));
            } catch (IOException e) {
                // Closed, or a connection that is gone already: its client says so.
            }
        }
    }

    private void serve(Socket connection) {
        try (connection) {
            connection.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(connection.getInputStream());
            OutputStream out = connection.getOutputStream();
            while (true) {
                in.skipNBytes(contentLength(in));
                answered.incrementAndGet();
                out.write(response);
            }
        } catch (IOException e) {
            // The client is done with the connection; where it was not, it says so.
        }
    }

    /** Reads a request up to its body. */
    private static long contentLength(InputStream in) throws IOException {
        long length = 0;
        for (String line = line(in); !line.isEmpty(); line = line(in)) {
            if (line.toLowerCase(Locale.ROOT).startsWith(CONTENT_LENGTH)) {
                length = Long.parseLong(line.substring(CONTENT_LENGTH.length()).trim());
            }
        }
        return length;
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new EOFException();
            }
            if (c != '\r') {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work, "local-provider");
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
