package io.costguard.sdk.tck;

import io.costguard.describe.Dialect;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/** Counts what comes to a guard, whatever it decides: its dialects are asked once about each call, and this one first. Safe for use by many threads. */
final class AttemptCounter implements Dialect {
    private final AtomicInteger attempts = new AtomicInteger();

    int attempts() {
        return attempts.get();
    }

    @Override
    public boolean speaksFor(Target target) {
        attempts.incrementAndGet();
        return false;
    }

    @Override
    public String provider(Target target) {
        throw new AssertionError("it speaks for nothing");
    }

    @Override
    public JsonPaths requestPaths() {
        throw new AssertionError("it speaks for nothing");
    }

    @Override
    public void request(Field field, RequestReader request) {
        throw new AssertionError("it speaks for nothing");
    }

    @Override
    public JsonPaths responsePaths() {
        throw new AssertionError("it speaks for nothing");
    }

    @Override
    public void response(Field field, ResponseReader response) {
        throw new AssertionError("it speaks for nothing");
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        throw new AssertionError("it speaks for nothing");
    }
}
