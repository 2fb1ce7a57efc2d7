/** Tests with a real Redis and the real SDK. */
@NullMarked
package io.costguard.anthropic;

import org.jspecify.annotations.NullMarked;
