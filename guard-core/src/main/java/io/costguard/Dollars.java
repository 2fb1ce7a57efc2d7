package io.costguard;

import java.math.BigDecimal;

/** Money as integer nano-dollars: a dollar is {@code 1_000_000_000} of them. */
final class Dollars {
    private static final int NANO_DIGITS = 9;
    private static final BigDecimal MOST = BigDecimal.valueOf(Cost.MAX_AMOUNT, NANO_DIGITS);

    private Dollars() {}

    /** @throws IllegalArgumentException for a sign, an exponent, more than nine decimals, or 2^53 nano-dollars and more */
    static long parse(String dollars) {
        if (!dollars.matches("[0-9]+(\\.[0-9]+)?")) {
            throw new IllegalArgumentException(
                    "not an amount of dollars: '" + dollars + "'; write digits with at most nine decimals, like 25.00");
        }
        return nano(new BigDecimal(dollars));
    }

    /** @throws IllegalArgumentException for a negative amount, more than nine decimals, or 2^53 nano-dollars and more */
    static long nano(BigDecimal dollars) {
        if (dollars.signum() < 0) {
            throw new IllegalArgumentException("dollars must not be negative: " + dollars);
        }
        // Not compared with MOST by its digits: of 1E+999999999 there would be too many.
        if (dollars.precision() - (long) dollars.scale() > MOST.precision() - (long) MOST.scale()
                || dollars.compareTo(MOST) > 0) {
            throw new IllegalArgumentException(
                    "at most " + format(Cost.MAX_AMOUNT) + " can be counted exactly, not " + dollars);
        }
        BigDecimal shortest = dollars.stripTrailingZeros();
        if (shortest.scale() > NANO_DIGITS) {
            throw new IllegalArgumentException("dollars have at most nine decimals: " + dollars);
        }
        return shortest.movePointRight(NANO_DIGITS).longValueExact();
    }

    static String format(long nanoUsd) {
        BigDecimal dollars = BigDecimal.valueOf(nanoUsd, NANO_DIGITS).stripTrailingZeros();
        return "$" + (dollars.scale() < 2 ? dollars.setScale(2) : dollars).toPlainString();
    }
}
