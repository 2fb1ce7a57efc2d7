/** OpenAI's SDK with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.openai;

import org.jspecify.annotations.NullMarked;
