package io.costguard.examples.page;

import io.costguard.LimitStatus;
import io.costguard.examples.fleet.Amounts;
import io.costguard.examples.fleet.ApiKey;
import io.costguard.examples.fleet.Budgets;
import io.costguard.examples.fleet.Calls;
import io.costguard.examples.fleet.Fleet;
import io.costguard.examples.fleet.Provider;
import io.costguard.examples.fleet.RedisFails;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * All that the page shows, as it is sent.
 *
 * @param atMillis when
 * @param balances as Redis told them last
 * @param redisAnswers whether it did just now
 * @param underWay how many calls were ordered, and have not ended
 */
record State(
        long atMillis,
        List<String> models,
        Map<String, String> fingerprints,
        Settings settings,
        List<Fleet.Member> members,
        int underWay,
        Redis redis,
        boolean redisAnswers,
        List<Subject> balances,
        List<Limit> money,
        Map<String, List<Limit>> runBudgets,
        Amounts ledger,
        Provider.Account provider,
        Live.Picture live) {

    /** What can be set on the page, as it is set. */
    record Settings(
            Budgets budgets,
            Provider.Manner provider,
            RedisFails whenRedisFails,
            boolean waits,
            long patienceMillis,
            boolean traffic,
            long leaseMillis) {}

    /**
     * The Redis.
     *
     * @param prefix what all keys begin with
     */
    record Redis(String url, boolean isOwn, boolean isStopped, String prefix, List<RedisContents.Key> keys) {}

    /** The limits of a model and key. */
    record Subject(String model, String team, List<Limit> limits) {}

    /** A limit, as {@link LimitStatus} tells it; {@code refills} where it does so evenly until it is full. */
    record Limit(
            String budget,
            String limit,
            String unit,
            long balance,
            long capacity,
            long waiting,
            long fullInMillis,
            long newcomerWaitsMillis,
            boolean refills) {
        static Limit of(LimitStatus status) {
            boolean refills =
                    !status.limit().contains("window") && !status.unit().label().startsWith("concurrent");
            return new Limit(
                    status.budget(),
                    status.limit(),
                    status.unit().label(),
                    status.balance(),
                    status.capacity(),
                    status.waiting(),
                    status.timeToFull().toMillis(),
                    status.newcomerWait().toMillis(),
                    refills);
        }
    }

    static State of(
            Fleet fleet,
            Driver driver,
            Live live,
            Balances balances,
            boolean redisAnswers,
            List<RedisContents.Key> keys) {
        return new State(
                System.currentTimeMillis(),
                Calls.MODELS,
                Arrays.stream(ApiKey.values()).collect(Collectors.toMap(ApiKey::team, ApiKey::fingerprint)),
                new Settings(
                        fleet.budgets(),
                        fleet.provider().manner(),
                        fleet.whenRedisFails(),
                        driver.waits(),
                        Driver.PATIENCE.toMillis(),
                        driver.hasTraffic(),
                        Fleet.LEASE.toMillis()),
                fleet.members(),
                fleet.underWay(),
                new Redis(
                        fleet.redis().url(),
                        fleet.redis().isOwn(),
                        fleet.redis().isStopped(),
                        fleet.keyPrefix(),
                        keys),
                redisAnswers,
                balances.subjects().stream()
                        .map(subject -> new Subject(subject.model(), subject.team(), told(subject.limits())))
                        .toList(),
                told(balances.money()),
                balances.runs().stream().collect(Collectors.toMap(Balances.Run::run, run -> told(run.limits()))),
                balances.ledger(),
                fleet.provider().account(),
                live.picture());
    }

    private static List<Limit> told(List<LimitStatus> limits) {
        return limits.stream().map(Limit::of).toList();
    }
}
