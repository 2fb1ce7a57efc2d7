package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttributesTest {
    @Test
    void aHeaderIsAnAttributeWhateverItsCase() {
        Attributes tenant = Attributes.header("X-Tenant").as("tenant");

        assertThat(tenant.header()).isEqualTo("x-tenant");
        assertThat(tenant.attribute()).isEqualTo("tenant");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "X Tenant", "X-Tenant:", "X-T\u00e9nant", "X\nTenant"})
    void aNameThatNoHeaderCanHaveIsRefused(String name) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Attributes.header(name))
                .withMessage("no header can have the name '" + name + "'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"Authorization", "x-api-key", "Api-Key", "X-Goog-Api-Key", "Cookie"})
    void aHeaderThatHoldsKeysIsRefusedAsAttributesAreShown(String name) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Attributes.header(name))
                .withMessageContaining("per(\"apiKey\")");
    }

    @ParameterizedTest
    @ValueSource(strings = {"model", "provider", "apiKey"})
    void whatTheGuardReadsItselfCannotBeSaidInAHeader(String attribute) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Attributes.header("X-Tenant").as(attribute))
                .withMessage(
                        "attribute '" + attribute + "' is what the guard reads in a call itself, and cannot be said"
                                + " from outside; choose another name");
    }

    @Test
    void anAttributeHasOneHeaderAndAHeaderIsOneAttribute() {
        CostGuard.Builder builder =
                CostGuard.builder().attributes(Attributes.header("X-Tenant").as("tenant"));

        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> builder.attributes(Attributes.header("x-tenant").as("team")))
                .withMessageContaining("was named before");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.attributes(Attributes.header("X-Team").as("tenant")))
                .withMessageContaining("was named before");
    }
}
