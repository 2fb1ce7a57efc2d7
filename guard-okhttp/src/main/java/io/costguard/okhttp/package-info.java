/** The guard as an OkHttp interceptor. */
@NullMarked
package io.costguard.okhttp;

import org.jspecify.annotations.NullMarked;
