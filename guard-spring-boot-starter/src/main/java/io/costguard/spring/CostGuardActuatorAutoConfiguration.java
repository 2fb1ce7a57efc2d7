package io.costguard.spring;

import io.costguard.CostGuard;
import org.springframework.boot.actuate.autoconfigure.endpoint.condition.ConditionalOnAvailableEndpoint;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnExpression;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;

/** The guard in Spring Boot's Actuator: its endpoint, and its health. */
@AutoConfiguration(after = CostGuardAutoConfiguration.class)
@ConditionalOnClass(Endpoint.class)
@ConditionalOnSingleCandidate(CostGuard.class)
public class CostGuardActuatorAutoConfiguration {
    /** Made by Spring. */
    public CostGuardActuatorAutoConfiguration() {}

    @Bean
    @ConditionalOnAvailableEndpoint
    @ConditionalOnMissingBean
    CostGuardEndpoint costGuardEndpoint(CostGuard guard) {
        return new CostGuardEndpoint(guard);
    }

    /** The health named {@code costguard}. What it is made of moved between Spring Boot 3 and 4; the properties that switch it off did not. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnExpression("${management.health.costguard.enabled:${management.health.defaults.enabled:true}}")
    @ConditionalOnMissingBean(name = OfHealth.INDICATOR)
    static class OfHealth {
        static final String INDICATOR = "costguardHealthIndicator";

        @Bean
        GuardHealth costGuardHealth(CostGuard guard, CostGuardProperties properties) {
            return new GuardHealth(guard, properties.whenRedisFails());
        }

        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass(HealthIndicator.class)
        static class OnBoot4 {
            @Bean(INDICATOR)
            HealthIndicator costguardHealthIndicator(GuardHealth health) {
                return () -> {
                    GuardHealth.Told told = health.look();
                    return Health.status(told.status())
                            .withDetails(told.details())
                            .build();
                };
            }
        }

        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass(name = HealthOnBoot3.INDICATOR)
        @Import(HealthOnBoot3.class)
        static class OnBoot3 {}
    }
}
