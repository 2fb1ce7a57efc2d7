package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.Logged;
import io.costguard.PriceList;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is exchanged between regions, and when, step by step: between texts in memory, in a time that the test lets pass. */
class RegionTest {
    private static final Duration TIMEOUT = Duration.ofMillis(500);
    private static final Duration WATCHED = Duration.ofSeconds(10);
    private static final Duration IN_FORCE = Duration.ofMillis(10_100);

    private final Text shared = new Text();
    private final Member eu = new Member("eu", "us");
    private final Member us = new Member("us", "eu");
    private long nowNanos = 5;

    /** A register that one process writes. */
    private static final class Text implements Register {
        private String text = "";
        private boolean isAway;
        /** Somebody else is always faster. */
        private boolean refuses;

        private int refused;
        private Runnable meanwhile = () -> {};

        @Override
        public Seen read() throws GuardUnavailableException {
            if (isAway) {
                throw new GuardUnavailableException("the sea cable is cut");
            }
            return new Seen(text, 0);
        }

        @Override
        public Optional<Seen> replace(Seen seen, String next) {
            meanwhile.run();
            refused += refuses ? 1 : 0;
            if (refuses || !seen.text().equals(text)) {
                return Optional.empty();
            }
            text = next;
            return Optional.of(new Seen(next, 0));
        }

        @Override
        public void close() {
            text = "closed";
        }
    }

    /** A process of a region, for which two budgets are shared. */
    private final class Member {
        private final String name;
        private final Text here;
        private final Fake ledger = new Fake();
        private final Region region;
        private IntFunction<Limit> limit =
                percent -> Limit.tokens(10L * percent).perDay();

        Member(String name, String... others) {
            this(name, new Text(), others);
        }

        Member(String name, Text here, String... others) {
            this.name = name;
            this.here = here;
            Fingerprint fingerprint = new Fingerprint(new byte[16]);
            Limiter limiter = new Limiter(
                    new Subjects(List.of(), "p", "apiKey", fingerprint, new Cardinality(1_000, System::nanoTime)),
                    ledger,
                    PriceList.bundled(),
                    fingerprint,
                    WhenExhausted.reject(),
                    WhenRedisFails.failClosed(),
                    TIMEOUT,
                    Duration.ZERO,
                    Listeners.of());
            SharedBudgets budgets = new SharedBudgets(
                    List.of("money", "time"),
                    10,
                    limiter,
                    (whole, percent) -> budget(whole.name(), percent),
                    () -> nowNanos);
            List<String> regions = new ArrayList<>(List.of(others));
            regions.add(name);
            region = new Region(name, regions, here, shared, budgets, TIMEOUT);
            update();
        }

        void update() {
            region.update(List.of(budget("money", 100), budget("time", 100)));
        }

        private Budget budget(String of, int percent) {
            return Budget.named(of).per().limit(limit.apply(percent));
        }

        void look() {
            region.look();
        }

        void uses(int percent) {
            uses("money", percent);
            uses("time", percent);
        }

        void uses(String budget, int percent) {
            ledger.usedPercent.put(budget, percent);
        }

        /** By which share it decides. */
        long percent() {
            InForce inForce = ledger.inForce();
            List<Budget> budgets = inForce.isOver().getAsBoolean() ? inForce.afterwards() : inForce.budgets();
            return budgets.get(0).limits().get(0).capacity() / 10;
        }

        /** What its Redis has: {@code PERCENT VERSION}. */
        String held() {
            return held("money");
        }

        String held(String budget) {
            Holding holding = RegionNote.read(here.text).of(budget).orElseThrow();
            return holding.percent() + " " + holding.version();
        }

        String listed() {
            Holding holding = ShareBook.read(shared.text, List.of("eu", "us"), 10)
                    .of(name, "money")
                    .orElseThrow();
            return holding.percent() + " " + holding.version();
        }

        boolean wants() {
            return ShareBook.read(shared.text, List.of("eu", "us"), 10)
                    .of(name, "money")
                    .orElseThrow()
                    .wants();
        }
    }

