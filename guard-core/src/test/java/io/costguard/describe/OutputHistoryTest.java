package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.OutputHistory.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class OutputHistoryTest {
    private static final Kind KIND = new Kind("openai", "gpt-4o", "/v1/chat/completions");
    private static final long CAP = 4_096;
    private static final int DEFAULT_PERCENT = 98;

    private final Map<Kind, String> shelf = new HashMap<>();
    private final OutputHistory history = history(DEFAULT_PERCENT);

    @Test
    void fewAnswersTellNothing() {
        for (int i = 1; i < OutputHistory.ENOUGH; i++) {
            history.had(KIND, 100);
        }
        assertThat(history.enough(KIND)).isEmpty();

        history.had(KIND, 100);

        assertThat(history.enough(KIND)).hasValue(100);
    }

    @Test
    void ofFewAnswersTheLargestIsEnough() {
        for (int i = 1; i <= OutputHistory.ENOUGH; i++) {
            history.had(KIND, i);
        }

        assertThat(history.enough(KIND)).hasValue(OutputHistory.ENOUGH);
    }

    @Test
    void kindsOfCallsAreKeptApart() {
        for (int i = 0; i < OutputHistory.WINDOW; i++) {
            history.had(KIND, 100);
            history.had(new Kind("openai", "gpt-4o", "/v1/responses"), 200);
        }

        assertThat(history.enough(KIND)).hasValue(100);
    }

    @Test
    void aProcessThatKnowsNothingBeginsWithWhatItsFleetKnows() {
        for (int i = 0; i < OutputHistory.WINDOW; i++) {
            history.had(KIND, 1_000);
        }

        assertThat(history(DEFAULT_PERCENT).enough(KIND).getAsLong()).isBetween(1_000L, 1_010L);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "x",
                "1000:50",
                "1000: ",
                ":50 ",
                "-1000:50 ",
                "9999999999:50 ",
                "99999999:50 ",
                "1000:500 ",
                "1000:50  ",
                "1000:50 \n"
            })
    void nothingIsLearnedOfWhatIsNotTheFleets(String kept) {
        shelf.put(KIND, kept);

        assertThat(history.enough(KIND)).isEmpty();
    }

    @Test
    void whatIsKeptIsShort() {
        for (int i = 0; i < OutputHistory.WINDOW; i++) {
            history.had(KIND, i * 10_007L);
        }

        assertThat(shelf.get(KIND)).hasSizeBetween(200, 1_000);
    }

    @Test
    void aShelfThatFailsIsDoneWithout() {
        OutputHistory alone = new OutputHistory(
                DEFAULT_PERCENT,
                new OutputHistory.Shelf() {
                    @Override
                    public Optional<String> read(Kind kind) {
                        throw new IllegalStateException("no Redis");
                    }

                    @Override
                    public void write(Kind kind, String kept) {
                        throw new IllegalStateException("no Redis");
                    }
                },
                Runnable::run);
        for (int i = 0; i < OutputHistory.WINDOW; i++) {
            alone.had(KIND, 100);
        }

        assertThat(alone.enough(KIND)).hasValue(100);
    }

    @Test
    void whatLearnsNothingTellsNothing() {
        OutputHistory none = OutputHistory.none();
        for (int i = 0; i < OutputHistory.WINDOW; i++) {
            none.had(KIND, 100);
        }

        assertThat(none.enough(KIND)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(longs = {50, 3_000})
    void aChangeIsFollowedWithinAHundredCalls(long after) {
        for (int i = 0; i < 1_000; i++) {
            history.had(KIND, 400);
        }

        for (int i = 0; i < 100; i++) {
            history.had(KIND, after);
        }

        assertThat(history.enough(KIND).getAsLong()).isBetween(after, after + after / 100 + 1);
    }

    /** How many tokens answers have. */
    private enum Tail {
        /** As with a few long answers among many short ones. */
        LOG_NORMAL {
            @Override
            LongSupplier answers(Random random) {
                return () -> Math.round(120 * Math.exp(0.9 * random.nextGaussian()));
            }
        },
        PARETO {
            @Override
            LongSupplier answers(Random random) {
                return () -> Math.round(80 * Math.pow(1 - random.nextDouble(), -1 / 2.0));
            }
        },
        TWO_HUMPS {
            @Override
            LongSupplier answers(Random random) {
                return () -> random.nextInt(10) == 0 ? 700 + random.nextInt(200) : 40 + random.nextInt(60);
            }
        };

        abstract LongSupplier answers(Random random);
    }

    @ParameterizedTest
    @EnumSource
    void mostCallsKeepWithinFarLessThanTheyMayUse(Tail tail) {
        int calls = 20_000;
        System.out.printf(
                "%s, cap %d: share of calls above their reservation, over-reservation at the median against the worst case's%n",
                tail, CAP);
        for (int percent : new int[] {50, 75, 90, 95, 98, 99, 100}) {
            shelf.clear();
            OutputHistory learning = history(percent);
            LongSupplier answers = tail.answers(new Random(1));
            List<Long> spare = new ArrayList<>();
            List<Long> spareOfCap = new ArrayList<>();
            int above = 0;
            for (int i = 0; i < calls; i++) {
                long used = Math.min(CAP, answers.getAsLong());
                long reserved = Math.min(CAP, learning.enough(KIND).orElse(CAP));
                above += used > reserved ? 1 : 0;
                spare.add(reserved - used);
                spareOfCap.add(CAP - used);
                learning.had(KIND, used);
            }
            double share = 100.0 * above / calls;
            double spent = (double) median(spare) / median(spareOfCap);
            System.out.printf(Locale.ROOT, "  %3d %%: %5.2f %%  %.3f%n", percent, share, spent);
            if (percent == DEFAULT_PERCENT) {
                assertThat(share).isLessThanOrEqualTo(5);
                assertThat(spent).isLessThanOrEqualTo(0.25);
            }
        }
    }

    private static long median(List<Long> values) {
        return values.stream().sorted().skip(values.size() / 2).findFirst().orElseThrow();
    }

    private OutputHistory history(int percent) {
        return new OutputHistory(
                percent,
                new OutputHistory.Shelf() {
                    @Override
                    public Optional<String> read(Kind kind) {
                        return Optional.ofNullable(shelf.get(kind));
                    }

                    @Override
                    public void write(Kind kind, String kept) {
                        shelf.put(kind, kept);
                    }
                },
                Runnable::run);
    }
}
