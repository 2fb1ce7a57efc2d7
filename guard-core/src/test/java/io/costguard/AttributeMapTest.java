package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class AttributeMapTest {
    @Test
    void theyAreAMapInTheOrderOfItsNames() {
        Random random = new Random(3);
        Map<String, String> expected = new TreeMap<>();
        AttributeMap attributes = AttributeMap.NONE;
        for (int i = 0; i < 1_000; i++) {
            String name = "n" + random.nextInt(50);
            String value = "v" + random.nextInt(50);
            attributes = attributes.with(name, value);
            expected.put(name, value);

            assertThat(attributes).isEqualTo(expected).hasSameHashCodeAs(expected);
            assertThat(attributes.toString()).isEqualTo(expected.toString());
            assertThat(attributes.get(name)).isEqualTo(value);
        }
    }

    @Test
    void anotherNameIsNotThere() {
        AttributeMap attributes = AttributeMap.NONE.with("b", "1");

        assertThat(attributes.get("a")).isNull();
        assertThat(attributes.get(null)).isNull();
        assertThat(attributes.containsKey("b")).isTrue();
        assertThat(attributes.containsKey("c")).isFalse();
        assertThat(attributes.getOrDefault("c", "none")).isEqualTo("none");
    }

    @Test
    void whatTheySayAlreadyMakesNoOthers() {
        AttributeMap attributes = AttributeMap.NONE.with("b", "1");

        assertThat(attributes.with("b", "1")).isSameAs(attributes);
    }

    @Test
    void theyNeverChange() {
        Map<String, String> attributes = AttributeMap.NONE.with("a", "1");

        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(() -> attributes.put("a", "2"));
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(() -> attributes.remove("a"));
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(attributes::clear);
        assertThatExceptionOfType(UnsupportedOperationException.class)
                .isThrownBy(() -> attributes.replaceAll((name, value) -> "2"));
        assertThat(attributes).containsExactly(Map.entry("a", "1"));
    }
}
