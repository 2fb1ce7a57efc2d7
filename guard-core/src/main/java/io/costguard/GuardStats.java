package io.costguard;

/**
 * What a guard has under way in this process, when it was asked: gauges for metrics. Immutable.
 *
 * @param openReservations calls that were let go and have not ended: a number that only grows is of permits that nobody ends
 * @param waitingCalls calls that wait for their turn
 * @param queuedSettles settles, renewals and other changes of balances that are not in Redis yet
 * @param droppedSettles settles that were given up since the guard was built, as Redis lost what they belong to, refused them, or was away for
 *     too long: what they would have given back stays charged, and what they would have charged is not
 */
public record GuardStats(long openReservations, long waitingCalls, long queuedSettles, long droppedSettles) {}
