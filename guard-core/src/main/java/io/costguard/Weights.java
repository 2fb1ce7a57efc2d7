package io.costguard;

import java.math.BigDecimal;
import java.util.Objects;
import java.util.StringJoiner;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What tokens count in a limit, as providers weigh them in their own limits. Immutable: each step gives new ones.
 *
 * <pre>{@code
 * Limit.inputTokens(400_000).perMinute().weighing(Weights.anthropic())
 * Limit.tokens(1_000_000).perMinute().weighing(Weights.none().cacheRead("0.1").output(5))
 * }</pre>
 *
 * <p>A weight is from 0 to 1,000, with at most three decimals, and exact: what a call is charged is the sum of its tokens times their
 * weights, in integers, rounded up once, at the end; a sum of 2^53 and more counts as the most that a limit can hold. What is no such
 * weight is an {@link IllegalArgumentException}.
 *
 * <p>An estimate does not know what a prompt cache will serve, or how much of the answer will be reasoning, unless the caller says so
 * ({@link Cost#cacheRead}): a prompt is reserved whole, and what was cached is given back by the settle; a part that weighs more than the
 * whole is charged then.
 */
public final class Weights {
    private static final long ONE = 1_000;
    private static final long MOST = 1_000 * ONE;
    private static final Pattern DECIMAL = Pattern.compile("([0-9]{1,4})(?:\\.([0-9]{1,3}))?");
    private static final Weights NONE = new Weights(ONE, ONE, ONE, ONE, Output.AS_USED);

    /** What stays charged of the output that a call reserved. */
    private enum Output {
        AS_USED,
        AS_RESERVED
    }

    private final long cacheRead;
    private final long cacheWrite;
    private final long output;
    private final long reasoning;
    private final Output settled;

    private Weights(long cacheRead, long cacheWrite, long output, long reasoning, Output settled) {
        this.cacheRead = cacheRead;
        this.cacheWrite = cacheWrite;
        this.output = output;
        this.reasoning = reasoning;
        this.settled = settled;
    }

    /**
     * Every token counts 1.
     *
     * @return those weights
     */
    public static Weights none() {
        return NONE;
    }

    /**
     * As Anthropic counts its limits of input and of output tokens: what a prompt cache served does not count, what is written to one
     * does; of output, what was generated, whatever {@code max_tokens} said. True of most of its models: of those that it marks otherwise,
     * such as Claude Haiku 3.5, cache reads count ({@link #none()}).
     *
     * <p>Source: "Rate limits", Claude API documentation.
     *
     * @return those weights
     */
    public static Weights anthropic() {
        return NONE.cacheRead(0);
    }

    /**
     * As OpenAI counts its limits of tokens, and Azure OpenAI: when a request comes, by its text and the output that it asks for at most,
     * and nothing is given back for output that was not used. Cached prompts count. So {@code max_tokens} should be near to what answers
     * need, and {@link Budget#assumedOutput} to what is reserved at the provider for requests without one.
     *
     * <p>OpenAI says that the larger of {@code max_tokens} and its estimate of the text counts, elsewhere that both do, as Azure says. This is the
     * sum, which is never less.
     *
     * <p>Sources: "Rate limits" and "Prompt caching", OpenAI API documentation; "What are the best practices for managing my rate limits in
     * the API?", OpenAI Help Center; "Manage Azure OpenAI in Microsoft Foundry Models quota", Microsoft Learn.
     *
     * @return those weights
     */
    public static Weights openAi() {
        return NONE.outputAsReserved();
    }

    /**
     * As the Gemini API counts its limits of tokens: input alone, with what its context cache served.
     *
     * <p>Sources: "Rate limits" and "Context caching", Gemini API documentation.
     *
     * @return those weights
     */
    public static Weights gemini() {
        return NONE.output(0);
    }

    /**
     * As Amazon Bedrock's runtime endpoint counts its quotas of tokens: output {@code burndownRate} times, what a prompt cache served not at
     * all, what is written to one once. The rate depends on the model, and its page has the list: 1 for most, 5 for Claude 3.7 to 4.7, 10
     * and 15 for some later ones. Bedrock reserves {@code max_tokens}, or the model's maximum, once when a request comes; here it is reserved
     * at the rate, since that is what may be used, and given back at the settle.
     *
     * <p>Source: "How tokens are counted in Amazon Bedrock", Amazon Bedrock User Guide.
     *
     * @param burndownRate what a token of output counts
     * @return those weights
     */
    public static Weights bedrock(long burndownRate) {
        if (burndownRate < 1) {
            throw new IllegalArgumentException("a burndown rate must be at least 1, not " + burndownRate);
        }
        return NONE.cacheRead(0).output(burndownRate);
    }

    /**
     * {@return these, in which input that a prompt cache served counts {@code weight}}
     *
     * @param weight from 0 to 1,000, to three decimals
     */
    public Weights cacheRead(long weight) {
        return cacheRead(Long.toString(weight));
    }

    /**
     * {@return these, in which input that a prompt cache served counts {@code weight}: {@code "0.1"}}
     *
     * @param weight from 0 to 1,000, to three decimals
     */
    public Weights cacheRead(String weight) {
        return new Weights(thousandths(weight), cacheWrite, output, reasoning, settled);
    }

    /**
     * {@return these, in which input that is written to a prompt cache counts {@code weight}}
     *
     * @param weight from 0 to 1,000, to three decimals
     */
    public Weights cacheWrite(long weight) {
        return cacheWrite(Long.toString(weight));
    }

    /**
     * {@return these, in which input that is written to a prompt cache counts {@code weight}: {@code "1.25"}}
     *
     * @param weight from 0 to 1,000, to three decimals
     */
    public Weights cacheWrite(String weight) {
        return new Weights(cacheRead, thousandths(weight), output, reasoning, settled);
    }

    /**
     * {@return these, in which all output counts {@code weight}, what was reasoning too}
     *
     * @param weight from 0 to 1,000, to three decimals
     */
    public Weights output(long weight) {
        return output(Long.toString(weight));
    }

    /**
     * {@return these, in which all output counts {@code weight}, what was reasoning too: {@code "1.5"}}
     *
     * @param weight from 0 to 1,000, to three decimals
     */
    public Weights output(String weight) {
        long thousandths = thousandths(weight);
        return new Weights(cacheRead, cacheWrite, thousandths, thousandths, settled);
    }

    /**
     * {@return these, in which output that was reasoning counts {@code weight}; said after {@link #output(long)}, of which it is a part}
     *
     * @param weight from 0 to 1,000, to three decimals
     */
    public Weights reasoning(long weight) {
        return reasoning(Long.toString(weight));
    }

    /**
     * {@return these, in which output that was reasoning counts {@code weight}: {@code "1.5"}; said after {@link #output(String)}}
     *
     * @param weight from 0 to 1,000, to three decimals
     */
    public Weights reasoning(String weight) {
        return new Weights(cacheRead, cacheWrite, output, thousandths(weight), settled);
    }

    /**
     * These, in which output that was reserved and not used stays charged; what was used above it is charged too. A call that is refunded,
     * as it was never sent or the provider refused it, gets its output back all the same.
     *
     * @return the weights that do so
     */
    public Weights outputAsReserved() {
        return new Weights(cacheRead, cacheWrite, output, reasoning, Output.AS_RESERVED);
    }

    private static long thousandths(String weight) {
        Matcher decimal = DECIMAL.matcher(weight);
        if (!decimal.matches()) {
            throw refused(weight);
        }
        String decimals = Objects.requireNonNullElse(decimal.group(2), "");
        long thousandths = Long.parseLong(decimal.group(1) + decimals + "0".repeat(3 - decimals.length()));
        if (thousandths > MOST) {
            throw refused(weight);
        }
        return thousandths;
    }

    private static IllegalArgumentException refused(String weight) {
        return new IllegalArgumentException(
                "a weight must be from 0 to 1000, with at most three decimals, not '" + weight + "'");
    }

    /** What {@code used} counts in {@code unit}, of which output counts as {@code reserved} if that stays. */
    long charge(Unit unit, Cost used, Cost reserved) {
        try {
            long thousandths = switch (unit) {
                case TOKENS -> Math.addExact(input(used), output(used, reserved));
                case INPUT_TOKENS -> input(used);
                case OUTPUT_TOKENS -> output(used, reserved);
                case REQUESTS, USD, CONCURRENT_CALLS -> Math.multiplyExact(unit.of(used), ONE);
            };
            return Math.min(Cost.MAX_AMOUNT, Math.addExact(thousandths, ONE - 1) / ONE);
        } catch (ArithmeticException e) {
            return Cost.MAX_AMOUNT; // what is beyond 2^63 thousandths is beyond 2^53
        }
    }

    private long input(Cost cost) {
        long plain = cost.input() - cost.cacheRead() - cost.cacheWrite();
        return Math.addExact(
                plain * ONE,
                Math.addExact(
                        Math.multiplyExact(cost.cacheRead(), cacheRead),
                        Math.multiplyExact(cost.cacheWrite(), cacheWrite)));
    }

    private long output(Cost used, Cost reserved) {
        return settled == Output.AS_RESERVED ? Math.max(output(used), output(reserved)) : output(used);
    }

    private long output(Cost cost) {
        return Math.addExact(
                Math.multiplyExact(cost.output() - cost.reasoning(), output),
                Math.multiplyExact(cost.reasoning(), reasoning));
    }

    /** Whether any token of {@code unit} counts. Plain input always does. */
    boolean count(Unit unit) {
        return unit != Unit.OUTPUT_TOKENS || output > 0 || reasoning > 0;
    }

    /** What makes a difference to {@code unit}, as it stands in a limit's name; empty where every token counts 1. */
    String label(Unit unit) {
        StringJoiner differences = new StringJoiner(", ", " (", ")").setEmptyValue("");
        if (unit != Unit.OUTPUT_TOKENS) {
            tell(differences, "cache reads", cacheRead, ONE);
            tell(differences, "cache writes", cacheWrite, ONE);
        }
        if (unit != Unit.INPUT_TOKENS) {
            tell(differences, "output", output, ONE);
            tell(differences, "reasoning", reasoning, output);
            if (settled == Output.AS_RESERVED) {
                differences.add("output as reserved");
            }
        }
        return differences.toString();
    }

    private static void tell(StringJoiner differences, String part, long weight, long otherwise) {
        if (weight != otherwise) {
            differences.add(part + " x"
                    + BigDecimal.valueOf(weight, 3).stripTrailingZeros().toPlainString());
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Weights that
                && cacheRead == that.cacheRead
                && cacheWrite == that.cacheWrite
                && output == that.output
                && reasoning == that.reasoning
                && settled == that.settled;
    }

    @Override
    public int hashCode() {
        return Objects.hash(cacheRead, cacheWrite, output, reasoning, settled);
    }

    /** Like {@code weights (cache reads x0, output x5)}. */
    @Override
    public String toString() {
        return "weights" + label(Unit.TOKENS);
    }
}
