package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.limit.Register;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RedisRegisterIT {
    private final RedisForTests redis = RedisForTests.shared();
    private final Duration timeout = Duration.ofSeconds(10);
    private final Register register =
            new RedisRegister(Redis.at(redis.url(), timeout), redis.keyPrefix() + ":share", timeout);

    @AfterEach
    void close() {
        register.close();
    }

    @Test
    void whatChangedSinceItWasSeenIsNotReplacedAndWhatDidNotIs() throws Exception {
        Register.Seen empty = register.read();

        assertThat(register.replace(empty, "first")).isPresent();
        assertThat(register.replace(empty, "second")).isEmpty();
        assertThat(register.read().text()).isEqualTo("first");
        assertThat(register.replace(register.read(), "third")).isPresent();
        assertThat(register.read().text()).isEqualTo("third");
    }

    @Test
    void whatWasSeenLongAgoIsNotReplaced() throws Exception {
        Register.Seen seen = register.read();

        assertThat(register.replace(new Register.Seen(seen.text(), seen.micros() - 60_000_000), "late"))
                .isEmpty();
        assertThat(register.read().text()).isEmpty();
    }
}
