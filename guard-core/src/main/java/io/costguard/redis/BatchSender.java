package io.costguard.redis;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * Has a batch run by the script, under the number of its lane: what is sent again counts once. Safe for use by many threads, each
 * with a lane of its own.
 *
 * <p><b>Losses.</b> What a lane answered last is written together with the balances that it changed. A server that does not know
 * that any more, although it should, has lost it, and with it whatever was charged and given back since.
 */
final class BatchSender {
    static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private static final long LANE_TTL_MILLIS = 60_000;
    /** Each batch leaves its lane three quarters of its time at least, less the step in which the script counts that. */
    private static final long LANE_LIVES_MICROS_A_MILLI = 750;

    private static final long LANE_STEP_MICROS = 1 << 24;
    private static final Set<String> PASSING =
            Set.of("LOADING", "BUSY", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK");
    private static final Set<String> REFUSING =
            Set.of("OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "NOPERM", "WRONGPASS", "WRONGTYPE");

    /** What the server says before it hangs up, whatever it was to be asked. */
    static final String TOO_MANY_CLIENTS = "ERR max number of clients reached";

    private static final Pattern IN_SCRIPT =
            Pattern.compile("ERR Error running script [^@]*@user_script:[^@]*@user_script:[ 0-9]+: -([A-Z]+) ");

    private final Redis redis;
    private final Script script;
    private final ServerClock clock;
    private final long laneTtlMillis;
    private final AtomicLong lossFoundMicros = new AtomicLong();
    private final AtomicBoolean lossUntold = new AtomicBoolean();

    BatchSender(Redis redis, Script script, ServerClock clock, Duration timeout) {
        this.redis = redis;
        this.script = script;
        this.clock = clock;
        this.laneTtlMillis = LANE_TTL_MILLIS + timeout.toMillis();
    }

    /** A batch that did not run; without a cause where it only came too late. */
    static final class NotRunException extends Exception {
        private static final long serialVersionUID = 1L;

        NotRunException(String message, @Nullable Throwable cause) {
            super(message, cause, false, false);
        }
    }

    /** A batch of which nobody knows whether it ran, or has run. */
    static final class UnknownOutcomeException extends Exception {
        private static final long serialVersionUID = 1L;

        UnknownOutcomeException(String message, @Nullable Throwable cause) {
            super(message, cause, false, false);
        }
    }

    /**
     * Makes a connection, has the server know the script, and learns its time: so that the first batch need not.
     *
     * @throws JedisException if Redis is not there yet
     */
    void connect(Lane unused, Lines lines, long timeoutNanos) {
        Batch empty = new Batch(lines);
        byte[] request = empty.request(Batch.Mode.LOOK, unused.number(), 0, laneTtlMillis, 0);
        long askedNanos = clock.nanoTime();
        byte[] reply = script.runWhole(redis, empty.keys(unused.key()), request, timeoutNanos);
        clock.told(empty.read(reply).micros(), askedNanos);
    }

    /**
     * Sends a batch until there is an answer or the deadline is over.
     *
     * @throws NotRunException if it certainly had no effect: the number is unused
     */
    Batch.Reply send(Batch.Mode mode, Lane lane, Batch batch, long deadlineNanos)
            throws NotRunException, UnknownOutcomeException {
        boolean mayHaveRun = false;
        boolean interrupted = false;
        String said = "";
        try {
            while (true) {
                JedisException failure;
                try {
                    Batch.Reply reply = sendOnce(mode, lane, batch, deadlineNanos);
                    boolean refused = reply.status() == Batch.Status.LANE_REFUSED;
                    boolean isLost = refused && isLost(lane, reply.micros());
                    // What may have run came after what is lost, and is lost too, unless the lane alone was evicted:
                    // then a reserve is charged twice, which goes over nothing; a settle might give back twice.
                    boolean mayRunAnew = !mayHaveRun || (isLost && batch.onlyReserves());
                    if (mode == Batch.Mode.RUN && refused && !mayRunAnew) {
                        throw new UnknownOutcomeException("Redis lost what it remembered of this process", null);
                    } else if (mode == Batch.Mode.RUN && refused) {
                        lane.renew();
                        mayHaveRun = false;
                    } else if (reply.status() != Batch.Status.LATE) {
                        lane.answeredAt(reply.micros());
                        return reply;
                    } else if (deadlineNanos - clock.nanoTime() <= 0) {
                        throw new NotRunException("it came too late" + said, null);
                    }
                    continue;
                } catch (JedisException e) {
                    failure = e;
                    interrupted |= Thread.interrupted();
                    // A pool that was waited for has swallowed the flag.
                    interrupted |= e.getCause() instanceof InterruptedException;
                }
                boolean astray = Diagnosis.isAstray(redis, failure);
                boolean refused = astray || REFUSING.contains(code(failure));
                boolean passing = PASSING.contains(code(failure)) || TOO_MANY_CLIENTS.equals(failure.getMessage());
                mayHaveRun |= !refused && !passing;
                // A cancel is tried again in its turn: what is behind it need not wait until the script can do it.
                boolean later = mode == Batch.Mode.CANCEL && failure instanceof JedisDataException;
                if (refused || later || deadlineNanos - clock.nanoTime() <= PAUSE_NANOS) {
                    String message =
                            failure.getMessage() + (astray ? "; " + Diagnosis.NODE_OF_CLUSTER : passing ? "" : said);
                    if (mayHaveRun) {
                        throw new UnknownOutcomeException(message, failure);
                    }
                    throw new NotRunException(message, failure);
                }
                if (passing) {
                    said = "; before that it said " + failure.getMessage();
                }
                LockSupport.parkNanos(this, PAUSE_NANOS);
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private Batch.Reply sendOnce(Batch.Mode mode, Lane lane, Batch batch, long deadlineNanos) {
        // In this order: a process that stands still in between asks for less time then, not for more.
        long serverMicros = clock.micros();
        long leftNanos = deadlineNanos - clock.nanoTime();
        // Where the server's time is not known yet, its answer to a late batch tells it.
        long notAfterMicros = serverMicros > 0 ? serverMicros + leftNanos / 1_000 : 0;
        byte[] request = batch.request(mode, lane.number(), notAfterMicros, laneTtlMillis, serverMicros);
        // Half of what is left, so that a reply that is lost leaves time to ask for it again.
        long attemptNanos = Math.max(leftNanos / 2, PAUSE_NANOS);
        long askedNanos = clock.nanoTime();
        Batch.Reply reply = batch.read(script.run(redis, batch.keys(lane.key()), request, attemptNanos));
        clock.told(reply.micros(), askedNanos);
        return reply;
    }

    /**
     * Whether a lane that was refused shows that. The loss that one finds, others find too: those that were not used since. Where one of them does
     * after the next loss, that is still to be told by those that were.
     */
    private boolean isLost(Lane lane, long micros) {
        long lives = laneTtlMillis * LANE_LIVES_MICROS_A_MILLI - LANE_STEP_MICROS;
        long used = lane.usedMicros();
        boolean isLost = used > 0 && micros - used < lives;
        if (isLost && lossFoundMicros.getAndUpdate(found -> found < used ? micros : found) < used) {
            lossUntold.set(true);
        }
        return isLost;
    }

    /** Whether the server was found to have lost what it had written, and nobody has been told yet. */
    boolean takeLoss() {
        return lossUntold.get() && lossUntold.getAndSet(false);
    }

    void close() {
        redis.close();
    }

    /** Of the command that failed, where Redis before 7.0 tells only in the text of its script's error which that was. */
    static String code(JedisException failure) {
        String message = failure.getMessage() == null ? "" : failure.getMessage();
        Matcher inScript = IN_SCRIPT.matcher(message);
        if (inScript.lookingAt()) {
            return inScript.group(1);
        }
        int end = message.indexOf(' ');
        return end < 0 ? message : message.substring(0, end);
    }
}
