package io.costguard.proof.twins;

import io.costguard.CostGuard;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/** A client with a guard, and one that is like it but for that. Safe for use by many threads. */
public interface Twins extends AutoCloseable {
    /** How long a call may take: no machine is so slow. */
    Duration PATIENCE = Duration.ofMinutes(1);

    /**
     * Sends a request by one of them.
     *
     * @return all that its caller sees of the answer; it ends with a line break where nothing failed
     */
    String send(Sent sent, boolean isGuarded) throws InterruptedException;

    @Override
    void close();

    /** Those of every adapter, synchronous and asynchronous. */
    static List<Twins> of(CostGuard guard) {
        return Stream.of(false, true)
                .<Twins>flatMap(isAsync -> Stream.of(
                        new OkHttpTwins(guard, isAsync),
                        new JdkTwins(guard, isAsync),
                        isAsync ? new AwsAsyncTwins(guard) : new AwsTwins(guard),
                        new AnthropicTwins(guard, isAsync)))
                .toList();
    }

    /** For OkHttp: what it throws itself at an answer, by a number that is too large for it, its caller is told, and is compared. */
    static ExecutorService threads() {
        return Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "okhttp");
            thread.setDaemon(true);
            thread.setUncaughtExceptionHandler((same, failure) -> {});
            return thread;
        });
    }
}
