/** Meters of a guard: {@link io.costguard.micrometer.CostGuardMetrics}. */
@NullMarked
package io.costguard.micrometer;

import org.jspecify.annotations.NullMarked;
