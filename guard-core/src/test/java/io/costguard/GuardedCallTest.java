package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class GuardedCallTest {
    private static final GuardedCall CALL = GuardedCall.of("search-api");

    @Test
    void aCallIsOneRequestToWhatItNames() {
        assertThat(CALL.model()).isEqualTo("search-api");
        assertThat(CALL.cost()).isEqualTo(Cost.requests(1));
        assertThat(CALL.attributes()).containsOnlyKeys("model", "provider");
    }

    @Test
    void itsModelIsMadeCanonicalHoweverItIsGiven() {
        assertThat(GuardedCall.of("GPT-4o-2024-08-06").model()).isEqualTo("gpt-4o");
        assertThat(CALL.with("model", " gpt-4o-latest\n").model()).isEqualTo("gpt-4o");
    }

    @Test
    void eachStepGivesANewCall() {
        GuardedCall changed = CALL.with("tenant", "acme").cost(Cost.requests(2)).whenExhausted(WhenExhausted.reject());

        assertThat(CALL.attributes()).doesNotContainKey("tenant");
        assertThat(changed.attributes()).containsEntry("tenant", "acme");
        assertThat(changed.cost()).isEqualTo(Cost.requests(2));
    }

    @Test
    void itNeverShowsItsKey() {
        assertThat(CALL.with("apiKey", "sk-canary").with("tenant", "acme"))
                .asString()
                .contains("acme")
                .doesNotContain("sk-canary");
    }

    @Test
    void whatItShowsIsOneShortLineWhateverItsValuesHold() {
        assertThat(CALL.with("tenant", "a\r\nb\0c\u2028d\u202ee" + "f".repeat(4_000)))
                .asString()
                .contains("tenant=a??b?c?d?eff")
                .hasSizeLessThan(300);
    }

    @Test
    void aBlankAttributeIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CALL.with(" ", "x"))
                .withMessage("an attribute's name must not be blank");
    }

    @Test
    void aFingerprintThatIsNoneIsRefusedAndNotShownAsItMayBeTheKey() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CALL.with("apiKeyFingerprint", "sk-canary"))
                .withMessage("a fingerprint is 32 of the digits 0 to 9 and a to f, as a listener is told it");
    }

    @Test
    void aValueTooLongToBeCountedByIsRefusedByNameUnlessItIsShortenedAnyway() {
        assertThat(CALL.with("tenant", "x".repeat(4_096)).attributes().get("tenant"))
                .hasSize(4_096);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CALL.with("tenant", "x".repeat(4_097)))
                .withMessage("attribute 'tenant' must be at most 4,096 characters long, not 4097");
        assertThat(CALL.with("model", "x".repeat(1 << 20)).model()).hasSizeLessThanOrEqualTo(128);
        assertThat(CALL.with("apiKey", "x".repeat(1 << 20)).attributes()).containsKey("apiKey");
    }
}