    private static final class Fake extends QuietLedger {
        private Optional<InForce> latest = Optional.empty();
        private final Map<String, Integer> usedPercent = new HashMap<>();
        private final Map<String, Long> waiting = new HashMap<>();

        InForce inForce() {
            return latest.orElseThrow();
        }

        @Override
        public void update(InForce budgets) {
            latest = Optional.of(budgets);
        }

        @Override
        public List<List<Standing>> look(List<Claim> newcomer, long deadlineNanos) {
            Budget budget = newcomer.get(0).subject().budget();
            long used = usedPercent.getOrDefault(budget.name(), 0) * 10L;
            long balance = budget.limits().get(0).capacity() - used;
            return List.of(List.of(new Standing(balance, 0, waiting.getOrDefault(budget.name(), 0L), 0)));
        }
    }

    // ---------------------------------------------------------------------------------------------- how it begins

    @Test
    void aRegionHasTheLeastUntilAllAreKnownAndThenAnEqualPart() {
        eu.look();
        assertThat(eu.held()).isEqualTo("10 1");
        assertThat(eu.percent()).isEqualTo(10);

        us.look();
        assertThat(us.held()).isEqualTo("50 2");
        assertThat(eu.listed()).isEqualTo("50 2");
        assertThat(eu.held()).isEqualTo("10 1");

        begin();
        assertThat(eu.held()).isEqualTo("50 2");
        assertThat(eu.percent()).isEqualTo(50);
        assertThat(us.percent()).isEqualTo(50);
    }

    @Test
    void aShareIsInForceForATermLessADecisionAndTheLeastAfterThat() {
        begin();

        passes(Region.TERM.minus(TIMEOUT));
        assertThat(eu.percent()).isEqualTo(50);
        nowNanos++;
        assertThat(eu.percent()).isEqualTo(10);

        eu.look();
        assertThat(eu.percent()).isEqualTo(50);
    }

    @Test
    void aBudgetThatIsNotSharedIsInForceAsItIs() {
        Budget own = Budget.named("own").limit(Limit.tokens(70).perDay());
        begin();

        eu.region.update(List.of(own, Budget.named("money").per().limit(eu.limit.apply(100))));

        assertThat(eu.ledger.inForce().budgets()).hasSize(2).first().isSameAs(own);
        assertThat(eu.ledger.inForce().budgets().get(1).limits().get(0).capacity())
                .isEqualTo(500);
        assertThat(eu.ledger.inForce().afterwards().get(1).limits().get(0).capacity())
                .isEqualTo(100);
    }

    // ---------------------------------------------------------------------------------------------- giving, taking

    @Test
    void halfOfWhatARegionDoesNotUseGoesToOneThatWantsIt() {
        begin();
        us.uses(38);
        lookBoth();
        assertThat(us.wants()).isTrue();
        assertThat(eu.wants()).isFalse();

        passes(WATCHED);
        lookBoth();
        assertThat(eu.held()).as("watched for no longer than that").isEqualTo("50 2");
        passes(Duration.ofNanos(1));
        lookBoth();
        assertThat(eu.held()).isEqualTo("25 2");
        assertThat(eu.listed()).isEqualTo("50 2");

        lookBoth();
        passes(IN_FORCE);
        lookBoth();
        assertThat(eu.listed()).as("nobody may go by the larger one").isEqualTo("50 2");
        passes(Duration.ofNanos(1));
        eu.look();
        assertThat(eu.listed()).isEqualTo("25 3");
        assertThat(eu.held()).isEqualTo("25 3");
        us.look();
        assertThat(us.listed()).isEqualTo("75 3");
        us.look();
        assertThat(us.percent()).isEqualTo(75);
    }

    @Test
    void aRegionThatUsesLessThanThreeQuartersWantsNoMore() {
        begin();
        us.uses(37);

        lookBoth();

        assertThat(us.wants()).isFalse();
    }

    @Test
    void aRegionThatUsesAllThatThereIsWantsMore() {
        begin();
        us.uses(100);

        lookBoth();

        assertThat(us.wants()).isTrue();
    }

