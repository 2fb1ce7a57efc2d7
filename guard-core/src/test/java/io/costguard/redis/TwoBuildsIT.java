package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.JavaProcess;
import io.costguard.testing.RedisForTests;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;

/** Two builds of this library side by side, as while a new one is rolled out: this one, and a process of another, over one balance. */
@Timeout(120)
@Tag("fault-13")
class TwoBuildsIT {
    private static final int INPUT = 3_000;

    private final String prefix = RedisForTests.shared().keyPrefix();
    private final String url = RedisForTests.shared().url();
    private final RedisClient jedis = PatientRedis.client(url);
    private final RedisLedger ledger = new RedisLedger(Redis.at(url, OtherBuild.PATIENT), prefix, OtherBuild.PATIENT);
    private final Subject subject = OtherBuild.subject(
            prefix,
            OtherBuild.requests(OtherBuild.REQUESTS),
            Limit.inputTokens(INPUT).per(Duration.ofDays(1)).slidingWindow());
    private final List<Other> others = new ArrayList<>();

    @AfterEach
    void end() {
        others.forEach(other -> other.process.destroyForcibly());
        ledger.close();
        jedis.close();
    }

    // ---------------------------------------------------------------------- another script, and other budgets

    @Test
    void nothingIsChargedTwiceOrLostWhoeverDecides() throws Exception {
        Other other = start(false);
        int half = OtherBuild.REQUESTS / 2;
        for (int went = 0; went < half; went += half / 5) {
            other.tell("storm " + half / 5);
            assertThat(OtherBuild.storm(ledger, subject, half / 5)).isEqualTo(half / 5);
            assertThat(other.hear()).isEqualTo("went " + half / 5);
        }

        assertThat(other.ask("go")).isEqualTo("denied");
        assertThat(OtherBuild.reserve(ledger, subject, 0)).isInstanceOf(Verdict.Shortfall.class);
        assertThat(OtherBuild.balances(ledger, subject)).containsExactly(0L, (long) INPUT - half);
        assertThat(other.ask("balances")).isEqualTo("[" + (OtherBuild.TOKENS - half) + ", 0]");
    }

    @Test
    void aCallThatWaitsInTheOtherGoesAsThisOneGivesBack() throws Exception {
        Other other = start(false);
        Charge last = spent();
        assertThat(other.ask("wait")).isEqualTo("waits");

        ledger.settle(List.of(new Settled(last, new long[] {0, 0})), () -> {});

        assertThat(other.hear()).isEqualTo("went");
    }

    @Test
    void whatTheOtherGivesBackLetsACallGoThatWaitsHere() throws Exception {
        Other other = start(false);
        assertThat(other.ask("go")).isEqualTo("went");
        spent();
        Verdict.Waiting waiting = (Verdict.Waiting)
                OtherBuild.reserve(ledger, subject, Duration.ofDays(30).toNanos() / 1_000);

        assertThat(other.ask("settle")).isEqualTo("settled");

        assertThat(waiting.place().end().get(1, TimeUnit.MINUTES)).isInstanceOf(Verdict.Granted.class);
    }

    @Test
    void aCoolDownThatOnlyTheOtherKnowsHoldsHereToo() throws Exception {
        Other other = start(false);
        assertThat(other.ask("spend")).isEqualTo("spent");
        assertThat(OtherBuild.reserve(ledger, subject, 0)).isInstanceOf(Verdict.Granted.class);
        assertThat(other.ask("go")).isEqualTo("denied");

        assertThat(OtherBuild.reserve(ledger, subject, 0))
                .isInstanceOfSatisfying(
                        Verdict.Shortfall.class,
                        denied -> assertThat(denied.heldMicros()).isPositive());
    }

    // ------------------------------------------------------------------------------------- a format of later

    @Test
    void whatALaterFormatSaysIsRefusedByNameAndStaysAsItIs() throws Exception {
        Other other = start(true);
        assertThat(other.ask("go")).isEqualTo("went");
        byte[] written = jedis.get(subject.key().getBytes(StandardCharsets.UTF_8));

        for (int i = 0; i < 3; i++) {
            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(() -> OtherBuild.reserve(ledger, subject, 0))
                    .withMessage("the balances of budget 'b' at key " + subject.key()
                            + " were written by another version of this library; update the older one");
        }
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> OtherBuild.balances(ledger, subject))
                .withMessageContaining("by another version");

        assertThat(jedis.get(subject.key().getBytes(StandardCharsets.UTF_8))).isEqualTo(written);
        assertThat(other.ask("balances"))
                .isEqualTo("[" + (OtherBuild.TOKENS - 1) + ", " + (OtherBuild.REQUESTS - 1) + "]");
    }

    @Test
    void whoeverKnowsOnlyALaterFormatRefusesWhatThisBuildSays() throws Exception {
        Other other = start(true);
        assertThat(OtherBuild.reserve(ledger, subject, 0)).isInstanceOf(Verdict.Granted.class);

        assertThat(other.ask("go"))
                .startsWith("refused: the balances of budget 'b' at key ")
                .contains("by another version");
        assertThat(OtherBuild.balances(ledger, subject)).containsExactly(OtherBuild.REQUESTS - 1L, INPUT - 1L);
    }

    @Test
    void aLineOfALaterFormatKeepsThoseWhoStandInIt() throws Exception {
        Other other = start(true);
        assertThat(other.ask("storm " + OtherBuild.REQUESTS)).isEqualTo("went " + OtherBuild.REQUESTS);
        assertThat(other.ask("wait")).isEqualTo("waits");

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> OtherBuild.reserve(ledger, subject, 30_000_000))
                .withMessageContaining("by another version");

        assertThat(jedis.zcount(subject.key() + ":line", 1, Double.MAX_VALUE)).isEqualTo(1);
    }

    // ------------------------------------------------------------------------------------------------ the words

    /** All requests are charged; the charge of the last. */
    private Charge spent() throws GuardUnavailableException {
        List<Charge> charged = new ArrayList<>();
        while (OtherBuild.reserve(ledger, subject, 0) instanceof Verdict.Granted granted) {
            charged.addAll(granted.charges());
        }
        return charged.get(charged.size() - 1);
    }

    /** The process of the other build, and what it says. */
    private record Other(Process process, BufferedReader says, Writer hears) {
        String ask(String order) throws IOException {
            tell(order);
            return hear();
        }

        void tell(String order) throws IOException {
            hears.write(order + "\n");
            hears.flush();
        }

        String hear() throws IOException {
            return String.valueOf(says.readLine());
        }
    }

    private Other start(boolean later) throws IOException {
        Process process = JavaProcess.of(
                        OtherBuild.class,
                        List.of("-Xmx96m", "-XX:TieredStopAtLevel=1"),
                        url,
                        prefix,
                        String.valueOf(later))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        Other other = new Other(
                process,
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)),
                process.outputWriter(StandardCharsets.UTF_8));
        others.add(other);
        return other;
    }
}
