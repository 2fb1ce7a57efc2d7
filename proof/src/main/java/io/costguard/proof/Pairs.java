package io.costguard.proof;

import io.costguard.redis.Fleet;
import io.costguard.testing.RedisForTests;

/** Processes that reserve and settle on one subject, and the model that hears in which order Redis decided. */
final class Pairs implements Check {
    private static final int PROCESSES = 4;
    private static final int THREADS = 16;

    @Override
    public void run(Trial trial) throws Exception {
        int pairs = trial.times(200_000, 5_000_000);
        int each = (pairs + PROCESSES * THREADS - 1) / (PROCESSES * THREADS);
        int asked = each * PROCESSES * THREADS;
        try (RedisForTests server = RedisForTests.start()) {
            Fleet.Outcome outcome = Fleet.run(server, PROCESSES, THREADS, each, trial.seed());
            trial.all("pairs of reserve and settle, as the model counts them", outcome.granted(), asked);
            trial.none(
                    "answers that the model has otherwise", outcome.difference().isEmpty() ? 0 : 1);
            trial.none("drift of their balances, units", outcome.drift());
            trial.none("batches after which more was out than the limits allow", outcome.over());
            trial.none("keys without a time to live", outcome.immortal());
            trial.all("limits that their budget has in the end", outcome.limits(), 3);
            trial.atLeast("batches", outcome.batches(), asked / 100);
            trial.atLeast("denials on the way", outcome.denied(), 1);
            if (!outcome.difference().isEmpty()) {
                trial.history(outcome.difference());
            }
        }
    }
}
