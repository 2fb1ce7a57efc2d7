/** Azure's SDK for OpenAI with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.azure;

import org.jspecify.annotations.NullMarked;
