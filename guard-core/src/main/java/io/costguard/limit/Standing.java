package io.costguard.limit;

/**
 * How one limit of a subject stands.
 *
 * @param waiting how many calls wait for the subject
 */
public record Standing(long balance, long untilFullMicros, long waiting) {}
