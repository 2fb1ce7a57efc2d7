package io.costguard.limit;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.MisfitException;
import io.costguard.PriceList;
import io.costguard.Unit;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Finds out what calls ask: of which subjects, and how much of each of their limits.
 *
 * <p>Most callers use a call more than once, with its cost or with another one. What was found is remembered by the identity of
 * its attributes, in a table of a fixed size in which the last one of a slot stays. It refers to the attributes weakly, as they
 * hold the API key: nothing here keeps that, or the call, alive; and what was found goes with them, when the next newcomer comes.
 */
final class Askings {
    /** Several times as many as a busy process has callers of, as two that share a slot take turns in it. */
    private static final int REMEMBERED = 1 << 13;

    private static final String KEY = "apiKey";
    private static final String KNOWN_KEY = "apiKeyFingerprint";
    private static final String PROVIDER = "provider";

    private final Subjects subjects;
    private final PriceList prices;
    private final Fingerprint fingerprint;
    private final String keyless;
    private final AtomicReferenceArray<@Nullable Found> recent = new AtomicReferenceArray<>(REMEMBERED);
    private final ReferenceQueue<Map<String, String>> gone = new ReferenceQueue<>();

    Askings(Subjects subjects, PriceList prices, Fingerprint fingerprint) {
        this.subjects = subjects;
        this.prices = prices;
        this.fingerprint = fingerprint;
        this.keyless = fingerprint.of("");
    }

    /** The same under other budgets. */
    Askings under(List<Budget> budgets) {
        return new Askings(subjects.of(budgets), prices, fingerprint);
    }

    /** What does not depend on the cost; and what was asked with the last one. Refers to the attributes. */
    private static final class Found extends WeakReference<Map<String, String>> {
        final int slot;
        final GuardedCall shown;
        final List<Subject> subjects;
        /** In which they are its subjects. */
        final long span;
        /** Threads race to write it. */
        @Nullable Asked last;

        Found(
                GuardedCall call,
                ReferenceQueue<Map<String, String>> gone,
                int slot,
                GuardedCall shown,
                List<Subject> subjects,
                long span) {
            super(call.attributes(), gone);
            this.slot = slot;
            this.shown = shown;
            this.subjects = subjects;
            this.span = span;
        }
    }

    /** An asking is right for its own estimate, by the prices that there were. */
    private record Asked(Asking asking, long edition) {}

    /** @throws MisfitException for a call that no budget can judge */
    Asking of(GuardedCall call) {
        Found found = found(call);
        Asked last = found.last;
        long edition = prices.edition();
        if (last == null || last.edition != edition || !last.asking.estimate().equals(call.cost())) {
            last = new Asked(asking(found, call.cost()), edition);
            found.last = last;
        }
        return last.asking;
    }

    /** @throws MisfitException where the call lacks an attribute that a budget is counted per */
    List<Subject> subjectsOf(GuardedCall call) {
        return found(call).subjects;
    }

    /** The only one of a budget that is counted per nothing. */
    Subject subjectOf(Budget budget) {
        return subjects.of(budget);
    }

    /** This call as it may be shown and kept: with the fingerprint of its API key in the place of that. */
    GuardedCall identified(GuardedCall call) {
        String known = call.attributes().get(KNOWN_KEY);
        if (known != null) {
            return call.with(KEY, known);
        }
        String key = call.attributes().getOrDefault(KEY, "");
        return call.with(KEY, key.isEmpty() ? keyless : fingerprint.of(key));
    }

    /** This cost of a call, with the dollars of the price list where it has none of its own. */
    Cost priced(GuardedCall call, Cost cost) {
        if (cost.givenNanoUsd().isPresent()) {
            return cost;
        }
        OptionalLong nanoUsd = prices.nanoUsd(provider(call), call.model(), cost);
        return nanoUsd.isPresent() ? cost.nanoUsd(nanoUsd.getAsLong()) : cost;
    }

    private Found found(GuardedCall call) {
        int slot = System.identityHashCode(call.attributes()) & REMEMBERED - 1;
        Found found = recent.getAcquire(slot);
        long span = subjects.span();
        if (found == null || !found.refersTo(call.attributes()) || found.span != span) {
            GuardedCall shown = identified(call);
            found = new Found(call, gone, slot, shown, subjects.of(shown.attributes()), span);
            recent.setRelease(slot, found);
            forgetWhatIsGone();
        }
        return found;
    }

    private void forgetWhatIsGone() {
        for (Reference<?> dead = gone.poll(); dead != null; dead = gone.poll()) {
            if (dead instanceof Found found) {
                recent.compareAndSet(found.slot, found, null);
            }
        }
    }

    private Asking asking(Found found, Cost estimate) {
        GuardedCall call = found.shown.cost(priced(found.shown, estimate));
        Claim[] claims = new Claim[found.subjects.size()];
        for (int i = 0; i < claims.length; i++) {
            Subject subject = found.subjects.get(i);
            checkPriced(call, subject);
            claims[i] = Claim.of(subject, call.cost());
        }
        return new Asking(estimate, call, List.of(claims));
    }

    private static String provider(GuardedCall call) {
        return call.attributes().getOrDefault(PROVIDER, "");
    }

    private void checkPriced(GuardedCall call, Subject subject) {
        if (call.cost().givenNanoUsd().isPresent()) {
            return;
        }
        for (Limit limit : subject.limits()) {
            if (limit.unit() == Unit.USD) {
                if (call.model().isEmpty()) {
                    throw new MisfitException(
                            "the call's model is not known, as its request names none or cannot be read,"
                                    + " and budget '" + subject.budget().name()
                                    + "' limits dollars: nobody knows its price; make"
                                    + " it a request that can be read, or keep it out of that budget with models(..)");
                }
                String provider = provider(call);
                String priced = provider.isEmpty() ? call.model() : provider + "/" + call.model();
                throw new MisfitException("model '" + call.model() + "'"
                        + (provider.isEmpty() ? " without a provider" : " of provider '" + provider + "'")
                        + " has no price in " + prices
                        + ", and budget '" + subject.budget().name() + "' limits dollars; add '" + priced
                        + "' with prices(PriceList.bundled().plus(PriceList.read(file))), give the call its cost with"
                        + " usd(..), or keep it out of that budget with models(..)");
            }
        }
    }
}
