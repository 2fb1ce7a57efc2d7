@NullMarked
package io.costguard.micrometer;

import org.jspecify.annotations.NullMarked;
