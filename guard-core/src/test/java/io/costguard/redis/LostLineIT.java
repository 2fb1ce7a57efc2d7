package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;

/** A line that Redis lost, or a process that was taken for dead: whoever waited stands there again, without being told. */
@Timeout(60)
class LostLineIT {
    @Test
    void callsWhoseLineWasLostFindTheirPlaceAgain() throws Exception {
        String prefix = RedisForTests.shared().keyPrefix();
        Subject subject = new Subject(
                prefix + ":{x}:lost",
                Budget.named("lost")
                        .limit(Limit.requests(10).per(Duration.ofDays(300)).tokenBucket()));
        Patience patience = new Patience(Duration.ofDays(365).toNanos() / 1_000, 0);
        try (RedisClient jedis = RedisClient.create(RedisForTests.shared().url());
                RedisLedger ledger = new RedisLedger(
                        Redis.at(RedisForTests.shared().url(), Duration.ofSeconds(5)), prefix, Duration.ofSeconds(5))) {
            List<Claim> all = List.of(new Claim(subject, new long[] {10}));
            List<Claim> one = List.of(new Claim(subject, new long[] {1}));
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
            Charge charge = ((Verdict.Granted) ledger.reserve(all, Patience.NONE, deadline))
                    .charges()
                    .get(0);
            Verdict.Waiting waiting = (Verdict.Waiting) ledger.reserve(one, patience, deadline);
            jedis.del(subject.key() + ":line");

            ledger.settle(List.of(new Settled(charge, new long[] {0})), () -> {});

            assertThat(waiting.place().end().get(10, TimeUnit.SECONDS)).isInstanceOf(Verdict.Granted.class);
        }
    }
}
