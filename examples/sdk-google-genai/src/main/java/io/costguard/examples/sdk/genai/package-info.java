/** google-genai with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.genai;

import org.jspecify.annotations.NullMarked;
