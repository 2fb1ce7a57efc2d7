package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.PatientRedis;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;

/** A connection that listens, over a link that loses what passes without a word. */
@Timeout(60)
class ListeningIT {
    private static final long WITHIN_SECONDS = 20;
    /** So many probes take longer than a connection may be silent. */
    private static final int PROBES = 4;

    private final RedisForTests server = RedisForTests.shared();
    private final String channel = server.keyPrefix() + ":turn:x";
    private final FaultyLink link = FaultyLink.to(server);
    private final Redis redis = Redis.at(link.url(), Duration.ofSeconds(5));
    private final RedisClient other = PatientRedis.client(server.url());
    private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
    private final BlockingQueue<Thread> listening = new LinkedBlockingQueue<>();
    private final Listening ears = new Listening(redis, channel, new Listening.Listener() {
        @Override
        public void onMessage(String message) {
            heard.add(message);
        }

        @Override
        public void onListening() {
            listening.add(Thread.currentThread());
        }

        @Override
        public void onForbidden(String why) {
            throw new IllegalStateException(why);
        }
    });

    @AfterEach
    void close() {
        ears.close();
        redis.close();
        other.close();
        link.close();
    }

    @Test
    void aConnectionOnWhichNothingIsToldIsKept() throws Exception {
        assertThat(listening.poll(WITHIN_SECONDS, TimeUnit.SECONDS)).isNotNull();

        link.requests().awaitPassed(1 + PROBES, "SUBSCRIBE");

        assertThat(listening).isEmpty();
        assertThat(other.publish(channel, "still here")).isEqualTo(1);
        assertThat(heard.poll(WITHIN_SECONDS, TimeUnit.SECONDS)).isEqualTo("still here");
    }

    @Test
    void aConnectionThatLeadsNowhereIsLeftForAnother() throws Exception {
        assertThat(listening.poll(WITHIN_SECONDS, TimeUnit.SECONDS)).isNotNull();
        int connections = link.requests().passed("CLIENT");

        link.replies().drop("SUBSCRIBE", "");
        link.requests().awaitPassed(connections + 1, "CLIENT");
        link.replies().pass();

        assertThat(listening.poll(WITHIN_SECONDS, TimeUnit.SECONDS)).isNotNull();
        other.publish(channel, "again");
        assertThat(heard.poll(WITHIN_SECONDS, TimeUnit.SECONDS)).isEqualTo("again");
    }

    @Test
    void theThreadEndsWhenItIsClosedThoughItsConnectionLeadsNowhere() throws Exception {
        Thread thread = listening.poll(WITHIN_SECONDS, TimeUnit.SECONDS);
        link.replies().drop();

        ears.close();

        thread.join(TimeUnit.SECONDS.toMillis(WITHIN_SECONDS));
        assertThat(thread.isAlive()).isFalse();
    }
}
