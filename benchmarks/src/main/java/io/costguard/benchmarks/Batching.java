package io.costguard.benchmarks;

/** Whether Bucket4j batches concurrent requests to one bucket. */
enum Batching {
    OFF,
    ON
}
