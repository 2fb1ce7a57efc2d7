package io.costguard.limit;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** What callers want done once they are decided: not on the thread of whoever was told of it, as long as there is another. */
public final class Continuations {
    private Continuations() {}

    /**
     * {@return that future's own executor, and this thread where it can start none: a decision that was made is not lost for that}
     *
     * @param future that is continued
     */
    public static Executor of(CompletableFuture<?> future) {
        Executor threads = future.defaultExecutor();
        return continuation -> {
            try {
                threads.execute(continuation);
            } catch (RejectedExecutionException | OutOfMemoryError e) {
                continuation.run();
            }
        };
    }
}
