package io.costguard.http;

import io.costguard.CallAttributes;
import io.costguard.Denials;
import io.costguard.PriceList;
import io.costguard.UnknownCalls;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.OutputHistory;
import io.costguard.describe.Providers;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import io.costguard.limit.Limiter;
import io.costguard.settle.Charges;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Where adapters of HTTP clients begin. Safe for use by many threads. */
public final class HttpGuard {
    private final @Nullable Limiter limiter;
    private final Estimator estimator;
    private final OutputHistory outputs;
    private final Charges charges;
    private final CallSites sites = new CallSites();
    private final KnownCalls calls = new KnownCalls();
    private final Dialects dialects;
    private final Providers providers;
    private final Denials denials;
    private final UnknownCalls unknownCalls;
    private final StreamUsage streamUsage;
    private final HeaderAttributes headerAttributes;

    private HttpGuard(
            @Nullable Limiter limiter,
            PriceList prices,
            OutputHistory outputs,
            Dialects dialects,
            Providers providers,
            Denials denials,
            UnknownCalls unknownCalls,
            StreamUsage streamUsage,
            HeaderAttributes headerAttributes) {
        this.limiter = limiter;
        this.estimator = new Estimator(prices);
        this.outputs = outputs;
        this.charges = new Charges(prices);
        this.dialects = dialects;
        this.providers = providers;
        this.denials = denials;
        this.unknownCalls = unknownCalls;
        this.streamUsage = streamUsage;
        this.headerAttributes = headerAttributes;
    }

    /**
     * One that asks {@code limiter}.
     *
     * @param limiter decides
     * @param prices what tokens cost
     * @param outputs how much output is reserved
     * @param dialects which wire formats are known
     * @param providers whose a host is
     * @param denials how they are shown
     * @param unknownCalls what becomes of calls that no dialect knows
     * @param streamUsage whether usage of streams is asked for
     * @param attributesByHeader the attributes that requests say in headers, by the header's name in lower case
     * @return the guard
     */
    public static HttpGuard of(
            Limiter limiter,
            PriceList prices,
            OutputHistory outputs,
            Dialects dialects,
            Providers providers,
            Denials denials,
            UnknownCalls unknownCalls,
            StreamUsage streamUsage,
            Map<String, String> attributesByHeader) {
        return new HttpGuard(
                limiter,
                prices,
                outputs,
                dialects,
                providers,
                denials,
                unknownCalls,
                streamUsage,
                new HeaderAttributes(attributesByHeader));
    }

    /**
     * One that lets everything pass, but for the headers that are for a guard alone.
     *
     * @param attributesByHeader what is taken out
     * @return the guard
     */
    public static HttpGuard off(Map<String, String> attributesByHeader) {
        return new HttpGuard(
                null,
                PriceList.bundled(),
                OutputHistory.none(),
                Dialects.bundled(),
                Providers.bundled(),
                Denials.answer(),
                UnknownCalls.passThrough(),
                StreamUsage.AS_REQUESTED,
                new HeaderAttributes(attributesByHeader));
    }

    /** {@return how denials are shown, unless the adapter was told otherwise} */
    public Denials denials() {
        return denials;
    }

    /** {@return the headers that an adapter takes out of every request before it is sent, guarded or not: their names, in lower case} */
    public Set<String> ownHeaders() {
        return headerAttributes.names();
    }

    /**
     * {@return a call that is about to be sent; empty if it is to be sent without the guard's doing, but for {@link #ownHeaders()}}
     *
     * @param method of HTTP
     * @param scheme {@code http} or {@code https}
     * @param host of the server
     * @param port -1 for the scheme's own
     * @param path of the URL, decoded
     * @param query of the URL, as it stands there; empty if it has none
     * @param headers all values of each of the request's, by name, whatever its case; of what has one value, the first counts
     * @param around what is said of the calls of the thread that makes it
     */
    public Optional<HttpCall> begin(
            String method,
            String scheme,
            String host,
            int port,
            String path,
            String query,
            Function<String, List<String>> headers,
            CallAttributes around) {
        Target target = Target.of(method, scheme, host, port, path, query, providers);
        Optional<Dialect> dialect = dialects.of(target);
        if (limiter == null || (dialect.isEmpty() && unknownCalls == UnknownCalls.PASS_THROUGH)) {
            return Optional.empty();
        }
        return Optional.of(new HttpCall(
                limiter,
                estimator,
                outputs,
                charges,
                streamUsage,
                sites,
                calls,
                headerAttributes,
                dialect,
                target,
                headers,
                around));
    }
}
