package io.costguard.micrometer;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.costguard.Cost;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardedCall;
import io.costguard.Outcome;
import io.costguard.Unit;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CostGuardMetricsTest {
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o")
            .with("provider", "openai")
            .with("tenant", "acme")
            .cost(Cost.requests(1).input(120).output(500));

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final CostGuardMetrics metrics = new CostGuardMetrics(registry);

    @Test
    void whatACallCostIsCountedInDollarsAndTokensOfItsModel() {
        metrics.onSettled(settled(CALL, Cost.requests(1).input(100).output(50).usd("0.0125")));

        assertThat(registry.get("costguard.spend")
                        .tags("provider", "openai", "model", "gpt-4o")
                        .counter()
                        .count())
                .isEqualTo(0.0125, within(1e-12));
        assertThat(tokens("input")).isEqualTo(100);
        assertThat(tokens("output")).isEqualTo(50);
    }

    @Test
    void estimatesThatWereTooSmallAreTheirOwnSeries() {
        metrics.onSettled(settled(CALL, Cost.requests(1).input(100).output(1_000)));

        assertThat(error("input", "over")).isEqualTo(0.2, within(1e-9));
        assertThat(error("output", "under")).isEqualTo(0.5, within(1e-9));
        assertThat(error("input", "under")).isZero();
        assertThat(error("output", "over")).isZero();
    }

    @ParameterizedTest
    @EnumSource(By.class)
    void aDenialSaysWhoAndOnlyThatOfADryRunIsNoDeniedCall(By by) {
        metrics.onDenied(denied(CALL, by));

        assertThat(registry.get("costguard.denials")
                        .tags("budget", "b", "limit", "tokens per day", "model", "gpt-4o")
                        .tag("by", by.name().toLowerCase(Locale.ROOT))
                        .counter()
                        .count())
                .isEqualTo(1);
        assertThat(registry.find("costguard.decisions").tag("outcome", "denied").counters().stream()
                        .mapToDouble(counter -> counter.count())
                        .sum())
                .isEqualTo(by == By.DRY_RUN ? 0 : 1);
    }

    @Test
    void onlyCallsThatHadToWaitAreInTheWaits() {
        metrics.onGranted(granted(CALL, Duration.ZERO));
        metrics.onGranted(granted(CALL, Duration.ofSeconds(2)));

        assertThat(registry.get("costguard.wait")
                        .tag("outcome", "granted")
                        .timer()
                        .count())
                .isEqualTo(1);
        assertThat(registry.get("costguard.decisions")
                        .tag("outcome", "granted")
                        .counter()
                        .count())
                .isEqualTo(2);
    }

    @Test
    void theFullestSubjectOfALimitIsItsMaximum() {
        metrics.onGranted(granted(CALL, Duration.ZERO, 900));
        metrics.onGranted(granted(CALL, Duration.ZERO, -200));
        metrics.onGranted(granted(CALL, Duration.ZERO, 500));

        assertThat(registry.get("costguard.limit.used")
                        .tags("budget", "b", "limit", "tokens per day")
                        .summary()
                        .max())
                .isEqualTo(1.2, within(1e-9));
    }

    // ---------------------------------------------------------------------------------------------------- the tags

    @Test
    void anAttributeIsATagOnlyWhereItIsNamed() {
        metrics.onSettled(settled(CALL, Cost.requests(1)));
        assertThat(tags()).doesNotContain(Tag.of("tenant", "acme"));

        metrics.tags("tenant").onGranted(granted(CALL, Duration.ZERO));
        assertThat(tags()).contains(Tag.of("tenant", "acme"));
    }

    @Test
    void whatACallDoesNotSayIsNone() {
        metrics.tags("tenant").onGranted(granted(GuardedCall.of("search"), Duration.ZERO));

        assertThat(registry.get("costguard.decisions")
                        .tags("provider", "none", "tenant", "none", "model", "search", "outcome", "granted")
                        .counter()
                        .count())
                .isEqualTo(1);
    }

    @Test
    void valuesBeyondTheCapAreOtherAndThoseThatWereThereStay() {
        CostGuardMetrics few = metrics.maxValues(2);
        for (String model : List.of("a", "b", "c", "d", "a")) {
            few.onGranted(granted(GuardedCall.of(model), Duration.ZERO));
        }

        assertThat(grantedOf("a")).isEqualTo(2);
        assertThat(grantedOf("b")).isEqualTo(1);
        assertThat(grantedOf("other")).isEqualTo(2);
        assertThat(tags()).doesNotContain(Tag.of("model", "c"));
    }

    @Test
    @org.junit.jupiter.api.Tag("threat-6")
    void aFloodOfValuesAndCombinationsMakesNoFloodOfMeters() {
        CostGuardMetrics few = metrics.tags("tenant", "user").maxValues(10);
        int before = registry.getMeters().size();
        for (int i = 0; i < 20_000; i++) {
            GuardedCall call =
                    GuardedCall.of("m" + i % 12).with("tenant", "t" + i % 13).with("user", "u" + i % 17);
            few.onGranted(granted(call, Duration.ZERO));
            few.onDenied(denied(call, By.REDIS));
        }

        int aCombination = 9;
        int aDenial = 1;
        assertThat(registry.getMeters()).hasSize(before + (100 + 1) * (aCombination + aDenial));
        assertThat(registry.find("costguard.decisions").tag("outcome", "granted").counters().stream()
                        .mapToDouble(counter -> counter.count())
                        .sum())
                .isEqualTo(20_000);
        assertThat(registry.find("costguard.denials").tag("by", "redis").counters().stream()
                        .mapToDouble(counter -> counter.count())
                        .sum())
                .isEqualTo(20_000);
    }

    @Test
    void aLongValueIsCut() {
        metrics.onGranted(granted(GuardedCall.of("m".repeat(5_000)), Duration.ZERO));

        assertThat(tags()).allSatisfy(tag -> assertThat(tag.getValue()).hasSizeLessThanOrEqualTo(100));
    }

    @ParameterizedTest
    @ValueSource(strings = {"model", "budget", "by", " "})
    void aTagThatIsThereAlreadyCannotBeAnAttribute(String name) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> metrics.tags(name))
                .withMessageContaining("'" + name + "' cannot be the attribute of a tag");
    }

    @Test
    void anAttributeIsATagOnce() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> metrics.tags("tenant").tags("tenant"));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 10_001})
    void aCapThatIsNoneIsRefused(int values) {
        assertThatIllegalArgumentException().isThrownBy(() -> metrics.maxValues(values));
    }

    @Test
    void nothingIsUsedButThePublicApiAndMicrometer() {
        classes()
                .that()
                .resideInAPackage("io.costguard.micrometer")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "java..", "org.jspecify..", "io.costguard", "io.costguard.micrometer", "io.micrometer.core..")
                .check(new ClassFileImporter()
                        .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                        .importPackages("io.costguard.micrometer"));
    }

    private List<Tag> tags() {
        return registry.getMeters().stream()
                .map(Meter::getId)
                .flatMap(id -> id.getTags().stream())
                .toList();
    }

    private double tokens(String type) {
        return registry.get("costguard.tokens").tag("type", type).counter().count();
    }

    private double error(String type, String direction) {
        return registry.get("costguard.estimate.error")
                .tags("type", type, "direction", direction)
                .summary()
                .totalAmount();
    }

    private double grantedOf(String model) {
        return registry.get("costguard.decisions")
                .tags("model", model, "outcome", "granted")
                .counter()
                .count();
    }

    private static GuardListener.Grant granted(GuardedCall call, Duration waited, long... left) {
        List<GuardListener.Left> of = Arrays.stream(left)
                .mapToObj(balance -> new GuardListener.Left("b", "tokens per day", Unit.TOKENS, balance, 1_000))
                .toList();
        return new GuardListener.Grant(call, call.cost(), of, waited);
    }

    private static GuardListener.Denied denied(GuardedCall call, By by) {
        Denial denial =
                new Denial("b", "tokens per day", 600, 20, Duration.ofSeconds(3), 20, Unit.TOKENS, 0, Duration.ZERO);
        return new GuardListener.Denied(call, denial, by, Duration.ZERO);
    }

    private static GuardListener.Settlement settled(GuardedCall call, Cost actual) {
        return new GuardListener.Settlement(call, call.cost(), actual, Outcome.REPORTED);
    }
}
