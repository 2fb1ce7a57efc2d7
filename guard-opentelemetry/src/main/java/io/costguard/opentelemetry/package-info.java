/** A guard's calls in OpenTelemetry: {@link io.costguard.opentelemetry.CostGuardTelemetry}. */
@NullMarked
package io.costguard.opentelemetry;

import org.jspecify.annotations.NullMarked;
