package io.costguard.okhttp;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import okhttp3.Call;
import okio.Timeout;

/** How long a call may take, and has taken since the guard saw it: that is all that can be known of its {@code callTimeout}. */
final class CallTime {
    private static final long UNBOUNDED = Long.MAX_VALUE;

    private final long beganNanos;
    private final long mostNanos;

    private CallTime(long beganNanos, long mostNanos) {
        this.beganNanos = beganNanos;
        this.mostNanos = mostNanos;
    }

    /** That of a call which the guard sees now. */
    static CallTime from(Timeout timeout) {
        long now = System.nanoTime();
        long most = timeout.timeoutNanos() == 0 ? UNBOUNDED : timeout.timeoutNanos();
        return new CallTime(now, timeout.hasDeadline() ? Math.min(most, timeout.deadlineNanoTime() - now) : most);
    }

    boolean isBounded() {
        return mostNanos != UNBOUNDED;
    }

    /** What is left of it; longer than any call waits if it has no bound. */
    Duration left() {
        return Duration.ofNanos(isBounded() ? Math.max(0, mostNanos - elapsed()) : UNBOUNDED);
    }

    boolean isOver() {
        return isBounded() && elapsed() >= mostNanos;
    }

    /** How long it is since the guard saw the call. */
    Duration taken() {
        return Duration.ofNanos(elapsed());
    }

    private long elapsed() {
        return System.nanoTime() - beganNanos;
    }

    /** Has {@code timeout}, of a call that is sent from now on, end when this does. */
    void bound(Timeout timeout) {
        if (isBounded()) {
            timeout.deadlineNanoTime(beganNanos + mostNanos);
        }
    }

    /** Why a call ended that was cancelled while it waited: by the user, or since its time was over, of which OkHttp's own watch may not know yet. */
    IOException cutShort(Call call) {
        Duration waited = taken();
        if (isOver()) {
            call.cancel();
            return over(waited);
        }
        return new IOException(
                "Canceled",
                new CancellationException(
                        "cancelled after the call waited " + waited.toMillis() + " ms for its budgets"));
    }

    /** That the call's time was over, after it had waited so long. */
    InterruptedIOException over(Duration waited) {
        return new InterruptedIOException(
                "timeout: the call waited " + waited.toMillis() + " ms for its budgets, and may take "
                        + Duration.ofNanos(mostNanos).toMillis() + " ms in all");
    }

    /** What is told of a call that was sent after it had waited so long, and failed: that it waited, if its time was over. */
    IOException afterWaiting(Duration waited, IOException failure) {
        if (!isOver() || !(failure instanceof InterruptedIOException) || failure instanceof SocketTimeoutException) {
            return failure;
        }
        InterruptedIOException over = over(waited);
        over.initCause(failure);
        return over;
    }
}
