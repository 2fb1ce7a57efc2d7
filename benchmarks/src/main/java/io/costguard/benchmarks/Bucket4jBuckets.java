package io.costguard.benchmarks;

import io.github.bucket4j.BucketConfiguration;
import io.github.bucket4j.distributed.BucketProxy;
import io.github.bucket4j.distributed.ExpirationAfterWriteStrategy;
import io.github.bucket4j.distributed.proxy.ProxyManager;
import io.github.bucket4j.distributed.proxy.RemoteBucketBuilder;
import io.github.bucket4j.distributed.proxy.optimization.Optimizations;
import io.github.bucket4j.distributed.serialization.Mapper;
import io.github.bucket4j.redis.jedis.Bucket4jJedis;
import java.time.Duration;
import redis.clients.jedis.RedisClient;

/**
 * Bucket4j on Jedis. A bucket takes the same amount from all of its bandwidths, so that limits on different units are buckets of
 * their own; where a later one is short, the earlier ones are given back.
 */
final class Bucket4jBuckets implements Contender {
    private final String name;
    private final RedisClient redis;
    private final BucketProxy[][] buckets;

    /**
     * @param limits how many buckets are asked for each call
     */
    Bucket4jBuckets(String url, int keys, int limits, Batching batching) {
        name = "Bucket4j, "
                + (limits == 1 ? "1 bucket" : limits + " buckets")
                + (batching == Batching.ON ? ", batching" : "");
        redis = Bare.client(url);
        ProxyManager<String> manager = Bucket4jJedis.casBasedBuilder(redis)
                .keyMapper(Mapper.STRING)
                .expirationAfterWrite(
                        ExpirationAfterWriteStrategy.basedOnTimeForRefillingBucketUpToMax(Duration.ofMinutes(1)))
                .build();
        RemoteBucketBuilder<String> builder = manager.builder();
        if (batching == Batching.ON) {
            builder = builder.withOptimization(Optimizations.batching());
        }
        buckets = new BucketProxy[keys][limits];
        for (int key = 0; key < keys; key++) {
            for (int limit = 0; limit < limits; limit++) {
                long amount = Work.amount(limit);
                BucketConfiguration configuration = BucketConfiguration.builder()
                        .addLimit(bandwidth -> bandwidth
                                .capacity(Work.BURST * amount)
                                .refillGreedy(Work.PER_HOUR * amount, Duration.ofHours(1)))
                        .build();
                buckets[key][limit] = builder.build(name + ":" + key + ":" + limit, () -> configuration);
            }
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public int keys() {
        return buckets.length;
    }

    @Override
    public void decide(int key) {
        BucketProxy[] asked = buckets[key];
        for (int limit = 0; limit < asked.length; limit++) {
            if (!asked[limit].tryConsume(Work.amount(limit))) {
                for (int taken = 0; taken < limit; taken++) {
                    asked[taken].addTokens(Work.amount(taken));
                }
                throw new IllegalStateException("short of limit " + limit);
            }
        }
    }

    @Override
    public long charged(int key) {
        return Work.BURST - buckets[key][0].getAvailableTokens();
    }

    @Override
    public void close() {
        redis.close();
    }
}
