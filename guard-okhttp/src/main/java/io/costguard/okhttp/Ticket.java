package io.costguard.okhttp;

import io.costguard.http.Exchange;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import okhttp3.Call;
import okhttp3.Interceptor;
import okhttp3.Request;
import org.jspecify.annotations.Nullable;

/**
 * Goes with the request of a call that is decided before it is sent, as a tag, and lets it pass the interceptor. Safe for use by many
 * threads. It lets pass once, and forgets what it let pass: whoever keeps the call does not keep what its response is settled by.
 */
final class Ticket {
    private final AtomicReference<@Nullable Departure> departure = new AtomicReference<>();

    /** What was let go. */
    record Departure(Call on, GuardedRequest request, Exchange exchange) {}

    void letGo(Departure letGo) {
        departure.set(letGo);
    }

    /** What was let go on this call; not on one that was made from it, such as a clone. */
    static Optional<Departure> take(Interceptor.Chain chain) {
        Request request = chain.request();
        Ticket ticket = request.tag(Ticket.class);
        Departure letGo = ticket == null ? null : ticket.departure.get();
        if (ticket == null || letGo == null || letGo.on() != chain.call()) {
            return Optional.empty();
        }
        ticket.departure.set(null);
        return Optional.of(letGo);
    }
}