    @Test
    void whoeverWantsMoreChangesNothingUntilSomethingIsFree() {
        begin();
        us.uses(45);
        lookBoth();
        String before = shared.text + us.here.text;

        us.look();

        assertThat(us.wants()).isTrue();
        assertThat(shared.text + us.here.text).isEqualTo(before);
    }

    @Test
    void aRegionForWhichCallsWaitWantsMore() {
        begin();
        us.ledger.waiting.put("money", 1L);

        lookBoth();

        assertThat(us.wants()).isTrue();
    }

    @Test
    void aRegionWantsNoMoreOnceItHasNotBeenShortForHalfAMinute() {
        begin();
        us.uses(40);
        lookBoth();
        us.uses(0);

        passes(Duration.ofSeconds(30).minusNanos(1));
        us.look();
        assertThat(us.wants()).isTrue();
        passes(Duration.ofNanos(1));
        us.look();

        assertThat(us.wants()).isFalse();
    }

    @Test
    void ofWhatWasUsedWhileItWasWatchedNothingIsGiven() {
        begin();
        eu.uses(20);
        us.uses(40);
        lookBoth();
        eu.uses(5);

        passes(WATCHED.plusNanos(1));
        eu.look();

        assertThat(eu.held()).isEqualTo("35 2");
    }

    @Test
    void aRegionThatIsShortItselfKeepsItsEqualPart() {
        begin();
        eu.uses(45);
        us.uses(45);
        lookBoth();
        passes(WATCHED.plusNanos(1));
        lookBoth();

        assertThat(eu.held()).startsWith("50 ");
        assertThat(us.held()).startsWith("50 ");
    }

    @Test
    void noRegionGivesTheLeastAway() {
        begin();
        us.uses(95);
        for (int i = 0; i < 8; i++) {
            cede();
        }

        assertThat(eu.percent()).isEqualTo(10);
        assertThat(us.percent()).isEqualTo(90);
    }

    @Test
    void whoHasLessThanAnEqualPartIsGivenIt() {
        begin();
        us.uses(45);
        cede();
        assertThat(us.percent()).isEqualTo(75);
        us.uses(60);
        eu.uses(24);
        lookBoth();

        passes(WATCHED.plusNanos(1));
        lookBoth();
        assertThat(us.held()).as("more is spent").startsWith("60 ");
        lookBoth();
        passes(IN_FORCE.plusNanos(1));
        us.look();
        eu.look();
        assertThat(us.listed()).startsWith("60 ");
        assertThat(eu.listed()).startsWith("40 ");
    }

    @Test
    void whatCallsInFlightUseIsGivenAllTheSameToWhomItIsOwed() {
        eu.limit = percent -> Limit.concurrentCalls(10L * percent);
        us.limit = eu.limit;
        eu.update();
        us.update();
        begin();
        us.uses(45);
        cede();
        us.uses(70);
        eu.uses(24);
        lookBoth();

        passes(WATCHED.plusNanos(1));
        lookBoth();

        assertThat(us.held()).startsWith("50 ");
    }

    @Test
    void whatIsUsedOfTheLargerShareIsTakenBackAfterAMinute() {
        begin();
        lowered();
        eu.uses(26);

        passes(IN_FORCE.plusMinutes(1));
        lookBoth();
        assertThat(eu.listed()).isEqualTo("50 2");
        passes(Duration.ofNanos(1));
        lookBoth();

        assertThat(eu.held()).isEqualTo("50 3");
        assertThat(eu.listed()).isEqualTo("50 3");
    }

    @Test
    void whatIsWaitedForIsNotGiven() {
        begin();
        lowered();
        eu.ledger.waiting.put("money", 1L);

        passes(IN_FORCE.plusNanos(1));
        eu.look();

        assertThat(eu.listed()).isEqualTo("50 2");
    }

    @Test
    void whatNobodyWantsAnyMoreIsTakenBack() {
        begin();
        lowered();
        us.uses(0);

        passes(Duration.ofSeconds(30));
        us.look();
        eu.ledger.waiting.put("money", 1L);
        eu.look();

        assertThat(eu.held()).isEqualTo("50 3");
    }

