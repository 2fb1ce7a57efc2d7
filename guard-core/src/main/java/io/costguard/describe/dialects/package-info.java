/** The wire formats that come with this library, one a class; {@link io.costguard.describe.dialects.Dialects} holds them. */
@NullMarked
package io.costguard.describe.dialects;

import org.jspecify.annotations.NullMarked;
