package io.costguard.examples.command;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.BudgetFile;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Decision;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardedCall;
import io.costguard.describe.LocatedJson;
import io.costguard.testing.RedisForTests;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The command beside a guard of the fleet, over the same Redis. */
@Timeout(120)
class GuardCommandIT {
    private static final RedisForTests REDIS = RedisForTests.shared();
    private static final String KEY = "sk-canary";
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o")
            .with("apiKey", KEY)
            .with("tenant", "acme")
            .cost(Cost.requests(1).usd("0.25"));

    @TempDir
    Path folder;

    private final String prefix = REDIS.keyPrefix();
    private volatile String fingerprint = "";
    private Path budgets;
    private CostGuard guard;

    @BeforeEach
    void aFleetHasUsedSome() throws IOException {
        budgets = Files.writeString(folder.resolve("budgets.yaml"), """
                budgets:
                  - {name: rate, limits: [{requests: 3, per: PT24H, algorithm: slidingWindow}]}
                  - {name: money, per: [tenant], limits: [{usd: 1.00, per: PT24H, algorithm: slidingWindow}]}
                """);
        CostGuard.Builder builder =
                CostGuard.builder().redis(REDIS.url()).keyPrefix(prefix).decisionTimeout(Duration.ofMinutes(1));
        BudgetFile.read(budgets).forEach(builder::budget);
        guard = builder.listener(new GuardListener() {
                    @Override
                    public void onGranted(Grant event) {
                        fingerprint = event.call().attributes().getOrDefault("apiKey", "");
                    }
                })
                .build();
        guard.acquire(CALL).close();
        guard.flush();
    }

    @AfterEach
    void itEnds() {
        guard.close();
    }

    @Test
    void statusTellsWhatIsLeftToACall() throws IOException, InterruptedException {
        Command.Ran ran =
                ask("status", "--key-env", "CANARY").with("CANARY", KEY).run();

        assertThat(ran.code()).as(ran.err()).isZero();
        assertThat(ran.out().lines())
                .hasSize(4)
                .anyMatch(line -> line.matches("calls with model gpt-4o, tenant acme, that key, at .*Z"))
                .anyMatch(line -> line.matches(
                        "rate +requests per day \\(sliding window\\) +2 +3 +0 +(24|25|26):\\d\\d:\\d\\d +0:00:00"))
                .anyMatch(
                        line -> line.matches(
                                "money +usd per day \\(sliding window\\) +\\$0\\.75 +\\$1\\.00 +0 +(23|24|25|26):\\d\\d:\\d\\d +0:00:00"));
        assertThat(ran.out() + ran.err()).doesNotContain("canary");
    }

    @Test
    void aKeyMayComeFromTheStandardInputOrAsItsFingerprint() throws IOException, InterruptedException {
        Command.Ran read =
                ask("status", "--json", "--key-stdin").reading(KEY + "\n").run();
        Command.Ran known =
                ask("status", "--json", "--key-fingerprint", fingerprint).run();
        Command.Ran other = ask("status", "--json").run();

        assertThat(balances(read)).containsExactly(2L, 750_000_000L);
        assertThat(balances(known)).containsExactly(2L, 750_000_000L);
        assertThat(balances(other)).containsExactly(3L, 750_000_000L);
    }

    @Test
    void resetHasAllThereAgain() throws IOException, InterruptedException {
        Command.Ran ran = ask("reset", "--json", "--key-stdin").reading(KEY).run();

        assertThat(balances(ran)).containsExactly(3L, 1_000_000_000L);
        assertThat(guard.status(CALL).get(0).balance()).isEqualTo(3);
    }

    @Test
    void holdLetsNobodyGo() throws IOException, InterruptedException {
        Command.Ran ran = ask("hold", "--for", "50m", "--json", "--key-stdin")
                .reading(KEY)
                .run();

        assertThat(ran.code()).as(ran.err()).isZero();
        assertThat(guard.decide(CALL))
                .isInstanceOfSatisfying(
                        Decision.Denied.class,
                        denied -> assertThat(denied.denial())
                                .extracting(Denial::held)
                                .matches(held -> held.compareTo(Duration.ofMinutes(40)) > 0));
    }

    @Test
    void watchEndsAfterItsLooks() throws IOException, InterruptedException {
        Command.Ran ran =
                ask("watch", "--json", "--every", "0.01s", "--ticks", "3").run();

        assertThat(ran.code()).as(ran.err()).isZero();
        assertThat(ran.out().lines()).hasSize(3).allMatch(line -> line.contains("\"balance\":750000000"));
    }

    @Test
    void watchGoesOnUntilItIsInterrupted() throws IOException, InterruptedException {
        Process watch = ask("watch", "--every", "0.01s").start();
        try (BufferedReader out = watch.inputReader(StandardCharsets.UTF_8)) {
            List<String> redrawn = new ArrayList<>();
            String line = out.readLine();
            while (line != null && redrawn.size() < 3) {
                if (line.contains("calls with")) {
                    redrawn.add(line);
                }
                line = out.readLine();
            }
            assertThat(redrawn).hasSize(3).allMatch(each -> each.startsWith("\033[H\033[J"));
            assertThat(watch.isAlive()).isTrue();
        } finally {
            watch.destroy();
        }
        assertThat(watch.waitFor()).isNotZero();
    }

    @Test
    void aRedisThatIsNotThereIsSaidAndNothingIsPrinted() throws IOException, InterruptedException {
        Command.Ran ran;
        try (RedisForTests gone = RedisForTests.start()) {
            gone.kill();
            ran = Command.of(
                            folder,
                            "status",
                            "--budgets",
                            budgets.toString(),
                            "--model",
                            "m",
                            "--attribute",
                            "tenant=t")
                    .with("COSTGUARD_REDIS", gone.url())
                    .run();
        }

        assertThat(ran.code()).isEqualTo(1);
        assertThat(ran.out()).isEmpty();
        assertThat(ran.err()).startsWith("costguard: ").contains("Redis").hasLineCount(1);
    }

    @Test
    void aCallThatLacksAnAttributeIsToldHowToGiveItOne() throws IOException, InterruptedException {
        Command.Ran ran = Command.of(
                        folder, "status", "--redis", REDIS.url(), "--budgets", budgets.toString(), "--model", "gpt-4o")
                .run();

        assertThat(ran.code()).isEqualTo(2);
        assertThat(ran.err()).contains("unknown attribute 'tenant'", "--attribute NAME=VALUE");
    }

    private Command ask(String command, String... more) {
        List<String> arguments = new ArrayList<>(List.of(
                command,
                "--redis",
                REDIS.url(),
                "--budgets",
                budgets.toString(),
                "--prefix",
                prefix,
                "--model",
                "gpt-4o",
                "--attribute",
                "tenant=acme"));
        arguments.addAll(List.of(more));
        // A developer's machine may have its guards switched off.
        return Command.of(folder, arguments.toArray(String[]::new)).with("COSTGUARD_ENABLED", "false");
    }

    private static List<Long> balances(Command.Ran ran) {
        assertThat(ran.code()).as(ran.err()).isZero();
        Map<String, LocatedJson> report = LocatedJson.read("out", 1, ran.out()).members("all");
        List<Long> balances = new ArrayList<>();
        for (LocatedJson limit :
                report.getOrDefault("limits", new LocatedJson("out", "")).elements("limits")) {
            balances.add(limit.members("a limit").getOrDefault("balance", limit).count("balance"));
        }
        return balances;
    }
}