    @Test
    void aBucketIsGivenOnceItHadTheTimeToFillToo() {
        eu.limit = percent -> Limit.tokens(10L * percent).perMinute();
        eu.update();
        begin();
        lowered();

        passes(IN_FORCE.plusMinutes(1));
        lookBoth();
        assertThat(eu.listed()).isEqualTo("50 2");
        passes(Duration.ofNanos(1));
        eu.look();

        assertThat(eu.listed()).isEqualTo("25 3");
    }

    @Test
    void aShareThatChangedWhileItWasToBeGivenIsNot() {
        begin();
        lowered();
        passes(IN_FORCE.plusNanos(1));
        shared.meanwhile = () -> {
            shared.meanwhile = () -> {};
            shared.text = shared.text.replace("us 50", "us 49");
        };

        eu.look();

        assertThat(eu.held()).isEqualTo("25 2");
        assertThat(eu.listed()).isEqualTo("50 2");
    }

    @Test
    void whatWasUsedLongAgoIsGiven() {
        begin();
        eu.uses(20);
        eu.look();
        passes(WATCHED.plusNanos(1));
        eu.look();
        eu.uses(0);
        us.uses(45);
        lookBoth();

        passes(WATCHED.plusNanos(1));
        eu.look();

        assertThat(eu.held()).isEqualTo("25 2");
    }

    // --------------------------------------------------------------------------------------------- several budgets

    /** What is to be done for each of its budgets in one look. */
    private enum Stage {
        ENTER,
        WRITE_WHAT_IS_LISTED,
        FIND_WHAT_WAS_LOST,
        TELL_WHAT_WAS_LOST,
        WANT,
        LOWER,
        GIVE,
        TAKE_BACK
    }

    @ParameterizedTest
    @EnumSource
    void eachStepIsTakenForAllBudgetsInOneLook(Stage stage) {
        reach(stage);
        String before = eu.here.text + shared.text;

        eu.look();

        assertThat(eu.here.text + shared.text).isNotEqualTo(before);
        assertThat(eu.held("time")).isEqualTo(eu.held("money"));
        assertThat(lines("eu", "time")).isEqualTo(lines("eu", "money").replace("money", "time"));
    }

    @ParameterizedTest
    @EnumSource
    void whereSomebodyWasFasterALookEnds(Stage stage) {
        reach(stage);
        shared.refuses = true;
        eu.here.refuses = true;

        eu.look();

        assertThat(shared.refused + eu.here.refused).isEqualTo(1);
    }

    @Test
    void whatIsTakenIsTakenOfAllBudgetsInOneLook() {
        begin();
        lowered();
        passes(IN_FORCE.plusNanos(1));
        eu.look();

        us.look();

        assertThat(us.held("money")).isEqualTo("75 3");
        assertThat(us.held("time")).isEqualTo("75 3");
    }

    @Test
    void whereSomebodyElseTookWhatWasFreeALookEnds() {
        begin();
        lowered();
        passes(IN_FORCE.plusNanos(1));
        eu.look();
        shared.refuses = true;

        us.look();

        assertThat(shared.refused).isEqualTo(1);
    }

    @Test
    void aBudgetOfWhichNothingIsToBeDoneHoldsUpNoOther() {
        begin();
        us.uses("time", 45);
        lookBoth();
        passes(WATCHED.plusNanos(1));
        lookBoth();
        assertThat(eu.held("money")).isEqualTo("50 2");
        assertThat(eu.held("time")).isEqualTo("25 2");
    }

    @Test
    void aBudgetThatCannotBeGivenHoldsUpNoOther() {
        begin();
        lowered();
        eu.ledger.waiting.put("money", 1L);
        passes(IN_FORCE.plusNanos(1));

        eu.look();

        assertThat(eu.held("money")).isEqualTo("25 2");
        assertThat(eu.held("time")).isEqualTo("25 3");
    }

