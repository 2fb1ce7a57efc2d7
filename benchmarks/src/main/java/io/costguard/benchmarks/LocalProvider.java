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
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/**
 * An LLM provider on the loopback interface, which answers each call at once, as OpenAI once answered it: whole, or as a stream, each event
 * of which is a chunk and a packet of its own.
 *
 * <p>It is a thread of this process for each connection, blocked on it, and not a process of its own: a second JVM would compile
 * and collect on the core that is measured. What it takes, it takes from guarded and unguarded calls alike.
 */
final class LocalProvider implements AutoCloseable {
    /** How often each event of the recorded stream comes: an answer of some hundred tokens. */
    private static final String TEXT = "\"delta\":{\"content\":";

    private static final Pattern EVENT_ENDS = Pattern.compile("(?<=\n\n)");

    private static final int REPEATED = 20;

    private static final String CONTENT_LENGTH = "content-length:";

    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final Recordings.Exchange recorded;
    private final String request;
    private final String topic;
    private final List<byte[]> pieces;
    private final List<byte[]> packets;
    private final boolean pauses;
    private final AtomicLong answered = new AtomicLong();

    /**
     * @param topic what differs from prompt to prompt, so that no client knows one already
     * @param pauses whether each packet is read before the next is sent
     */
    private LocalProvider(
            Recordings.Exchange recorded, String topic, List<byte[]> pieces, List<byte[]> packets, boolean pauses)
            throws IOException {
        this.recorded = recorded;
        this.request = new String(recorded.request(), StandardCharsets.UTF_8);
        this.topic = topic;
        this.pieces = pieces;
        this.packets = packets;
        this.pauses = pauses;
    }

    /** One whose answers are whole. */
    static LocalProvider start() throws IOException {
        Recordings.Exchange recorded = Recordings.of("openai-chat-structured-output-json-schema");
        byte[] body = recorded.response();
        byte[] packet = joined(head(recorded, "Content-Length: " + body.length), body, "");
        return started(new LocalProvider(recorded, "opentelemetry", List.of(body), List.of(packet), false));
    }

    /** One whose answers are streams, of which each event is read by itself, as when a model writes it. */
    static LocalProvider streaming() throws IOException {
        return streaming(true);
    }

    /** One that sends such streams as fast as it can, so that events are read many at a time. */
    static LocalProvider streamingAtOnce() throws IOException {
        return streaming(false);
    }

    private static LocalProvider streaming(boolean pauses) throws IOException {
        Recordings.Exchange recorded = Recordings.of("openai-chat-stream-include-usage");
        String stream = new String(recorded.response(), StandardCharsets.UTF_8);
        List<String> once = EVENT_ENDS.splitAsStream(stream).toList();
        List<String> texts = once.stream().filter(event -> event.contains(TEXT)).toList();
        List<String> longer = new ArrayList<>(once);
        int at = once.indexOf(texts.get(0));
        for (int i = 1; i < REPEATED; i++) {
            longer.addAll(at, texts);
        }
        List<byte[]> events = longer.stream()
                .map(event -> event.getBytes(StandardCharsets.UTF_8))
                .toList();
        List<byte[]> packets = new ArrayList<>();
        for (byte[] event : events) {
            String head = packets.isEmpty() ? head(recorded, "Transfer-Encoding: chunked") : "";
            packets.add(joined(head + Integer.toHexString(event.length) + "\r\n", event, "\r\n"));
        }
        packets.add(joined("0\r\n\r\n", new byte[0], ""));
        return started(new LocalProvider(recorded, "a funny joke", events, packets, pauses));
    }

    private static LocalProvider started(LocalProvider provider) {
        daemon(provider::accept);
        return provider;
    }

    private static String head(Recordings.Exchange recorded, String length) {
        return "HTTP/1.1 200 OK\r\nContent-Type: " + recorded.contentType() + "\r\n" + length + "\r\n\r\n";
    }

    private static byte[] joined(String before, byte[] bytes, String after) {
        return (before + new String(bytes, StandardCharsets.UTF_8) + after).getBytes(StandardCharsets.UTF_8);
    }

    URI url() {
        return URI.create("http://127.0.0.1:" + server.getLocalPort() + "/v1/chat/completions");
    }

    String model() {
        return recorded.model();
    }

    byte[] request(int number) {
        return request.replace(topic, "topic " + number).getBytes(StandardCharsets.UTF_8);
    }

    /** An answer's body, as it is sent. */
    List<byte[]> pieces() {
        return pieces;
    }

    String contentType() {
        return recorded.contentType();
    }

    int answerLength() {
        return pieces.stream().mapToInt(piece -> piece.length).sum();
    }

    /** What each answer says that its call took. */
    long reportedTokens() {
        return recorded.reportedInput().orElseThrow()
                + recorded.reportedOutput().orElseThrow();
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

    @SuppressWarnings("ThreadPriorityCheck") // There is one core for this process, and the reader is to have its turn.
    private void serve(Socket connection) {
        try (connection) {
            connection.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(connection.getInputStream());
            OutputStream out = connection.getOutputStream();
            while (true) {
                in.skipNBytes(contentLength(in));
                answered.incrementAndGet();
                for (byte[] packet : packets) {
                    out.write(packet);
                    if (pauses) {
                        Thread.yield();
                    }
                }
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
