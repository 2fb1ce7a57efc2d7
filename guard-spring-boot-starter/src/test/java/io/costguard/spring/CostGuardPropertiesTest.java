package io.costguard.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

class CostGuardPropertiesTest {
    @Test
    void noSecretIsShown() {
        Binder binder = new Binder(new MapConfigurationPropertySource(Map.of(
                "costguard.redis", "redis://u:canary@localhost", "costguard.fingerprint-key", "canary-0123456789")));

        CostGuardProperties properties = binder.bindOrCreate("costguard", CostGuardProperties.class);

        assertThat(properties.redis()).contains("canary");
        assertThat(properties.toString()).doesNotContain("canary");
    }
}
