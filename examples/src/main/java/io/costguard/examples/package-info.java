/** The main job: a small fleet that shares its budgets, against a provider that replays recorded exchanges. */
@NullMarked
package io.costguard.examples;

import org.jspecify.annotations.NullMarked;
