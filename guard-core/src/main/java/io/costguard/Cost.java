package io.costguard;

import java.math.BigDecimal;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.StringJoiner;

/**
 * What a call costs: requests, input tokens, output tokens, and dollars. Said before the call it is an estimate, after it
 * the actual usage. Immutable: each step gives a new one.
 *
 * <pre>{@code
 * Cost.requests(1).input(900).output(300).usd("0.0042")
 * Cost.requests(1).input(900).cacheRead(800).output(300).reasoning(120)
 * }</pre>
 *
 * <p>Of the input, it may be said how much a prompt cache served and how much was written to one; of the output, how much was
 * reasoning. These are parts, and no more tokens: they make a difference to a limit that weighs them ({@link Limit#weighing}), and to
 * dollars, where a price list has prices of their own for them.
 *
 * <p>Dollars that are not given come from the price list, at its standard tier, if the call's model is in it. Every amount is at least 0 and
 * below 2^53, so that it is exact in Redis, and no part is larger than its whole; anything else is an {@link IllegalArgumentException}.
 */
public final class Cost {
    /** The largest amount of any unit: 2^53 - 1, the last integer that a Lua number holds exactly. */
    public static final long MAX_AMOUNT = (1L << 53) - 1;

    private final long requests;
    private final long input;
    private final long cacheRead;
    private final long cacheWrite;
    private final long output;
    private final long reasoning;
    private final long nanoUsd;
    private final boolean usdGiven;

    private Cost(
            long requests,
            long input,
            long cacheRead,
            long cacheWrite,
            long output,
            long reasoning,
            long nanoUsd,
            boolean usdGiven) {
        this.requests = requests;
        this.input = input;
        this.cacheRead = cacheRead;
        this.cacheWrite = cacheWrite;
        this.output = output;
        this.reasoning = reasoning;
        this.nanoUsd = nanoUsd;
        this.usdGiven = usdGiven;
        if (input + output > MAX_AMOUNT) {
            throw new IllegalArgumentException(
                    "input and output tokens together must be below 2^53: " + input + " + " + output);
        }
        if (cacheRead + cacheWrite > input) {
            throw new IllegalArgumentException("tokens read from a prompt cache and written to it are of the input: "
                    + cacheRead + " + " + cacheWrite + " are more than " + input);
        }
        if (reasoning > output) {
            throw new IllegalArgumentException(
                    "reasoning tokens are of the output: " + reasoning + " are more than " + output);
        }
    }

    /**
     * So many requests, and nothing else yet.
     *
     * @param requests how many
     * @return that cost
     */
    public static Cost requests(long requests) {
        return new Cost(checked("requests", requests), 0, 0, 0, 0, 0, 0, false);
    }

    /**
     * {@return this cost with {@code tokens} of input: all of the prompt, what a prompt cache served included}
     *
     * @param tokens how many
     */
    public Cost input(long tokens) {
        return new Cost(
                requests, checked("input tokens", tokens), cacheRead, cacheWrite, output, reasoning, nanoUsd, usdGiven);
    }

    /**
     * {@return this cost, of whose input, said before, a prompt cache served {@code tokens}}
     *
     * @param tokens how many
     */
    public Cost cacheRead(long tokens) {
        return new Cost(
                requests,
                input,
                checked("cache read tokens", tokens),
                cacheWrite,
                output,
                reasoning,
                nanoUsd,
                usdGiven);
    }

    /**
     * {@return this cost, of whose input, said before, {@code tokens} were written to a prompt cache}
     *
     * @param tokens how many
     */
    public Cost cacheWrite(long tokens) {
        return new Cost(
                requests,
                input,
                cacheRead,
                checked("cache write tokens", tokens),
                output,
                reasoning,
                nanoUsd,
                usdGiven);
    }

    /**
     * {@return this cost with {@code tokens} of output: all of the answer, reasoning included}
     *
     * @param tokens how many
     */
    public Cost output(long tokens) {
        return new Cost(
                requests, input, cacheRead, cacheWrite, checked("output tokens", tokens), reasoning, nanoUsd, usdGiven);
    }

    /**
     * {@return this cost, of whose output, said before, {@code tokens} were reasoning}
     *
     * @param tokens how many
     */
    public Cost reasoning(long tokens) {
        return new Cost(
                requests, input, cacheRead, cacheWrite, output, checked("reasoning tokens", tokens), nanoUsd, usdGiven);
    }

