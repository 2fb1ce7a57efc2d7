package io.costguard.proof;

import io.costguard.redis.InterleavingPlan;
import io.costguard.redis.Interleavings;
import io.costguard.redis.Interleavings.BrokenException;
import io.costguard.redis.Interleavings.Figures;
import io.costguard.redis.Interleavings.Turn;
import io.costguard.testing.RedisForTests;
import java.util.List;

/** Whatever the order in which three clients' steps arrive, the script says and leaves what it must. */
final class AllOrders implements Check {
    /** Twelve steps, of which three times four are in order. */
    private static final long ORDERS_A_PLAN = 34_650;

    private static final int TRIES = 200;

    @Override
    public void run(Trial trial) {
        int plans = Math.max(InterleavingPlan.enough(), trial.times(9, 600));
        int broken = 0;
        try (RedisForTests redis = RedisForTests.start();
                Interleavings all = new Interleavings(redis)) {
            for (InterleavingPlan plan : InterleavingPlan.any(plans, trial.random("interleavings"))) {
                try {
                    all.tryAll(plan);
                } catch (BrokenException e) {
                    broken++;
                    List<Turn> order = Shortened.of(e.order(), each -> breaks(all, plan, each), TRIES);
                    trial.history(e.getMessage() + "\n" + Interleavings.told(plan, order));
                    break;
                }
            }
            Figures figures = all.figures();
            trial.all("orders of three clients' steps", figures.orders(), ORDERS_A_PLAN * plans);
            trial.none("broken promises in any order", broken);
            trial.atLeast("steps from states that differ", figures.steps(), 1_000L * plans);
            trial.atLeast("calls let go", figures.letGo(), plans);
            trial.atLeast("calls let go in line", figures.letGoInLine(), plans);
            trial.atLeast("batches undone that had run", figures.undone(), plans);
            trial.atLeast("batches that arrived again", figures.deliveredAgain(), plans);
        }
    }

    private static boolean breaks(Interleavings all, InterleavingPlan plan, List<Turn> order) {
        try {
            all.tryOne(plan, order);
            return false;
        } catch (BrokenException e) {
            return true;
        }
    }
}
