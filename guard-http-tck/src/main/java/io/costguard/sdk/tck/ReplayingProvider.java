package io.costguard.sdk.tck;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.costguard.testing.Recordings.Exchange;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** A provider on this machine that gives the answers it is told to, one after another, to whatever it is asked. */
final class ReplayingProvider implements Closeable {
    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Queue<Answer> answers = new ConcurrentLinkedQueue<>();
    private final AtomicInteger asked = new AtomicInteger();

    /**
     * What it gives.
     *
     * @param atOnce how many bytes of the body it writes before it waits for {@code rest}
     */
    record Answer(int status, Map<String, String> headers, byte[] body, int atOnce, CountDownLatch rest) {
        static Answer of(Exchange recorded) {
            byte[] body = recorded.response();
            return of(recorded, body.length, new CountDownLatch(0));
        }

        /** One that stops after so many bytes until {@code rest} is there. */
        static Answer of(Exchange recorded, int atOnce, CountDownLatch rest) {
            return new Answer(
                    recorded.status(),
                    Map.of("content-type", recorded.contentType()),
                    recorded.response(),
                    atOnce,
                    rest);
        }

        /** An error that asks to be tried again at once. */
        static Answer error(int status) {
            byte[] body = "{\"error\":{\"message\":\"try again\",\"type\":\"t\"}}".getBytes(StandardCharsets.UTF_8);
            return new Answer(
                    status,
                    Map.of("content-type", "application/json", "retry-after-ms", "1"),
                    body,
                    body.length,
                    new CountDownLatch(0));
        }
    }

    ReplayingProvider(Answer... answers) throws IOException {
        this.answers.addAll(List.of(answers));
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    private void answer(HttpExchange call) throws IOException {
        call.getRequestBody().readAllBytes();
        asked.incrementAndGet();
        Answer answer = answers.poll();
        if (answer == null) {
            answer = Answer.error(418);
        }
        answer.headers().forEach(call.getResponseHeaders()::set);
        call.sendResponseHeaders(answer.status(), 0);
        try (OutputStream body = call.getResponseBody()) {
            body.write(answer.body(), 0, answer.atOnce());
            body.flush();
            answer.rest().await();
            body.write(answer.body(), answer.atOnce(), answer.body().length - answer.atOnce());
        } catch (InterruptedException e) {
            throw new InterruptedIOException();
        }
    }

    URI uri() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    /** How many requests it got. */
    int asked() {
        return asked.get();
    }

    @Override
    public void close() {
        threads.shutdownNow();
        server.stop(0);
    }
}
