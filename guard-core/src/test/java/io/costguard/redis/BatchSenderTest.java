package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import redis.clients.jedis.exceptions.JedisDataException;

class BatchSenderTest {

    /** As Redis 7.0.15 and 6.2.6 wrote them. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "OOM | OOM command not allowed when used memory > 'maxmemory'. script: f1, on @user_script:945.",
                "OOM | ERR Error running script (call to f_7ea1): @user_script:1: @user_script: 1: -OOM command not allowed",
                "ERR | ERR Error running script (call to f_ea91): @user_script:1: user_script:1: -OOM is what it said",
                "NOSCRIPT | NOSCRIPT No matching script. Please use EVAL.",
                "BUSY | BUSY"
            })
    void theCodeOfAnErrorIsThatOfTheCommandThatFailed(String code, String message) {
        assertThat(BatchSender.code(new JedisDataException(message))).isEqualTo(code);
    }
}
