@NullMarked
package io.costguard.examples;

import org.jspecify.annotations.NullMarked;
