@NullMarked
package io.costguard.describe;

import org.jspecify.annotations.NullMarked;
