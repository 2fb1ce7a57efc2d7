package io.costguard;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Keeps what it is told. */
public final class Recorder implements GuardListener {
    public final List<Grant> grants = new CopyOnWriteArrayList<>();
    public final List<Waiting> waits = new CopyOnWriteArrayList<>();
    public final List<Hold> holds = new CopyOnWriteArrayList<>();
    public final List<Correction> corrections = new CopyOnWriteArrayList<>();
    public final List<Regression> regressions = new CopyOnWriteArrayList<>();
    public final List<Denied> denials = new CopyOnWriteArrayList<>();
    public final List<Settlement> settlements = new CopyOnWriteArrayList<>();
    public final List<FailedOpen> failedOpen = new CopyOnWriteArrayList<>();
    public final List<FailedClosed> failedClosed = new CopyOnWriteArrayList<>();
    public final List<SpentLeased> spentLeased = new CopyOnWriteArrayList<>();
    public final List<NearLimit> nearLimits = new CopyOnWriteArrayList<>();
    public final List<Batch> batches = new CopyOnWriteArrayList<>();

    @Override
    public void onGranted(Grant event) {
        grants.add(event);
    }

    @Override
    public void onWaiting(Waiting event) {
        waits.add(event);
    }

    @Override
    public void onHeld(Hold event) {
        holds.add(event);
    }

    @Override
    public void onCorrected(Correction event) {
        corrections.add(event);
    }

    @Override
    public void onRegressed(Regression event) {
        regressions.add(event);
    }

    @Override
    public void onDenied(Denied event) {
        denials.add(event);
    }

    @Override
    public void onSettled(Settlement event) {
        settlements.add(event);
    }

    @Override
    public void onFailedOpen(FailedOpen event) {
        failedOpen.add(event);
    }

    @Override
    public void onSpentLeased(SpentLeased event) {
        spentLeased.add(event);
    }

    @Override
    public void onFailedClosed(FailedClosed event) {
        failedClosed.add(event);
    }

    @Override
    public void onNearLimit(NearLimit event) {
        nearLimits.add(event);
    }

    @Override
    public void onBatch(Batch event) {
        batches.add(event);
    }
}
