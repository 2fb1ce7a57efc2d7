@NullMarked
package io.costguard.opentelemetry;

import org.jspecify.annotations.NullMarked;
