package io.costguard.http;

import io.costguard.CallAttributes;
import io.costguard.GuardedCall;
import java.lang.ref.WeakReference;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Gives calls of the same model, provider and API key, of which the same is said, the same attributes, by whose identity a limiter knows what it found out about
 * them, the key's fingerprint and the subjects. In a table of a fixed size, in which the last one of a slot stays; it refers to calls
 * weakly, as they hold the API key: nothing here keeps that alive. Safe for use by many threads.
 */
final class KnownCalls {
    private static final int REMEMBERED = 1 << 8;

    private final AtomicReferenceArray<@Nullable Known> recent = new AtomicReferenceArray<>(REMEMBERED);

    private record Known(String model, WeakReference<GuardedCall> call) {}

    /** A call, without a cost of its own yet. */
    GuardedCall of(String model, String provider, String apiKey, CallAttributes said) {
        Map<String, String> more = said.attributes();
        int hash = 31 * (31 * model.hashCode() + apiKey.hashCode()) + more.hashCode();
        int slot = (hash ^ (hash >>> 16)) & (REMEMBERED - 1);
        Known known = recent.getAcquire(slot);
        GuardedCall call = known == null || !known.model.equals(model) ? null : known.call.get();
        if (call == null || !is(call, "provider", provider) || !is(call, "apiKey", apiKey) || !says(call, more)) {
            call = GuardedCall.of(model)
                    .with("provider", provider)
                    .with("apiKey", apiKey)
                    .with(CallAttributes.of(more));
            recent.setRelease(slot, new Known(model, new WeakReference<>(call)));
        }
        return call.with(said);
    }

    /** Besides what any call has. */
    private static boolean says(GuardedCall call, Map<String, String> more) {
        Map<String, String> all = call.attributes();
        return all.size() == 3 + more.size() && all.entrySet().containsAll(more.entrySet());
    }

    private static boolean is(GuardedCall call, String attribute, String value) {
        return value.equals(call.attributes().get(attribute));
    }
}
