/**
 * Cost Guard keeps outbound LLM and API calls inside a budget, across every process of a fleet.
 */
@NullMarked
package io.costguard;

import org.jspecify.annotations.NullMarked;
