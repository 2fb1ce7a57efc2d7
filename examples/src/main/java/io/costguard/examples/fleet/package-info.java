/** A small fleet to look at: worker processes that share their budgets, and a provider that replays recorded exchanges. */
@NullMarked
package io.costguard.examples.fleet;

import org.jspecify.annotations.NullMarked;
