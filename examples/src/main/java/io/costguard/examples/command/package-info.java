/** {@code costguard}, the command: how a fleet's limits stand, and what recorded calls would have met under other budgets. */
@NullMarked
package io.costguard.examples.command;

import org.jspecify.annotations.NullMarked;