    private void reach(Stage stage) {
        switch (stage) {
            case ENTER -> {
                eu.look();
                eu.here.text = noteOf(eu);
                shared.text = "";
            }
            case WRITE_WHAT_IS_LISTED -> {
                eu.look();
                us.look();
            }
            case FIND_WHAT_WAS_LOST -> {
                begin();
                eu.here.text = noteOf(eu);
            }
            case TELL_WHAT_WAS_LOST -> {
                begin();
                shared.text = shared.text.replace("eu 50 2", "eu 50 1");
            }
            case WANT -> {
                begin();
                eu.uses(45);
            }
            case LOWER -> {
                begin();
                us.uses(45);
                lookBoth();
                passes(WATCHED.plusNanos(1));
                beat();
            }
            case GIVE -> {
                begin();
                lowered();
                passes(IN_FORCE.plusNanos(1));
                beat();
            }
            case TAKE_BACK -> {
                begin();
                lowered();
                us.uses(0);
                passes(Duration.ofSeconds(30));
                us.look();
                eu.ledger.waiting.put("money", 1L);
                eu.ledger.waiting.put("time", 1L);
                beat();
            }
        }
    }

    /** So that the next look has nothing else to say. */
    private void beat() {
        String process = RegionNote.read(eu.here.text).exchanger();
        eu.here.text = RegionNote.read(eu.here.text).exchangedBy(process).text();
    }

    /** With nothing but who exchanges. */
    private static String noteOf(Member member) {
        RegionNote note = RegionNote.read(member.here.text);
        return new RegionNote(note.exchanger(), note.beats(), Map.of()).text();
    }

    private String lines(String region, String budget) {
        return shared.text
                .lines()
                .filter(line -> line.startsWith(region + " ") && line.endsWith(" " + budget))
                .reduce("", String::concat);
    }

    // -------------------------------------------------------------------------------------------- what goes wrong

    @Test
    void aRegionThatLostItsStateHasWhatTheOthersKnow() {
        begin();
        eu.here.text = "";

        eu.look();

        assertThat(eu.held()).isEqualTo("50 3");
        assertThat(eu.listed()).isEqualTo("50 3");
    }

    @Test
    void aSharedRedisThatLostItsStateHearsItFromTheRegions() {
        begin();
        shared.text = "";

        eu.look();
        assertThat(eu.listed()).isEqualTo("50 3");
        us.look();

        assertThat(us.listed()).isEqualTo("50 3");
        assertThat(us.held()).isEqualTo("50 3");
    }

    @Test
    void anOlderShareOfTheSharedRedisIsReplacedByWhatTheRegionHas() {
        begin();
        String before = shared.text;
        us.uses(45);
        cede();
        shared.text = before;

        eu.look();

        assertThat(eu.held()).isEqualTo("25 4");
        assertThat(eu.listed()).isEqualTo("25 4");
    }

