package io.costguard.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RedisSourceIT {
    private static RedisSource source(Map<String, String> settings) {
        return new RedisSource(name -> Optional.ofNullable(settings.get(name)));
    }

    private static Path embeddedBinary() {
        Optional<Path> binary = RedisSource.embeddedBinary();
        assumeTrue(binary.isPresent(), "there is an embedded binary for this machine");
        return binary.orElseThrow();
    }

    @Test
    void embeddedCanBeForced() {
        embeddedBinary();
        try (RedisForTests redis =
                new RedisForTests(source(Map.of("guard.redis", "embedded")).own(List.of()))) {
            assertThat(redis.version()).isEqualTo("7.0.15");
            assertThat(redis.host()).isEqualTo("127.0.0.1");
        }
    }

    @Test
    void installedCanBeForcedAndNamed() {
        Path binary = embeddedBinary();
        Map<String, String> settings = Map.of("guard.redis", "Installed", "guard.redis.server", binary.toString());
        try (RedisServer own = source(settings).own(List.of());
                RedisServer shared = source(settings).shared()) {
            assertThat(own.origin()).isEqualTo("installed " + binary);
            assertThat(shared.origin()).isEqualTo("installed " + binary);
            assertThat(own.uri()).isNotEqualTo(shared.uri());
        }
    }

    @Test
    void aNamedServerIsPreferredToWhateverElseThereIs() {
        Path binary = embeddedBinary();
        try (RedisServer redis =
                source(Map.of("guard.redis.server", binary.toString())).shared()) {
            assertThat(redis.origin()).isEqualTo("installed " + binary);
        }
    }

    @Test
    void aNamedServerThatCannotRunIsAnErrorNotAReasonToTakeAnother() {
        assertThatThrownBy(() ->
                        source(Map.of("guard.redis.server", "/no/redis-server")).own(List.of()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("GUARD_REDIS_SERVER")
                .hasMessageContaining("/no/redis-server");
    }

    @Test
    void anUnknownChoiceIsAnError() {
        assertThatThrownBy(() -> source(Map.of("guard.redis", "fake")).shared())
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("GUARD_REDIS=fake: not one of embedded, installed, docker");
    }

    @Test
    void dockerForcedWithoutDockerIsAnError() {
        assumeFalse(RedisContainer.dockerAnswers(), "there is a Docker");
        assertThatThrownBy(() -> source(Map.of("guard.redis", "docker")).own(List.of()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("GUARD_REDIS=docker");
    }

    @Test
    void dockerRunsWhatATestNeeds() {
        assumeTrue(RedisContainer.dockerAnswers(), "there is a Docker");
        try (RedisForTests redis =
                new RedisForTests(source(Map.of("guard.redis", "docker")).own(List.of()))) {
            OwnRedisIT.restartsEmptyOnTheSamePort(redis);
            OwnRedisIT.answersNothingWhileSuspended(redis);
        }
    }

    @Test
    void withoutSettingsThereIsARedis() {
        try (RedisForTests redis = new RedisForTests(source(Map.of()).own(List.of()))) {
            assertThat(redis.version()).isNotEqualTo("unknown");
        }
    }

    @Test
    void theUsersServerIsUsedAndLeftAlone() {
        try (RedisForTests theirs = RedisForTests.start()) {
            RedisForTests redis = new RedisForTests(
                    source(Map.of("guard.redis.url", theirs.url(), "guard.redis.server", "/no/redis-server"))
                            .shared());
            assertThat(redis.url()).isEqualTo(theirs.url());
            assertThat(redis.port()).isEqualTo(theirs.port());
            assertThat(redis.version()).isEqualTo(theirs.version());
            assertThatThrownBy(redis::kill).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(redis::restart).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(redis::suspend).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(redis::resume)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("RedisForTests.start()");
            redis.close();
            assertThat(OwnRedisIT.answers(theirs)).isTrue();
        }
    }

    @Test
    void theUsersServerIsAskedWithItsPassword() {
        try (RedisForTests theirs = RedisForTests.start("--requirepass", "pass word")) {
            assertThat(theirs.version()).isEqualTo("unknown");
            String url = "redis://:pass%20word@" + theirs.host() + ":" + theirs.port() + "/0";
            RedisForTests redis =
                    new RedisForTests(source(Map.of("guard.redis.url", url)).shared());
            assertThat(redis.version()).matches("\\d+\\..*");
            assertThat(redis.url()).isEqualTo(url);
        }
    }

    @Test
    void aUsersServerThatIsDownIsSaidWithoutItsPassword() {
        int nobody = RedisProcess.freePort();
        RedisServer server = source(Map.of("guard.redis.url", "redis://me:secret@127.0.0.1:" + nobody))
                .shared();
        assertThatThrownBy(() -> new RedisForTests(server))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("GUARD_REDIS_URL")
                .hasMessageContaining("127.0.0.1:" + nobody)
                .hasMessageNotContaining("secret");
    }

    @Test
    void aMalformedUrlIsSaidWithoutItsPassword() {
        for (String url : List.of("localhost:6379", "http://me:secret@host", "redis://me:secret@", "::secret")) {
            assertThatThrownBy(() -> source(Map.of("guard.redis.url", url)).shared(), url)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("GUARD_REDIS_URL")
                    .hasMessageNotContaining("secret");
        }
    }

    @Test
    void theForcedChoiceWinsOverTheUsersServer() {
        embeddedBinary();
        try (RedisServer redis = source(Map.of("guard.redis", "embedded", "guard.redis.url", "redis://127.0.0.1:1"))
                .shared()) {
            assertThat(redis.origin()).isEqualTo("embedded");
        }
    }

    @Test
    void aSystemPropertyIsASettingAndBlankIsNone() {
        String name = "guard.redis.test";
        assertThat(Settings.environmentName(name)).isEqualTo("GUARD_REDIS_TEST");
        try {
            System.setProperty(name, " here ");
            assertThat(Settings.ofThisJvm().value(name)).contains("here");
            System.setProperty(name, " ");
            assertThat(Settings.ofThisJvm().value(name)).isEmpty();
        } finally {
            System.clearProperty(name);
        }
    }
}
