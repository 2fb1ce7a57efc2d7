/** Processes that make guarded calls until they are killed, what they write down of them, and a provider that keeps its own bill. */
@NullMarked
package io.costguard.proof.fleet;

import org.jspecify.annotations.NullMarked;
