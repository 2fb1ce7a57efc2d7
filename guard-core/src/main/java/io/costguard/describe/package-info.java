/**
 * What a call is, before anybody is asked whether it may go: its provider, model and key, and what it may cost.
 *
 * <p>A {@link io.costguard.describe.Dialect} knows one provider's wire format, and nothing else does. To add one, implement it:
 * name the paths that hold model, texts, cap and usage, and what each means; say which requests it speaks for, where the key is,
 * which errors are not billed, and what an error looks like. {@link io.costguard.describe.dialects.Dialects} holds those there are, and the
 * first that speaks for a request is taken. Nothing in a dialect keeps state between calls.
 */
@NullMarked
package io.costguard.describe;

import org.jspecify.annotations.NullMarked;
