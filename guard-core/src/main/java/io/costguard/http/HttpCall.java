package io.costguard.http;

import io.costguard.CallAttributes;
import io.costguard.Cost;
import io.costguard.Denials;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.MisfitException;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.OutputHistory;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.limit.Admission;
import io.costguard.limit.Limiter;
import io.costguard.limit.Reservation;
import io.costguard.settle.Charges;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A call that is about to be sent. For one thread. */
public final class HttpCall {
    /** A larger body is not read; its call is estimated by its length. */
    public static final int MOST_READ = 16 << 20;

    private static final Logger log = LoggerFactory.getLogger(HttpCall.class);

    private final Limiter limiter;
    private final Estimator estimator;
    private final OutputHistory outputs;
    private final Charges charges;
    private final StreamUsage streamUsage;
    private final CallSites sites;
    /** By the thread that begins the call: what is granted later may be told on any. */
    private final @Nullable Throwable made;

    private final KnownCalls calls;
    private final HeaderAttributes headerAttributes;
    private final Optional<Dialect> dialect;
    private final Target target;
    private final Function<String, List<String>> headerValues;
    private final Function<String, Optional<String>> headers;
    private final CallAttributes around;
    private CallAttributes own = CallAttributes.none();
    private RequestFacts facts = Estimator.unread(0);

    HttpCall(
            Limiter limiter,
            Estimator estimator,
            OutputHistory outputs,
            Charges charges,
            StreamUsage streamUsage,
            CallSites sites,
            KnownCalls calls,
            HeaderAttributes headerAttributes,
            Optional<Dialect> dialect,
            Target target,
            Function<String, List<String>> headerValues,
            CallAttributes around) {
        this.limiter = limiter;
        this.estimator = estimator;
        this.outputs = outputs;
        this.charges = charges;
        this.streamUsage = streamUsage;
        this.sites = sites;
        this.made = sites.here();
        this.calls = calls;
        this.headerAttributes = headerAttributes;
        this.dialect = dialect;
        this.target = target;
        this.headerValues = headerValues;
        this.headers = name -> {
            List<String> values = headerValues.apply(name);
            return values.isEmpty() ? Optional.empty() : Optional.of(values.get(0));
        };
        this.around = around;
    }

    /**
     * What is said of this call alone, in no header: counts before all that is said otherwise.
     *
     * @param said attributes, and maybe an answer to a spent budget
     */
    public void own(CallAttributes said) {
        own = said;
    }

    /** {@return whether the body is of use: if not, it need not be read} */
    public boolean readsBody() {
        return dialect.isPresent();
    }

    /**
     * Reads the body of the request.
     *
     * @param bytes the body
     * @return what is to be sent: {@code bytes} itself, unless the guard asks the provider for something more
     */
    public byte[] body(byte[] bytes) {
        if (dialect.isEmpty()) {
            return bytes;
        }
        try {
            facts = estimator.read(dialect.get(), target, headers, bytes);
        } catch (RuntimeException e) {
            log.warn("a request could not be read, and is estimated by its length", e);
            facts = Estimator.unread(bytes.length);
        }
        try {
            return streamUsage.sent(dialect.get(), target, headers, bytes);
        } catch (RuntimeException e) {
            log.warn("a provider could not be asked for usage, and gets the request as it is", e);
            return bytes;
        }
    }

    /**
     * The body cannot be read, or is longer than {@link #MOST_READ}: it is at least so long.
     *
     * @param bytes the body
     */
    public void unreadBody(long bytes) {
        facts = dialect.map(its -> Estimator.unread(its, bytes)).orElseGet(() -> Estimator.unread(bytes));
    }

    /**
     * Asks whether the call may go, and waits for its turn if it may.
     *
     * @param denials how they are shown
     * @param atMost how long it waits at most, whatever else is said
     * @param givenUp looked at from time to time while it waits
     * @return how it may go, or what answers in its place
     * @throws CancellationException if it was given up
     * @throws InterruptedException if the thread was interrupted while it waited
     * @throws IOException if it may not, and {@code denials} are thrown
     */
    public Admittance admit(Denials denials, Duration atMost, BooleanSupplier givenUp)
            throws IOException, InterruptedException {
        try {
            return admittance(admission(atMost, givenUp), denials);
        } catch (GuardUnavailableException e) {
            return unavailable(e, denials);
        } catch (MisfitException e) {
            return misfit(e, denials);
        }
    }

