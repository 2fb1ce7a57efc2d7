/** Spring AI with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.springai;

import org.jspecify.annotations.NullMarked;
