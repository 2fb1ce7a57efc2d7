package io.costguard;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the guard is told of one outbound call: its attributes and what it is expected to cost at most. Immutable: each step
 * gives a new one.
 *
 * <pre>{@code
 * GuardedCall.of("search-api").with("tenant", "acme").cost(Cost.requests(1))
 * }</pre>
 */
public final class GuardedCall {
    private static final int LONGEST_SHOWN = 128;

    private static final AttributeMap NO_PROVIDER = AttributeMap.NONE.with("provider", "");

    private final AttributeMap attributes;
    private final Cost cost;
    private final @Nullable WhenExhausted whenExhausted;

    private GuardedCall(AttributeMap attributes, Cost cost, @Nullable WhenExhausted whenExhausted) {
        this.attributes = attributes;
        this.cost = cost;
        this.whenExhausted = whenExhausted;
    }

    /**
     * {@return one request to {@code name}, which is the call's {@code model} attribute, in its canonical form}
     *
     * @param name the model, or whatever stands for it
     */
    public static GuardedCall of(String name) {
        return new GuardedCall(NO_PROVIDER.with("model", ModelNames.canonical(name)), Cost.requests(1), null);
    }

    /**
     * {@return this call with an attribute} {@code model} is made canonical; {@code apiKey} is the key itself: the guard keeps and shows its
     * fingerprint only. Who knows no more than that, as a {@link GuardListener} is told it, says it as {@code apiKeyFingerprint}, which
     * counts in the place of a key.
     *
     * @param attribute the attribute's name
     * @param value its value
     * @throws IllegalArgumentException for a blank name, a value of more than 4,096 characters of an attribute other than these, or a
     *     fingerprint that is none
     */
    public GuardedCall with(String attribute, String value) {
        if (attribute.isBlank()) {
            throw new IllegalArgumentException("an attribute's name must not be blank");
        }
        if (attribute.equals("apiKeyFingerprint") && !value.matches("[0-9a-f]{32}")) {
            throw new IllegalArgumentException(
                    "a fingerprint is 32 of the digits 0 to 9 and a to f, as a listener is told it");
        }
        String checked = AttributeMap.checkedValue(attribute, value);
        String kept = attribute.equals("model") ? ModelNames.canonical(checked) : checked;
        return new GuardedCall(attributes.with(attribute, kept), cost, whenExhausted);
    }

    /**
     * {@return this call with what is said there: its attributes, and its answer to a spent budget if it has one}
     *
     * @param said attributes, and maybe an answer to a spent budget
     */
    public GuardedCall with(CallAttributes said) {
        return new GuardedCall(said.on(attributes), cost, said.whenExhausted().orElse(whenExhausted));
    }

    /** This call with what is said around it, as far as it says nothing itself. */
    GuardedCall within(CallAttributes around) {
        if (around == CallAttributes.none()) {
            return this;
        }
        AttributeMap all = around.on(AttributeMap.NONE);
        for (Map.Entry<String, String> own : attributes.entrySet()) {
            all = all.with(own.getKey(), own.getValue());
        }
        return new GuardedCall(
                all, cost, whenExhausted().or(around::whenExhausted).orElse(null));
    }

    /**
     * {@return this call with what it is expected to cost at most}
     *
     * @param estimate at most
     */
    public GuardedCall cost(Cost estimate) {
        return new GuardedCall(attributes, estimate, whenExhausted);
    }

    /**
     * {@return this call with its own answer to a spent budget, instead of the guard's}
     *
     * @param policy what is to be done
     */
    public GuardedCall whenExhausted(WhenExhausted policy) {
        return new GuardedCall(attributes, cost, Objects.requireNonNull(policy));
    }

    /** {@return its own answer to a spent budget, if it has one} */
    public Optional<WhenExhausted> whenExhausted() {
        return Optional.ofNullable(whenExhausted);
    }

    /** {@return what is known of the call} In what a {@link GuardListener} sees, {@code apiKey} is always a fingerprint. */
    public Map<String, String> attributes() {
        return attributes;
    }

    /** {@return the {@code model} attribute} */
    public String model() {
        return attributes.getOrDefault("model", "");
    }

    /** {@return what it may cost at most} */
    public Cost cost() {
        return cost;
    }

    /** Names and cost, without the API key. Values are cut, and have nothing in them that a line of a log must not have. */
    @Override
    public String toString() {
        Map<String, String> shown = new TreeMap<>(attributes);
        shown.remove("apiKey");
        shown.replaceAll((name, value) -> shown(value));
        return "call " + shown + ", " + cost;
    }

    private static String shown(String value) {
        String cut = value.length() > LONGEST_SHOWN ? value.substring(0, LONGEST_SHOWN) + "..." : value;
        return cut.replaceAll("[\\p{Cntrl}\\p{Zl}\\p{Zp}\\p{Cf}]", "?");
    }
}
