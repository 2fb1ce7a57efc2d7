@NullMarked
package io.costguard.jdk;

import org.jspecify.annotations.NullMarked;
