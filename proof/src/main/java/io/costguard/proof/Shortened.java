package io.costguard.proof;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * A history of which each step matters: without any single one of them it does not fail. Found by leaving out ever smaller parts ("delta
 * debugging", Zeller and Hildebrandt, IEEE TSE 28(2), 2002), of which only what is left of a part's complement is tried.
 */
final class Shortened {
    private Shortened() {}

    /**
     * {@return what is left of {@code steps} that still fails, in order}
     *
     * @param steps which fail
     * @param fails whether these steps, from the beginning, fail
     * @param tries how often {@code fails} is asked at most; what is left then may be longer than it need be
     */
    static <T> List<T> of(List<T> steps, Predicate<List<T>> fails, int tries) {
        List<T> left = steps;
        int asked = 0;
        for (int part = Math.max(1, left.size() / 2); ; ) {
            boolean shorter = false;
            for (int from = 0; from < left.size() && asked < tries; ) {
                List<T> without = new ArrayList<>(left.subList(0, from));
                without.addAll(left.subList(Math.min(left.size(), from + part), left.size()));
                asked++;
                if (fails.test(without)) {
                    left = without;
                    shorter = true;
                } else {
                    from += part;
                }
            }
            if (asked >= tries || (part == 1 && !shorter)) {
                return left;
            }
            part = Math.max(1, part / 2);
        }
    }
}
