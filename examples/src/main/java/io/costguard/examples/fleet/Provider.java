package io.costguard.examples.fleet;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.costguard.PriceList;
import io.costguard.describe.Usage;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * A provider that answers as real ones were recorded, streams as streams, and keeps its own account: of each answer the usage that it
 * reports, at list price; of one that nobody reads to its end, the output that it had sent when it noticed. What it refuses, and where it
 * fails, it charges nothing. It knows nothing of the guard. Safe for use by many threads.
 */
public final class Provider implements AutoCloseable {
    private static final Set<String> PROVIDERS = Set.of("openai", "anthropic");
    private static final Set<String> PATHS = Set.of("/v1/chat/completions", "/v1/messages");
    private static final int PIECES = 16;
    private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "provider");
        thread.setDaemon(true);
        return thread;
    });
    private final Map<ByteBuffer, Exchange> known = new HashMap<>();
    private volatile Manner manner = Manner.USUAL;

    private final Map<String, Deque<Long>> lastOfKey = new HashMap<>();
    private Amounts bill = Amounts.NONE;
    private long refused;
    private long failed;

    /**
     * How it answers.
     *
     * @param latencyMillis how long it takes to begin, give or take a quarter; a stream takes as long again
     * @param failurePercent how many of a hundred calls end with a 500
     * @param callsPerTenSeconds what it lets a key make, all others get a 429 with {@code Retry-After}; 0 for no limit
     */
    public record Manner(int latencyMillis, int failurePercent, int callsPerTenSeconds) {
        public static final Manner USUAL = new Manner(500, 0, 0);

        public Manner {
            if (latencyMillis < 0 || latencyMillis > 5_000) {
                throw new IllegalArgumentException("latencyMillis must be from 0 to 5000, not " + latencyMillis);
            }
            if (failurePercent < 0 || failurePercent > 100) {
                throw new IllegalArgumentException("failurePercent must be from 0 to 100, not " + failurePercent);
            }
            if (callsPerTenSeconds < 0 || callsPerTenSeconds > 100) {
                throw new IllegalArgumentException(
                        "callsPerTenSeconds must be from 0 to 100, not " + callsPerTenSeconds);
            }
        }
    }

    /**
     * What it says of itself.
     *
     * @param bill what it charges for all that it answered
     */
    public record Account(Amounts bill, long refused, long failed) {}

    private Provider(HttpServer server) {
        this.server = server;
    }

    public static Provider start() throws IOException {
        // Else each answer waits for the acknowledgement of its headers, 40 ms.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        Provider provider =
                new Provider(HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0));
        Recordings.all().stream()
                .filter(exchange -> PROVIDERS.contains(exchange.provider()))
                .filter(exchange -> PATHS.contains(exchange.url().getPath()))
                .filter(exchange -> exchange.reportedInput().isPresent())
                // Audio has a price of its own, and what was recorded does not say apart how much there was.
                .filter(exchange -> !exchange.folder().contains("audio"))
                .forEach(exchange -> provider.known.putIfAbsent(ByteBuffer.wrap(exchange.request()), exchange));
        provider.server.createContext("/", provider::answer);
        provider.server.setExecutor(provider.threads);
        provider.server.start();
        return provider;
    }

    public URI uri() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    public Manner manner() {
        return manner;
    }

    public void behave(Manner latest) {
        manner = latest;
    }

    public synchronized Account account() {
        return new Account(bill, refused, failed);
    }

    private void answer(HttpExchange call) throws IOException {
        try (call) {
            Manner now = manner;
            Exchange exchange = known.get(ByteBuffer.wrap(call.getRequestBody().readAllBytes()));
            if (exchange == null) {
                error(call, 404, "not_found_error", "no such recording");
                return;
            }
            long untilFree = admit(call.getRequestHeaders().getFirst("authorization"), now);
            if (untilFree > 0) {
                long seconds = TimeUnit.NANOSECONDS.toSeconds(untilFree + 999_999_999);
                call.getResponseHeaders().set("retry-after", String.valueOf(seconds));
                error(call, 429, "rate_limit_error", "this key made too many calls");
                return;
            }
            pause(now.latencyMillis() * ThreadLocalRandom.current().nextLong(750, 1_251) / 1_000);
            if (ThreadLocalRandom.current().nextInt(100) < now.failurePercent()) {
                synchronized (this) {
                    failed++;
                }
                error(call, 500, "api_error", "an internal error, as providers have them");
                return;
            }
            call.getResponseHeaders().set("content-type", exchange.contentType());
            if (exchange.isStream()) {
                stream(call, exchange, now.latencyMillis());
            } else {
                byte[] body = exchange.response();
                charge(exchange, 1, 1);
                call.sendResponseHeaders(exchange.status(), body.length);
                call.getResponseBody().write(body);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void stream(HttpExchange call, Exchange exchange, long millis) throws IOException, InterruptedException {
        byte[] body = exchange.response();
        int length = (body.length + PIECES - 1) / PIECES;
        int sent = 0;
        call.sendResponseHeaders(exchange.status(), 0);
        try {
            OutputStream out = call.getResponseBody();
            while (sent < body.length) {
                int piece = Math.min(length, body.length - sent);
                if (sent + piece == body.length) {
                    charge(exchange, 1, 1);
                }
                out.write(body, sent, piece);
                out.flush();
                sent += piece;
                pause(millis / PIECES);
            }
        } catch (IOException e) {
            if (sent < body.length) {
                charge(exchange, sent, body.length);
            }
            throw e;
        }
    }

    private synchronized long admit(String key, Manner now) {
        if (now.callsPerTenSeconds() == 0) {
            lastOfKey.clear();
            return 0;
        }
        long nanos = System.nanoTime();
        Deque<Long> last = lastOfKey.computeIfAbsent(key, each -> new ArrayDeque<>());
        while (!last.isEmpty() && nanos - last.getFirst() >= LIMIT_NANOS) {
            last.removeFirst();
        }
        if (last.size() >= now.callsPerTenSeconds()) {
            refused++;
            return last.getFirst() + LIMIT_NANOS - nanos;
        }
        last.addLast(nanos);
        return 0;
    }

    private static void error(HttpExchange call, int status, String type, String message) throws IOException {
        byte[] body = Wire.write(Map.of("type", "error", "error", Map.of("type", type, "message", message)))
                .getBytes(StandardCharsets.UTF_8);
        call.getResponseHeaders().set("content-type", "application/json");
        call.sendResponseHeaders(status, body.length);
        call.getResponseBody().write(body);
    }

    /** Charges its prompt, and so much of its answer. */
    private synchronized void charge(Exchange exchange, long part, long whole) {
        Usage usage = usage(exchange, part, whole);
        long price = PriceList.bundled()
                .nanoUsd(exchange.provider(), exchange.model(), usage)
                .orElseThrow(() -> new IllegalStateException("no price for " + exchange.model()));
        bill = bill.plus(new Amounts(1, usage.allInput(), usage.allOutput(), price));
    }

    private static Usage usage(Exchange exchange, long part, long whole) {
        long read = exchange.number("cached_input_tokens").orElse(0);
        long written = exchange.number("cache_write_tokens").orElse(0);
        long fresh = exchange.reportedInput().orElseThrow() - read - written;
        long output = (exchange.reportedOutput().orElseThrow() * part + whole - 1) / whole;
        return Usage.of(fresh, output).withCacheRead(read).withCacheWrite(written);
    }

    private static void pause(long millis) throws InterruptedException {
        if (millis > 0) {
            Thread.sleep(millis);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
