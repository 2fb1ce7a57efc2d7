@NullMarked
package io.costguard.examples.command;

import org.jspecify.annotations.NullMarked;
