package io.costguard.limit;

import io.costguard.GuardListener;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All listeners as one that never throws. */
public final class Listeners implements GuardListener {
    private static final Logger log = LoggerFactory.getLogger(GuardListener.class);

    private final List<GuardListener> listeners;
    private final AtomicBoolean reported = new AtomicBoolean();

    public Listeners(List<GuardListener> listeners) {
        this.listeners = List.copyOf(listeners);
    }

    @Override
    public void onGranted(Grant event) {
        tell(listener -> listener.onGranted(event));
    }

    @Override
    public void onDenied(Denied event) {
        tell(listener -> listener.onDenied(event));
    }

    @Override
    public void onSettled(Settlement event) {
        tell(listener -> listener.onSettled(event));
    }

    @Override
    public void onFailedOpen(FailedOpen event) {
        tell(listener -> listener.onFailedOpen(event));
    }

    private void tell(Consumer<GuardListener> event) {
        for (GuardListener listener : listeners) {
            try {
                event.accept(listener);
            } catch (RuntimeException e) {
                if (reported.compareAndSet(false, true)) {
                    log.error("a listener failed; the call goes on, and this is not reported again", e);
                }
            }
        }
    }
}
