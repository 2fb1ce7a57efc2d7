package io.costguard.limit;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;

/** What callers want done once they are decided: not on the thread of whoever was told of it, as long as there is another. */
public final class Continuations {
    private Continuations() {}

    /**
     * {@return what {@code next} makes of what that future comes to, or its failure; by the future's own executor, and on this thread where that can
     * start none: a decision that was made is not lost for that}
     *
     * @param future that is continued
     * @param next what is done then
     * @param <T> what the future comes to
     * @param <R> what is made of it
     */
    public static <T, R> CompletableFuture<R> after(CompletableFuture<T> future, Function<? super T, R> next) {
        return future.handleAsync(
                (result, failure) -> {
                    if (failure != null) {
                        throw new CompletionException(failure);
                    }
                    return next.apply(result);
                },
                orHere(future.defaultExecutor()));
    }

    private static Executor orHere(Executor threads) {
        return continuation -> {
            try {
                threads.execute(continuation);
            } catch (RejectedExecutionException | OutOfMemoryError e) {
                continuation.run();
            }
        };
    }
}
