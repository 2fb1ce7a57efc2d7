package io.costguard.spring;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.diagnostics.FailureAnalysisReporter;

/** What Spring Boot last said of an application that failed to start, beside what it prints. */
public final class Failure implements FailureAnalysisReporter {
    private static final AtomicReference<@Nullable FailureAnalysis> LAST = new AtomicReference<>();

    @Override
    public void report(FailureAnalysis analysis) {
        LAST.set(analysis);
    }

    /** As it is printed: the description, and the action; once. */
    static String last() {
        FailureAnalysis last = LAST.getAndSet(null);
        return last == null ? "" : last.getDescription() + "\nAction: " + last.getAction();
    }
}
