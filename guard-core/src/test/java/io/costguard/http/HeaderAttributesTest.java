package io.costguard.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.MisfitException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HeaderAttributesTest {
    private final HeaderAttributes attributes = new HeaderAttributes(Map.of("x-tenant", "tenant", "x-run", "run"));

    @Test
    void eachHeaderThatIsThereIsAnAttribute() {
        assertThat(said(Map.of("x-tenant", List.of("acme"), "x-other", List.of("x"))))
                .isEqualTo(Map.of("tenant", "acme"));
        assertThat(said(Map.of("x-tenant", List.of(" acme "), "x-run", List.of("7"))))
                .isEqualTo(Map.of("tenant", "acme", "run", "7"));
    }

    @Test
    void aBlankHeaderSaysNothing() {
        assertThat(said(Map.of("x-tenant", List.of(" ")))).isEmpty();
    }

    @Test
    void aValueThatIsRepeatedIsOne() {
        assertThat(said(Map.of("x-tenant", List.of("acme", "", "acme")))).isEqualTo(Map.of("tenant", "acme"));
    }

    @Test
    void nobodyChoosesAmongSeveralValues() {
        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> said(Map.of("x-tenant", List.of("acme", "other"))))
                .withMessage("header 'x-tenant' has 2 values in one request, and a call has one 'tenant'; send one");
    }

    @Test
    void aValueTooLongIsRefusedWithItsLengthAlone() {
        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> said(Map.of("x-tenant", List.of("y".repeat(1 << 20)))))
                .withMessage(
                        "header 'x-tenant': attribute 'tenant' must be at most 4,096 characters long, not 1048576");
    }

    private Map<String, String> said(Map<String, List<String>> headers) {
        return attributes.in(name -> headers.getOrDefault(name, List.of())).attributes();
    }
}
