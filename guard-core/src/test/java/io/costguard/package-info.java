@NullMarked
package io.costguard;

import org.jspecify.annotations.NullMarked;
