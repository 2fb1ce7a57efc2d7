@NullMarked
package io.costguard.settle;

import org.jspecify.annotations.NullMarked;
