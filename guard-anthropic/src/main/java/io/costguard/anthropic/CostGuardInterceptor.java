package io.costguard.anthropic;

import com.anthropic.core.http.HttpClient;
import com.anthropic.core.http.Interceptor;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.HttpCall;

/**
 * Guards the calls of an {@code AnthropicClient}, sync and async.
 *
 * <pre>{@code
 * import com.anthropic.client.AnthropicClient;
 * import com.anthropic.client.okhttp.AnthropicOkHttpClient;
 * import io.costguard.anthropic.CostGuardInterceptor;
 *
 * AnthropicClient client = AnthropicOkHttpClient.builder()
 *     .fromEnv()
 *     .addInterceptor(new CostGuardInterceptor(guard))
 *     .build();
 * }</pre>
 *
 * <p>Safe for use by many threads. Each attempt of a call that the SDK repeats is a call to the guard. Bodies pass as they are, but for what
 * {@link CostGuard.Builder#streamUsage()} puts into a request; a request body that can be written once only is read into memory, up to
 * {@link HttpCall#MOST_READ}. An async call that waits for its budgets holds no thread. A call waits no longer than the SDK's own time for a
 * request. What is thrown ({@link Denials#throwException()}) is the cause of an {@code AnthropicIoException}, as the SDK has it.
 *
 * <p>By its documentation, the SDK shows calls to Bedrock, Vertex AI and other places to its interceptors as calls to Anthropic, and adds
 * their credentials below: expect such calls to have the provider {@code anthropic} and an empty {@code apiKey}.
 */
public final class CostGuardInterceptor implements Interceptor {
    private final CostGuard guard;
    private final Denials denials;

    /**
     * With the guard's way to show denials.
     *
     * @param guard that decides on calls
     */
    public CostGuardInterceptor(CostGuard guard) {
        this(guard, guard.http().denials());
    }

    /**
     * With its own way to show denials.
     *
     * @param guard that decides on calls
     * @param denials how its callers see a denial
     */
    public CostGuardInterceptor(CostGuard guard, Denials denials) {
        this.guard = guard;
        this.denials = denials;
    }

    /** A client that guards the calls of {@code client}; {@code client} itself, if this guard guards it already. */
    @Override
    public HttpClient intercept(HttpClient client) {
        return client instanceof GuardedClient guarded && guarded.isGuardedBy(guard)
                ? client
                : new GuardedClient(client, guard, denials);
    }
}