    /**
     * {@return this cost with {@code dollars}, digits with at most nine decimals: {@code "0.0042"}}
     *
     * @param dollars as digits, or as a number, without a sign or an exponent
     */
    public Cost usd(String dollars) {
        return nanoUsd(Dollars.parse(dollars));
    }

    /**
     * {@return this cost with {@code dollars}, at most nine decimals}
     *
     * @param dollars as digits, or as a number, without a sign or an exponent
     */
    public Cost usd(BigDecimal dollars) {
        return nanoUsd(Dollars.nano(dollars));
    }

    /**
     * {@return this cost with so many billionths of a dollar}
     *
     * @param nanoUsd how many
     */
    public Cost nanoUsd(long nanoUsd) {
        return new Cost(
                requests, input, cacheRead, cacheWrite, output, reasoning, checked("nano-dollars", nanoUsd), true);
    }

    /**
     * {@return what so many calls of this cost come to}
     *
     * @param calls how many
     * @throws IllegalArgumentException if {@code calls} is negative, or one of its amounts is 2^53 or more
     */
    public Cost times(int calls) {
        try {
            return new Cost(
                    checked("requests", Math.multiplyExact(requests, calls)),
                    checked("input tokens", Math.multiplyExact(input, calls)),
                    Math.multiplyExact(cacheRead, calls),
                    Math.multiplyExact(cacheWrite, calls),
                    checked("output tokens", Math.multiplyExact(output, calls)),
                    Math.multiplyExact(reasoning, calls),
                    checked("nano-dollars", Math.multiplyExact(nanoUsd, calls)),
                    usdGiven);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(calls + " times " + this + " is not below 2^53", e);
        }
    }

    /** {@return how many requests} */
    public long requests() {
        return requests;
    }

    /** {@return input tokens} */
    public long input() {
        return input;
    }

    /** {@return of the input tokens, those that a prompt cache served} */
    public long cacheRead() {
        return cacheRead;
    }

    /** {@return of the input tokens, those that were written to a prompt cache} */
    public long cacheWrite() {
        return cacheWrite;
    }

    /** {@return output tokens} */
    public long output() {
        return output;
    }

    /** {@return of the output tokens, those that were reasoning} */
    public long reasoning() {
        return reasoning;
    }

    /** {@return billionths of a dollar; 0 where no dollars were given} */
    public long nanoUsd() {
        return nanoUsd;
    }

    /** {@return billionths of a dollar, empty where no dollars were given} */
    public OptionalLong givenNanoUsd() {
        return usdGiven ? OptionalLong.of(nanoUsd) : OptionalLong.empty();
    }

    private static long checked(String what, long amount) {
        if (amount < 0 || amount > MAX_AMOUNT) {
            throw new IllegalArgumentException(what + " must be from 0 to 2^53 - 1, not " + amount);
        }
        return amount;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Cost that
                && requests == that.requests
                && input == that.input
                && cacheRead == that.cacheRead
                && cacheWrite == that.cacheWrite
                && output == that.output
                && reasoning == that.reasoning
                && nanoUsd == that.nanoUsd
                && usdGiven == that.usdGiven;
    }

    @Override
    public int hashCode() {
        return Objects.hash(requests, input, cacheRead, cacheWrite, output, reasoning, nanoUsd, usdGiven);
    }

    /** Like {@code 1 request, 900 input (800 cache read) and 300 output tokens (120 reasoning), $0.0042}. */
    @Override
    public String toString() {
        StringJoiner ofInput = new StringJoiner(", ", " (", ")").setEmptyValue("");
        if (cacheRead > 0) {
            ofInput.add(cacheRead + " cache read");
        }
        if (cacheWrite > 0) {
            ofInput.add(cacheWrite + " cache write");
        }
        String ofOutput = reasoning > 0 ? " (" + reasoning + " reasoning)" : "";
        String text = requests + (requests == 1 ? " request, " : " requests, ") + input + " input" + ofInput + " and "
                + output + " output tokens" + ofOutput;
        return usdGiven ? text + ", " + Dollars.format(nanoUsd) : text;
    }
}
