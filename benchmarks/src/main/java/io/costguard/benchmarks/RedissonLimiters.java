package io.costguard.benchmarks;

import java.time.Duration;
import org.redisson.Redisson;
import org.redisson.api.RRateLimiter;
import org.redisson.api.RateType;
import org.redisson.api.RedissonClient;
import org.redisson.config.Config;

/** Redisson's rate limiters, one a limit; where a later one is short, the earlier ones are given back. */
final class RedissonLimiters implements Contender {
    private final RedissonClient redis;
    private final RRateLimiter[][] limiters;

    RedissonLimiters(String url, int keys, int limits) {
        Config config = new Config();
        config.useSingleServer().setAddress(url);
        redis = Redisson.create(config);
        limiters = new RRateLimiter[keys][limits];
        for (int key = 0; key < keys; key++) {
            for (int limit = 0; limit < limits; limit++) {
                limiters[key][limit] = redis.getRateLimiter("redisson:" + key + ":" + limit);
                limiters[key][limit].trySetRate(
                        RateType.OVERALL, Work.BURST * Work.amount(limit), Duration.ofMinutes(1));
            }
        }
    }

    @Override
    public String name() {
        return limiters[0].length == 1 ? "Redisson, 1 limiter" : "Redisson, " + limiters[0].length + " limiters";
    }

    @Override
    public int keys() {
        return limiters.length;
    }

    @Override
    public void decide(int key) {
        RRateLimiter[] asked = limiters[key];
        for (int limit = 0; limit < asked.length; limit++) {
            if (!asked[limit].tryAcquire(Work.amount(limit))) {
                for (int taken = 0; taken < limit; taken++) {
                    asked[taken].release(Work.amount(taken));
                }
                throw new IllegalStateException("short of limit " + limit);
            }
        }
    }

    @Override
    public long charged(int key) {
        return Work.BURST - limiters[key][0].availablePermits();
    }

    @Override
    public void close() {
        redis.shutdown();
    }
}
