package io.costguard.okhttp;

import io.costguard.BudgetExceededException;
import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.Admittance;
import io.costguard.http.Exchange;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;
import kotlin.jvm.functions.Function0;
import kotlin.reflect.KClass;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.EventListener;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okio.Timeout;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A call that is decided first and then sent by a call of the client, which is there from the beginning: what can be asked of a call or
 * said to it is asked of that one, but for what happens before it is sent. The client's first interceptor is the guard's, which lets it
 * pass by its {@link Ticket}, and has it metered and settled.
 *
 * <p>Locks: none. A cancel marks the call that sends, then ends the decision that it sees; whoever asks for a decision shows it, then
 * looks for the mark. So one of them sees the other. What ends without having come to the interceptor is settled here.
 */
final class WaitingCall implements Call {
    private static final Logger log = LoggerFactory.getLogger(GuardedCallFactory.class);

    private final OkHttpClient client;
    private final CostGuard guard;
    private final Denials denials;
    private final Request request;
    private final CallAttributes around;
    /** Of the same factory, this one among them from when it begins until the client knows of it. */
    private final Set<WaitingCall> unsent;

    private final Ticket ticket = new Ticket();
    private final Call sending;
    private final AtomicBoolean executed = new AtomicBoolean();
    /** While it is awaited. */
    private volatile @Nullable Future<?> decision;

    /**
     * @param client whose first interceptor is that of {@code guard}
     * @param around what is said of the calls of the thread that makes it
     */
    WaitingCall(
            OkHttpClient client,
            CostGuard guard,
            Denials denials,
            Request request,
            CallAttributes around,
            Set<WaitingCall> unsent) {
        this.client = client;
        this.guard = guard;
        this.denials = denials;
        this.request = request;
        this.around = around;
        this.unsent = unsent;
        this.sending =
                client.newCall(request.newBuilder().tag(Ticket.class, ticket).build());
    }

    private void begin() {
        if (!executed.compareAndSet(false, true)) {
            throw new IllegalStateException("Already Executed");
        }
    }

    // ---------------------------------------------------------------------------------------- on the caller's thread

    @Override
    public Response execute() throws IOException {
        begin();
        CallTime time = CallTime.from(timeout());
        Optional<GuardedRequest> guarded = GuardedRequest.of(request, sending, guard, around);
        if (guarded.isEmpty()) {
            return sending.execute();
        }
        unsent.add(this);
        try {
            return executed(guarded.get(), time);
        } finally {
            unsent.remove(this);
        }
    }

    private Response executed(GuardedRequest guarded, CallTime time) throws IOException {
        Admittance admittance = awaited(decision(guarded, time), time);
        if (admittance instanceof Admittance.Answered answered) {
            return guarded.answered(answered.answer());
        }
        Exchange exchange = ((Admittance.Admitted) admittance).exchange();
        Duration waited = time.taken();
        letGo(guarded, exchange, time);
        try {
            return sending.execute();
        } catch (IOException e) {
            exchange.neverSent();
            throw time.afterWaiting(waited, e);
        } catch (RuntimeException | Error e) {
            exchange.neverSent();
            throw e;
        }
    }

    private Admittance awaited(CompletableFuture<Admittance> decided, CallTime time) throws IOException {
        Admittance admittance;
        try {
            admittance = decided.get();
        } catch (CancellationException | ExecutionException e) {
            Throwable failure = unwrapped(e);
            if (failure instanceof BudgetExceededException) {
                failure.fillInStackTrace(); // it was made on a thread of the guard's
            }
            if (failure instanceof RuntimeException unchecked && !(failure instanceof CancellationException)) {
                throw unchecked;
            } else if (failure instanceof Error error) {
                throw error;
            }
            throw undecided(failure, time);
        } catch (InterruptedException e) {
            decided.cancel(true);
            CompletableFuture<Void> unused = decided.thenAccept(WaitingCall::giveBack);
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the call waited for its turn");
        } finally {
            decision = null;
        }
        if (isCanceled()) {
            giveBack(admittance);
            throw canceled();
        }
        return admittance;
    }

    // ------------------------------------------------------------------------------------------------ without a thread

    @Override
    public void enqueue(Callback callback) {
        begin();
        CallTime time = CallTime.from(timeout());
        Optional<GuardedRequest> guarded = GuardedRequest.of(request, sending, guard, around);
        if (guarded.isEmpty()) {
            sending.enqueue(new Told(callback, failure -> failure));
            return;
        }
        unsent.add(this);
        try {
            // To read a body may take its time.
            executor().execute(() -> ask(guarded.get(), time, callback));
        } catch (RejectedExecutionException e) {
            unsent.remove(this);
            InterruptedIOException rejected = new InterruptedIOException("executor rejected");
            rejected.initCause(e);
            callback.onFailure(this, rejected);
        }
    }

    private void ask(GuardedRequest guarded, CallTime time, Callback callback) {
        CompletableFuture<Admittance> decided;
        try {
            decided = decision(guarded, time);
        } catch (IOException e) {
            unsent.remove(this);
            callback.onFailure(this, e);
            return;
        } catch (RuntimeException | Error e) {
            unsent.remove(this);
            cancel();
            callback.onFailure(this, canceledDueTo(e));
            throw e;
        }
        CompletableFuture<Admittance> unused = decided.whenComplete((admittance, failure) -> {
            decision = null;
            if (failure != null) {
                IOException why = undecided(unwrapped(failure), time);
                tell(() -> callback.onFailure(this, why));
            } else if (isCanceled()) {
                giveBack(admittance);
                tell(() -> callback.onFailure(this, canceled()));
            } else if (admittance instanceof Admittance.Answered answered) {
                tell(() -> answer(guarded.answered(answered.answer()), callback));
            } else {
                send(guarded, ((Admittance.Admitted) admittance).exchange(), time, callback);
            }
            unsent.remove(this);
        });
    }

