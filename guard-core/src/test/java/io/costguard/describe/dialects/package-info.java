@NullMarked
package io.costguard.describe.dialects;

import org.jspecify.annotations.NullMarked;
