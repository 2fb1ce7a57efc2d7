package io.costguard.http.tck;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** A guarded HTTP client, as the tests use it. */
public interface Client {

    /** Sends a request and gives its response, whose body is read by the caller. */
    Answer send(Sent request) throws IOException, InterruptedException;

    /** Sends a request, and cancels the call as soon as {@code when} is done; returns when the client has given up. */
    void sendAndCancel(Sent request, Moment when) throws Exception;

    /** Returns when something has happened. */
    interface Moment {
        void await() throws Exception;
    }

    /** How a body is given to the client. */
    enum Body {
        /** All at once, as often as it likes. */
        BYTES,
        /** A stream that can be read once, its length unknown. */
        ONE_SHOT
    }

    /** A request. */
    record Sent(String method, URI uri, Map<String, String> headers, byte[] body, Body form) {}

    /** A response. Header names are in lower case. */
    record Answer(int status, Map<String, List<String>> headers, InputStream body) implements AutoCloseable {
        public static Answer of(int status, Map<String, List<String>> headers, InputStream body) {
            Map<String, List<String>> lower = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            lower.putAll(headers);
            return new Answer(status, lower, body);
        }

        public Optional<String> header(String name) {
            return Optional.ofNullable(headers.get(name)).map(values -> values.get(0));
        }

        /** The whole body; closes it. */
        public byte[] bytes() throws IOException {
            try (body) {
                return body.readAllBytes();
            }
        }

        @Override
        public void close() throws IOException {
            body.close();
        }
    }
}
