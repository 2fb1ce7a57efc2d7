package io.costguard.benchmarks;

import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Permit;
import java.io.IOException;

/** Cost Guard with three limits: requests, tokens and dollars. */
final class Ours implements Contender {
    /** Half of what was reserved. */
    private static final Cost ACTUAL = Cost.requests(1).input(400).output(100).nanoUsd(Work.NANO_USD / 2);

    private final String name;
    private final CostGuard guard;
    private final GuardedCall[] calls;
    private final Ending ending;

    /** What becomes of a call that was let go. */
    private enum Ending {
        RESERVED,
        SETTLED
    }

    private Ours(String name, String url, int keys, Ending ending) {
        this.name = name;
        this.ending = ending;
        guard = Work.guard(url)
                .budget(Work.budget(ending.name(), Work.PER_HOUR).per("model", "tenant"))
                .build();
        calls = new GuardedCall[keys];
        for (int i = 0; i < keys; i++) {
            calls[i] = GuardedCall.of("gpt-4o-mini").with("tenant", "t" + i).cost(Work.COST);
        }
    }

    /** Only reserves. */
    static Ours reserving(String url, int keys) {
        return new Ours("Cost Guard", url, keys, Ending.RESERVED);
    }

    /** Settles each call by half of what was reserved, as a real one does. */
    static Ours settling(String url, int keys) {
        return new Ours("Cost Guard, reserve + settle", url, keys, Ending.SETTLED);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public int keys() {
        return calls.length;
    }

    @Override
    public void decide(int key) throws IOException {
        Permit permit = guard.acquire(calls[key]);
        if (ending == Ending.SETTLED) {
            permit.settle(ACTUAL);
        }
    }

    /** By the tokens, which tell whether it was settled. */
    @Override
    public long charged(int key) throws GuardUnavailableException {
        long tokens = Work.used(guard.status(calls[key]).get(Work.TOKENS_LIMIT));
        return tokens / (ending == Ending.SETTLED ? ACTUAL.input() + ACTUAL.output() : Work.TOKENS);
    }

    @Override
    public void flush() throws GuardUnavailableException {
        guard.flush();
    }

    @Override
    public void close() {
        guard.close();
    }
}
