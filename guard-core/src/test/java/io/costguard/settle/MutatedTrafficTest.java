package io.costguard.settle;

import io.costguard.testing.JavaProcess;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("fault-33")
class MutatedTrafficTest {
    private static final String MUTATIONS = "20000";

    /** Of which OpenAI's two tokenizers fill 47 MB: a collector that works ahead of need would never stop. */
    private static final List<String> SMALL_HEAP =
            List.of("-Xmx64m", "-XX:+UseG1GC", "-XX:InitiatingHeapOccupancyPercent=95", "-XX:-G1UseAdaptiveIHOP");

    @Test
    void noMutationOfRecordedTrafficBreaksTheMeterOrTheEstimatorNorFillsASmallHeap() throws Exception {
        long seed = Long.getLong("costguard.seed", 1);
        System.out.println("mutations of recorded traffic: -Dcostguard.seed=" + seed);
        System.out.print(JavaProcess.run(MutatedTraffic.class, SMALL_HEAP, String.valueOf(seed), MUTATIONS));
    }
}
