package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A fleet of processes whose Redis is killed, under ten times the load that their slices cover. */
@Timeout(180)
class LeasingFleetIT {
    private static final int PROCESSES = 4;
    private static final long CALLS = 10 * LeasingProcess.REQUESTS_LEASED;

    private final List<Worker> workers = new ArrayList<>();

    /** One of the processes, and what it says. */
    private record Worker(Process process, BufferedReader says, Writer hears) {
        static Worker start(RedisForTests redis, String prefix) throws IOException {
            Process process = JavaProcess.of(
                            LeasingProcess.class, List.of("-Xmx96m", "-XX:TieredStopAtLevel=1"), redis.url(), prefix)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            return new Worker(
                    process,
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)),
                    process.outputWriter(StandardCharsets.UTF_8));
        }

        void tell(String line) throws IOException {
            hears.write(line + "\n");
            hears.flush();
        }

        /** The numbers in what it says next, which begins with this word. */
        List<Long> hear(String word) throws IOException {
            String line = String.valueOf(says.readLine());
            assertThat(line).startsWith(word + " ");
            return List.of(line.substring(word.length() + 1).split(" ")).stream()
                    .map(Long::valueOf)
                    .toList();
        }
    }

    @AfterEach
    void end() {
        workers.forEach(worker -> worker.process.destroyForcibly());
    }

    @Test
    @Tag("threat-10")
    void noMoreIsSpentThanWasLeasedAndTheLedgerIsExactOnceRedisIsBack() throws Exception {
        try (RedisForTests redis = RedisForTests.start("--appendonly", "yes", "--appendfsync", "always")) {
            String prefix = redis.keyPrefix();
            startAll(redis, prefix);

            redis.kill();
            assertThat(storm()).containsOnly(LeasingProcess.REQUESTS_LEASED).hasSize(PROCESSES);
            redis.restart();

            long requests = 0;
            long tokens = 0;
            for (Worker worker : workers) {
                worker.tell("settle");
            }
            for (Worker worker : workers) {
                List<Long> used = worker.hear("used");
                requests += used.get(0) + used.get(2);
                tokens += used.get(1) + used.get(3);
            }
            assertThat(balances(redis, prefix))
                    .containsExactly(LeasingProcess.REQUESTS - requests, LeasingProcess.TOKENS - tokens);
        }
    }

    @Test
    @Tag("threat-10")
    void aRedisThatLosesItsStateLetsGoNoMoreAboveTheLimitThanWasLeased() throws Exception {
        try (RedisForTests redis = RedisForTests.start()) {
            String prefix = redis.keyPrefix();
            long leased = startAll(redis, prefix);

            redis.kill();
            long spent = storm().stream().mapToLong(Long::longValue).sum();
            end();
            redis.restart();

            assertThat(spent).isEqualTo(leased);
            assertThat(balances(redis, prefix).get(0)).isEqualTo(LeasingProcess.REQUESTS);
        }
    }

    /** What they have leased. */
    private long startAll(RedisForTests redis, String prefix) throws IOException {
        for (int i = 0; i < PROCESSES; i++) {
            workers.add(Worker.start(redis, prefix));
        }
        long leased = 0;
        for (Worker worker : workers) {
            leased += worker.hear("leased").get(0);
        }
        return leased;
    }

    private List<Long> storm() throws IOException {
        for (Worker worker : workers) {
            worker.tell("storm " + CALLS);
        }
        List<Long> went = new ArrayList<>();
        for (Worker worker : workers) {
            went.addAll(worker.hear("went"));
        }
        return went;
    }

    private static List<Long> balances(RedisForTests redis, String prefix) throws GuardUnavailableException {
        try (CostGuard guard = LeasingProcess.guard(redis.url(), prefix)
                .decisionTimeout(Duration.ofMinutes(1))
                .build()) {
            return guard.status(LeasingProcess.call()).stream()
                    .map(LimitStatus::balance)
                    .toList();
        }
    }
}
