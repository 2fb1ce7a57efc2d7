package io.costguard.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ProtocolException;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import javax.net.ssl.SSLSocketFactory;

/** The little of Redis's protocol that is needed here, so that no client library comes with this module. */
final class Resp {
    private static final int DEFAULT_PORT = 6379;

    private Resp() {}

    /**
     * What the server says about itself ({@code INFO server}); works while it is loading. Empty if it answers but will
     * not tell, as before a password.
     *
     * @throws IOException if it does not answer in time
     */
    static Map<String, String> info(URI uri, Duration timeout) throws IOException {
        String reply = ask(uri, timeout, "INFO", "server");
        Map<String, String> fields = new LinkedHashMap<>();
        if (!reply.startsWith("-")) {
            reply.lines().map(line -> line.split(":", 2)).forEach(pair -> {
                if (pair.length == 2) fields.put(pair[0], pair[1]);
            });
        }
        return fields;
    }

    /**
     * Sends one command, and answers the reply as the server wrote it, errors included.
     *
     * @throws IOException if it does not answer in time
     */
    static String ask(URI uri, Duration timeout, String... words) throws IOException {
        int millis = Math.toIntExact(timeout.toMillis());
        try (Socket socket =
                "rediss".equals(uri.getScheme()) ? SSLSocketFactory.getDefault().createSocket() : new Socket()) {
            socket.connect(new InetSocketAddress(uri.getHost(), port(uri)), millis);
            socket.setSoTimeout(millis);
            InputStream in = new BufferedInputStream(socket.getInputStream());
            if (uri.getUserInfo() != null) {
                String[] user = uri.getUserInfo().split(":", 2);
                socket.getOutputStream()
                        .write(user[0].isEmpty() ? command("AUTH", user[1]) : command("AUTH", user[0], user[1]));
                readMessage(in);
            }
            socket.getOutputStream().write(command(words));
            return new String(readMessage(in), UTF_8);
        }
    }

    static int port(URI uri) {
        return uri.getPort() < 0 ? DEFAULT_PORT : uri.getPort();
    }

    static byte[] command(String... words) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(("*" + words.length + "\r\n").getBytes(UTF_8));
        for (String word : words) {
            byte[] value = word.getBytes(UTF_8);
            bytes.writeBytes(("$" + value.length + "\r\n").getBytes(UTF_8));
            bytes.writeBytes(value);
            bytes.writeBytes(new byte[] {'\r', '\n'});
        }
        return bytes.toByteArray();
    }

    /**
     * Reads one whole request or reply, of RESP2 or RESP3, as its bytes.
     *
     * @throws EOFException if the stream ends before or within it
     */
    static byte[] readMessage(InputStream in) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        copyMessage(in, bytes);
        return bytes.toByteArray();
    }

    /** The name of a request's command, in upper case. */
    static String commandOf(byte[] request) {
        String[] lines = new String(request, UTF_8).split("\r\n", 4); // *2, $4, INFO; or inline: INFO server
        return (lines.length > 2 ? lines[2] : lines[0].split(" ", 2)[0]).toUpperCase(Locale.ROOT);
    }

    private static void copyMessage(InputStream in, ByteArrayOutputStream to) throws IOException {
        String head = copyLine(in, to);
        switch (head.isEmpty() ? ' ' : head.charAt(0)) {
            case '$', '=', '!' -> copyValue(in, to, length(head));
            case '*', '~', '>' -> copyMessages(in, to, length(head));
            case '%' -> copyMessages(in, to, 2 * length(head));
            case '|' -> copyMessages(in, to, 2 * length(head) + 1); // attributes, then what they describe
            default -> {}
        }
    }

    private static void copyMessages(InputStream in, ByteArrayOutputStream to, int count) throws IOException {
        for (int i = 0; i < count; i++) copyMessage(in, to);
    }

    private static String copyLine(InputStream in, ByteArrayOutputStream to) throws IOException {
        StringBuilder line = new StringBuilder();
        int next;
        do {
            next = in.read();
            if (next < 0) throw new EOFException();
            to.write(next);
            line.append((char) next);
        } while (next != '\n');
        return line.toString().strip();
    }

    private static void copyValue(InputStream in, ByteArrayOutputStream to, int length) throws IOException {
        if (length < 0) return; // a null
        byte[] value = in.readNBytes(length + 2);
        if (value.length < length + 2) throw new EOFException();
        to.writeBytes(value);
    }

    private static int length(String head) throws ProtocolException {
        try {
            return Integer.parseInt(head.substring(1));
        } catch (NumberFormatException e) {
            throw new ProtocolException("Not RESP: " + head);
        }
    }
}
