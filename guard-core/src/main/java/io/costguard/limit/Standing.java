package io.costguard.limit;

/**
 * How one limit of a subject stands.
 *
 * @param waiting how many calls wait for the subject
 * @param newcomerWaitMicros how long it keeps a newcomer waiting at least, by what is known
 */
public record Standing(long balance, long untilFullMicros, long waiting, long newcomerWaitMicros) {}
