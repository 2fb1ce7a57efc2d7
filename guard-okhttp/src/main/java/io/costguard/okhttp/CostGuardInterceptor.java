package io.costguard.okhttp;

import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardUnavailableException;
import io.costguard.http.Admittance;
import io.costguard.http.HttpCall;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import okhttp3.Call;
import okhttp3.Interceptor;
import okhttp3.Response;

/**
 * Guards the calls of an {@code OkHttpClient}, on OkHttp 4.12 and 5. Added with {@code addInterceptor}, so that what the client repeats
 * by itself (a stale connection, a redirect) is one call.
 *
 * <pre>{@code
 * OkHttpClient client = new OkHttpClient.Builder()
 *     .addInterceptor(new CostGuardInterceptor(guard))
 *     .build();
 * }</pre>
 *
 * <p>Safe for use by many threads. Bodies pass as they are, but for what {@link CostGuard.Builder#streamUsage()} puts into a request; a
 * one-shot request body is read into memory once, up to {@link HttpCall#MOST_READ}; a duplex body is not read, and its call is guarded by
 * an estimate alone.
 *
 * <p>A call that waits for its budgets holds its thread and, if it was enqueued, one of the dispatcher's places for its host;
 * {@link GuardedCallFactory} holds neither. It waits, for them or for Redis, no longer than its {@code callTimeout} leaves it, as far as that can be known
 * here: what the call did before it came here is not. Where its time ended while it waited, the {@code InterruptedIOException} says
 * so, or its cause does.
 *
 * <p>A request may say attributes of its call by {@code tag(CallAttributes.class, ..)}, and by headers ({@link
 * CostGuard.Builder#attributes}), which are not sent. What is said of a thread ({@link CostGuard#with}) reaches calls that are executed on
 * it; those that are enqueued come here on another, and {@link GuardedCallFactory} is what tells them.
 */
public final class CostGuardInterceptor implements Interceptor {
    private final CostGuard guard;
    private final Denials denials;

    /**
     * Shows denials as the guard does.
     *
     * @param guard whom it asks
     */
    public CostGuardInterceptor(CostGuard guard) {
        this(guard, guard.http().denials());
    }

    /**
     * With its own way to show denials.
     *
     * @param guard whom it asks
     * @param denials how they are shown
     */
    public CostGuardInterceptor(CostGuard guard, Denials denials) {
        this.guard = guard;
        this.denials = denials;
    }

    /** @throws IllegalStateException if it was added with {@code addNetworkInterceptor}, where a call may come by several times, or not */
    @Override
    public Response intercept(Chain chain) throws IOException {
        if (chain.connection() != null) {
            throw new IllegalStateException(
                    "a CostGuardInterceptor was added with addNetworkInterceptor; use addInterceptor");
        }
        Optional<Ticket.Departure> decided = Ticket.take(chain);
        if (decided.isPresent()) {
            return decided.get().request().send(chain, decided.get().exchange());
        }
        CallTime time = CallTime.from(chain.call().timeout());
        Optional<GuardedRequest> guarded =
                GuardedRequest.of(chain.request(), chain.call(), guard, CallAttributes.current());
        if (guarded.isEmpty()) {
            return chain.proceed(GuardedRequest.withoutOwnHeaders(chain.request(), guard));
        }
        GuardedRequest request = guarded.get();
        Admittance admittance = admitted(request.read(), chain.call(), time);
        return admittance instanceof Admittance.Answered answered
                ? request.answered(answered.answer())
                : request.send(chain, ((Admittance.Admitted) admittance).exchange());
    }

    private Admittance admitted(HttpCall call, Call by, CallTime time) throws IOException {
        Admittance admittance;
        try {
            admittance = call.admit(denials, time.left(), by::isCanceled);
        } catch (CancellationException e) {
            throw time.cutShort(by);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the call waited for its turn");
        } catch (GuardUnavailableException e) {
            throw time.isOver() ? time.cutShort(by) : e;
        }
        if (by.isCanceled() || time.isOver()) {
            if (admittance instanceof Admittance.Admitted admitted) {
                admitted.exchange().neverSent();
            }
            throw time.cutShort(by);
        }
        return admittance;
    }
}
