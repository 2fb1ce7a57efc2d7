package io.costguard.http;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * What the user holds of an asynchronous call, which comes from one stage to the next: to cancel it, or to complete it exceptionally,
 * cancels the stage that the call is at. Safe for use by many threads; the stages are entered one after the other.
 *
 * @param <T> what the call ends with
 */
public final class StagedFuture<T> extends CompletableFuture<T> {
    private volatile @Nullable Future<?> stage;

    /**
     * What to do with the outcome of a stage.
     *
     * @param <S> the outcome
     */
    public interface Step<S> {
        /**
         * Goes on with it.
         *
         * @param outcome of the stage
         */
        void take(S outcome);
    }

    /** One that is at no stage yet. */
    public StagedFuture() {
        CompletableFuture<T> unused = whenComplete((outcome, failure) -> {
            Future<?> current = stage;
            if (failure != null && current != null) {
                current.cancel(true);
            }
        });
    }

    /**
     * Enters a stage; its failure, or that of the step, is this one's.
     *
     * @param <S> the outcome of the stage
     * @param next the stage
     * @param step what to do with its outcome
     */
    public <S> void follow(CompletableFuture<S> next, Step<S> step) {
        stage = next;
        if (isCompletedExceptionally()) {
            next.cancel(true);
        }
        CompletableFuture<?> unused = next.whenComplete((outcome, failure) -> {
            if (failure != null) {
                completeExceptionally(unwrapped(failure));
                return;
            }
            try {
                step.take(outcome);
            } catch (RuntimeException | Error e) {
                completeExceptionally(e);
            }
        });
    }

    /**
     * What failed, without what futures put around it.
     *
     * @param failure of a future
     * @return its cause
     */
    public static Throwable unwrapped(Throwable failure) {
        Throwable cause = failure.getCause();
        boolean wrapped = failure instanceof CompletionException || failure instanceof ExecutionException;
        return wrapped && cause != null ? unwrapped(cause) : failure;
    }
}
