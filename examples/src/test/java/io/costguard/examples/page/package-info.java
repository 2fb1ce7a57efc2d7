@NullMarked
package io.costguard.examples.page;

import org.jspecify.annotations.NullMarked;
