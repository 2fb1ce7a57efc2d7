package io.costguard.testing;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import redis.clients.jedis.RedisClient;

class RedisForTestsIT {
    @Test
    void sharedIsOneServerThatAnswers() {
        RedisForTests redis = RedisForTests.shared();
        try (RedisClient client = RedisClient.create(redis.url())) {
            assertThat(client.ping()).isEqualTo("PONG");
        }
        assertThat(RedisForTests.shared()).isSameAs(redis);
        assertThat(redis.version()).matches("\\d+\\.\\d+.*");
    }
}
