/** The other side: a server that keeps its own callers inside budgets. */
@NullMarked
package io.costguard.examples.server;

import org.jspecify.annotations.NullMarked;
