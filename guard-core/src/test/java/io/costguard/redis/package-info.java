@NullMarked
package io.costguard.redis;

import org.jspecify.annotations.NullMarked;
