package io.costguard.examples.fleet;

import io.costguard.Budget;
import io.costguard.Limit;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;

/**
 * What every process of the fleet agrees on, as far as it can be changed while it runs.
 *
 * @param requests of a model and key, in 40 s
 * @param tokens of a model and key, in a minute
 * @param inFlight calls of a model and key at once
 * @param centsPerMinute of all calls together
 * @param centsPerRun of one agent run, in a day
 */
public record Budgets(int requests, int tokens, int inFlight, int centsPerMinute, int centsPerRun) {
    public static final Budgets USUAL = new Budgets(8, 120_000, 6, 300, 200);

    public Budgets {
        check("requests", requests, 1, 60);
        check("tokens", tokens, 20_000, 500_000);
        check("inFlight", inFlight, 1, 20);
        check("centsPerMinute", centsPerMinute, 50, 2_000);
        check("centsPerRun", centsPerRun, 50, 1_000);
    }

    private static void check(String name, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(name + " must be from " + least + " to " + most + ", not " + value);
        }
    }

    /**
     * The budget that has one balance for everything, and keeps no call from going: what was used, by the ledger. A dry run, as of those
     * nothing is leased, and what is leased looks as if it were used.
     */
    public static final String BILL = "bill";

    public List<Budget> list() {
        return List.of(
                Budget.named("rate")
                        .limit(Limit.requests(requests).per(Duration.ofSeconds(40)))
                        .limit(Limit.tokens(tokens).perMinute())
                        .limit(Limit.concurrentCalls(inFlight)),
                Budget.named("money")
                        .per()
                        .limit(Limit.usd(dollars(centsPerMinute)).perMinute()),
                Budget.named("run")
                        .where("run", "*")
                        .per("run")
                        .limit(Limit.usd(dollars(centsPerRun)).perDay().slidingWindow()),
                Budget.named(BILL)
                        .per()
                        .dryRun()
                        .limit(Limit.requests(10_000_000).perMonth())
                        .limit(Limit.inputTokens(1_000_000_000).perMonth())
                        .limit(Limit.outputTokens(1_000_000_000).perMonth())
                        .limit(Limit.usd("100000.00").perMonth()));
    }

    private static BigDecimal dollars(int cents) {
        return BigDecimal.valueOf(cents, 2);
    }

    @Override
    public String toString() {
        return "for each model and key " + requests + " requests per 40 s, " + String.format("%,d", tokens)
                + " tokens per minute and " + inFlight + " calls at once; for all $" + dollars(centsPerMinute)
                + " per minute";
    }
}
