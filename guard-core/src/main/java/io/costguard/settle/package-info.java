/**
 * What a call has cost once it ended: a meter that finds usage in the response as it passes, and the one table that says what stays
 * charged.
 */
@NullMarked
package io.costguard.settle;

import org.jspecify.annotations.NullMarked;
