package io.costguard.proof;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.costguard.proof.SoakWorker.Tenant;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.ToLongFunction;
import redis.clients.jedis.Jedis;

/** A long load of whole, cut, denied and waiting calls leaves nothing behind, and what Redis says that they cost is what their provider bills. */
final class Soak implements Check {
    private static final int CALLS_A_SECOND = 1_000;

    /** In less time, what a process holds has not come to rest. */
    private static final int FEWEST_SECONDS = 8;

    private static final int SAMPLES = 60;
    private static final List<String> SMALL_HEAP = List.of("-Xmx160m", "-Xms160m");

    /**
     * The smallest object takes 16 bytes: one that is kept of each call is twice this. What is left in the heap after a
     * collection also varies by the calls that were under way in that moment.
     */
    private static final long BYTES_A_CALL = 8;

    private static final long BYTES_UNDER_WAY = 128 << 10;

    /** In a long run no more than a megabyte may be left of all calls together: half a byte of each in an hour. */
    private static final long MOST_BYTES = 1 << 20;

    /** Threads and connections vary with the load; one that is left behind by every eight-thousandth call of two minutes is more. */
    private static final long VARYING = 8;

    /** What there was at one moment. */
    private record Sample(long heap, long threads, long keys, long connectionsToRedis, long connections) {}

    @Override
    public void run(Trial trial) throws Exception {
        int seconds = Math.max(FEWEST_SECONDS, trial.times(120, 3_600));
        Map<Tenant, Billing> bills = new ConcurrentHashMap<>();
        List<Sample> samples = new ArrayList<>();
        Map<String, Long> counts = new TreeMap<>();
        Map<Tenant, long[]> ledger = new EnumMap<>(Tenant.class);
        AtomicLong answers = new AtomicLong();
        try (RedisForTests redis = RedisForTests.start();
                Jedis jedis = new Jedis(URI.create(redis.url()), 60_000);
                Provider provider = Provider.answering(
                        (request, connection) -> answer(request, connection, bills, answers.incrementAndGet()));
                ChildJvm worker = ChildJvm.start(
                        SoakWorker.class,
                        SMALL_HEAP,
                        redis.url(),
                        redis.keyPrefix(),
                        provider.uri("/v1/chat/completions").toString(),
                        String.valueOf(seconds),
                        String.valueOf(CALLS_A_SECOND),
                        String.valueOf(SAMPLES),
                        String.valueOf(trial.seed()))) {
            worker.run(Duration.ofSeconds(2L * seconds + 120), line -> {
                String[] words = line.split("\t", -1);
                switch (words[0]) {
                    case "sample" ->
                        samples.add(new Sample(
                                Long.parseLong(words[1]),
                                Long.parseLong(words[2]),
                                jedis.dbSize(),
                                jedis.clientList().lines().count(),
                                provider.connections()));
                    case "count" -> counts.put(words[1], Long.parseLong(words[2]));
                    case "ledger" ->
                        ledger.put(Tenant.valueOf(words[1]), new long[] {
                            Long.parseLong(words[2]),
                            Long.parseLong(words[3]),
                            Long.parseLong(words[4]),
                            Long.parseLong(words[5])
                        });
                    default -> throw new IOException("the worker said " + line);
                }
            });
        }
        long calls = counts.getOrDefault("ended", 0L);
        load(trial, counts, calls, (long) seconds * CALLS_A_SECOND);
        growth(trial, samples, calls);
        bill(trial, counts, ledger, bills);
    }

    private static void load(Trial trial, Map<String, Long> counts, long calls, long planned) {
        trial.atLeast("calls", calls, planned * 9 / 10);
        trial.atLeast("streams", counts.getOrDefault("streams", 0L), planned / 4);
        trial.atLeast("streams left half-way", counts.getOrDefault("cut", 0L), planned / 50);
        trial.atLeast("calls denied", counts.getOrDefault("denied", 0L), planned / 50);
        trial.atLeast("calls that waited", counts.getOrDefault("waited", 0L), planned / 200);
        trial.none("calls that failed", counts.getOrDefault("failed", 0L));
    }

    private static void growth(Trial trial, List<Sample> samples, long calls) {
        long between = calls * 3 / 5;
        trial.atLeast("samples", samples.size(), SAMPLES / 2);
        trial.atMost(
                "growth of the heap, in bytes",
                growth(samples, Sample::heap),
                Math.min(MOST_BYTES, BYTES_UNDER_WAY + BYTES_A_CALL * between));
        trial.atMost("growth of threads", growth(samples, Sample::threads), VARYING);
        trial.none("growth of keys in Redis", Math.max(0, growth(samples, Sample::keys)));
        trial.atMost("growth of connections to Redis", growth(samples, Sample::connectionsToRedis), VARYING);
        trial.atMost("growth of connections to the provider", growth(samples, Sample::connections), VARYING);
        if (trial.outcome() != Outcome.MET) {
            trial.history("in the second fifth " + median(samples, 1) + ", in the last " + median(samples, 4));
        }
    }

