package io.costguard;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the application says of calls that the guard cannot read in them: attributes such as {@code tenant} or {@code run}, and perhaps an
 * answer of their own to a spent budget. Immutable: each step gives a new one.
 *
 * <pre>{@code
 * Request request = new Request.Builder()                                          // OkHttp: of one call
 *     .tag(CallAttributes.class, CallAttributes.of("tenant", "acme").whenExhausted(WhenExhausted.reject()))
 *     .url(url)
 *     .build();
 *
 * CostGuard.with(Map.of("tenant", "acme")).call(() -> client.newCall(request).execute());   // of all calls of this thread
 * }</pre>
 *
 * <p>Where more than one says the same attribute of a call, the nearest to the call counts: {@link GuardedCall#with(String, String)};
 * the tag of the request; its header ({@link Attributes}); the innermost {@code call(..)} of the thread, then those around it; of answers
 * to a spent budget likewise, and the guard's own last. What a call has from the guard, {@code model}, {@code provider} and
 * {@code apiKey}, cannot be said here.
 */
public final class CallAttributes {
    private static final CallAttributes NONE = new CallAttributes(AttributeMap.NONE, null);
    private static final ThreadLocal<CallAttributes> OF_THIS_THREAD = new ThreadLocal<>();

    private final AttributeMap attributes;
    private final @Nullable WhenExhausted whenExhausted;

    private CallAttributes(AttributeMap attributes, @Nullable WhenExhausted whenExhausted) {
        this.attributes = attributes;
        this.whenExhausted = whenExhausted;
    }

    /**
     * Nothing.
     *
     * @return no attributes
     */
    public static CallAttributes none() {
        return NONE;
    }

    /**
     * {@return {@link #with(String, String)} alone}
     *
     * @param attribute the attribute's name
     * @param value its value
     */
    public static CallAttributes of(String attribute, String value) {
        return NONE.with(attribute, value);
    }

    /**
     * {@return each of {@code attributes}, as {@link #with(String, String)} has it}
     *
     * @param attributes names and values
     */
    public static CallAttributes of(Map<String, String> attributes) {
        CallAttributes all = NONE;
        for (Map.Entry<String, String> each : attributes.entrySet()) {
            all = all.with(each.getKey(), each.getValue());
        }
        return all;
    }

    /**
     * {@return these with one more, or with another value of one of them} No value gets to Redis: there is its fingerprint only.
     *
     * @param attribute the attribute's name
     * @param value its value
     * @throws IllegalArgumentException if the name is blank, or one that the guard reads itself ({@code model}, {@code provider},
     *     {@code apiKey}); or for a value of more than 4,096 characters
     */
    public CallAttributes with(String attribute, String value) {
        String name = AttributeMap.checkedOwnName(attribute);
        Objects.requireNonNull(value, () -> "attribute '" + name + "' has no value");
        return new CallAttributes(attributes.with(name, AttributeMap.checkedValue(name, value)), whenExhausted);
    }

    /**
     * {@return these and {@code more}, which counts where both say the same}
     *
     * @param more what is said beside it; it wins
     */
    public CallAttributes with(CallAttributes more) {
        if (more == NONE || this == NONE) {
            return more == NONE ? this : more;
        }
        return new CallAttributes(more.on(attributes), more.whenExhausted().orElse(whenExhausted));
    }

    /**
     * {@return these with an answer to a spent budget, instead of the guard's}
     *
     * @param policy what is to be done
     */
    public CallAttributes whenExhausted(WhenExhausted policy) {
        return new CallAttributes(attributes, Objects.requireNonNull(policy));
    }

    /** {@return what is said, by name} */
    public Map<String, String> attributes() {
        return attributes;
    }

    /** {@return their answer to a spent budget, if they have one} */
    public Optional<WhenExhausted> whenExhausted() {
        return Optional.ofNullable(whenExhausted);
    }

    /** {@return what is said of the calls that this thread makes now} */
    public static CallAttributes current() {
        CallAttributes said = OF_THIS_THREAD.get();
        return said == null ? NONE : said;
    }

    /**
     * Says this of the calls that {@code body} makes on this thread, in addition to what is said around it, until it returns or throws.
     * A call is told where it is made: by {@code acquire} and its kin, {@code sendAsync}, or {@code newCall} of a
     * {@code GuardedCallFactory}; by a {@code CostGuardInterceptor} only in {@code execute}, since {@code enqueue} comes to it on another
     * thread. Other threads are not told: see {@link CostGuard#wrap}.
     *
     * @param <T> what the body gives
     * @param <X> what the body throws
     * @param body what makes calls
     * @return what {@code body} gives
     * @throws X what {@code body} throws
     */
    public <T extends @Nullable Object, X extends Exception> T call(Body<T, X> body) throws X {
        return current().with(this).callAlone(body);
    }

    /** {@link #call} in the place of what is said around it. */
    <T extends @Nullable Object, X extends Exception> T callAlone(Body<T, X> body) throws X {
        CallAttributes around = OF_THIS_THREAD.get();
        OF_THIS_THREAD.set(this);
        try {
            return body.call();
        } finally {
            if (around == null) {
                OF_THIS_THREAD.remove();
            } else {
                OF_THIS_THREAD.set(around);
            }
        }
    }

    /**
     * What makes calls.
     *
     * @param <T> what it gives
     * @param <X> what it throws
     */
    public interface Body<T extends @Nullable Object, X extends Exception> {
        /**
         * Makes them.
         *
         * @return what they give
         * @throws X what they throw
         */
        T call() throws X;
    }

    /** {@code given} with these, which count where both say the same. */
    AttributeMap on(AttributeMap given) {
        AttributeMap all = given;
        for (Map.Entry<String, String> each : attributes.entrySet()) {
            all = all.with(each.getKey(), each.getValue());
        }
        return all;
    }

    @Override
    public String toString() {
        return attributes + (whenExhausted == null ? "" : ", " + whenExhausted);
    }
}
