package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import org.junit.jupiter.api.Test;

class UsageCostTest {
    @Test
    void aUsageCostsEachOfItsTokensOnceAndTellsWhatALimitMayWeigh() {
        Usage usage = Usage.of(10, 20)
                .withCacheRead(1_000)
                .withCacheWrite(200)
                .withCacheWriteLong(40)
                .withAudioInput(5)
                .withImageInput(258)
                .withReasoning(300)
                .withAudioOutput(6)
                .withImageOutput(1_290);

        assertThat(usage.cost(1))
                .isEqualTo(Cost.requests(1)
                        .input(1_513)
                        .cacheRead(1_000)
                        .cacheWrite(240)
                        .output(1_616)
                        .reasoning(300));
    }

    @Test
    void aUsageBeyondWhatACostCanHoldCostsTheMostInAllItsParts() {
        long most = Cost.MAX_AMOUNT / 2;
        Usage usage = Usage.of(Cost.MAX_AMOUNT, Cost.MAX_AMOUNT)
                .withCacheRead(most - 1)
                .withCacheWrite(Cost.MAX_AMOUNT)
                .withReasoning(Cost.MAX_AMOUNT);

        assertThat(usage.cost(1))
                .isEqualTo(Cost.requests(1)
                        .input(most)
                        .cacheRead(most - 1)
                        .cacheWrite(1)
                        .output(most)
                        .reasoning(most));
    }
}
