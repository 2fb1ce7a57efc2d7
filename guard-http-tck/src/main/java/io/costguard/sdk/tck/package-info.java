/** What is true of every SDK that has a guard in it, as tests that an example of it inherits, and that keep {@code docs/sdks.md} true. */
@NullMarked
package io.costguard.sdk.tck;

import org.jspecify.annotations.NullMarked;
