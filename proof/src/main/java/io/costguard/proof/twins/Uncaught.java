package io.costguard.proof.twins;

import java.lang.Thread.UncaughtExceptionHandler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * What threads of clients throw and nobody catches. Safe for use by many threads.
 *
 * <p>OkHttp throws some of its own: at an answer with a number that is too large for it, say. With a guard that passes through the guard, and
 * is no fault of it where a client without one has thrown the same.
 */
final class Uncaught implements UncaughtExceptionHandler {
    private static final String PROOF = "io.costguard.proof.";

    private final Set<List<StackTraceElement>> unguarded = ConcurrentHashMap.newKeySet();
    private final ConcurrentLinkedQueue<Throwable> guarded = new ConcurrentLinkedQueue<>();

    @Override
    public void uncaughtException(Thread thread, Throwable failure) {
        List<StackTraceElement> frames = Arrays.asList(failure.getStackTrace());
        if (frames.stream().noneMatch(Uncaught::isOurs)) {
            unguarded.add(frames);
        } else if (!isOfProof(frames)) {
            guarded.add(failure);
        }
    }

    /** {@return those that passed through the library, and not through a client without it} */
    List<Throwable> ours() {
        List<Throwable> ours = new ArrayList<>(guarded);
        ours.removeIf(this::isThrownWithoutUs);
        return ours;
    }

    private boolean isThrownWithoutUs(Throwable failure) {
        List<StackTraceElement> below = Arrays.stream(failure.getStackTrace())
                .takeWhile(frame -> !isOurs(frame))
                .toList();
        return !below.stream().allMatch(Uncaught::isOfJava)
                && unguarded.stream()
                        .anyMatch(frames -> frames.size() >= below.size()
                                && frames.subList(0, below.size()).equals(below));
    }

    /** Whether it is what a body of the proof's own throws where it cannot be written. */
    private static boolean isOfProof(List<StackTraceElement> frames) {
        return frames.stream()
                .filter(frame -> !isOfJava(frame))
                .limit(1)
                .anyMatch(frame -> frame.getClassName().startsWith(PROOF));
    }

    private static boolean isOurs(StackTraceElement frame) {
        String name = frame.getClassName();
        return name.startsWith("io.costguard.") && !name.startsWith(PROOF);
    }

    private static boolean isOfJava(StackTraceElement frame) {
        return frame.getModuleName() != null;
    }
}