    private static long growth(List<Sample> samples, ToLongFunction<Sample> of) {
        return of.applyAsLong(median(samples, 4)) - of.applyAsLong(median(samples, 1));
    }

    /** Of one fifth of the samples, each figure by itself. */
    private static Sample median(List<Sample> samples, int fifth) {
        List<Sample> part = samples.subList(samples.size() * fifth / 5, samples.size() * (fifth + 1) / 5);
        return new Sample(
                median(part, Sample::heap),
                median(part, Sample::threads),
                median(part, Sample::keys),
                median(part, Sample::connectionsToRedis),
                median(part, Sample::connections));
    }

    private static long median(List<Sample> samples, ToLongFunction<Sample> of) {
        return samples.isEmpty() ? 0 : samples.stream().mapToLong(of).sorted().toArray()[samples.size() / 2];
    }

    private static void bill(
            Trial trial, Map<String, Long> counts, Map<Tenant, long[]> ledger, Map<Tenant, Billing> bills) {
        trial.none("reservations open in the end", counts.getOrDefault("open", -1L));
        trial.none("calls waiting in the end", counts.getOrDefault("waiting", -1L));
        trial.none("settles not in Redis", counts.getOrDefault("queued", -1L) + counts.getOrDefault("dropped", -1L));
        long slots = 0;
        long inLine = 0;
        long requests = 0;
        long tokens = 0;
        long billed = 0;
        long unledgered = 0;
        for (Tenant tenant : Tenant.values()) {
            long[] has = ledger.getOrDefault(tenant, new long[] {-1, -1, -1, -1});
            Billing asks = bills.computeIfAbsent(tenant, first -> new Billing());
            slots += has[2];
            inLine += has[3];
            requests += Math.abs(has[0] - asks.requests.get());
            long more = asks.tokens.get() - has[1];
            if (tenant == Tenant.CUT) {
                unledgered = Math.max(0, more);
            } else {
                billed += asks.tokens.get();
                tokens += Math.abs(more);
            }
        }
        trial.none("slots taken in Redis in the end", slots);
        trial.none("calls in line in Redis in the end", inLine);
        trial.atLeast("tokens billed", billed, 1);
        trial.none("requests by which ledger and bill differ", requests);
        trial.none("tokens by which ledger and bill differ", tokens);
        trial.none("tokens of streams left half-way, billed and not in the ledger", unledgered);
    }

    // ---------------------------------------------------------------------------------------------------- provider

    /** What it asks for. */
    private static final class Billing {
        private final AtomicLong requests = new AtomicLong();
        private final AtomicLong tokens = new AtomicLong();
    }

    private static boolean answer(Provider.Asked request, OutputStream out, Map<Tenant, Billing> bills, long number)
            throws IOException {
        Tenant tenant = Tenant.valueOf(request.header("x-tenant").orElseThrow().toUpperCase(Locale.ROOT));
        boolean isStream = new String(request.body(), UTF_8).contains("\"stream\":true");
        long input = 9 + number % 5;
        long output = 0;
        StringBuilder body = new StringBuilder();
        if (isStream) {
            int events = 8;
            for (int i = 0; i < (tenant == Tenant.CUT ? events / 2 : events); i++) {
                output += 1 + number % 3;
                body.append("data: {\"choices\":[{\"delta\":{\"content\":\"word \"}}],\"usage\":")
                        .append(usage(input, output))
                        .append("}\n\n");
            }
            body.append(tenant == Tenant.CUT ? SoakWorker.HALF : "data: [DONE]\n\n");
        } else {
            output = 5 + number % 7;
            body.append("{\"choices\":[{\"message\":{\"content\":\"some words\"}}],\"usage\":")
                    .append(usage(input, output))
                    .append("}");
        }
        Billing billing = bills.computeIfAbsent(tenant, first -> new Billing());
        billing.requests.incrementAndGet();
        billing.tokens.addAndGet(input + output);

        String text = body.toString();
        String head =
                "HTTP/1.1 200 OK\r\ncontent-type: " + (isStream ? "text/event-stream" : "application/json") + "\r\n";
        if (isStream) {
            String chunk = Integer.toHexString(text.length()) + "\r\n" + text + "\r\n";
            out.write((head + "transfer-encoding: chunked\r\n\r\n" + chunk + (tenant == Tenant.CUT ? "" : "0\r\n\r\n"))
                    .getBytes(UTF_8));
        } else {
            out.write((head + "content-length: " + text.length() + "\r\n\r\n" + text).getBytes(UTF_8));
        }
        return true;
    }

    private static String usage(long input, long output) {
        return "{\"prompt_tokens\":" + input + ",\"completion_tokens\":" + output + "}";
    }
}
