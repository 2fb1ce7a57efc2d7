package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.limit.Subject;
import org.junit.jupiter.api.Test;

class LinesTest {
    private final Lines lines = new Lines("process-1234", "p:turn:");
    private final Subject subject = subject("a");

    @Test
    void aSubjectHasALineOnceThatIsToldAndUntilItIsToldThatItHasNone() {
        assertThat(lines.hasLine(subject)).isFalse();
        lines.told(subject, false);
        assertThat(lines.hasLine(subject)).isFalse();

        lines.told(subject, true);
        lines.told(subject, true);
        assertThat(lines.hasLine(subject)).isTrue();
        assertThat(lines.hasLine(subject("b"))).isFalse();

        lines.told(subject("b"), false);
        assertThat(lines.hasLine(subject)).isTrue();
        lines.told(subject, false);
        assertThat(lines.hasLine(subject)).isFalse();
    }

    @Test
    void aProcessIsToldOnAChannelWithItsName() {
        assertThat(lines.ownChannel()).isEqualTo("p:turn:process-1234");
    }

    private static Subject subject(String name) {
        return new Subject(
                "{x}:" + name, Budget.named("b").limit(Limit.requests(9).perDay()));
    }
}