    private void send(GuardedRequest guarded, Exchange exchange, CallTime time, Callback callback) {
        Duration waited = time.taken();
        letGo(guarded, exchange, time);
        Told told = new Told(callback, failure -> {
            exchange.neverSent();
            return time.afterWaiting(waited, failure);
        });
        try {
            sending.enqueue(told);
        } catch (RuntimeException | Error e) {
            // The user's listener or callback threw, before the call was sent or after it failed.
            log.warn("a call that may go was not sent", e);
            cancel();
            tell(() -> told.onFailure(sending, canceledDueTo(e)));
        }
    }

    private void answer(Response answer, Callback callback) {
        try {
            callback.onResponse(this, answer);
        } catch (IOException e) {
            log.info("the callback of a denied call failed", e);
        }
    }

    /** Neither on the thread that enqueued the call, nor on one of the guard's. */
    private void tell(Runnable news) {
        try {
            executor().execute(news);
        } catch (RejectedExecutionException e) {
            news.run();
        }
    }

    private Executor executor() {
        return client.dispatcher().executorService();
    }

    /** Tells once what became of the call that was sent, as of this one. */
    private final class Told implements Callback {
        private final Callback callback;
        private final UnaryOperator<IOException> failed;
        private final AtomicBoolean told = new AtomicBoolean();

        Told(Callback callback, UnaryOperator<IOException> failed) {
            this.callback = callback;
            this.failed = failed;
        }

        @Override
        public void onFailure(Call sent, IOException e) {
            IOException failure = failed.apply(e);
            if (told.compareAndSet(false, true)) {
                callback.onFailure(WaitingCall.this, failure);
            }
        }

        @Override
        public void onResponse(Call sent, Response response) throws IOException {
            told.set(true);
            callback.onResponse(WaitingCall.this, response);
        }
    }

    // -------------------------------------------------------------------------------------------------- the decision

    /** Asks the guard. The future ends when this call is cancelled or its time is over, and then gives back what it is granted. */
    private CompletableFuture<Admittance> decision(GuardedRequest guarded, CallTime time) throws IOException {
        if (isCanceled()) {
            throw canceled();
        }
        CompletableFuture<Admittance> asked = guarded.read().admitAsync(denials, time.left());
        if (time.isBounded()) {
            asked.orTimeout(time.left().toNanos(), TimeUnit.NANOSECONDS);
        }
        decision = asked;
        if (isCanceled()) {
            asked.cancel(true);
        }
        return asked;
    }

    private void letGo(GuardedRequest guarded, Exchange exchange, CallTime time) {
        time.bound(timeout());
        ticket.letGo(new Ticket.Departure(sending, guarded, exchange));
    }

    private static void giveBack(Admittance admittance) {
        if (admittance instanceof Admittance.Admitted admitted) {
            admitted.exchange().neverSent();
        }
    }

    private IOException undecided(Throwable failure, CallTime time) {
        if (failure instanceof TimeoutException) {
            cancel();
            return time.over(time.taken());
        } else if (failure instanceof CancellationException) {
            return canceled();
        }
        return failure instanceof IOException known ? known : canceledDueTo(failure);
    }

    private static IOException canceled() {
        return new IOException("Canceled");
    }

    /** As OkHttp has it for what a callback cannot be told otherwise. */
    private static IOException canceledDueTo(Throwable fault) {
        IOException canceled = new IOException("canceled due to " + fault);
        canceled.addSuppressed(fault);
        return canceled;
    }

    private static Throwable unwrapped(Throwable failure) {
        Throwable cause = failure.getCause();
        boolean wrapped = failure instanceof CompletionException || failure instanceof ExecutionException;
        return wrapped && cause != null ? unwrapped(cause) : failure;
    }

    @Override
    public void cancel() {
        sending.cancel();
        Future<?> asked = decision;
        if (asked != null) {
            asked.cancel(true);
        }
    }

    // ---------------------------------------------------------------------------------------------- what the call is

    @Override
    public Request request() {
        return request;
    }

    @Override
    public boolean isExecuted() {
        return executed.get();
    }

    @Override
    public boolean isCanceled() {
        return sending.isCanceled();
    }

    @Override
    public Timeout timeout() {
        return sending.timeout();
    }

    /** A new call with the same request, of which the same is said. */
    @Override
    @SuppressWarnings("MethodDoesntCallSuperMethod")
    public Call clone() {
        return new WaitingCall(client, guard, denials, request, around, unsent);
    }

    // OkHttp 5; not overrides on 4.12.

    public void addEventListener(EventListener listener) {
        Newer.ADD_EVENT_LISTENER.call(sending, listener);
    }

    public <T> @Nullable T tag(Class<? extends T> type) {
        return type.cast(Newer.TAG.call(sending, type));
    }

    @SuppressWarnings("unchecked")
    public <T> @Nullable T tag(KClass<T> type) {
        return (T) Newer.TAG_OF_KOTLIN.call(sending, type);
    }

    @SuppressWarnings("unchecked")
    public <T> T tag(Class<T> type, Function0<? extends T> computed) {
        return (T) Objects.requireNonNull(Newer.TAG_OR_COMPUTED.call(sending, type, computed));
    }

    @SuppressWarnings("unchecked")
    public <T> T tag(KClass<T> type, Function0<? extends T> computed) {
        return (T) Objects.requireNonNull(Newer.TAG_OF_KOTLIN_OR_COMPUTED.call(sending, type, computed));
    }
}
