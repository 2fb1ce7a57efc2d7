package io.costguard.proof;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.costguard.proof.Canaries.Place;
import io.costguard.proof.Canaries.Secret;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.time.Duration;
import java.util.Base64;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Connection;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisMonitor;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.resps.ScanResult;

/** Keys, prompts and answers are nowhere but in the calls themselves: searched is whatever leaves a guard by any other way. */
final class Secrets implements Check {
    /** Of each guard through each client some. */
    private static final int FEWEST_CALLS = 300;

    private static final int CALLS_A_ROUND = 500;
    private static final int FEWEST_BYTES = 4_000;

    private static final Duration AT_MOST = Duration.ofMinutes(30);
    private static final List<String> ALL_LOGGED =
            List.of("-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=trace");

    /** Of those whose events every run has. */
    private static final Set<String> EVENTS = Set.of(
            "onGranted", "onDenied", "onWaiting", "onSettled", "onHeld", "onFailedOpen", "onFailedClosed", "onBatch");

    private static final String MARKER = "m4rker-in-the-clear";

    /** What came of all rounds. */
    private static final class Found {
        final Map<Place, Long> bytes = new EnumMap<>(Place.class);
        final Set<Place> marked = EnumSet.noneOf(Place.class);
        final Set<Secret> sent = EnumSet.noneOf(Secret.class);
        final Set<String> events = new TreeSet<>();
        int canaries;
    }

    @Override
    public void run(Trial trial) throws Exception {
        int calls = Math.max(FEWEST_CALLS, trial.times(CALLS_A_ROUND, CALLS_A_ROUND));
        Random random = trial.random("canaries");
        Found found = new Found();
        for (int round = trial.times(1, 20); round > 0; round--) {
            Canaries canaries = Canaries.of(random);
            Map<Place, StringBuilder> told = told(canaries, calls, random.nextLong(), found);
            for (Place place : Place.values()) {
                String text = told.getOrDefault(place, new StringBuilder()).toString();
                found.bytes.merge(place, (long) text.length(), Long::sum);
                if (text.contains(MARKER)) {
                    found.marked.add(place);
                }
                List<String> there = canaries.in(text, place);
                there.forEach(canary -> trial.history(place.label + ": " + canary));
                found.canaries += there.size();
            }
        }
        report(trial, found);
    }

    /** Makes the calls, and gives what was told meanwhile. */
    private static Map<Place, StringBuilder> told(Canaries canaries, int calls, long seed, Found found)
            throws Exception {
        Map<Place, StringBuilder> told = new EnumMap<>(Place.class);
        try (RedisForTests redis = RedisForTests.start();
                Monitor monitor = new Monitor(redis.url());
                Jedis jedis = new Jedis(redis.url());
                Provider provider = Provider.answering(
                        (request, connection) -> answer(request, connection, canaries, found.sent))) {
            String prefix = redis.keyPrefix();
            jedis.set(prefix + MARKER, MARKER);
            jedis.aclSetUser("few", "on", ">few", "~*", "&*", "+@connection", "+time");
            URI at = URI.create(redis.url());
            try (ChildJvm worker = ChildJvm.start(
                    SecretsWorker.class,
                    ALL_LOGGED,
                    canaries.toString(),
                    MARKER,
                    provider.uri("").getAuthority(),
                    prefix,
                    String.valueOf(seed),
                    String.valueOf(calls),
                    redis.url(),
                    "redis://few:few@" + at.getHost() + ":" + at.getPort())) {
                worker.run(AT_MOST, line -> {
                    String[] words = line.split("\t", -1);
                    switch (words[0]) {
                        case "look" -> {
                            told.computeIfAbsent(Place.KEYS, first -> new StringBuilder())
                                    .append(kept(jedis));
                            worker.tell("");
                        }
                        case "told" ->
                            told.computeIfAbsent(Place.valueOf(words[1]), first -> new StringBuilder())
                                    .append(new String(Base64.getDecoder().decode(words[2]), UTF_8));
                        case "event" -> found.events.add(words[1]);
                        default -> throw new IOException("the worker said " + line);
                    }
                });
                told.put(Place.LOG, new StringBuilder(worker.logged()));
            }
            told.computeIfAbsent(Place.KEYS, first -> new StringBuilder()).append(kept(jedis));
            told.put(Place.COMMANDS, new StringBuilder(monitor.all(jedis)));
        }
        return told;
    }

    private static void report(Trial trial, Found found) {
        Set<String> unseen = new TreeSet<>(EVENTS);
        unseen.removeAll(found.events);
        if (!unseen.isEmpty()) {
            trial.history("never happened: " + unseen);
        }
        trial.all("kinds of what becomes of a call", EVENTS.size() - unseen.size(), EVENTS.size());
        // These are for the library, Redis, and a client alone.
        Set<Secret> unsent = EnumSet.complementOf(
                EnumSet.of(Secret.ACQUIRED_KEY, Secret.REDIS_PASSWORD, Secret.TENANT, Secret.USER_INFO));
        unsent.removeAll(found.sent);
        if (!unsent.isEmpty()) {
            trial.history("never sent: " + unsent);
        }
        trial.none("canaries that were never in a call", unsent.size());
        found.bytes.forEach((place, bytes) -> trial.atLeast("bytes searched of " + place.label, bytes, FEWEST_BYTES));
        Set<Place> unmarked = EnumSet.complementOf(EnumSet.noneOf(Place.class));
        unmarked.removeAll(found.marked);
        if (!unmarked.isEmpty()) {
            trial.history("what is told in the clear was not found in " + unmarked);
        }
        trial.all("places where what is told in the clear is found", found.marked.size(), Place.values().length);
        trial.none("canaries found", found.canaries);
    }

