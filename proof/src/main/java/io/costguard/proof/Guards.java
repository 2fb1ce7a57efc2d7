package io.costguard.proof;

import com.sun.net.httpserver.HttpServer;
import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Decision;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.Unit;
import io.costguard.WhenExhausted;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisCluster;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.UnifiedJedis;

/**
 * What one process promises whoever calls it: guards that race for the last of a budget, permits that end twice, callers that are
 * interrupted, usage that is nonsense, replies that come when nobody waits for them any more, and keys that must lie in one slot.
 */
final class Guards implements Check {
    private static final int RACERS = 6;
    private static final int TRIES = 2;
    private static final int PERMITS = 5;
    private static final long TOKENS = 1_000;
    private static final long ESTIMATE = 100;
    private static final long USED = 40;
    /** Nothing of it comes back while a check runs. */
    private static final Duration LONG = Duration.ofDays(100);

    private static final Duration PATIENT = Duration.ofSeconds(30);
    /** Where a call that goes astray is to be heard of sooner. */
    private static final Duration LESS_PATIENT = Duration.ofSeconds(10);

    private static final Duration IMPATIENT = Duration.ofMillis(300);

    private static final List<String> NONSENSE =
            List.of("\"NaN\"", "NaN", "\"Infinity\"", "-1", "1e308", "9007199254740992", "\"0\"", "-0.5");

    @Override
    public void run(Trial trial) throws Exception {
        try (RedisForTests redis = RedisForTests.start()) {
            trial.part("race", () -> race(trial, redis));
            trial.part("kept", () -> outlive(trial, redis));
            trial.part("interrupts", () -> interrupt(trial, redis));
            trial.part("nonsense", () -> reportNonsense(trial, redis));
            trial.part("late", () -> hearLate(trial, redis));
        }
        trial.part("cluster", () -> callInACluster(trial));
    }

    private static CostGuard.Builder guard(String url, String prefix) {
        return CostGuard.builder().redis(url).keyPrefix(prefix).decisionTimeout(PATIENT);
    }

    private static Budget budget() {
        return Budget.named("raced")
                .per("tenant")
                .limit(Limit.requests(PERMITS).per(LONG).slidingWindow())
                .limit(Limit.tokens(TOKENS).per(LONG).tokenBucket());
    }

    private static GuardedCall call(String tenant) {
        return GuardedCall.of("search")
                .with("tenant", tenant)
                .cost(Cost.requests(1).input(ESTIMATE));
    }

    private static long balance(CostGuard guard, GuardedCall call, Unit unit) throws IOException {
        return guard.status(call).stream()
                .filter(status -> status.unit() == unit)
                .mapToLong(LimitStatus::balance)
                .sum();
    }

    // ------------------------------------------------------------------------------------------------------------ race

    /** Each asks for some of the little that there is, at once; ends what it got twice, and says of it three things. */
    private static void race(Trial trial, RedisForTests redis) throws Exception {
        int rounds = trial.times(1_000, 50_000);
        String prefix = redis.keyPrefix();
        ExecutorService threads = Executors.newFixedThreadPool(RACERS);
        List<CostGuard> guards = new ArrayList<>();
        long over = 0;
        long under = 0;
        long drift = 0;
        try {
            for (int i = 0; i < 3; i++) {
                guards.add(guard(redis.url(), prefix).budget(budget()).build());
            }
            CyclicBarrier start = new CyclicBarrier(RACERS);
            for (int round = 0; round < rounds; round++) {
                GuardedCall call = call("t" + round);
                List<Callable<Integer>> racers = new ArrayList<>();
                for (int racer = 0; racer < RACERS; racer++) {
                    CostGuard guard = guards.get(racer % guards.size());
                    racers.add(() -> letGo(guard, call, start));
                }
                int letGo = 0;
                for (Future<Integer> each : threads.invokeAll(racers)) {
                    letGo += each.get();
                }
                for (CostGuard guard : guards) {
                    guard.flush();
                }
                over += Math.max(0, letGo - PERMITS);
                under += Math.max(0, PERMITS - letGo);
                drift += Math.abs(balance(guards.get(0), call, Unit.TOKENS) - TOKENS + letGo * USED);
                drift += Math.abs(balance(guards.get(0), call, Unit.REQUESTS) - PERMITS + letGo);
            }
        } finally {
            threads.shutdownNow();
            guards.forEach(CostGuard::close);
        }
        trial.none("calls let go beyond what there was, of guards that race", over);
        trial.none("calls denied although there was room", under);
        trial.none("drift where each permit is ended three times", drift);
    }

    private static int letGo(CostGuard guard, GuardedCall call, CyclicBarrier start) throws Exception {
        start.await();
        int letGo = 0;
        for (int i = 0; i < TRIES; i++) {
            if (guard.decide(call) instanceof Decision.Granted granted) {
                letGo++;
                Permit permit = granted.permit();
                permit.settle(Cost.requests(1).input(USED));
                permit.settle(Cost.requests(1).input(USED / 2));
                permit.release();
            }
        }
        return letGo;
    }

    // ------------------------------------------------------------------------------------------------------------ kept

