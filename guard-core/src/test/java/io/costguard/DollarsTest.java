package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.math.BigDecimal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DollarsTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0, $0.00",
        "25, 25000000000, $25.00",
        "25.00, 25000000000, $25.00",
        "0.0042, 4200000, $0.0042",
        "0.000000001, 1, $0.000000001",
        "1.100000000000, 1100000000, $1.10",
        "9007199.254740991, 9007199254740991, $9007199.254740991"
    })
    void dollarsAreExactToTheNanoDollar(String dollars, long nano, String shown) {
        assertThat(Dollars.parse(dollars)).isEqualTo(nano);
        assertThat(Dollars.nano(new BigDecimal(dollars))).isEqualTo(nano);
        assertThat(Dollars.format(nano)).isEqualTo(shown);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-1", "+1", "1e3", ".5", "5.", "1,5", "$5", " 5", "5 ", "0x10", "NaN", "\u0665"})
    void whatIsNotAPlainAmountIsRefusedWithAnExample(String dollars) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Dollars.parse(dollars))
                .withMessageContaining("'" + dollars + "'")
                .withMessageContaining("25.00");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.0000000001", "1E-2147483647", "1.0000000001"})
    void moreThanNineDecimalsAreRefused(BigDecimal dollars) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Dollars.nano(dollars))
                .withMessageContaining("at most nine decimals: " + dollars);
    }

    @ParameterizedTest
    @ValueSource(strings = {"9007199.254740992", "1E+10", "1E+1000000000", "1E+2147483647"})
    void moreThanCanBeCountedExactlyIsRefused(BigDecimal dollars) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Dollars.nano(dollars))
                .withMessageContaining("at most $9007199.254740991")
                .withMessageContaining(dollars.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"-0.01", "-1E+1000000000"})
    void lessThanNothingIsRefused(BigDecimal dollars) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Dollars.nano(dollars))
                .withMessageContaining("negative");
    }

    @Test
    void amountsWrittenWithAnExponentAreTheSameAmounts() {
        assertThat(Dollars.nano(new BigDecimal("1E+6"))).isEqualTo(1_000_000_000_000_000L);
        assertThat(Dollars.nano(new BigDecimal("0E-2147483647"))).isZero();
    }
}
