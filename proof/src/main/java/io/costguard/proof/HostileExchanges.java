package io.costguard.proof;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.Limit;
import io.costguard.describe.Forgetting;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import io.costguard.proof.twins.Sent;
import io.costguard.proof.twins.Twins;
import io.costguard.settle.Hostile;
import io.costguard.settle.MutatedTraffic;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;

/**
 * Answers of a real socket that are damaged, cut off, falsely encoded and of the wrong length, to real clients with a guard and to the same
 * without one: the provider must be asked the same, and the caller see the same. Safe for use by many threads.
 */
final class HostileExchanges implements AutoCloseable {
    private static final String ID = "x-exchange";
    /** Those that are known by their path alone: calls to one host that nobody knows have one key. */
    private static final List<Exchange> CORPUS = Recordings.all().stream()
            .filter(exchange -> Dialects.bundled()
                    .of(Target.of(
                            "POST",
                            URI.create("http://127.0.0.1" + exchange.url().getRawPath())))
                    .isPresent())
            .toList();

    private static final int[] STATUSES = {
        200, 200, 200, 200, 204, 206, 400, 401, 404, 408, 413, 421, 429, 429, 500, 503, 529, 599, 999
    };

    /** So often a client without a guard is asked whether it differs from itself, before a difference is the guard's. */
    private static final int TIMES_ALONE = 20;

    /** What is said of each call to its guard. */
    private static final String CLIENT = "client";

    private static final String INPUT = "input";

    private final Map<String, byte[]> answers = new ConcurrentHashMap<>();
    private final Map<String, List<String>> asked = new ConcurrentHashMap<>();
    private final AtomicLong ids = new AtomicLong();
    private final AtomicLong guarded = new AtomicLong();
    private final AtomicLong settled = new AtomicLong();
    private final AtomicLong inputs = new AtomicLong();
    private final Map<String, Set<String>> letGo = new ConcurrentHashMap<>();
    private final Set<Long> unsteady = ConcurrentHashMap.newKeySet();
    private final Provider provider;
    private final CostGuard guard;
    private final List<Twins<?>> clients;

    HostileExchanges(String redis, String prefix) throws IOException {
        provider = Provider.answering((request, connection) -> {
            String id = request.header(ID).orElseThrow();
            asked.computeIfAbsent(id, first -> new ArrayList<>()).add(shown(request));
            connection.write(answers.getOrDefault(id, new byte[0]));
            return false;
        });
        guard = CostGuard.builder()
                .redis(redis)
                .keyPrefix(prefix)
                // A machine that stalls fails no call.
                .decisionTimeout(Duration.ofMinutes(1))
                .budget(Budget.named("roomy")
                        .per("model", "apiKey")
                        .clampToCapacity()
                        .limit(Limit.requests(1_000).perDay().tokenBucket().correctedByProvider())
                        .limit(Limit.tokens(1_000_000_000)
                                .perDay()
                                .tokenBucket()
                                .correctedByProvider()))
                .listener(new GuardListener() {
                    @Override
                    public void onGranted(Grant event) {
                        guarded.incrementAndGet();
                        Map<String, String> attributes = event.call().attributes();
                        letGo.computeIfAbsent(
                                        attributes.getOrDefault(CLIENT, "unknown"),
                                        first -> ConcurrentHashMap.newKeySet())
                                .add(attributes.getOrDefault(INPUT, "unknown"));
                    }

                    @Override
                    public void onSettled(Settlement event) {
                        settled.incrementAndGet();
                    }
                })
                .build();
        clients = Twins.of(guard);
    }

    private static String shown(Provider.Asked request) {
        return request.head().stream()
                        .filter(line -> !line.startsWith(ID))
                        .sorted()
                        .collect(Collectors.joining("\n"))
                + "\n\n" + new String(request.body(), ISO_8859_1);
    }

    /** {@return how many calls the guard let go and did not hear the end of, once all have ended} */
    long unsettled() throws IOException {
        guard.flush();
        return guarded.get() - settled.get() + guard.stats().openReservations();
    }

    /** {@return by client, of how many inputs the guard let a call go, however often each was read} */
    Map<String, Integer> letGo() {
        Map<String, Integer> counts = new TreeMap<>();
        letGo.forEach((client, those) -> counts.put(client, those.size()));
        return counts;
    }

    /** {@return at how many inputs a client differed with a guard from without, and without from itself too} */
    long unsteady() {
        return unsteady.size();
    }

    /** @param turn by which the clients take turns */
    Hostile<?> next(Random random, int turn) {
        Exchange exchange = CORPUS.get(random.nextInt(CORPUS.size()));
        MutatedTraffic mutations = new MutatedTraffic(random);
        byte[] request = exchange.request();
        byte[] sent = random.nextBoolean() ? request : mutations.mutated(request, exchange.response());
        byte[] answer = answer(random, exchange, mutations);
        return new Answer(inputs.incrementAndGet(), exchange, sent, answer, clients.get(turn % clients.size()));
    }

