package io.costguard.benchmarks;

/** What a section works with: a Redis that is empty when it begins, where its figures go, and how many rounds it takes. */
record Bench(Server server, Report report, Effort effort) {}
