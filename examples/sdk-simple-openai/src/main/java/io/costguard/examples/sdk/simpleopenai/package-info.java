/** simple-openai with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.simpleopenai;

import org.jspecify.annotations.NullMarked;
