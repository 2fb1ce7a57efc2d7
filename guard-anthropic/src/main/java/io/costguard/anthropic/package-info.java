/** The guard for Anthropic's SDK. */
@NullMarked
package io.costguard.anthropic;

import org.jspecify.annotations.NullMarked;
