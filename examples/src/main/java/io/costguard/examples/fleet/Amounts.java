package io.costguard.examples.fleet;

import io.costguard.Cost;

/** A cost, as it is told. */
public record Amounts(long requests, long input, long output, long nanoUsd) {
    public static final Amounts NONE = new Amounts(0, 0, 0, 0);

    static Amounts of(Cost cost) {
        return new Amounts(cost.requests(), cost.input(), cost.output(), cost.nanoUsd());
    }

    public Amounts plus(Amounts more) {
        return new Amounts(requests + more.requests, input + more.input, output + more.output, nanoUsd + more.nanoUsd);
    }
}
