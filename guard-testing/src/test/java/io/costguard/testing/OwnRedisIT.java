package io.costguard.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisConnectionException;

class OwnRedisIT {
    @BeforeEach
    void onlyForProcesses() {
        assumeTrue(
                !Settings.ofThisJvm().value("guard.redis").equals(Optional.of("docker")),
                "Redis is a process, not a container");
    }

    @Test
    void isGoneAfterClose() throws IOException {
        RedisForTests redis = RedisForTests.start();
        ProcessHandle process = process(redis);
        Path directory = directory(redis);
        assertThat(process.isAlive()).isTrue();
        assertThat(directory).isDirectory();

        redis.close();
        redis.close();

        assertThat(process.isAlive()).isFalse();
        assertThat(directory).doesNotExist();
        assertThat(answers(redis)).isFalse();
        assertThatThrownBy(redis::restart)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void isGoneWhenTheJvmEnds() throws Exception {
        Process child = JavaProcess.of(StartsAndEnds.class, List.of())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
            List<String> lines = out.lines().toList();
            assertThat(child.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(lines).hasSize(4);
            for (String line : lines) {
                if (line.startsWith("/")) assertThat(Path.of(line)).doesNotExist();
                else assertThat(ProcessHandle.of(Long.parseLong(line))).isEmpty();
            }
        }
    }

    /** Neither closes anything. */
    static final class StartsAndEnds {
        public static void main(String[] args) throws IOException {
            RedisForTests own = RedisForTests.start();
            System.out.println(process(own).pid());
            System.out.println(directory(own));
            RedisForTests suspended = RedisForTests.start();
            System.out.println(process(suspended).pid());
            System.out.println(directory(suspended));
            suspended.suspend();
        }
    }

    @Test
    void restartsEmptyOnTheSamePort() {
        try (RedisForTests redis = RedisForTests.start()) {
            restartsEmptyOnTheSamePort(redis);
        }
    }

    static void restartsEmptyOnTheSamePort(RedisForTests redis) {
        String url = redis.url();
        set(redis, "key", "value");
        redis.restart();
        assertThat(redis.url()).isEqualTo(url);
        assertThat(get(redis, "key")).isNull();
    }

    @Test
    void killedItIsDownUntilRestarted() {
        try (RedisForTests redis = RedisForTests.start()) {
            redis.kill();
            redis.kill();
            assertThat(answers(redis)).isFalse();
            assertThatThrownBy(() -> ClosedPortTest.listenAt(redis.port()))
                    .as("its port is given to nobody else")
                    .isInstanceOf(BindException.class);
            assertThatThrownBy(redis::suspend).isInstanceOf(IllegalStateException.class);
            redis.restart();
            assertThat(answers(redis)).isTrue();
        }
    }

    @Test
    void answersNothingWhileSuspended() {
        try (RedisForTests redis = RedisForTests.start()) {
            answersNothingWhileSuspended(redis);
        }
    }

    static void answersNothingWhileSuspended(RedisForTests redis) {
        try (Jedis patient = connect(redis.url(), 10_000);
                Jedis hasty = connect(redis.url(), 100)) {
            patient.set("key", "before");
            hasty.ping();
            redis.suspend();
            assertThatThrownBy(() -> hasty.set("key", "meanwhile")).isInstanceOf(JedisConnectionException.class);
            redis.resume();
            assertThat(patient.ping()).isEqualTo("PONG");
        }
        assertThat(get(redis, "key")).isEqualTo("meanwhile");
    }

    @Test
    void suspendedItCanBeKilled() {
        try (RedisForTests redis = RedisForTests.start()) {
            redis.suspend();
            redis.restart();
            assertThat(answers(redis)).isTrue();
            redis.suspend();
        }
    }

    @Test
    void argumentsReachTheServer() {
        try (RedisForTests redis = RedisForTests.start("--maxmemory", "100mb", "--cluster-enabled", "yes");
                Jedis client = connect(redis.url(), 10_000)) {
            assertThat(client.configGet("maxmemory")).containsEntry("maxmemory", "104857600");
            assertThat(client.clusterInfo()).contains("cluster_state:fail");
        }
    }

    @Test
    void aStartThatFailsShowsTheServersOwnWords() {
        assertThatThrownBy(() -> RedisForTests.start("--no-such-option", "1"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("no-such-option");
    }

    @Test
    void thePortIsNotTheCallers() {
        assertThatThrownBy(() -> RedisForTests.start("--port", "6379")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aPortThatSomebodyElseBoundIsGivenUp() throws IOException {
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            takesTheNextPortAfter(other.getLocalPort());
        }
    }

    @Test
    void aPortOnWhichAnotherRedisAnswersIsGivenUp() {
        try (RedisForTests other = RedisForTests.start()) {
            takesTheNextPortAfter(other.port());
            assertThat(answers(other)).isTrue();
        }
        try (RedisForTests other = RedisForTests.start("--requirepass", "secret")) {
            takesTheNextPortAfter(other.port());
            assertThat(answers(other)).isTrue();
        }
    }

    private static void takesTheNextPortAfter(int taken) {
        int free = RedisProcess.freePort();
        try (RedisProcess redis = start(inTurn(taken, free))) {
            assertThat(redis.uri()).hasPort(free);
            assertThat(redis.isAlive()).isTrue();
        }
    }

    @Test
    void withoutAnyFreePortItSaysSo() throws IOException {
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertThatThrownBy(() -> start(other::getLocalPort))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("No free port");
        }
    }

    @Test
    void serversDoNotMeet() {
        try (RedisForTests one = RedisForTests.start();
                RedisForTests other = RedisForTests.start()) {
            set(one, "key", "value");
            assertThat(get(other, "key")).isNull();
        }
    }

    private static RedisProcess start(IntSupplier ports) {
        Path binary = RedisSource.embeddedBinary().orElseThrow();
        return RedisProcess.start("embedded", binary, List.of(), ports);
    }

    private static IntSupplier inTurn(int... ports) {
        return Arrays.stream(ports).iterator()::nextInt;
    }

    private static ProcessHandle process(RedisForTests redis) throws IOException {
        Map<String, String> info = Resp.info(URI.create(redis.url()), Duration.ofSeconds(5));
        return ProcessHandle.of(Long.parseLong(info.getOrDefault("process_id", "")))
                .orElseThrow();
    }

    private static Path directory(RedisForTests redis) throws IOException {
        try (Jedis client = connect(redis.url(), 10_000)) {
            return Path.of(client.configGet("dir").getOrDefault("dir", ""));
        }
    }

    private static void set(RedisForTests redis, String key, String value) {
        try (Jedis client = connect(redis.url(), 10_000)) {
            client.set(key, value);
        }
    }

    private static String get(RedisForTests redis, String key) {
        try (Jedis client = connect(redis.url(), 10_000)) {
            return client.get(key);
        }
    }

    static Jedis connect(String url, int timeoutMillis) {
        return new Jedis(
                URI.create(url),
                DefaultJedisClientConfig.builder()
                        .timeoutMillis(timeoutMillis)
                        .autoNegotiateProtocol(false)
                        .build());
    }

    static boolean answers(RedisForTests redis) {
        try {
            Resp.info(URI.create(redis.url()), Duration.ofSeconds(5));
            return true;
        } catch (IOException e) {
            return false;
        }
    }
}
