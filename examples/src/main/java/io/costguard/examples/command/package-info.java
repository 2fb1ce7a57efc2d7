/** {@code costguard}, the command: what would have happened to recorded calls under other budgets. */
@NullMarked
package io.costguard.examples.command;

import org.jspecify.annotations.NullMarked;
