package io.costguard.examples.server;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.costguard.CostGuard;
import io.costguard.Decision;
import io.costguard.Denial;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Permit;
import io.costguard.RateLimitHeaders;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Map;

/**
 * Decides over the requests that a server is sent: a plain function, for any server. Safe for use by many threads.
 *
 * <pre>{@code
 * Budget.named("callers").per("ip").limit(Limit.requests(100).perMinute())
 * Budget.named("users").where("user", "*").per("user").limit(Limit.requests(1_000).perHour())
 * }</pre>
 */
public final class Gate {
    private final CostGuard guard;
    private final String api;

    /** @param api what its budgets know this server as: the {@code model} of its calls */
    public Gate(CostGuard guard, String api) {
        this.guard = guard;
        this.api = api;
    }

    /** What becomes of a request. */
    public sealed interface Answer {
        /** It may go on; its permit is to be closed when it has been answered, and these fields are of that answer. */
        record Pass(Permit permit, Map<String, String> fields) implements Answer {}

        /** It is answered with this, and goes no further. */
        record Stop(int status, Map<String, String> fields, String body) implements Answer {}
    }

    /**
     * What becomes of a request.
     *
     * @param attributes what the server itself knows of who sent it, such as {@code user} and {@code ip}: never what a header of the
     *     request says, as who sets it would choose its own budget
     */
    public Answer ask(Map<String, String> attributes) {
        GuardedCall call = GuardedCall.of(api);
        for (Map.Entry<String, String> each : attributes.entrySet()) {
            call = call.with(each.getKey(), each.getValue());
        }
        try {
            Decision decision = guard.decide(call);
            return decision instanceof Decision.Denied denied
                    ? stop(denied.denial())
                    : new Answer.Pass(((Decision.Granted) decision).permit(), left(call));
        } catch (GuardUnavailableException e) {
            return new Answer.Stop(503, Map.of("Retry-After", "1"), problem("about:blank", "Service Unavailable", ""));
        }
    }

    /** A request that was let go is not held up for want of fields. */
    private Map<String, String> left(GuardedCall call) {
        try {
            return RateLimitHeaders.of(guard.status(call));
        } catch (GuardUnavailableException e) {
            return Map.of();
        }
    }

    private static Answer stop(Denial denial) {
        return new Answer.Stop(
                429,
                RateLimitHeaders.of(denial),
                problem(
                        "https://iana.org/assignments/http-problem-types#quota-exceeded",
                        "Too Many Requests",
                        RateLimitHeaders.policy(denial)));
    }

    /** Problem details (RFC 9457), with the member that the draft of the fields adds. */
    private static String problem(String type, String title, String policy) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
            json.writeStartObject();
            json.writeStringField("type", type);
            json.writeStringField("title", title);
            if (!policy.isEmpty()) {
                json.writeArrayFieldStart("violated-policies");
                json.writeString(policy);
                json.writeEndArray();
            }
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }
}
