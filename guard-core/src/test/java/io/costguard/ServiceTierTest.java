package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServiceTierTest {

    @ParameterizedTest
    @CsvSource({
        "default, STANDARD",
        "standard, STANDARD",
        "standard_only, STANDARD",
        "on_demand, STANDARD",
        "ON_DEMAND, STANDARD",
        "SERVICE_TIER_STANDARD, STANDARD",
        "scale, STANDARD",
        "performance, STANDARD",
        "reserved, STANDARD",
        "PROVISIONED_THROUGHPUT, STANDARD",
        "flex, FLEX",
        "ON_DEMAND_FLEX, FLEX",
        "SERVICE_TIER_FLEX, FLEX",
        "batch, BATCH",
        "priority, PRIORITY",
        "fast, PRIORITY",
        "ON_DEMAND_PRIORITY, PRIORITY",
        "SERVICE_TIER_PRIORITY, PRIORITY",
        "ultrafast, ULTRAFAST"
    })
    void aTierIsKnownByWhatItsProvidersCallIt(String name, ServiceTier tier) {
        assertThat(ServiceTier.served(name)).contains(tier);
        assertThat(ServiceTier.allowed(name)).containsExactly(tier);
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "", "null", "TRAFFIC_TYPE_UNSPECIFIED", "service_tier_", "turbo"})
    void aNameThatDecidesNothingDoesNotTellHowACallWasServed(String name) {
        assertThat(ServiceTier.served(name)).isEmpty();
    }

    @Test
    void anAutomaticTierMayBeADearerOne() {
        assertThat(ServiceTier.allowed("auto")).containsExactlyInAnyOrder(ServiceTier.STANDARD, ServiceTier.PRIORITY);
    }

    @Test
    void aTierThatIsNotKnownMayBeAny() {
        assertThat(ServiceTier.allowed("turbo")).containsExactlyInAnyOrder(ServiceTier.values());
    }
}
