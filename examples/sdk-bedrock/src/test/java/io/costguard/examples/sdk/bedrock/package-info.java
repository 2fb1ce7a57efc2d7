/** Amazon's SDK for Bedrock with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.bedrock;

import org.jspecify.annotations.NullMarked;
