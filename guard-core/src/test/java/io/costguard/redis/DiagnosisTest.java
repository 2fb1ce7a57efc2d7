package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import redis.clients.jedis.exceptions.JedisConnectionException;

class DiagnosisTest {
    @Test
    void aReasonStandsWithinASentenceAndHasNoFullStop() {
        assertThat(Diagnosis.reason(new JedisConnectionException("Failed to connect to localhost:6379.")))
                .isEqualTo("Failed to connect to localhost:6379");
    }
}