    @Test
    void whoeverHasTooMuchTogetherGivesItBack() {
        begin();
        shared.text = shared.text.replace("eu 50 2", "eu 90 7");
        eu.look();
        assertThat(eu.held()).isEqualTo("90 7");
        eu.look();

        passes(WATCHED.plusNanos(1));
        eu.look();

        assertThat(eu.held()).isEqualTo("45 7");
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void thatNothingIsExchangedIsLoggedOnceEachTime() {
        begin();
        shared.isAway = true;
        assertThat(Logged.by(() -> {
                    eu.look();
                    eu.look();
                }))
                .hasLineCount(1)
                .contains("region 'eu' exchanges no shares of budgets for now: the sea cable is cut");

        shared.isAway = false;
        eu.look();
        shared.isAway = true;
        assertThat(Logged.by(eu::look)).hasLineCount(1);
    }

    @Test
    void whileTheOthersAreAwayAShareStaysInForce() {
        begin();
        shared.isAway = true;
        passes(Duration.ofMinutes(1));

        eu.look();

        assertThat(eu.percent()).isEqualTo(50);
    }

    // -------------------------------------------------------------------------------------------- which process

    @Test
    void oneProcessOfARegionExchangesAndSaysEachThreeSecondsThatItLives() {
        begin();
        Member other = new Member("eu", eu.here, "us");
        other.look();
        String before = eu.here.text;

        passes(Duration.ofSeconds(3).minusNanos(1));
        eu.look();
        assertThat(eu.here.text).isEqualTo(before);
        passes(Duration.ofNanos(1));
        eu.look();
        assertThat(eu.here.text).isNotEqualTo(before);

        String after = eu.here.text;
        passes(Duration.ofSeconds(10));
        other.look();
        other.look();
        assertThat(eu.here.text).isEqualTo(after);
        assertThat(other.percent()).isEqualTo(50);
    }

    @Test
    void anotherProcessTakesItsPlaceOnceItHasBeenSilentForTenSeconds() {
        begin();
        Member other = new Member("eu", eu.here, "us");
        other.look();
        String before = eu.here.text;

        passes(Duration.ofSeconds(10));
        other.look();
        assertThat(eu.here.text).isEqualTo(before);
        passes(Duration.ofNanos(1));
        other.look();

        assertThat(RegionNote.read(eu.here.text).exchanger())
                .isNotEqualTo(RegionNote.read(before).exchanger());
        assertThat(RegionNote.read(eu.here.text).beats())
                .isEqualTo(RegionNote.read(before).beats() + 1);
    }

    @Test
    void whoeverLooksNextMayBeAnotherThread() throws Exception {
        begin();
        passes(Region.TERM);
        assertThat(eu.percent()).isEqualTo(10);

        CompletableFuture.runAsync(eu::look).get(10, TimeUnit.SECONDS);

        assertThat(eu.percent()).isEqualTo(50);
    }

    @Test
    void whoeverIsNotToExchangeForgetsWhatItSaw() {
        begin();
        us.uses(45);
        lookBoth();
        passes(WATCHED.plusNanos(1));
        String ours = eu.here.text;
        eu.here.text = RegionNote.read(ours).exchangedBy("another").text();
        eu.look();
        eu.here.text = ours;

        eu.look();

        assertThat(eu.held()).as("watched anew").isEqualTo("50 2");
    }

    @Test
    void aProcessThatEndsLetsGoOfTheSharedRedis() {
        eu.region.close();

        assertThat(shared.text).isEqualTo("closed");
    }

    @Test
    void aBudgetThatIsNotThereAnyMoreHasNoShare() {
        SharedBudgets none = new SharedBudgets(
                List.of(), 10, limiterOf(eu), (whole, percent) -> eu.budget("money", percent), () -> nowNanos);

        assertThatIllegalStateException().isThrownBy(() -> none.whole("money")).withMessageContaining("'money'");
    }

    // ------------------------------------------------------------------------------------------------------------

    private static Limiter limiterOf(Member member) {
        Fingerprint fingerprint = new Fingerprint(new byte[16]);
        return new Limiter(
                new Subjects(List.of(), "p", "apiKey", fingerprint, new Cardinality(1_000, System::nanoTime)),
                member.ledger,
                PriceList.bundled(),
                fingerprint,
                WhenExhausted.reject(),
                WhenRedisFails.failClosed(),
                TIMEOUT,
                Duration.ZERO,
                Listeners.of());
    }

    private void passes(Duration time) {
        nowNanos += time.toNanos();
    }

    private void lookBoth() {
        eu.look();
        us.look();
    }

    /** Until both have an equal part. */
    private void begin() {
        for (int i = 0; i < 3; i++) {
            lookBoth();
        }
    }

    /** Until one region has lowered its share, as the other wants it. */
    private void lowered() {
        us.uses(45);
        lookBoth();
        passes(WATCHED.plusNanos(1));
        lookBoth();
        assertThat(eu.held()).isEqualTo("25 2");
        lookBoth();
    }

    /** Until half of what one region does not use is the other's. */
    private void cede() {
        lookBoth();
        passes(WATCHED.plusNanos(1));
        lookBoth();
        lookBoth();
        passes(IN_FORCE.plusNanos(1));
        lookBoth();
        lookBoth();
    }
}
