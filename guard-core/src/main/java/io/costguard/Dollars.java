package io.costguard;

import java.math.BigDecimal;

/** Money as integer nano-dollars: a dollar is {@code 1_000_000_000} of them. */
final class Dollars {
    private static final int NANO_DIGITS = 9;

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
            throw new IllegalArgumentException("dollars must not be negative: " + dollars.toPlainString());
        }
        BigDecimal nano = dollars.movePointRight(NANO_DIGITS).stripTrailingZeros();
        if (nano.scale() > 0) {
            throw new IllegalArgumentException("dollars have at most nine decimals: " + dollars.toPlainString());
        }
        if (nano.compareTo(BigDecimal.valueOf(Cost.MAX_AMOUNT)) > 0) {
            throw new IllegalArgumentException("at most " + format(Cost.MAX_AMOUNT)
                    + " dollars can be counted exactly, not " + dollars.toPlainString());
        }
        return nano.longValueExact();
    }

    static String format(long nanoUsd) {
        BigDecimal dollars = BigDecimal.valueOf(nanoUsd, NANO_DIGITS).stripTrailingZeros();
        return "$" + (dollars.scale() < 2 ? dollars.setScale(2) : dollars).toPlainString();
    }
}