    // ---------------------------------------------------------------------------------------------------- provider

    private static boolean answer(Provider.Asked request, OutputStream out, Canaries canaries, Set<Secret> sent)
            throws IOException {
        String asked = String.join("\n", request.head()) + "\n" + new String(request.body(), UTF_8);
        synchronized (sent) {
            sent.addAll(canaries.in(asked));
            sent.addAll(List.of(Secret.ANSWER, Secret.ANSWERS_ERROR, Secret.ANSWERS_HEADER));
        }
        String answer = canaries.of(Secret.ANSWER);
        String json = "{\"id\":\"1\",\"choices\":[{\"message\":{\"content\":\"" + answer
                + "\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}";
        String error =
                "{\"error\":{\"type\":\"" + canaries.of(Secret.ANSWERS_ERROR) + "\",\"message\":\"" + answer + "\"}}";
        String event = "data: {\"choices\":[{\"delta\":{\"content\":\"" + answer + "\"}}]}\n\n";
        String path = request.target().substring(0, request.target().indexOf('/', 1));
        String head = "x-request-id: " + canaries.of(Secret.ANSWERS_HEADER) + "\r\ncontent-type: application/json\r\n";
        switch (path) {
            case "/ok" -> write(out, "200 OK", head, json);
            case "/stream" ->
                write(
                        out,
                        "200 OK",
                        head.replace("application/json", "text/event-stream"),
                        event + event + "data: [DONE]\n\n");
            case "/cut" ->
                out.write(("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n" + head + "\r\n" + json.substring(0, 60))
                        .getBytes(UTF_8));
            case "/garbage" -> write(out, "200 OK", head, "<" + answer + ">{\"usage\":\"" + answer + "\"");
            case "/302" ->
                write(
                        out,
                        "307 Elsewhere",
                        head + "location: http://localhost:" + port(request) + "/ok"
                                + request.target().substring(4) + "\r\n",
                        error);
            case "/429" -> write(out, "429 Many", head + "retry-after-ms: 5\r\n", error);
            case "/reset" -> {
                return false;
            }
            default -> write(out, path.substring(1) + " Error", head, error);
        }
        return !path.equals("/cut");
    }

    private static String port(Provider.Asked request) {
        String host = request.header("host").orElseThrow();
        return host.substring(host.indexOf(':') + 1);
    }

    private static void write(OutputStream out, String status, String head, String body) throws IOException {
        byte[] bytes = body.getBytes(UTF_8);
        out.write(("HTTP/1.1 " + status + "\r\n" + head + "content-length: " + bytes.length + "\r\n\r\n")
                .getBytes(UTF_8));
        out.write(bytes);
    }

    // ------------------------------------------------------------------------------------------------------- Redis

    /** All keys, and of each its value in the clear and as it is dumped. */
    private static String kept(Jedis jedis) {
        StringBuilder kept = new StringBuilder();
        String cursor = ScanParams.SCAN_POINTER_START;
        do {
            ScanResult<byte[]> page = jedis.scan(cursor.getBytes(UTF_8), new ScanParams().count(1_000));
            for (byte[] key : page.getResult()) {
                kept.append(text(key)).append(' ').append(value(jedis, key)).append('\n');
            }
            cursor = page.getCursor();
        } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
        return kept.toString();
    }

    private static String value(Jedis jedis, byte[] key) {
        return switch (jedis.type(key)) {
            case "string" -> text(jedis.get(key));
            case "zset" -> {
                StringBuilder members = new StringBuilder();
                jedis.zrangeWithScores(key, 0, -1)
                        .forEach(member -> members.append(text(member.getBinaryElement()))
                                .append(' ')
                                .append(member.getScore())
                                .append(' '));
                yield members.toString();
            }
            case "hash" -> {
                StringBuilder fields = new StringBuilder();
                jedis.hgetAll(key)
                        .forEach((field, value) -> fields.append(text(field))
                                .append(' ')
                                .append(text(value))
                                .append(' '));
                yield fields.toString();
            }
            case "none" -> "";
            default -> text(jedis.dump(key));
        };
    }

    private static String text(byte @Nullable [] bytes) {
        return bytes == null ? "" : new String(bytes, ISO_8859_1);
    }

    /** All commands that a Redis gets, from whomever. */
    private static final class Monitor implements AutoCloseable {
        private static final String LAST = "the last of them";

        private final Jedis jedis;
        private final Queue<String> commands = new ConcurrentLinkedQueue<>();
        private final CountDownLatch ended = new CountDownLatch(1);

        Monitor(String url) {
            jedis = new Jedis(URI.create(url), 0);
            CountDownLatch begun = new CountDownLatch(1);
            Thread thread = new Thread(() -> monitor(begun), "monitor");
            thread.setDaemon(true);
            thread.start();
            Waiting.until(() -> begun.getCount() == 0, "a monitor that hears all commands");
        }

        private void monitor(CountDownLatch begun) {
            try {
                jedis.monitor(new JedisMonitor() {
                    @Override
                    public void proceed(Connection client) {
                        begun.countDown();
                        super.proceed(client);
                    }

                    @Override
                    public void onCommand(String command) {
                        commands.add(command);
                        if (command.contains(LAST)) {
                            ended.countDown();
                        }
                    }
                });
            } catch (JedisException e) {
                // It was closed.
            }
        }

        /** All so far: a command of our own ends them. */
        String all(Jedis other) {
            other.get(LAST);
            Waiting.until(() -> ended.getCount() == 0, "the last command, heard by the monitor");
            return String.join("\n", commands);
        }

        @Override
        public void close() {
            jedis.close();
        }
    }
}
