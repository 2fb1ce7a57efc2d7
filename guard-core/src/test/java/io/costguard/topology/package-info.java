@NullMarked
package io.costguard.topology;

import org.jspecify.annotations.NullMarked;
