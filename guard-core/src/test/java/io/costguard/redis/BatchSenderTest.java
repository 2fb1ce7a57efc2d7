package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
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
    private static final Duration TIMEOUT = Duration.ofSeconds(4);
    private static final long START = 1_760_000_000_000_000L;
    private static final Lines LINES = new Lines("process-1234", "turn:");
    private static final int DONE = 1;
    private static final int LATE = 2;
    private static final int LANE_REFUSED = 3;

    private long nowNanos = 1_000_000;
    private final ServerClock clock = new ServerClock(() -> nowNanos, nanos -> new CompletableFuture<>());
    private final Server server = new Server();
    private final BatchSender sender =
            new BatchSender(Redis.of(server), Script.load(RedisLedger.SCRIPT), clock, TIMEOUT);
    private final Lane lane = new Lane("lane", 0);

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
                .isThrownBy(() -> sendTo(new JedisDataException(code + " as it is")))
                .withMessageContaining(code);
    }

    @Test
    void aServerThatSaysNothingLeavesUnknownWhetherItRan() {
        assertThatExceptionOfType(BatchSender.UnknownOutcomeException.class)
                .isThrownBy(() -> sendTo(new JedisConnectionException("reset")));
    }

    // ------------------------------------------------------------------------------------- in a time of the test's own

    @Test
    void aBatchThatIsAnsweredIsSentOnce() throws Exception {
        server.says(reply(DONE, START));

        assertThat(send(Batch.Mode.RUN).status()).isEqualTo(Batch.Status.DONE);

        assertThat(server.asked).singleElement().satisfies(asked -> {
            assertThat(asked.keys()).startsWith("lane.0");
            assertThat(asked.mode()).isEqualTo(1);
            assertThat(asked.number()).isEqualTo(1);
            assertThat(asked.notAfterMicros()).as("the time is not known yet").isZero();
            assertThat(asked.laneTtlMillis()).isEqualTo(60_000 + TIMEOUT.toMillis());
        });
        lane.advance(0);
        assertThat(lane.usedMicros()).isEqualTo(START);
    }

    @Test
    void aBatchSaysUntilWhenItMayRunByTheTimeOfTheServer() throws Exception {
        server.says(reply(DONE, START)).says(reply(DONE, START + 1_000));
        send(Batch.Mode.RUN);
        nowNanos += 3_000_000;

        send(Batch.Mode.RUN);

        assertThat(server.asked.get(1).notAfterMicros()).isEqualTo(START + 3_000 + TIMEOUT.toNanos() / 1_000);
    }

    @Test
    void aBatchThatCameTooLateIsSentAgainUntilItsDeadline() throws Exception {
        server.says(reply(LATE, START)).says(reply(DONE, START));
        assertThat(send(Batch.Mode.RUN).status()).isEqualTo(Batch.Status.DONE);

        server.says(reply(LATE, START), TIMEOUT);
        assertThatExceptionOfType(BatchSender.NotRunException.class)
                .isThrownBy(() -> send(Batch.Mode.RUN))
                .withMessage("it came too late")
                .withNoCause();
        assertThat(server.asked).hasSize(3);
    }

    @Test
    void aReplyThatIsLostIsAskedForAgainUnderTheSameNumber() throws Exception {
        server.fails(new JedisConnectionException("reset")).says(reply(DONE, START));

        assertThat(send(Batch.Mode.RUN).status()).isEqualTo(Batch.Status.DONE);

        assertThat(server.asked).hasSize(2).extracting(Asked::number).containsOnly(1L);
    }

    @Test
    void whatMayHaveRunIsUnknownOnceItsDeadlineIsNear() {
        server.fails(new JedisConnectionException("reset"), TIMEOUT.minusNanos(BatchSender.PAUSE_NANOS));

        assertThatExceptionOfType(BatchSender.UnknownOutcomeException.class)
                .isThrownBy(() -> send(Batch.Mode.RUN))
                .withMessage("reset");
        assertThat(server.asked).hasSize(1);
    }

    @Test
    void whatIsRefusedAfterItMayHaveRunIsUnknownToo() {
        server.fails(new JedisConnectionException("reset")).fails(new JedisDataException("OOM as it is"));

        assertThatExceptionOfType(BatchSender.UnknownOutcomeException.class).isThrownBy(() -> send(Batch.Mode.RUN));
    }

    @Test
    void whatPassesIsWaitedForAndNamedWhereTheTimeEndsOtherwise() {
        server.fails(new JedisDataException("LOADING as it is")).says(reply(LATE, START), TIMEOUT);

        assertThatExceptionOfType(BatchSender.NotRunException.class)
                .isThrownBy(() -> send(Batch.Mode.RUN))
                .withMessage("it came too late; before that it said LOADING as it is");
    }

    @Test
    void whatPassesLastIsSaidOnceAndWhatPassedBeforeIsSaidWithWhatEndedIt() {
        server.fails(new JedisDataException("LOADING as it is"))
                .fails(new JedisDataException("BUSY as it is"), TIMEOUT);
        assertThatExceptionOfType(BatchSender.NotRunException.class)
                .isThrownBy(() -> send(Batch.Mode.RUN))
                .withMessage("BUSY as it is");

        server.fails(new JedisDataException("LOADING as it is")).fails(new JedisDataException("OOM as it is"));
        assertThatExceptionOfType(BatchSender.NotRunException.class)
                .isThrownBy(() -> send(Batch.Mode.RUN))
                .withMessage("OOM as it is; before that it said LOADING as it is");
    }

    @Test
    void aServerThatHasNoRoomForAnotherClientRanNothing() {
        server.fails(new JedisDataException(BatchSender.TOO_MANY_CLIENTS), TIMEOUT);

        assertThatExceptionOfType(BatchSender.NotRunException.class)
                .isThrownBy(() -> send(Batch.Mode.RUN))
                .withMessage(BatchSender.TOO_MANY_CLIENTS);
    }

    @Test
    void aLaneThatTheServerDoesNotKnowBeginsAnew() throws Exception {
        lane.advance(0);
        server.says(reply(LANE_REFUSED, START)).says(reply(DONE, START));

        assertThat(send(Batch.Mode.RUN).status()).isEqualTo(Batch.Status.DONE);

        assertThat(server.asked.get(0).number()).isEqualTo(2);
        assertThat(server.asked.get(1).number()).isEqualTo(1);
        assertThat(server.asked.get(1).keys()).startsWith("lane.1");
        assertThat(sender.takeLoss()).as("nothing was known of it").isFalse();
    }

    @Test
    void whatMayHaveRunUnderALaneThatIsGoneIsUnknown() {
        server.fails(new JedisConnectionException("reset")).says(reply(LANE_REFUSED, START));

        assertThatExceptionOfType(BatchSender.UnknownOutcomeException.class)
                .isThrownBy(() -> send(Batch.Mode.RUN))
                .withMessage("Redis lost what it remembered of this process");
    }

    @Test
    void aBatchThatOnlyReservesIsDecidedAnewWhereWhatItDidWasLost() throws Exception {
        answeredAt(START);
        server.fails(new JedisConnectionException("reset"))
                .says(reply(LANE_REFUSED, START + 1))
                .says(reply(DONE, START + 1));

        assertThat(send(Batch.Mode.RUN).status()).isEqualTo(Batch.Status.DONE);
        assertThat(sender.takeLoss()).isTrue();
    }

    /** A lane lives for three quarters of its time at least, less a step of 2^24 microseconds. */
    @ParameterizedTest
    @CsvSource({"-1, true", "0, false"})
    void aLaneThatIsGoneIsALossWhereItShouldStillBeThere(long moreMicros, boolean isLoss) throws Exception {
        long lives = (60_000 + TIMEOUT.toMillis()) * 750 - (1 << 24);
        answeredAt(START);
        server.says(reply(LANE_REFUSED, START + lives + moreMicros)).says(reply(DONE, START));

        send(Batch.Mode.RUN);

        assertThat(sender.takeLoss()).isEqualTo(isLoss);
        assertThat(sender.takeLoss()).isFalse();
    }

    @Test
    void aLossThatOneLaneFoundIsNoneToAnotherThatWasNotUsedSince() throws Exception {
        Lane other = new Lane("other", 0);
        for (Lane each : new Lane[] {lane, other}) {
            each.answeredAt(START);
            each.advance(0);
        }
        server.says(reply(LANE_REFUSED, START + 10)).says(reply(DONE, START + 10));
        send(Batch.Mode.RUN);
        assertThat(sender.takeLoss()).isTrue();

        server.says(reply(LANE_REFUSED, START + 20)).says(reply(DONE, START + 20));
        send(Batch.Mode.RUN, other);
        assertThat(sender.takeLoss()).isFalse();
    }

    @Test
    void aLaneThatFindsAnOldLossAfterTheNextOneDoesNotHideThatOne() throws Exception {
        Lane other = new Lane("other", 0);
        other.answeredAt(START);
        other.advance(0);
        answeredAt(START);
        server.says(reply(LANE_REFUSED, START + 10)).says(reply(DONE, START + 20));
        send(Batch.Mode.RUN);
        assertThat(sender.takeLoss()).isTrue();
        lane.advance(0);

        server.says(reply(LANE_REFUSED, START + 30)).says(reply(DONE, START + 30));
        send(Batch.Mode.RUN, other);
        assertThat(sender.takeLoss()).isFalse();
        server.says(reply(LANE_REFUSED, START + 40)).says(reply(DONE, START + 40));
        send(Batch.Mode.RUN);

        assertThat(sender.takeLoss()).isTrue();
    }

    @Test
    void aCancelThatTheScriptCannotDoIsTriedAgainInItsTurn() {
        server.fails(new JedisDataException("ERR what is this"));

        assertThatExceptionOfType(BatchSender.UnknownOutcomeException.class).isThrownBy(() -> send(Batch.Mode.CANCEL));
        assertThat(server.asked).hasSize(1);
        assertThat(server.asked.get(0).mode()).isEqualTo(2);
    }

    @Test
    void aCancelOfALaneThatIsGoneIsAnswered() throws Exception {
        server.says(reply(LANE_REFUSED, START));

        assertThat(send(Batch.Mode.CANCEL).status()).isEqualTo(Batch.Status.LANE_REFUSED);
    }

    @Test
    void whoeverIsInterruptedMeanwhileIsDecidedAndKeepsTheFlag() throws Exception {
        server.fails(new JedisConnectionException("interrupted", new InterruptedException()))
                .says(reply(DONE, START));

        assertThat(send(Batch.Mode.RUN).status()).isEqualTo(Batch.Status.DONE);
        assertThat(Thread.interrupted()).isTrue();

        server.fails(new JedisConnectionException("reset")).says(reply(DONE, START));
        Thread.currentThread().interrupt();
        send(Batch.Mode.RUN);
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void aScriptThatTheServerDoesNotKnowIsSentWhole() throws Exception {
        server.fails(new JedisDataException("NOSCRIPT as it is")).says(reply(DONE, START));

        assertThat(send(Batch.Mode.RUN).status()).isEqualTo(Batch.Status.DONE);

        assertThat(server.asked).extracting(Asked::isWhole).containsExactly(false, true);
    }

    @Test
    void whoeverConnectsSendsTheScriptWholeAndLearnsTheTime() {
        server.says(reply(DONE, START));

        sender.connect(lane, LINES, TIMEOUT.toNanos());

        assertThat(server.asked).singleElement().satisfies(asked -> {
            assertThat(asked.isWhole()).isTrue();
            assertThat(asked.mode()).isEqualTo(3);
            assertThat(asked.laneTtlMillis()).isEqualTo(60_000 + TIMEOUT.toMillis());
        });
        assertThat(clock.micros()).isEqualTo(START);
    }

    // ------------------------------------------------------------------------------------------------------------

    private Batch.Reply send(Batch.Mode mode) throws Exception {
        return send(mode, lane);
    }

    private Batch.Reply send(Batch.Mode mode, Lane by) throws Exception {
        return sender.send(mode, by, new Batch(LINES), nowNanos + TIMEOUT.toNanos());
    }

    private void answeredAt(long micros) {
        lane.answeredAt(micros);
        lane.advance(0);
    }

    /** Of a batch without calls. */
    private static byte[] reply(int status, long micros) {
        return ByteBuffer.allocate(13 + 1 + 8 + 1)
                .position(13)
                .put((byte) status)
                .putLong(micros)
                .array();
    }

    /** What the server was asked, after the format of which the request says how long it is. */
    private record Asked(String keys, byte[] request, boolean isWhole) {
        private ByteBuffer head() {
            ByteBuffer in = ByteBuffer.wrap(request);
            int format = in.getShort();
            return in.position(2 + format);
        }

        int mode() {
            return head().get();
        }

        long number() {
            return head().position(head().position() + 1).getLong();
        }

        long notAfterMicros() {
            return head().position(head().position() + 9).getLong();
        }

        int laneTtlMillis() {
            return head().position(head().position() + 17).getInt();
        }
    }

    /** A client of a server that says what the test has it say, in that order. */
    private final class Server extends UnifiedJedis {
        private final List<Asked> asked = new ArrayList<>();
        private final Deque<Supplier<byte[]>> answers = new ArrayDeque<>();

        Server() {
            super((CommandExecutor) null, null, RedisProtocol.RESP2, null);
        }

        Server says(byte[] reply) {
            return says(reply, Duration.ZERO);
        }

        Server says(byte[] reply, Duration takes) {
            answers.add(() -> {
                nowNanos += takes.toNanos();
                return reply;
            });
            return this;
        }

        Server fails(JedisException failure) {
            return fails(failure, Duration.ZERO);
        }

        Server fails(JedisException failure, Duration takes) {
            answers.add(() -> {
                nowNanos += takes.toNanos();
                throw failure;
            });
            return this;
        }

        @Override
        public Object evalsha(byte[] sha, List<byte[]> keys, List<byte[]> arguments) {
            return answer(keys, arguments, false);
        }

        @Override
        public Object eval(byte[] script, List<byte[]> keys, List<byte[]> arguments) {
            return answer(keys, arguments, true);
        }

        private byte[] answer(List<byte[]> keys, List<byte[]> arguments, boolean isWhole) {
            asked.add(new Asked(new String(keys.get(0), StandardCharsets.US_ASCII), arguments.get(0), isWhole));
            return answers.remove().get();
        }
    }

    private static void sendTo(JedisException answer) throws Exception {
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
