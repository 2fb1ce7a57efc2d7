package io.costguard.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.RedisClient;

class SharedRedisIT {
    @Test
    void isOneServerThatAnswers() {
        RedisForTests redis = RedisForTests.shared();
        try (RedisClient client = RedisClient.create(redis.url())) {
            assertThat(client.ping()).isEqualTo("PONG");
        }
        assertThat(RedisForTests.shared()).isSameAs(redis);
        assertThat(redis.version()).matches("\\d+\\.\\d+.*");
    }

    @Test
    void isNeverTheServerThatATestMayDisturb() {
        try (RedisForTests own = RedisForTests.start()) {
            assertThat(own.url()).isNotEqualTo(RedisForTests.shared().url());
        }
    }

    @Test
    void cannotBeDisturbed() {
        RedisForTests redis = RedisForTests.shared();
        for (Runnable disturbance : Stream.<Runnable>of(redis::kill, redis::restart, redis::suspend, redis::resume)
                .toList()) {
            assertThatThrownBy(disturbance::run)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("shared")
                    .hasMessageContaining("RedisForTests.start()");
        }
        redis.close();
        assertThat(OwnRedisIT.answers(redis)).isTrue();
    }

    @Test
    void givesEveryTestAPrefixOfItsOwn() {
        RedisForTests redis = RedisForTests.shared();
        assertThat(Stream.generate(redis::keyPrefix).limit(1_000)).doesNotHaveDuplicates();
        assertThat(redis.keyPrefix()).doesNotContain(":", "{", "}");
    }
}