    private Admission admission(Duration atMost, BooleanSupplier givenUp)
            throws GuardUnavailableException, InterruptedException {
        GuardedCall call;
        try {
            call = call();
        } catch (MisfitException e) {
            throw e;
        } catch (RuntimeException e) {
            return limiter.whenFaulty(GuardedCall.of(target.hostName()), e);
        }
        return limiter.admit(call, atMost, givenUp);
    }

    private CompletableFuture<Admission> admissionAsync(Duration atMost) {
        GuardedCall call;
        try {
            call = call();
        } catch (MisfitException e) {
            return CompletableFuture.failedFuture(e);
        } catch (RuntimeException e) {
            try {
                return CompletableFuture.completedFuture(limiter.whenFaulty(GuardedCall.of(target.hostName()), e));
            } catch (GuardUnavailableException unavailable) {
                return CompletableFuture.failedFuture(unavailable);
            }
        }
        return limiter.admitAsync(call, atMost);
    }

    /**
     * {@link #admit} without holding a thread; fails with what that throws. Cancelled, it gives back what it is granted.
     *
     * @param denials how they are shown
     * @param atMost how long it may take
     * @return how it may go, or what answers in its place
     */
    public CompletableFuture<Admittance> admitAsync(Denials denials, Duration atMost) {
        CompletableFuture<Admittance> result = new CompletableFuture<>();
        CompletableFuture<Admission> admission = admissionAsync(atMost);
        CompletableFuture<Admittance> unusedToo = result.whenComplete((admittance, failure) -> admission.cancel(false));
        CompletableFuture<Admission> unused = admission.whenComplete((decided, failure) -> {
            try {
                Admittance admittance =
                        failure == null ? admittance(decided, denials) : withoutDecision(failure, denials);
                if (!result.complete(admittance) && admittance instanceof Admittance.Admitted admitted) {
                    admitted.exchange().neverSent();
                }
            } catch (IOException | RuntimeException | Error e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    private Admittance withoutDecision(Throwable failure, Denials denials) throws IOException {
        Throwable wrapped = failure.getCause();
        Throwable cause = failure instanceof CompletionException && wrapped != null ? wrapped : failure;
        if (cause instanceof GuardUnavailableException unavailable) {
            return unavailable(unavailable, denials);
        } else if (cause instanceof MisfitException misfit) {
            return misfit(misfit, denials);
        }
        throw new CompletionException(cause);
    }

    private GuardedCall call() {
        CallAttributes said = around.with(headerAttributes.in(headerValues)).with(own);
        if (dialect.isEmpty()) {
            return GuardedCall.of(target.hostName())
                    .with(said)
                    .cost(Cost.requests(1).nanoUsd(0));
        }
        GuardedCall call = calls.of(
                estimator.model(facts),
                dialect.get().provider(target),
                dialect.get().apiKey(target, headers),
                said);
        OptionalLong likely = outputs.enough(kind(call));
        return call.cost(estimator.estimate(facts, limiter.assumedOutput(call), likely));
    }

    private OutputHistory.Kind kind(GuardedCall call) {
        return new OutputHistory.Kind(String.valueOf(call.attributes().get("provider")), call.model(), target.path());
    }

    private Admittance admittance(Admission admission, Denials denials) throws IOException {
        if (admission instanceof Admission.Refused refused) {
            if (denials == Denials.THROW) {
                throw refused.exception();
            }
            return new Admittance.Answered(LocalAnswer.denied(refused, dialect));
        }
        Reservation reservation = ((Admission.Granted) admission).reservation();
        long choices = facts.choices();
        OutputHistory.Kind kind = kind(reservation.call());
        return new Admittance.Admitted(new Exchange(
                reservation,
                dialect,
                estimator.model(facts),
                facts.tiers(),
                charges,
                sites,
                made,
                output -> outputs.had(kind, (output + choices - 1) / choices)));
    }

    private Admittance unavailable(GuardUnavailableException why, Denials denials) throws IOException {
        if (denials == Denials.THROW) {
            throw why;
        }
        return new Admittance.Answered(LocalAnswer.unavailable(why, dialect));
    }

    /** A call that no budget can judge: without a price under a limit in dollars, or without an attribute. */
    private Admittance misfit(MisfitException why, Denials denials) throws IOException {
        if (denials == Denials.THROW) {
            throw new IOException(why.getMessage(), why);
        }
        return new Admittance.Answered(LocalAnswer.misfit(why, dialect));
    }
}
