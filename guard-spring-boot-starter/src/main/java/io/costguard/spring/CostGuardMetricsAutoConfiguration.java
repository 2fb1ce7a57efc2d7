package io.costguard.spring;

import io.costguard.CostGuard;
import io.costguard.micrometer.CostGuardMetrics;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

/** The guard's meters, where the application has a registry of them: as a listener, which the guard is told of, and gauges. */
@AutoConfiguration(
        after = CostGuardAutoConfiguration.class,
        afterName = {
            "org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration", // 4
            "org.springframework.boot.actuate.autoconfigure.metrics.CompositeMeterRegistryAutoConfiguration" // 3
        })
@ConditionalOnClass({MeterRegistry.class, CostGuardMetrics.class})
@ConditionalOnBean({MeterRegistry.class, CostGuard.class})
@ConditionalOnProperty(prefix = CostGuardProperties.PREFIX, name = "metrics.enabled", matchIfMissing = true)
public class CostGuardMetricsAutoConfiguration {
    /** Made by Spring. */
    public CostGuardMetricsAutoConfiguration() {}

    @Bean
    @ConditionalOnMissingBean
    CostGuardMetrics costGuardMetrics(MeterRegistry registry, CostGuardProperties properties) {
        String[] tags = properties.metrics().tags().toArray(String[]::new);
        try {
            return new CostGuardMetrics(registry).tags(tags);
        } catch (IllegalArgumentException e) {
            throw new InvalidPropertyException(
                    CostGuardProperties.PREFIX + ".metrics.tags", String.valueOf(e.getMessage()), e);
        }
    }

    @Bean
    @ConditionalOnSingleCandidate(CostGuard.class)
    MeterBinder costGuardGauges(CostGuard guard) {
        return CostGuardMetrics.gauges(guard);
    }
}
