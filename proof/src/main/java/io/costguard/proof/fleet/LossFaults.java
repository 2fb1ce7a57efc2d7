package io.costguard.proof.fleet;

import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.PatientRedis;
import io.costguard.proof.fleet.Row.Injection;
import io.costguard.testing.RedisForTests;
import io.costguard.topology.ReplicatedRedis;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import redis.clients.jedis.Jedis;

/** What makes Redis lose what it wrote. */
final class LossFaults {
    private LossFaults() {}

    static Injection lostWrites(Bench bench) {
        ReplicatedRedis redis = bench.opened(new ReplicatedRedis());
        Load load =
                bench.losing(guard -> guard.redis(bench.opened(redis.client())).decisionTimeout(Bench.HASTY));
        return random -> {
            load.go();
            load.awaitGrants(10);
            load.check();
            final long kept = load.chargedInRedis();
            boolean fails = random.nextBoolean();
            if (fails) {
                bench.wrongs.more("a replica takes over");
                redis.detach();
            } else {
                bench.wrongs.more("a restart");
                redis.save();
            }
            load.go();
            load.awaitGrants(20 + random.nextInt(50));
            loses(
                    bench,
                    load,
                    kept,
                    () -> bench.outage(load, (fails ? redis.replica() : redis.master()).url())
                            .lasts(
                                    random.nextInt(200),
                                    redis::kill,
                                    fails ? redis::switchOver : redis.master()::restart));
            if (fails) {
                redis.rejoin();
            } else {
                redis.replicate();
            }
        };
    }

    static Injection flushed(Bench bench) {
        RedisForTests redis = bench.server();
        Jedis admin = bench.admin(redis);
        Load load = bench.losing(guard -> guard.redis(redis.url()));
        return random -> {
            load.go();
            load.awaitGrants(20 + random.nextInt(50));
            if (random.nextBoolean()) {
                bench.wrongs.more("all");
                loses(bench, load, 0, admin::flushAll);
            } else {
                bench.wrongs.more("balances");
                List<String> balances = PatientRedis.subjects(redis.url(), "load:");
                long flushed = flush(load);
                bench.meets(balances.stream().mapToLong(admin::del).sum());
                endsLoss(load, 0, flushed, () -> true);
            }
        };
    }

    private static long flush(Load load) throws GuardUnavailableException {
        long flushed = System.nanoTime();
        for (CostGuard guard : load.guards()) {
            guard.flush();
        }
        return flushed;
    }

    /** Redis loses what it wrote since it had charged so much, and is to be told of by each guard that asks again. */
    private static void loses(Bench bench, Load load, long charged, Bench.Step loss) throws Exception {
        Map<CostGuard, Long> before = new HashMap<>();
        load.guards().forEach(guard -> before.put(guard, bench.lossesTold(guard)));
        long flushed = flush(load);
        loss.run();
        BooleanSupplier isTold =
                () -> before.entrySet().stream().allMatch(told -> bench.lossesTold(told.getKey()) > told.getValue());
        endsLoss(load, charged, flushed, isTold);
        bench.meets(before.entrySet().stream()
                .mapToLong(told -> bench.lossesTold(told.getKey()) - told.getValue())
                .sum());
        if (!isTold.getAsBoolean()) {
            bench.wrongs.add("a guard did not tell of the loss");
        }
    }

    private static void endsLoss(Load load, long before, long flushed, BooleanSupplier isTold) throws Exception {
        long back = System.nanoTime();
        load.awaitGrants(20);
        // A guard finds it out by its own next call.
        while (!isTold.getAsBoolean() && System.nanoTime() - back < Bench.PATIENT.toNanos()) {
            Bench.pass(2);
        }
        load.checkLoss(before, flushed, back);
    }
}
