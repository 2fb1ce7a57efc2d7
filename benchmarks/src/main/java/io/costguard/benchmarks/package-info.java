/** Decisions side by side with those of the peers: {@link io.costguard.benchmarks.Benchmarks} runs all of it. */
@NullMarked
package io.costguard.benchmarks;

import org.jspecify.annotations.NullMarked;
