/** Retrofit with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.retrofit;

import org.jspecify.annotations.NullMarked;