    /** What is charged is kept for as long as it counts. */
    private static void outlive(Trial trial, RedisForTests redis) throws Exception {
        List<Limit> limits = List.of(
                Limit.tokens(TOKENS).perMinute(),
                Limit.tokens(TOKENS).per(LONG).tokenBucket(),
                Limit.tokens(TOKENS).perDay(),
                Limit.tokens(TOKENS).perMonth(),
                Limit.tokens(TOKENS).perHour().slidingWindow());
        int tooShort = 0;
        int keys = 0;
        for (Limit limit : limits) {
            String prefix = redis.keyPrefix();
            try (CostGuard guard = guard(redis.url(), prefix)
                            .budget(Budget.named("kept").limit(limit))
                            .build();
                    Jedis jedis = PatientRedis.connection(redis.url())) {
                guard.acquire(call("any")).close();
                long asked = System.nanoTime();
                long millis = guard.status(call("any")).get(0).timeToFull().toMillis();
                for (String key : PatientRedis.subjects(redis.url(), prefix)) {
                    keys++;
                    long left = jedis.pttl(key);
                    long passed = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked) + 1;
                    tooShort += left < millis - passed ? 1 : 0;
                }
            }
        }
        trial.all("balances that are kept", keys, limits.size());
        trial.none("of these, those that are gone before they are full", tooShort);
    }

    // ------------------------------------------------------------------------------------------------------ interrupts

    private static void interrupt(Trial trial, RedisForTests redis) throws Exception {
        int times = trial.times(500, 20_000);
        int waits = trial.times(50, 1_000);
        int flagsLost = 0;
        int left = 0;
        try (CostGuard guard = guard(redis.url(), redis.keyPrefix())
                .preCheck(Duration.ZERO)
                .budget(budget())
                .build()) {
            for (int i = 0; i < times; i++) {
                Thread.currentThread().interrupt();
                try {
                    if (guard.decide(call("t" + i % 50)) instanceof Decision.Granted granted) {
                        granted.permit().close();
                    }
                } finally {
                    flagsLost += Thread.interrupted() ? 0 : 1;
                }
            }
            guard.reset(call("waits"));
            for (int i = 0; i < PERMITS; i++) {
                guard.acquire(call("waits")).close();
            }
            for (int i = 0; i < waits; i++) {
                left += isInterruptedInLine(guard) ? 1 : 0;
            }
            trial.none("interrupt flags lost", flagsLost);
            trial.all("interrupted callers told so, with the flag set, and out of line", left, waits);
        }
    }

    private static boolean isInterruptedInLine(CostGuard guard) throws Exception {
        AtomicReference<String> end = new AtomicReference<>("");
        Thread caller = new Thread(() -> {
            try {
                guard.acquire(call("waits").whenExhausted(WhenExhausted.waitUpTo(LONG.multipliedBy(3))))
                        .close();
                end.set("let go");
            } catch (InterruptedIOException e) {
                end.set(Thread.currentThread().isInterrupted() ? "interrupted" : "the flag is lost");
            } catch (IOException e) {
                end.set(e.toString());
            }
        });
        caller.start();
        Waiting.until(() -> standing(guard) == 1 || !caller.isAlive(), "a call that waits");
        caller.interrupt();
        caller.join(TimeUnit.MINUTES.toMillis(1));
        Waiting.until(() -> standing(guard) == 0, "a line that nobody stands in");
        return "interrupted".equals(end.get());
    }

    private static long standing(CostGuard guard) {
        try {
            return guard.status(call("waits")).get(0).waiting();
        } catch (GuardUnavailableException e) {
            return 1;
        }
    }

    // -------------------------------------------------------------------------------------------------------- nonsense

    /** A provider that reports what is no count has reported nothing: what was sent, and what came back, stays charged. */
    private static void reportNonsense(Trial trial, RedisForTests redis) throws Exception {
        AtomicReference<String> count = new AtomicReference<>("");
        HttpServer provider = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        provider.createContext("/", exchange -> {
            exchange.getRequestBody().readAllBytes();
            byte[] body = ("{\"choices\":[{\"message\":{\"content\":\"Four words of answer.\"}}],"
                            + "\"usage\":{\"prompt_tokens\":" + count + ",\"completion_tokens\":" + count + "}}")
                    .getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().add("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, body.length);
            try (OutputStream out = exchange.getResponseBody()) {
                out.write(body);
            }
        });
        provider.start();
        String host = InetAddress.getLoopbackAddress().getHostAddress() + ":"
                + provider.getAddress().getPort();
        Budget budget = Budget.named("tokens")
                .per()
                .limit(Limit.tokens(1_000_000).per(LONG).slidingWindow());
        int free = 0;
        int heard = 0;
        try (CostGuard guard = guard(redis.url(), redis.keyPrefix())
                .budget(budget)
                .provider(host, "openai")
                .build()) {
            HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
            GuardedCall any = GuardedCall.of("gpt-4o");
            long before = balance(guard, any, Unit.TOKENS);
            List<String> all = new ArrayList<>(NONSENSE);
            all.add("7");
            for (String each : all) {
                count.set(each);
                HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + host + "/v1/chat/completions"))
                        .header("Authorization", "Bearer sk-test")
                        .POST(HttpRequest.BodyPublishers.ofString(
                                "{\"model\":\"gpt-4o\",\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"What is"
                                        + " it that you say here?\"}]}"))
                        .build();
                heard += client.send(request, HttpResponse.BodyHandlers.ofString())
                                        .statusCode()
                                == 200
                        ? 1
                        : 0;
                long after = balance(guard, any, Unit.TOKENS);
                boolean isCount = each.equals("7");
                free += (isCount ? before - after != 14 : before - after < 8) ? 1 : 0;
                before = after;
            }
            trial.all("calls whose usage is reported as nonsense, or is not", heard, NONSENSE.size() + 1L);
            trial.none("of these, charged less than what passed, or otherwise than told", free);
        } finally {
            provider.stop(0);
        }
    }

    // ---------------------------------------------------------------------------------------------------- late replies

    /** Replies are held until their callers have given up, and come then: nobody may take them for an answer of its own. */
    private static void hearLate(Trial trial, RedisForTests redis) throws Exception {
        int rounds = trial.times(30, 500);
        Budget empty = Budget.named("empty")
                .per("tenant")
                .limit(Limit.requests(1).per(LONG).slidingWindow());
        Budget full = Budget.named("full")
                .per("tenant")
                .limit(Limit.requests(1_000_000).per(LONG).slidingWindow());
        ExecutorService threads = Executors.newFixedThreadPool(RACERS);
        int held = 0;
        int wrong = 0;
        int right = 0;
        try (FaultyLink link = FaultyLink.to(redis);
                CostGuard guard = guard(link.url(), redis.keyPrefix())
                        .decisionTimeout(IMPATIENT)
                        .preCheck(Duration.ZERO)
                        .budget(empty.where("tenant", "empty"))
                        .budget(full.where("tenant", "full"))
                        .build()) {
            GuardedCall denied = GuardedCall.of("search").with("tenant", "empty");
            GuardedCall granted = GuardedCall.of("search").with("tenant", "full");
            Waiting.until(() -> isLetGo(guard, denied) != null, "the first decision");
            for (int round = 0; round < rounds; round++) {
                link.replies().hold("EVALSHA");
                Boolean unheard = isLetGo(guard, granted);
                held += unheard == null ? 1 : 0;
                link.replies().pass();
                // By so many at once that each connection there is is used.
                List<Callable<Integer>> calls = Collections.nCopies(RACERS, () -> rightly(guard, denied, granted));
                for (Future<Integer> each : threads.invokeAll(calls)) {
                    wrong += each.get() < 0 ? 1 : 0;
                    right += each.get() > 0 ? 1 : 0;
                }
            }
        } finally {
            threads.shutdownNow();
        }
        trial.all("decisions whose replies came late", held, rounds);
        trial.atLeast("decisions after that, heard in time", right, rounds);
        trial.none("of these, those that were another's", wrong);
    }

    /** 1 if both are decided as they must be, below 0 if one is not, 0 if that is not known. */
    private static int rightly(CostGuard guard, GuardedCall denied, GuardedCall granted) {
        Boolean first = isLetGo(guard, denied);
        Boolean second = isLetGo(guard, granted);
        if (Boolean.TRUE.equals(first) || Boolean.FALSE.equals(second)) {
            return -1;
        }
        return first == null || second == null ? 0 : 1;
    }

    /** Nothing if Redis did not decide. */
    private static @Nullable Boolean isLetGo(CostGuard guard, GuardedCall call) {
        try {
            Decision decision = guard.decide(call);
            if (decision instanceof Decision.Granted granted) {
                granted.permit().close();
            }
            return decision instanceof Decision.Granted;
        } catch (GuardUnavailableException e) {
            return null;
        }
    }

    // --------------------------------------------------------------------------------------------------------- cluster

    private static void callInACluster(Trial trial) throws Exception {
        int calls = trial.times(200, 5_000);
        int letGo = 0;
        try (RedisCluster cluster = RedisCluster.start(1, 0)) {
            RedisForTests node = cluster.nodes().get(0);
            UnifiedJedis jedis = RedisClusterClient.builder()
                    .nodes(Set.of(new HostAndPort(node.host(), node.port())))
                    .build();
            try (jedis;
                    CostGuard guard = CostGuard.builder()
                            .redis(jedis)
                            .keyPrefix(cluster.keyPrefix())
                            .decisionTimeout(LESS_PATIENT)
                            .budget(Budget.named("one")
                                    .limit(Limit.requests(1_000_000).perDay()))
                            .budget(Budget.named("two")
                                    .limit(Limit.tokens(1_000_000).perDay()))
                            .build()) {
                for (int i = 0; i < calls; i++) {
                    GuardedCall call = GuardedCall.of("search")
                            .with("apiKey", "key-" + i)
                            .cost(Cost.requests(1).input(1));
                    if (Boolean.TRUE.equals(isLetGo(guard, call))) {
                        letGo++;
                    } else {
                        break;
                    }
                }
            }
        }
        trial.all("calls over two budgets of one key, each in one slot of a cluster", letGo, calls);
    }
}
