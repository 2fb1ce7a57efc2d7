package io.costguard.sdk.tck;

import java.util.Map;

/**
 * The program that shows how an SDK takes a guard.
 *
 * @param source the class that it is written in
 */
public record Program(Class<?> source, Body body) {
    /** Makes one call with {@code REDIS_URL}, {@code BASE_URL} and {@code API_KEY} of an environment, and gives the text of its answer. */
    public interface Body {
        String run(Map<String, String> environment) throws Exception;
    }
}
