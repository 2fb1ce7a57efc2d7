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
    static final Budget BUSY =
            Budget.named("busy").limit(Limit.requests(1_500).perSecond().burst(100));
    /** Refills so slowly that its calls go only for what is given back. */
    static final Budget STILL = Budget.named("still")
            .limit(Limit.requests(160).per(Duration.ofDays(300)).tokenBucket());

    private static final Patience PATIENT = new Patience(Duration.ofDays(365).toNanos() / 1_000, 0);

    private FleetLineWorker() {}

    /** Arguments: where Redis is, the key prefix, the audit list. Input: budget, key, count, seed. */
    public static void main(String[] args) throws IOException {
        Script script = TestScript.ofTheRealOne().withLineAuditAt(args[2]).build();
        RedisLedger ledger = new RedisLedger(Redis.at(args[0], TIMEOUT), script, args[1], TIMEOUT);
        tell("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            Budget budget = words[0].equals("busy") ? BUSY : STILL;
            wait(
                    ledger,
                    new Subject(words[1], budget),
                    Integer.parseInt(words[2]),
                    new Random(Long.parseLong(words[3])));
        }
        ledger.close();
    }

    private static void wait(RedisLedger ledger, Subject subject, int count, Random random) {
        AtomicLong letGo = new AtomicLong();
        AtomicLong givenBack = new AtomicLong();
        List<CompletableFuture<Verdict>> joins = new ArrayList<>();
        List<CompletableFuture<?>> ends = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            boolean settles = subject.budget() == BUSY;
            long amount = settles ? 1 + random.nextInt(20) : 1;
            long back = settles ? random.nextLong(amount + 1) : 0;
            long after = random.nextInt(50);
            CompletableFuture<Verdict> join = ledger.reserveAsync(
                    List.of(new Claim(subject, new long[] {amount})), PATIENT, System.nanoTime() + TIMEOUT.toNanos());
            joins.add(join);
            ends.add(join.thenCompose(verdict -> verdict instanceof Verdict.Waiting waiting
                            ? waiting.place().end()
                            : CompletableFuture.completedFuture(verdict))
                    .thenCompose(verdict -> {
                        Charge charge = ((Verdict.Granted) verdict).charges().get(0);
                        letGo.addAndGet(amount);
                        if (!settles) {
                            tell("gone");
                            return CompletableFuture.completedFuture(null);
                        }
                        givenBack.addAndGet(back);
                        CompletableFuture<?> settled = new CompletableFuture<>();
                        CompletableFuture.delayedExecutor(after, TimeUnit.MILLISECONDS)
                                .execute(() -> ledger.settle(
                                        List.of(new Settled(charge, new long[] {amount - back})),
                                        () -> settled.complete(null)));
                        return settled;
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

    private static void tell(String what) {
        System.out.println(what);
    }
}
