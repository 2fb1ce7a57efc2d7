package io.costguard;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A process that holds slices, and does what it is told on its input: {@code storm N} makes so many calls at once, and says how many went;
 * {@code settle} settles them, and says what all of its calls used, and what it holds. It dies at the end of its input, without a word to
 * Redis.
 */
final class LeasingProcess {
    static final long REQUESTS = 4_000;
    static final long TOKENS = 1_000_000;
    static final long REQUESTS_LEASED = 40;
    private static final long USED = 60;

    private LeasingProcess() {}

    static CostGuard.Builder guard(String url, String prefix) {
        return CostGuard.builder()
                .redis(url)
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofSeconds(2))
                .budget(Budget.named("fleet")
                        .per()
                        .limit(Limit.requests(REQUESTS).per(Duration.ofDays(366)))
                        .limit(Limit.tokens(TOKENS).per(Duration.ofDays(366)).tokenBucket()));
    }

    static GuardedCall call() {
        return GuardedCall.of("gpt-4o").cost(Cost.requests(1).input(100));
    }

    /** Arguments: where Redis is, the key prefix. */
    public static void main(String[] args) throws Exception {
        CostGuard guard = guard(args[0], args[1])
                .whenRedisFails(WhenRedisFails.spendLeased(Share.percent(1)))
                .build();
        BufferedReader told = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        List<Permit> permits = new ArrayList<>();
        Awaiting.await(() -> isLetGo(guard, permits));
        Awaiting.await(() -> holdsAll(guard));
        say("leased " + leased(guard, 0));
        for (String line = told.readLine(); line != null; line = told.readLine()) {
            if (line.equals("settle")) {
                permits.forEach(permit -> permit.settle(Cost.requests(1).input(USED)));
                Awaiting.await(() -> isQuiet(guard) && holdsAll(guard));
                say("used " + permits.size() + " " + permits.size() * USED + " " + leased(guard, 0) + " "
                        + leased(guard, 1));
            } else {
                say("went " + storm(guard, Integer.parseInt(line.substring("storm ".length())), permits));
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private static boolean isLetGo(CostGuard guard, List<Permit> permits) throws IOException {
        try {
            return permits.add(guard.acquire(call()));
        } catch (GuardUnavailableException e) {
            return false;
        }
    }

    private static int storm(CostGuard guard, int calls, List<Permit> permits) {
        List<CompletableFuture<Permit>> asked = new ArrayList<>();
        for (int i = 0; i < calls; i++) {
            asked.add(guard.acquireAsync(call()));
        }
        int went = 0;
        for (CompletableFuture<Permit> each : asked) {
            boolean isLetGo = each.handle((permit, failure) -> permit != null && permits.add(permit))
                    .join();
            went += isLetGo ? 1 : 0;
        }
        return went;
    }

    private static boolean isQuiet(CostGuard guard) {
        try {
            guard.flush();
            return true;
        } catch (GuardUnavailableException e) {
            return false;
        }
    }

    private static boolean holdsAll(CostGuard guard) {
        return !guard.leased(call()).isEmpty() && leased(guard, 0) == REQUESTS_LEASED;
    }

    private static long leased(CostGuard guard, int limit) {
        return guard.leased(call()).get(limit).leased();
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