    private static byte[] answer(Random random, Exchange exchange, MutatedTraffic mutations) {
        byte[] body = exchange.response();
        StringBuilder head = new StringBuilder("HTTP/1.1 ")
                .append(STATUSES[random.nextInt(STATUSES.length)])
                .append(" What it says\r\nconnection: close\r\ncontent-type: ")
                .append(exchange.contentType())
                .append("\r\n");
        if (random.nextBoolean()) {
            body = mutations.mutated(body, exchange.request());
        }
        if (random.nextInt(3) == 0) {
            head.append("content-encoding: gzip\r\n");
            body = random.nextInt(4) == 0 ? body : cutOff(random, gzipped(body));
        }
        HostileHeaders headers = new HostileHeaders(random);
        for (int i = random.nextInt(4); i > 0; i--) {
            head.append(headers.line()).append("\r\n");
        }
        ByteArrayOutputStream framed = new ByteArrayOutputStream();
        switch (random.nextInt(6)) {
            case 0 -> {
                head.append("transfer-encoding: chunked\r\n");
                chunked(random, body, framed);
            }
            case 1 -> {
                head.append("transfer-encoding: chunked\r\n");
                chunked(random, body, framed);
                byte[] cut = cutOff(random, framed.toByteArray());
                framed.reset();
                framed.writeBytes(cut);
            }
            case 2 -> framed.writeBytes(body);
            default -> {
                int more = random.nextInt(4) == 0 ? random.nextInt(20) - 10 : 0;
                head.append("content-length: ")
                        .append(Math.max(0, body.length + more))
                        .append("\r\n");
                framed.writeBytes(body);
            }
        }
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(head.append("\r\n").toString().getBytes(ISO_8859_1));
        all.writeBytes(framed.toByteArray());
        return random.nextInt(10) == 0 ? mutations.mutated(all.toByteArray(), body) : all.toByteArray();
    }

    private static void chunked(Random random, byte[] body, ByteArrayOutputStream to) {
        for (int from = 0; from < body.length; ) {
            int length = Math.min(body.length - from, 1 + random.nextInt(1_000));
            to.writeBytes((Integer.toHexString(length) + "\r\n").getBytes(ISO_8859_1));
            to.write(body, from, length);
            to.writeBytes(new byte[] {'\r', '\n'});
            from += length;
        }
        to.writeBytes("0\r\n\r\n".getBytes(ISO_8859_1));
    }

    private static byte[] cutOff(Random random, byte[] body) {
        return random.nextBoolean() ? body : Arrays.copyOf(body, random.nextInt(body.length + 1));
    }

    private static byte[] gzipped(byte[] body) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(body);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return out.toByteArray();
    }

    private final class Answer implements Hostile<Byte> {
        private final long input;
        private final Exchange exchange;
        private final byte[] sent;
        private final byte[] answer;
        private final Twins<?> client;

        Answer(long input, Exchange exchange, byte[] sent, byte[] answer, Twins<?> client) {
            this.input = input;
            this.exchange = exchange;
            this.sent = sent;
            this.answer = answer;
            this.client = client;
        }

        @Override
        public List<Byte> parts() {
            return IntStream.range(0, answer.length).mapToObj(i -> answer[i]).toList();
        }

        @Override
        public Answer of(List<Byte> parts) {
            byte[] left = new byte[parts.size()];
            for (int i = 0; i < left.length; i++) {
                left[i] = parts.get(i);
            }
            return new Answer(input, exchange, sent, left, client);
        }

        /** Its key is another one each time. */
        @Override
        public Answer afresh() {
            Forgetting.texts();
            return this;
        }

        @Override
        public byte[] bytes() {
            return answer;
        }

        /** {@return whether its caller saw it whole} */
        @Override
        public Object read() throws Exception {
            String without = seen(false);
            String with = seen(true);
            if (!with.equals(without)) {
                if (isSteady(without)) {
                    assertThat(with).isEqualTo(without);
                }
                unsteady.add(input);
            }
            return without.endsWith("\n") ? "whole" : "failed";
        }

        /** Whether it is that each time without a guard. */
        private boolean isSteady(String without) throws InterruptedException {
            for (int times = 0; times < TIMES_ALONE; times++) {
                if (!seen(false).equals(without)) {
                    return false;
                }
            }
            return true;
        }

        /** What the provider was asked, whatever the key, and what the caller saw. */
        private String seen(boolean isGuarded) throws InterruptedException {
            String id = String.valueOf(ids.incrementAndGet());
            String key = "sk-of-an-exchange-" + id;
            // Of a key of its own, where that is a project: what holds one call back holds no other.
            String path = exchange.url().getRawPath().replaceFirst("/projects/[^/]+/", "/projects/" + key + "/");
            Map<String, String> headers =
                    Map.of("content-type", "application/json", "authorization", "Bearer " + key, ID, id);
            answers.put(id, answer);
            try {
                String seen = CallAttributes.of(CLIENT, client.toString())
                        .with(INPUT, String.valueOf(input))
                        .call(() -> client.send(new Sent(provider.uri(path), headers, sent), isGuarded));
                return asked.getOrDefault(id, List.of()).toString().replace(key, "sk-any") + "\n" + seen;
            } finally {
                answers.remove(id);
                asked.remove(id);
            }
        }

        @Override
        public String toString() {
            return "an answer like that of " + exchange + " through " + client;
        }
    }

    @Override
    public void close() throws IOException {
        guard.close();
        clients.forEach(Twins::close);
        provider.close();
    }
}
