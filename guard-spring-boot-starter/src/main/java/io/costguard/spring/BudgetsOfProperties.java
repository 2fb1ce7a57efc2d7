package io.costguard.spring;

import io.costguard.Budget;
import io.costguard.BudgetFile;
import io.costguard.describe.LocatedJson;
import java.lang.reflect.RecordComponent;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.bind.DataObjectPropertyName;

/** The budgets that properties say, read as a file of budgets is: by the names of their members, which are those of the records. Without state. */
final class BudgetsOfProperties {
    static final String PROPERTY = CostGuardProperties.PREFIX + ".budgets";

    private BudgetsOfProperties() {}

    /** @throws InvalidPropertyException that names the property */
    static List<Budget> read(List<CostGuardProperties.Budget> budgets) {
        try {
            return BudgetFile.budgets(located(PROPERTY, budgets));
        } catch (LocatedJson.BadValueException e) {
            String[] said = String.valueOf(e.getMessage()).split(": ", 2);
            throw new InvalidPropertyException(said[0], said[1], e);
        }
    }

    private static LocatedJson located(String property, Object value) {
        if (value instanceof List<?> list) {
            List<LocatedJson> elements = new ArrayList<>();
            for (Object element : list) {
                elements.add(located(property + "[" + elements.size() + "]", element));
            }
            return new LocatedJson(property, elements);
        }
        if (value instanceof Map<?, ?> map) {
            Map<String, LocatedJson> members = new LinkedHashMap<>();
            map.forEach((name, member) -> members.put((String) name, located(property + "." + name, member)));
            return new LocatedJson(property, members);
        }
        if (value instanceof CostGuardProperties.Weights weights && weights.ofProvider() != null) {
            return new LocatedJson(property, weights.ofProvider());
        }
        if (value instanceof CostGuardProperties.Algorithm algorithm) {
            return new LocatedJson(property, camelCase(algorithm));
        }
        return new LocatedJson(property, value instanceof Record members ? members(property, members) : scalar(value));
    }

    private static Map<String, LocatedJson> members(String property, Record of) {
        Map<String, LocatedJson> members = new LinkedHashMap<>();
        for (RecordComponent component : of.getClass().getRecordComponents()) {
            Object value = value(of, component);
            if (value != null) {
                String name = component.getName();
                members.put(name, located(property + "." + DataObjectPropertyName.toDashedForm(name), value));
            }
        }
        return members;
    }

    private static @Nullable Object value(Record of, RecordComponent component) {
        try {
            return component.getAccessor().invoke(of);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object scalar(Object value) {
        if (value instanceof Long number) {
            return BigDecimal.valueOf(number);
        }
        return value instanceof Duration duration ? duration.toString() : value;
    }

    private static String camelCase(Enum<?> constant) {
        StringBuilder text = new StringBuilder();
        for (String word : constant.name().toLowerCase(Locale.ROOT).split("_", -1)) {
            text.append(text.isEmpty() ? word : Character.toUpperCase(word.charAt(0)) + word.substring(1));
        }
        return text.toString();
    }
}
