package io.costguard.spring;

import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.context.properties.source.ConfigurationPropertySource;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.origin.Origin;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.core.env.Environment;

/** Says which property keeps the guard from starting, where it stands, and what to do. */
@Order(Ordered.HIGHEST_PRECEDENCE)
final class InvalidPropertyFailureAnalyzer extends AbstractFailureAnalyzer<InvalidPropertyException> {
    private final Environment environment;

    InvalidPropertyFailureAnalyzer(Environment environment) {
        this.environment = environment;
    }

    @Override
    protected FailureAnalysis analyze(Throwable root, InvalidPropertyException cause) {
        String action = "Correct " + cause.property() + where(cause.property())
                + ". What it may say is in docs/spring-boot.md of Cost Guard, and of budgets in docs/budgets.md.";
        return new FailureAnalysis(String.valueOf(cause.getMessage()), action, cause);
    }

    /** Where the first property stands that is this one, or a part of it. */
    private String where(String property) {
        ConfigurationPropertyName name = ConfigurationPropertyName.adapt(property, '.');
        for (ConfigurationPropertySource source : ConfigurationPropertySources.get(environment)) {
            if (source instanceof Iterable<?> names) {
                for (Object each : names) {
                    ConfigurationPropertyName said = (ConfigurationPropertyName) each;
                    if (name.equals(said) || name.isAncestorOf(said)) {
                        Origin origin = Origin.from(source.getConfigurationProperty(said));
                        return origin == null ? "" : " (" + origin + ")";
                    }
                }
            }
        }
        return "";
    }
}
