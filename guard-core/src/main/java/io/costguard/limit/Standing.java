package io.costguard.limit;

/** How one limit of a subject stands. */
public record Standing(long balance, long untilFullMicros) {}
