/** The guard as an OkHttp interceptor, and as a factory of calls. */
@NullMarked
package io.costguard.okhttp;

import org.jspecify.annotations.NullMarked;
