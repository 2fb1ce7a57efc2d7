package io.costguard.redis;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisDataException;

/** Rows 5 and 6 of the faults: a Redis that answers, and will not or cannot yet do what it is asked. */
@Timeout(60)
class RefusingRedisIT {
    private static final Duration PATIENT = Duration.ofMinutes(1);
    private static final Duration HASTY = Duration.ofSeconds(1);

    private final RedisForTests server = RedisForTests.start("--rdbcompression", "no");
    private final Jedis admin = PatientRedis.connection(server.url());
    private final Subject subject = new Subject(
            "costguard:{x}:subject",
            Budget.named("b").limit(Limit.tokens(100).per(Duration.ofDays(30)).tokenBucket()));
    private final RedisLedger ledger = new RedisLedger(Redis.at(server.url(), PATIENT), "costguard", PATIENT);
    private final RedisLedger hasty = new RedisLedger(Redis.at(server.url(), HASTY), "costguard", HASTY);

    @AfterEach
    void close() {
        hasty.close();
        ledger.close();
        admin.close();
        server.close();
    }

    /** Why a Redis writes nothing. */
    enum Refusal {
        READONLY {
            @Override
            void begins(Jedis admin) {
                admin.replicaof("127.0.0.1", 1);
            }

            @Override
            void ends(Jedis admin) {
                admin.replicaofNoOne();
            }
        },
        MASTERDOWN {
            @Override
            void begins(Jedis admin) {
                admin.configSet("replica-serve-stale-data", "no");
                admin.replicaof("127.0.0.1", 1);
            }

            @Override
            void ends(Jedis admin) {
                admin.replicaofNoOne();
            }
        },
        NOREPLICAS {
            @Override
            void begins(Jedis admin) {
                admin.configSet("min-replicas-to-write", "1");
            }

            @Override
            void ends(Jedis admin) {
                admin.configSet("min-replicas-to-write", "0");
            }
        },
        /** It cannot write its dump, where something else has that name. */
        MISCONF {
            @Override
            void begins(Jedis admin) throws Exception {
                Files.createDirectory(dump(admin));
                admin.configSet("save", "3600 1");
                admin.bgsave();
                await(() -> admin.info("persistence").contains("rdb_last_bgsave_status:err"));
            }

            @Override
            void ends(Jedis admin) throws Exception {
                admin.configSet("save", "");
                Files.delete(dump(admin));
            }

            private Path dump(Jedis admin) {
                return Path.of(admin.configGet("dir").get("dir"), "dump.rdb");
            }
        };

        abstract void begins(Jedis admin) throws Exception;

        abstract void ends(Jedis admin) throws Exception;
    }

    @ParameterizedTest
    @EnumSource
    @Tag("fault-5")
    void aRedisThatWritesNothingLetsNobodyGoAndIsChargedWhatWasUsedOnceItDoes(Refusal refusal) throws Exception {
        Charge charge = granted(40);

        refusal.begins(admin);
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> reserve(hasty, 1, HASTY))
                .withMessageContaining(refusal.name());
        ledger.settle(List.of(new Settled(charge, new long[] {10})), () -> {});
        refusal.ends(admin);

        assertThat(reserve(ledger, 1, PATIENT)).isInstanceOf(Verdict.Granted.class);
        ledger.flush(deadline(PATIENT));
        assertThat(balance()).isEqualTo(100 - 10 - 1);
    }

    @ParameterizedTest
    @EnumSource(names = {"READONLY", "MASTERDOWN"})
    @Tag("fault-5")
    void whoAsksAReplicaIsDecidedOnceItIsTheMaster(Refusal refusal) throws Exception {
        granted(40);
        refusal.begins(admin);
        CompletableFuture<Verdict> asks = ledger.reserveAsync(claims(1), Patience.NONE, deadline(PATIENT));
        // A replica refuses what the script writes, which Redis before 7.0 counts as an error of the script.
        boolean isCounted = refusal != Refusal.READONLY || !server.version().startsWith("6.");
        await(() -> admin.info("errorstats").contains("errorstat_" + (isCounted ? refusal : "ERR")));

        refusal.ends(admin);

        assertThat(asks.get()).isInstanceOf(Verdict.Granted.class);
        assertThat(balance()).isEqualTo(100 - 40 - 1);
    }

    @Test
    @Tag("fault-6")
    void whoAsksARedisThatStillLoadsIsDecidedOnceItHasLoaded() throws Exception {
        granted(40);
        // It answers each 2 MB.
        admin.eval("for i = 1, 400 do redis.call('SET', 'key' .. i, string.rep('x', 200000)) end");
        admin.save();
        admin.configSet("key-load-delay", "15000");
        admin.configRewrite();
        server.restart();
        admin.disconnect();
        await(() -> says("LOADING"));
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> reserve(hasty, 1, HASTY));
        CompletableFuture<Verdict> asks = ledger.reserveAsync(claims(1), Patience.NONE, deadline(PATIENT));

        assertThat(asks.get()).isInstanceOf(Verdict.Granted.class);
        assertThat(balance()).isEqualTo(100 - 40 - 1);
    }

    @Test
    @Tag("fault-6")
    void whoAsksARedisThatIsBusyWithAnothersScriptIsDecidedOnceThatHasEndedAndNeverEndsIt() throws Exception {
        granted(40);
        admin.configSet("lua-time-limit", "10");
        CompletableFuture<Object> endless = CompletableFuture.supplyAsync(() -> {
            try (Jedis other = PatientRedis.connection(server.url())) {
                return other.eval("while true do end");
            }
        });
        await(() -> says("BUSY"));
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> reserve(hasty, 1, HASTY))
                .withMessageContaining("BUSY");
        CompletableFuture<Verdict> asks = ledger.reserveAsync(claims(1), Patience.NONE, deadline(PATIENT));
        assertThat(says("BUSY")).isTrue();
        assertThat(endless).isNotDone();

        admin.scriptKill();

        assertThat(asks.get()).isInstanceOf(Verdict.Granted.class);
        assertThat(balance()).isEqualTo(100 - 40 - 1);
        assertThat(endless.handle((nothing, killed) -> killed).get()).isNotNull();
    }

    private boolean says(String code) {
        try {
            admin.ping();
            return false;
        } catch (JedisDataException e) {
            return String.valueOf(e.getMessage()).startsWith(code);
        }
    }

    private Charge granted(long amount) throws GuardUnavailableException {
        return ((Verdict.Granted) reserve(ledger, amount, PATIENT)).charges().get(0);
    }

    private Verdict reserve(RedisLedger by, long amount, Duration within) throws GuardUnavailableException {
        return by.reserve(claims(amount), Patience.NONE, deadline(within));
    }

    private long balance() throws GuardUnavailableException {
        return ledger.look(claims(0), deadline(PATIENT)).get(0).get(0).balance();
    }

    private List<Claim> claims(long amount) {
        return List.of(new Claim(subject, new long[] {amount}));
    }

    private static long deadline(Duration within) {
        return System.nanoTime() + within.toNanos();
    }
}
