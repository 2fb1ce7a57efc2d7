package io.costguard.proof.fleet;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.proof.Waiting;
import io.costguard.proof.fleet.Row.Injection;
import io.costguard.redis.ScriptedClient;
import io.costguard.testing.RedisForTests;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.Jedis;

/** What goes wrong with clocks, and with those who call. */
final class FleetFaults {
    private static final long CAPACITY = 500;
    private static final long TOKENS = 10;
    /** What its bucket takes to refill by one call. */
    private static final long SECONDS_A_CALL = 7 * 86_400 * TOKENS / CAPACITY + 1;

    private static final long FURTHEST_SECONDS = 10 * 365 * 86_400;
    private static final int APART = 50;
    private static final int WAITERS = 100;

    private FleetFaults() {}

    static Injection clock(Bench bench) throws InterruptedException {
        RedisForTests redis = bench.server();
        Jedis admin = bench.admin(redis);
        Budget bucket = Budget.named("bucket")
                .per()
                .limit(Limit.tokens(CAPACITY).per(Duration.ofDays(7)).tokenBucket());
        CostGuard guard = bench.opened(CostGuard.builder()
                .redis(bench.opened(ScriptedClient.withClockSetBy(redis.url(), "set")))
                .keyPrefix("load")
                .preCheck(Duration.ZERO)
                .decisionTimeout(Bench.PATIENT)
                .budget(bucket)
                .build());
        long[] set = {0};
        spend(bench, guard);
        return random -> {
            // There and back, not ever further away.
            boolean forward = set[0] < -FURTHEST_SECONDS || (set[0] < FURTHEST_SECONDS && random.nextBoolean());
            long by = seconds(random) * (forward ? 1 : -1);
            bench.wrongs.more("by " + by + " s");
            set[0] += by;
            admin.set("set", Long.toString(set[0]));
            long went = spend(bench, guard);
            boolean mustRefill = by > SECONDS_A_CALL;
            bench.meets(mustRefill && went == 0 ? 0 : 1);
            long most = by > 0 ? CAPACITY : 0;
            if (went > most) {
                bench.wrongs.add(went + " tokens were let go, of " + most);
            }
        };
    }

    /** From one to ten years, as many of each size. */
    private static long seconds(Random random) {
        return (long) Math.exp(random.nextDouble() * Math.log(FURTHEST_SECONDS));
    }

