@NullMarked
package io.costguard.limit;

import org.jspecify.annotations.NullMarked;
