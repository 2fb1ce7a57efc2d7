package io.costguard.proof.twins;

import io.costguard.CostGuard;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** A client with a guard, and one that is like it but for that. Safe for use by many threads. */
public abstract class Twins<C> implements AutoCloseable {
    /** How long a call may take: no machine is so slow. */
    public static final Duration PATIENCE = Duration.ofMinutes(1);

    private static final Uncaught UNCAUGHT = new Uncaught();

    private final String name;
    private final C without;
    private final C with;
    private final Consumer<? super C> closing;

    /** @param closing of each of them */
    Twins(String name, C without, C with, Consumer<? super C> closing) {
        this.name = name;
        this.without = without;
        this.with = with;
        this.closing = closing;
    }

    /** Those of every adapter, synchronous and asynchronous. */
    public static List<Twins<?>> of(CostGuard guard) {
        return Stream.of(false, true)
                .<Twins<?>>flatMap(isAsync -> Stream.of(
                        OkHttpTwins.of(guard, isAsync),
                        new JdkTwins(guard, isAsync),
                        isAsync ? new AwsAsyncTwins(guard) : new AwsTwins(guard),
                        new AnthropicTwins(guard, isAsync)))
                .toList();
    }

    /**
     * Sends a request by one of them.
     *
     * @return all that its caller sees of the answer; it ends with a line break where nothing failed
     */
    public final String send(Sent sent, boolean isGuarded) throws InterruptedException {
        Seen seen = new Seen();
        try {
            send(isGuarded ? with : without, sent, seen);
        } catch (InterruptedException e) {
            throw e;
        } catch (ExecutionException e) {
            seen.failed(e.getCause());
        } catch (Exception e) {
            seen.failed(e);
        }
        return seen.toString();
    }

    abstract void send(C client, Sent sent, Seen seen) throws Exception;

    /** {@return what threads of OkHttp threw, and nobody caught, by way of the library} */
    public static List<Throwable> thrown() {
        return UNCAUGHT.ours();
    }

    /** For OkHttp: what it throws itself at an answer its caller is told too, and is compared. */
    static ExecutorService threads() {
        return Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "okhttp");
            thread.setDaemon(true);
            thread.setUncaughtExceptionHandler(UNCAUGHT);
            return thread;
        });
    }

    @Override
    public final void close() {
        closing.accept(with);
        closing.accept(without);
    }

    @Override
    public final String toString() {
        return name;
    }
}
