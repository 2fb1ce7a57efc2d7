package io.costguard.http;

import io.costguard.Outcome;
import io.costguard.ServiceTier;
import io.costguard.describe.Dialect;
import io.costguard.describe.Remaining;
import io.costguard.limit.Reservation;
import io.costguard.settle.Charges;
import io.costguard.settle.Ending;
import io.costguard.settle.Meter;
import io.costguard.settle.Metered;
import io.costguard.settle.RetryAfter;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A call that was let go. The adapter tells what becomes of it: {@link #neverSent}, {@link #noAnswer}, or {@link #answered} and then
 * the bytes of the body as they pass, and {@link #complete} or {@link #cut}. The first end counts; what comes after has no effect.
 * An exchange that is forgotten without an end, as when a response is never closed, ends as cut, and is reported, with the place where
 * the call was made if that was noted. Bytes are told by one thread at a time; ends may come from any.
 */
public final class Exchange {
    private static final Cleaner CLEANER = Cleaner.create();

    private final Course course;

    /**
     * @param tiers in which the request may be served
     * @param made where the call was made, if that was noted
     * @param outputReported told the output tokens of a whole answer, if the provider reported them
     */
    Exchange(
            Reservation reservation,
            Optional<Dialect> dialect,
            String model,
            Set<ServiceTier> tiers,
            Charges charges,
            CallSites sites,
            @Nullable Throwable made,
            LongConsumer outputReported) {
        course = new Course(reservation, dialect, model, tiers, charges, sites, made, outputReported);
        endsAtTheLatestWith(this);
    }

    /**
     * What the caller reads the answer from: if that is forgotten before the end, the answer is cut there.
     *
     * @param body what the user reads
     */
    public void endsAtTheLatestWith(Object body) {
        Course watched = course;
        watched.watch(CLEANER.register(body, watched::forgotten));
    }

    /** It never left this process: everything is given back. */
    public void neverSent() {
        course.end(new Ending.NeverSent());
    }

    /** It was sent, or may have been, and no answer came. Where one has begun to come, that is {@link #cut}. */
    public void noAnswer() {
        course.noAnswer();
    }

    /**
     * The answer begins.
     *
     * @param status of HTTP
     * @param headers the response's, by name, whatever its case
     */
    public void answered(int status, Function<String, Optional<String>> headers) {
        course.answered(status, headers);
    }

    /**
     * The next bytes of the answer's body, as they came over the wire; the buffer is left as it is.
     *
     * @param body what the user reads
     */
    public void bytes(ByteBuffer body) {
        course.bytes(body);
    }

    /** The whole answer has passed. */
    public void complete() {
        course.complete();
    }

    /** The answer was closed, or cut, before its end. Where its format told its end already, it counts as whole. */
    public void cut() {
        course.cut();
    }

    /** What happened so far; apart from the exchange, so that it is there when that is forgotten. */
    private static final class Course {
        private static final Logger log = LoggerFactory.getLogger(Exchange.class);

        private final Reservation reservation;
        private final Optional<Dialect> dialect;
        private final String model;
        private final Set<ServiceTier> tiers;
        private final Charges charges;
        private final CallSites sites;
        private final @Nullable Throwable made;
        private final LongConsumer outputReported;
        private final long beganNanos = System.nanoTime();
        private @Nullable Meter meter;
        private int status;
        private boolean answered;
        private boolean ended;
        /** Which see to it that the call ends; what has ended is not left for the garbage collector to look at. */
        private final List<Cleaner.Cleanable> watches = new ArrayList<>(1);

        Course(
                Reservation reservation,
                Optional<Dialect> dialect,
                String model,
                Set<ServiceTier> tiers,
                Charges charges,
                CallSites sites,
                @Nullable Throwable made,
                LongConsumer outputReported) {
            this.reservation = reservation;
            this.dialect = dialect;
            this.model = model;
            this.tiers = tiers;
            this.charges = charges;
            this.sites = sites;
            this.made = made;
            this.outputReported = outputReported;
        }

        synchronized void watch(Cleaner.Cleanable watch) {
            if (ended) {
                watch.clean();
            } else {
                watches.add(watch);
            }
        }

        synchronized void answered(int statusCode, Function<String, Optional<String>> headers) {
            status = statusCode;
            answered = true;
            try {
                meter = dialect.map(known -> new Meter(
                                known,
                                reservation.call().model(),
                                headers.apply("content-type").orElse(""),
                                headers.apply("content-encoding").orElse("")))
                        .orElse(null);
                if (meter != null) {
                    meter.headers(headers);
                }
                if (statusCode == 429) {
                    RetryAfter.of(headers, Instant.now()).ifPresent(reservation::hold);
                }
            } catch (RuntimeException e) {
                log.warn("a response could not be metered, and keeps its estimate", e);
            }
            try {
                correct(headers);
            } catch (RuntimeException e) {
                log.warn("what a provider says of its rate limits could not be read", e);
            }
        }

        private void correct(Function<String, Optional<String>> headers) {
            if (dialect.isPresent() && reservation.isCorrectedByProvider()) {
                Duration ago = Duration.ofNanos(System.nanoTime() - beganNanos);
                Instant now = Instant.now();
                for (Remaining remaining : dialect.get().remaining(headers, now.minus(ago), now)) {
                    reservation.correct(remaining, ago);
                }
            }
        }

        synchronized void bytes(ByteBuffer body) {
            if (meter != null && !ended) {
                meter.accept(body);
            }
        }

        synchronized void noAnswer() {
            if (answered) {
                cut();
            } else {
                end(new Ending.NoAnswer());
            }
        }

        synchronized void complete() {
            if (!ended) {
                end(new Ending.Answered(status, metered()));
            }
        }

        synchronized void cut() {
            if (ended) {
                return;
            }
            Metered metered = metered();
            end(
                    metered.state() == Metered.State.COMPLETE
                            ? new Ending.Answered(status, metered)
                            : new Ending.Cut(status, metered));
        }

        private Metered metered() {
            return meter == null ? Metered.NOTHING : meter.result();
        }

        synchronized void end(Ending ending) {
            if (!ended) {
                ended = true;
                try {
                    Charges.Charged charged = charges.of(
                            ending,
                            reservation.estimate(),
                            dialect,
                            reservation.call().attributes().getOrDefault("provider", ""),
                            model,
                            tiers);
                    reservation.end(charged.actual(), charged.outcome());
                    if (charged.outcome() == Outcome.REPORTED && ending instanceof Ending.Answered) {
                        outputReported.accept(charged.actual().output());
                    }
                } catch (RuntimeException e) {
                    log.warn("a call could not be settled, and keeps its estimate", e);
                    reservation.close();
                }
                meter = null;
                watches.forEach(Cleaner.Cleanable::clean);
                watches.clear();
            }
        }

        private synchronized void forgotten() {
            if (!ended) {
                log.warn(
                        "the response of {} was never closed; close it, whatever becomes of the call{}",
                        reservation.call(),
                        made == null ? " (where the next one is made will be told)" : "",
                        made);
                sites.oneWasForgotten();
                cut();
            }
        }
    }
}
