/** The guard as a {@code java.net.http.HttpClient}. */
@NullMarked
package io.costguard.jdk;

import org.jspecify.annotations.NullMarked;
