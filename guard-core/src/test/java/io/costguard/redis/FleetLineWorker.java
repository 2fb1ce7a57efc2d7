package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** A process of a fleet whose calls wait. It does what its input says, a line each, and tells on its output how it went. */
final class FleetLineWorker {
    static final Duration TIMEOUT = Duration.ofSeconds(10);

    private static final Patience PATIENT = new Patience(Duration.ofDays(365).toNanos() / 1_000, 0);

    /** What the calls of a process ask for, and what becomes of those that are let go. */
    enum Scene {
        /** Of one limit, of all sizes; a part is given back. */
        BUSY(1, Budget.named("busy").limit(Limit.requests(1_500).perSecond().burst(100))),
        /** Of two limits of one, two or three subjects, in each its own amounts; a part is given back. */
        CROSSED(
                3,
                Budget.named("crossed")
                        .limit(Limit.requests(400).perSecond().burst(30))
                        .limit(Limit.tokens(4_000).perSecond().burst(150))),
        /** One each, of a limit that refills so slowly that they go only for what is given back; they keep it. */
        STILL(
                1,
                Budget.named("still")
                        .limit(Limit.requests(400).per(Duration.ofDays(300)).tokenBucket()));

        private static final int LARGEST = 20;

        @SuppressWarnings("ImmutableEnumChecker") // it is, and says so
        final Budget budget;

        private final int subjects;

        Scene(int subjects, Budget budget) {
            this.subjects = subjects;
            this.budget = budget;
        }

        /** Of a run with that key. */
        List<Subject> subjects(String key) {
            List<Subject> all = new ArrayList<>();
            for (int i = 0; i < subjects; i++) {
                all.add(new Subject(key + "-" + i, budget));
            }
            return all;
        }

        private List<Claim> claims(String key, Random random) {
            List<Subject> some = subjects(key);
            some.removeIf(subject -> random.nextBoolean());
            return (some.isEmpty() ? subjects(key) : some)
                    .stream()
                            .map(subject -> new Claim(subject, amounts(random)))
                            .toList();
        }

        private long[] amounts(Random random) {
            long[] amounts = new long[budget.limits().size()];
            for (int i = 0; i < amounts.length; i++) {
                amounts[i] = this == STILL ? 1 : 1 + random.nextInt(LARGEST);
            }
            return amounts;
        }
    }

    private FleetLineWorker() {}

    /** Arguments: where Redis is, the key prefix, the audit list. Input: scene, key, count, seed. */
    public static void main(String[] args) throws IOException {
        try (RedisLedger ledger = new RedisLedger(Redis.at(args[0], TIMEOUT), audited(args[2]), args[1], TIMEOUT)) {
            tell("ready");
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split(" ", -1);
                wait(
                        ledger,
                        Scene.valueOf(words[0]),
                        words[1],
                        Integer.parseInt(words[2]),
                        new Random(Long.parseLong(words[3])));
            }
        }
    }

    static Script audited(String key) {
        return TestScript.ofTheRealOne()
                .withLineAuditAt(key)
                .withStatesAuditedAt(key)
                .build();
    }

    private static void wait(RedisLedger ledger, Scene scene, String key, int count, Random random) {
        AtomicLong letGo = new AtomicLong();
        AtomicLong givenBack = new AtomicLong();
        List<CompletableFuture<Verdict>> joins = new ArrayList<>();
        List<CompletableFuture<?>> ends = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            List<Claim> claims = scene.claims(key, random);
            double used = random.nextDouble();
            long after = random.nextInt(50);
            CompletableFuture<Verdict> join =
                    ledger.reserveAsync(claims, PATIENT, System.nanoTime() + TIMEOUT.toNanos());
            joins.add(join);
            ends.add(join.thenCompose(verdict -> verdict instanceof Verdict.Waiting waiting
                            ? waiting.place().end()
                            : CompletableFuture.completedFuture(verdict))
                    .thenCompose(verdict -> {
                        List<Charge> charges = ((Verdict.Granted) verdict).charges();
                        letGo.addAndGet(first(charges));
                        if (scene == Scene.STILL) {
                            tell("gone");
                            return CompletableFuture.completedFuture(null);
                        }
                        List<Settled> settled = charges.stream()
                                .map(charge -> settled(charge, used))
                                .toList();
                        givenBack.addAndGet(first(charges) - settled.get(0).actual()[0]);
                        CompletableFuture<?> done = new CompletableFuture<>();
                        CompletableFuture.delayedExecutor(after, TimeUnit.MILLISECONDS)
                                .execute(() -> ledger.settle(settled, () -> done.complete(null)));
                        return done;
                    }));
        }
        try {
            CompletableFuture.allOf(joins.toArray(CompletableFuture<?>[]::new)).join();
            tell("joined");
            CompletableFuture.allOf(ends.toArray(CompletableFuture<?>[]::new)).join();
            tell("done " + letGo + " " + givenBack);
        } catch (CompletionException e) {
            e.printStackTrace();
            tell("failed " + e.getCause());
        }
    }

    private static long first(List<Charge> charges) {
        return charges.get(0).claim().amounts()[0];
    }

    private static Settled settled(Charge charge, double used) {
        long[] actual = charge.claim().amounts().clone();
        for (int i = 0; i < actual.length; i++) {
            actual[i] = (long) (actual[i] * used);
        }
        return new Settled(charge, actual);
    }

    private static void tell(String what) {
        System.out.println(what);
    }
}
