package io.costguard.okhttp;

import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.HttpCall;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import okhttp3.Call;
import okhttp3.OkHttpClient;
import okhttp3.Request;

/**
 * Makes the calls of an {@code OkHttpClient} guarded ones, on OkHttp 4.12 and 5, for whoever takes a {@link Call.Factory}: Retrofit, or
 * code of one's own. Where many calls are enqueued and may wait for their budgets, it is to be preferred to
 * {@link CostGuardInterceptor}: until the guard lets a call go, it holds no thread, none of the dispatcher's places (64 in all, 5 for a
 * host) and no connection, so that calls of a model whose budget is spent do not hold up those of another.
 *
 * <pre>{@code
 * Call.Factory calls = new GuardedCallFactory(client, guard);
 * calls.newCall(request).enqueue(callback);
 * Retrofit retrofit = new Retrofit.Builder().baseUrl(url).callFactory(calls).build();
 * }</pre>
 *
 * <p>Safe for use by many threads, and so are its calls, as far as those of OkHttp are. The client's interceptors, connections,
 * dispatcher and cache are used as they are; a {@link CostGuardInterceptor} of the same guard among its interceptors does not count a
 * call twice. The guard comes first, hence
 *
 * <ul>
 *   <li>what an interceptor adds, such as a key in a header, the guard does not see: put it into the request, or use
 *       {@link CostGuardInterceptor} behind that interceptor;
 *   <li>a call that an interceptor repeats is one call, as is what the client repeats by itself;
 *   <li>a denial reaches the caller without passing interceptors and event listeners, which see a call when it is sent;
 *   <li>{@code Dispatcher.cancelAll()} does not know of calls that wait: {@link #cancelAll()} does. At whatever point it is, a call that
 *       is cancelled ends, and what it was granted but did not send is given back.
 * </ul>
 *
 * <p>A {@code callTimeout} counts from {@code execute} or {@code enqueue} on, the wait included; where it ends while a call waits, or
 * after it has waited, the {@code InterruptedIOException} says how long that was. {@code execute} waits on the calling thread, and can
 * be interrupted. {@code enqueue} reads the request's body and tells of denials on threads of the dispatcher's executor; a body is read
 * into memory for the guard up to {@link HttpCall#MOST_READ}, and kept only if it can be written once. Calls stand in line in the order
 * in which their bodies were read, which need not be that of {@code enqueue}. A call is told what is said of the thread
 * ({@link CostGuard#with}) where {@code newCall} makes it, and so is its clone. How denials look is for {@link Denials} to say; where they
 * are thrown, {@code execute} throws, and a {@code Callback} is told of a failure.
 */
public final class GuardedCallFactory implements Call.Factory {
    private final OkHttpClient client;
    private final CostGuard guard;
    private final Denials denials;
    private final Set<WaitingCall> unsent = ConcurrentHashMap.newKeySet();

    /**
     * Shows denials as the guard does.
     *
     * @param client any of Jedis
     * @param guard whom it asks
     */
    public GuardedCallFactory(OkHttpClient client, CostGuard guard) {
        this(client, guard, guard.http().denials());
    }

    /**
     * With its own way to show denials.
     *
     * @param client any of Jedis
     * @param guard whom it asks
     * @param denials how they are shown
     */
    public GuardedCallFactory(OkHttpClient client, CostGuard guard, Denials denials) {
        OkHttpClient.Builder sending = client.newBuilder();
        sending.interceptors().add(0, new CostGuardInterceptor(guard, denials));
        this.client = sending.build();
        this.guard = guard;
        this.denials = denials;
    }

    @Override
    public Call newCall(Request request) {
        return new WaitingCall(client, guard, denials, request, CallAttributes.current(), unsent);
    }

    /**
     * Cancels all calls that this factory has made and that wait to be sent. Those that were sent are the dispatcher's: to end all there
     * are, call {@code client.dispatcher().cancelAll()} after this.
     */
    public void cancelAll() {
        unsent.forEach(Call::cancel);
    }
}
