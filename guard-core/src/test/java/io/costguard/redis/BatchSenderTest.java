package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.CommandObject;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.executors.CommandExecutor;

class BatchSenderTest {
    private static final Duration SOON = Duration.ofMillis(50);

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

    @ParameterizedTest
    @ValueSource(
            strings = {
                "LOADING",
                "BUSY",
                "MASTERDOWN",
                "READONLY",
                "CLUSTERDOWN",
                "TRYAGAIN",
                "OOM",
                "MISCONF",
                "NOREPLICAS",
                "NOAUTH",
                "NOPERM",
                "MOVED",
                "ASK",
                "CROSSSLOT"
            })
    void aServerThatSaysWhyItRanNothingLeavesNothingUnknown(String code) {
        assertThatExceptionOfType(BatchSender.NotRunException.class)
                .isThrownBy(() -> send(new JedisDataException(code + " as it is")))
                .withMessageContaining(code);
    }

    @Test
    void aServerThatSaysNothingLeavesUnknownWhetherItRan() {
        assertThatExceptionOfType(BatchSender.UnknownOutcomeException.class)
                .isThrownBy(() -> send(new JedisConnectionException("reset")));
    }

    private static void send(JedisException answer) throws Exception {
        try (UnifiedJedis client = new Answering(answer)) {
            ServerClock clock = new ServerClock();
            BatchSender sender = new BatchSender(Redis.of(client), Script.load(RedisLedger.SCRIPT), clock, SOON);
            Batch batch = new Batch(new Lines("process-1234", "turn:"));
            sender.send(Batch.Mode.RUN, new Lane("lane", 0), batch, clock.nanoTime() + SOON.toNanos());
        }
    }

    /** A client of a server that says nothing else. */
    private static final class Answering extends UnifiedJedis {
        Answering(JedisException answer) {
            super(
                    new CommandExecutor() {
                        @Override
                        public <T> T executeCommand(CommandObject<T> command) {
                            throw answer;
                        }

                        @Override
                        public void close() {}
                    },
                    null,
                    RedisProtocol.RESP2,
                    null);
        }
    }
}
