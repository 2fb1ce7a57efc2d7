package io.costguard.benchmarks;

import io.costguard.describe.Tokenizers;
import java.util.ArrayList;
import java.util.List;

/** What it takes to estimate a call by its request. */
final class Estimates {
    private Estimates() {}

    static void run(Bench bench) throws Exception {
        Tokenizers.loaded(RequestTexts.MODEL).get();
        List<RequestTexts> contenders = new ArrayList<>();
        for (int bytes : List.of(4_000, 100_000)) {
            contenders.add(RequestTexts.mostlyNew(bytes));
            contenders.add(RequestTexts.ofOneConversation(bytes));
        }
        for (RequestTexts contender : contenders) {
            Contender.checked(contender);
        }
        Rounds p50s = Latency.measure(contenders, bench.effort(), bench.effort().of(5, 90))
                .p50();
        bench.report().heading("estimating a call by its request");
        for (RequestTexts contender : contenders) {
            bench.report()
                    .atMostMillis(
                            contender.name() + ", p50", p50s.of(contender), contender.length() < 10_000 ? 0.2 : 1);
        }
    }
}
