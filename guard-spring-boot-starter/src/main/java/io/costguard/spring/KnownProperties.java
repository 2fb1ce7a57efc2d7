package io.costguard.spring;

import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.springframework.boot.context.properties.bind.DataObjectPropertyName;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName.Form;
import org.springframework.boot.context.properties.source.ConfigurationPropertySource;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.context.properties.source.IterableConfigurationPropertySource;
import org.springframework.core.ResolvableType;
import org.springframework.core.env.Environment;
import org.springframework.core.env.PropertySource;
import org.springframework.core.env.StandardEnvironment;

/**
 * Which properties there are, by the records that they become. Spring Boot's own check ({@code ignoreUnknownFields}) passes over what is
 * misspelt in the element of a list in the element of a list, as limits are. Without state.
 */
final class KnownProperties {
    private static final ConfigurationPropertyName PREFIX = ConfigurationPropertyName.of(CostGuardProperties.PREFIX);

    /** Where others may say what only looks alike, such as variables of the shell. */
    private static final Set<String> OF_THE_PROCESS = Set.of(
            StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME,
            StandardEnvironment.SYSTEM_PROPERTIES_PROPERTY_SOURCE_NAME);

    private KnownProperties() {}

    /** @throws InvalidPropertyException that names the first property of the guard that there is not, and those that there are */
    static void check(Environment environment) {
        for (ConfigurationPropertySource source : ConfigurationPropertySources.get(environment)) {
            boolean isOfTheProcess = source.getUnderlyingSource() instanceof PropertySource<?> underlying
                    && OF_THE_PROCESS.contains(underlying.getName());
            if (!isOfTheProcess && source instanceof IterableConfigurationPropertySource names) {
                names.stream()
                        .filter(PREFIX::isAncestorOf)
                        .forEach(name -> check(
                                name,
                                PREFIX.getNumberOfElements(),
                                ResolvableType.forClass(CostGuardProperties.class)));
            }
        }
    }

    /** @param type of what the first {@code from} elements of the name mean */
    private static void check(ConfigurationPropertyName name, int from, ResolvableType type) {
        if (from >= name.getNumberOfElements() || type.toClass() == Map.class) {
            return;
        }
        if (type.toClass() == List.class) {
            check(name, from + 1, type.getGeneric(0));
            return;
        }
        if (!type.toClass().isRecord()) {
            throw new InvalidPropertyException(
                    name.toString(), "unknown property; nothing is below " + name.chop(from));
        }
        RecordComponent[] components = type.toClass().getRecordComponents();
        Optional<RecordComponent> known = Arrays.stream(components)
                .filter(component -> component.getName().equalsIgnoreCase(name.getElement(from, Form.UNIFORM)))
                .findFirst();
        if (known.isEmpty()) {
            String all = Arrays.stream(components)
                    .map(component -> DataObjectPropertyName.toDashedForm(component.getName()))
                    .collect(Collectors.joining(", "));
            throw new InvalidPropertyException(
                    name.toString(), "unknown property; below " + name.chop(from) + " there are " + all);
        }
        check(name, from + 1, ResolvableType.forType(known.get().getGenericType()));
    }
}
