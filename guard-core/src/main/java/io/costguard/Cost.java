package io.costguard;

import java.math.BigDecimal;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * What a call costs: requests, input tokens, output tokens, and dollars. Said before the call it is an estimate, after it
 * the actual usage. Immutable: each step gives a new one.
 *
 * <pre>{@code
 * Cost.requests(1).input(900).output(300).usd("0.0042")
 * }</pre>
 *
 * <p>Dollars that are not given come from the price list, if the call's model is in it. Every amount is at least 0 and
 * below 2^53, so that it is exact in Redis; anything else is an {@link IllegalArgumentException}.
 */
public final class Cost {
    /** The largest amount of any unit: 2^53 - 1, the last integer that a Lua number holds exactly. */
    public static final long MAX_AMOUNT = (1L << 53) - 1;

    private final long requests;
    private final long input;
    private final long output;
    private final long nanoUsd;
    private final boolean usdGiven;

    private Cost(long requests, long input, long output, long nanoUsd, boolean usdGiven) {
        this.requests = requests;
        this.input = input;
        this.output = output;
        this.nanoUsd = nanoUsd;
        this.usdGiven = usdGiven;
        if (input + output > MAX_AMOUNT) {
            throw new IllegalArgumentException(
                    "input and output tokens together must be below 2^53: " + input + " + " + output);
        }
    }

    /** So many requests, and nothing else yet. */
    public static Cost requests(long requests) {
        return new Cost(checked("requests", requests), 0, 0, 0, false);
    }

    /** This cost with {@code tokens} of input: all of the prompt, what a prompt cache served included. */
    public Cost input(long tokens) {
        return new Cost(requests, checked("input tokens", tokens), output, nanoUsd, usdGiven);
    }

    /** This cost with {@code tokens} of output: all of the answer, reasoning included. */
    public Cost output(long tokens) {
        return new Cost(requests, input, checked("output tokens", tokens), nanoUsd, usdGiven);
    }

    /** This cost with {@code dollars}, digits with at most nine decimals: {@code "0.0042"}. */
    public Cost usd(String dollars) {
        return nanoUsd(Dollars.parse(dollars));
    }

    /** This cost with {@code dollars}, at most nine decimals. */
    public Cost usd(BigDecimal dollars) {
        return nanoUsd(Dollars.nano(dollars));
    }

    /** This cost with so many billionths of a dollar. */
    public Cost nanoUsd(long nanoUsd) {
        return new Cost(requests, input, output, checked("nano-dollars", nanoUsd), true);
    }

    public long requests() {
        return requests;
    }

    /** Input tokens. */
    public long input() {
        return input;
    }

    /** Output tokens. */
    public long output() {
        return output;
    }

    /** Billionths of a dollar; 0 where no dollars were given. */
    public long nanoUsd() {
        return nanoUsd;
    }

    /** Billionths of a dollar, empty where no dollars were given. */
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
                && output == that.output
                && nanoUsd == that.nanoUsd
                && usdGiven == that.usdGiven;
    }

    @Override
    public int hashCode() {
        return Objects.hash(requests, input, output, nanoUsd, usdGiven);
    }

    /** Like {@code 1 request, 900 input and 300 output tokens, $0.0042}. */
    @Override
    public String toString() {
        String text = requests + (requests == 1 ? " request, " : " requests, ") + input + " input and " + output
                + " output tokens";
        return usdGiven ? text + ", " + Dollars.format(nanoUsd) : text;
    }
}
