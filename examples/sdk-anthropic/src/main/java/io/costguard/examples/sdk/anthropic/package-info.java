/** anthropic-java with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.anthropic;

import org.jspecify.annotations.NullMarked;
