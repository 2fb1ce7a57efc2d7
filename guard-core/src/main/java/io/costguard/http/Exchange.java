package io.costguard.http;

import io.costguard.describe.Dialect;
import io.costguard.limit.Reservation;
import io.costguard.settle.Charges;
import io.costguard.settle.Ending;
import io.costguard.settle.Meter;
import io.costguard.settle.Metered;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A call that was let go. The adapter tells what becomes of it: {@link #neverSent}, {@link #noAnswer}, or {@link #answered} and then
 * the bytes of the body as they pass, and {@link #complete} or {@link #cut}. The first end counts; what comes after has no effect.
 * Bytes are told by one thread at a time; ends may come from any.
 */
public final class Exchange {
    private final Reservation reservation;
    private final Optional<Dialect> dialect;
    private final String model;
    private final Charges charges;
    private @Nullable Meter meter;
    private int status;

    Exchange(Reservation reservation, Optional<Dialect> dialect, String model, Charges charges) {
        this.reservation = reservation;
        this.dialect = dialect;
        this.model = model;
        this.charges = charges;
    }

    /** It never left this process: everything is given back. */
    public void neverSent() {
        end(new Ending.NeverSent());
    }

    /** It was sent, or may have been, and no answer came. */
    public void noAnswer() {
        end(new Ending.NoAnswer());
    }

    /**
     * The answer begins.
     *
     * @param headers the response's, by name, whatever its case
     */
    public synchronized void answered(int statusCode, Function<String, Optional<String>> headers) {
        status = statusCode;
        if (dialect.isPresent()) {
            meter = new Meter(
                    dialect.get(),
                    reservation.call().model(),
                    headers.apply("content-type").orElse(""),
                    headers.apply("content-encoding").orElse(""));
        }
    }

    /** The next bytes of the answer's body, as they came over the wire; the buffer is left as it is. */
    public synchronized void bytes(ByteBuffer body) {
        if (meter != null) {
            meter.accept(body);
        }
    }

    /** The whole answer has passed. */
    public void complete() {
        end(new Ending.Answered(status, metered()));
    }

    /** The answer was closed, or cut, before its end. Where its format told its end already, it counts as whole. */
    public void cut() {
        Metered metered = metered();
        end(
                metered.state() == Metered.State.COMPLETE
                        ? new Ending.Answered(status, metered)
                        : new Ending.Cut(status, metered));
    }

    private synchronized Metered metered() {
        return meter == null ? Metered.NOTHING : meter.result();
    }

    private void end(Ending ending) {
        Charges.Charged charged = charges.of(ending, reservation.estimate(), dialect, model);
        reservation.end(charged.actual(), charged.outcome());
    }
}
