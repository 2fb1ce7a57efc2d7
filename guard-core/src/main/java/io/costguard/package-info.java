/**
 * Keeps outbound LLM and API calls inside a budget, across every process of a fleet. The way of a call:
 *
 * <ol>
 *   <li>An adapter ({@code CostGuardInterceptor}, {@code GuardedHttpClient}) hands it to {@link io.costguard.http.HttpGuard}.
 *   <li>{@code describe}: a dialect reads its model, key and text; the estimator and the price list say what it may cost.
 *   <li>{@code limit}: the budgets say which balances that is charged to; the pre-check may deny at once, nothing here grants.
 *   <li>{@code redis}: concurrent calls travel as one numbered batch, and one script lets each go or not: {@code guard.lua}.
 *   <li>The call is sent. {@code settle}: a meter finds usage in the response as it passes, the outcome says what stays charged.
 *   <li>The reservation ends: the difference rides to the script with a later batch, exactly once.
 * </ol>
 *
 * <p>Each of these packages knows only those before it; {@link io.costguard.CostGuard} puts them together. Whoever calls
 * something other than HTTP begins at {@link io.costguard.CostGuard#acquire}.
 */
@NullMarked
package io.costguard;

import org.jspecify.annotations.NullMarked;
