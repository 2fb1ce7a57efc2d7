/** Whether the code in README, docs and Javadoc compiles, and links lead somewhere. */
@NullMarked
package io.costguard.docs;

import org.jspecify.annotations.NullMarked;
