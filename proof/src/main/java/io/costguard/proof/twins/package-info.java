/** The clients of all adapters, each with a guard and without one, and what a caller sees by either. */
@NullMarked
package io.costguard.proof.twins;

import org.jspecify.annotations.NullMarked;
