package io.costguard.settle;

import io.costguard.Cost;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.describe.Dialect;
import io.costguard.describe.Usage;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;

/** Says what stays charged when a call ends: the one place that knows. */
public final class Charges {
    private final PriceList prices;

    public Charges(PriceList prices) {
        this.prices = prices;
    }

    /** What stays charged, and why. */
    public record Charged(Cost actual, Outcome outcome) {}

    /**
     * What stays charged of {@code estimate}.
     *
     * @param dialect of the provider, if it is known
     * @param provider empty if it is not known
     * @param model under the name that prices are looked up by
     * @param tiers in which the call may be served: where the answer does not tell, it is charged as in the dearest
     */
    public Charged of(
            Ending ending,
            Cost estimate,
            Optional<Dialect> dialect,
            String provider,
            String model,
            Set<ServiceTier> tiers) {
        if (ending instanceof Ending.NeverSent) {
            return new Charged(Cost.requests(0).nanoUsd(0), Outcome.RELEASED);
        }
        if (ending instanceof Ending.NoAnswer || dialect.isEmpty()) {
            return new Charged(estimate, Outcome.ESTIMATE_KEPT);
        }
        Metered metered = ending instanceof Ending.Cut cut ? cut.metered() : ((Ending.Answered) ending).metered();
        Set<ServiceTier> served = metered.tier().map(Set::of).orElse(tiers);
        Function<Usage, OptionalLong> price = usage -> prices.nanoUsd(provider, model, served, usage);
        if (ending instanceof Ending.Cut cut && isSuccess(cut.status())) {
            return larger(metered, estimate, price);
        }
        // Who is told of an error need not read all that is said of it: SDKs that try again close it unread.
        int status = ending instanceof Ending.Cut cut ? cut.status() : ((Ending.Answered) ending).status();
        return answered(status, metered, estimate, dialect.get(), price);
    }

    private static boolean isSuccess(int status) {
        return status >= 200 && status < 300;
    }

    private static Charged answered(
            int status, Metered metered, Cost estimate, Dialect dialect, Function<Usage, OptionalLong> price) {
        boolean success = isSuccess(status);
        if (success && !metered.error().isEmpty()) {
            return larger(metered, estimate, price);
        }
        if (metered.usage().isPresent()) {
            return reported(metered.usage().get(), estimate, price);
        }
        if (success) {
            return metered.state() == Metered.State.COMPLETE
                    ? counted(metered, estimate, price)
                    : new Charged(estimate, Outcome.ESTIMATE_KEPT);
        }
        if (isRefused(status, metered, dialect)) {
            return refunded(estimate);
        }
        boolean inputAlone = status >= 400 && status < 500 && status != 408 && status != 499;
        return inputAlone
                ? new Charged(priced(estimate.requests(), estimate.input(), 0, price), Outcome.INPUT_KEPT)
                : new Charged(estimate, Outcome.ESTIMATE_KEPT);
    }

    /** Whether the provider cannot have billed a call that was answered so. */
    private static boolean isRefused(int status, Metered metered, Dialect dialect) {
        return switch (status) {
            case 401, 403, 404, 405, 413, 415, 422, 429 -> true;
            case 408, 499, 500, 502, 504 -> false;
            case 300, 301, 302, 303, 304, 305, 307, 308 -> true;
            default -> status >= 400 && !dialect.billable(status, metered.error());
        };
    }

    private static Charged refunded(Cost estimate) {
        return new Charged(Cost.requests(estimate.requests()).nanoUsd(0), Outcome.REFUNDED);
    }

    private static Charged reported(Usage told, Cost estimate, Function<Usage, OptionalLong> price) {
        // No prompt is empty: some say nothing of one that was still in their cache.
        Usage usage = told.allInput() > 0 ? told : told.withInput(estimate.input());
        Cost cost = usage.cost(estimate.requests());
        // What the provider says itself is nearer to its bill than a list.
        long said = usage.nanoUsd().orElse(-1);
        OptionalLong nanoUsd = said >= 0 && said <= Cost.MAX_AMOUNT ? usage.nanoUsd() : price.apply(usage);
        return new Charged(nanoUsd.isPresent() ? cost.nanoUsd(nanoUsd.getAsLong()) : cost, Outcome.REPORTED);
    }

    private static Charged counted(Metered metered, Cost estimate, Function<Usage, OptionalLong> price) {
        return new Charged(
                priced(estimate.requests(), estimate.input(), metered.outputCounted(), price), Outcome.COUNTED);
    }

    private static Charged larger(Metered metered, Cost estimate, Function<Usage, OptionalLong> price) {
        Charged counted = counted(metered, estimate, price);
        if (metered.usage().isEmpty()) {
            return counted;
        }
        Charged reported = reported(metered.usage().get(), estimate, price);
        return tokens(reported) >= tokens(counted) ? reported : counted;
    }

    private static long tokens(Charged charged) {
        return charged.actual().input() + charged.actual().output();
    }

    private static Cost priced(long requests, long input, long output, Function<Usage, OptionalLong> price) {
        Cost cost = Cost.requests(requests).input(input).output(output);
        OptionalLong nanoUsd = price.apply(Usage.of(input, output));
        return nanoUsd.isPresent() ? cost.nanoUsd(nanoUsd.getAsLong()) : cost;
    }
}