    /** From several threads, until nothing is left. */
    private static long spend(Bench bench, CostGuard guard) throws InterruptedException {
        AtomicLong went = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            Thread thread = new Thread(() -> {
                try {
                    while (guard.tryAcquire(
                                    GuardedCall.of("m").cost(Cost.requests(1).input(TOKENS)))
                            .isPresent()) {
                        went.addAndGet(TOKENS);
                    }
                } catch (GuardUnavailableException e) {
                    bench.wrongs.add("a call failed: " + e.getMessage());
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        return went.get();
    }

    static Injection twoBuilds(Bench bench) throws Exception {
        RedisForTests redis = bench.server();
        Load load = bench.patient(redis.url());
        CostGuard guard = bench.opened(Neighbour.tenants().redis(redis.url()).build());
        Neighbour neighbour = bench.opened(Neighbour.start(redis.url(), bench.wrongs));
        AtomicLong tenants = new AtomicLong();
        return random -> {
            load.go();
            neighbour.go(10 + random.nextInt(20));
            load.awaitGrants(10 + random.nextInt(20));
            String tenant = "t" + tenants.incrementAndGet();
            boolean laterFirst = random.nextBoolean();
            bench.wrongs.more(laterFirst ? "later format first" : "later format second");
            String first = laterFirst ? neighbour.acquire(tenant) : Neighbour.acquire(guard, tenant);
            String second = laterFirst ? Neighbour.acquire(guard, tenant) : neighbour.acquire(tenant);
            if (!first.equals(Neighbour.WENT) || !second.contains("were written by another version of this library")) {
                bench.wrongs.add("of two formats, one was told: " + first + ", and the other: " + second);
            } else if ((laterFirst ? neighbour.left(tenant) : Neighbour.left(guard, tenant))
                    != Neighbour.TENANTS_CALLS - 1) {
                bench.wrongs.add("what is refused has changed something");
            }
            load.pause();
            Neighbour.Made made = neighbour.pause();
            bench.meets(Math.min(made.calls(), load.made()));
            load.check(made.nanoUsd());
        };
    }

    static Injection changedBudget(Bench bench) {
        RedisForTests redis = bench.server();
        Load load = bench.patient(redis.url());
        // Any call fits it, and less than what some calls use.
        Budget small = Load.budget(BigDecimal.valueOf(Load.MOST_NANO_USD, 9).toPlainString());
        return random -> {
            load.go();
            load.awaitGrants(30 + random.nextInt(30));
            load.budgetShrinks();
            load.guards().forEach(guard -> guard.update(List.of(small)));
            load.outageBegins();
            load.awaitDenial();
            Bench.pass(random.nextInt(100));
            load.outageEnds();
            load.guards().forEach(guard -> guard.update(List.of(Load.BUDGET)));
            load.budgetGrows();
            load.awaitGrants(10);
            load.check();
        };
    }

    static Injection strangers(Bench bench) {
        RedisForTests redis = bench.server();
        Jedis admin = bench.admin(redis);
        Load load = bench.patient(redis.url());
        CostGuard guard = bench.opened(CostGuard.builder()
                .redis(redis.url())
                .keyPrefix("strangers")
                .decisionTimeout(Bench.PATIENT)
                .cardinalityLimit(APART)
                .budget(Budget.named("tenants")
                        .per("tenant")
                        .limit(Limit.requests(1_000_000).perMonth()))
                .build());
        return random -> {
            load.go();
            for (int i = 0; i < 3 * APART; i++) {
                guard.acquire(GuardedCall.of("m").with("tenant", "{" + random.nextLong() + "}"))
                        .close();
            }
            int subjects = PatientRedis.subjects(redis.url(), "strangers").size();
            bench.meets(subjects > APART ? 1 : 0);
            if (subjects > APART + 1) {
                bench.wrongs.add(subjects + " subjects, of " + APART + " and one that others share");
            }
            for (String key : admin.keys("*")) {
                if (admin.pttl(key) == -1) {
                    bench.wrongs.add(key + " never ends");
                }
            }
            load.check();
        };
    }

    static Injection allWake(Bench bench) {
        RedisForTests redis = bench.server();
        Jedis admin = bench.admin(redis);
        GuardedCall call = GuardedCall.of("m");
        List<CostGuard> guards = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            guards.add(bench.opened(CostGuard.builder()
                    .redis(redis.url())
                    .keyPrefix("wake")
                    .decisionTimeout(Bench.PATIENT)
                    .whenExhausted(WhenExhausted.waitUpTo(Duration.ofDays(365)))
                    .budget(Budget.named("wake")
                            .per()
                            .limit(Limit.requests(2 * WAITERS)
                                    .per(Duration.ofDays(300))
                                    .tokenBucket()))
                    .build()));
        }
        return random -> {
            guards.get(0).reset(call);
            final Permit all = guards.get(0).acquire(call.cost(Cost.requests(2 * WAITERS)));
            List<CompletableFuture<Permit>> waiters = new ArrayList<>();
            int count = WAITERS / 2 + random.nextInt(WAITERS / 2);
            for (int i = 0; i < count; i++) {
                waiters.add(guards.get(random.nextInt(2)).acquireAsync(call));
            }
            Waiting.until(
                    () -> guards.get(0).status(call).get(0).waiting() == count
                            && guards.get(0).stats().waitingCalls()
                                            + guards.get(1).stats().waitingCalls()
                                    == count,
                    "a line in which all stand");
            final long callsBefore = calls(admin, "evalsha");
            final long messagesBefore = calls(admin, "publish");
            final long begin = System.nanoTime();
            all.release();
            for (CompletableFuture<Permit> waiter : waiters) {
                waiter.get(1, TimeUnit.MINUTES).close();
            }
            long beats = 2 * (2 + TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begin));
            long calls = calls(admin, "evalsha") - callsBefore;
            long messages = calls(admin, "publish") - messagesBefore;
            bench.meets(messages);
            if (calls > 2L * count + beats || messages > 2L * count) {
                bench.wrongs.add(count + " calls were let go by " + calls + " calls and " + messages + " messages");
            }
            if (guards.get(0).status(call).get(0).balance() != 2 * WAITERS - count) {
                bench.wrongs.add("the balance is " + guards.get(0).status(call));
            }
        };
    }

    private static long calls(Jedis admin, String command) {
        Matcher matcher =
                Pattern.compile("cmdstat_" + command + ":calls=(\\d+)").matcher(admin.info("commandstats"));
        return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
    }
}
