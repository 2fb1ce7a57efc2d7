/** What every adapter for an HTTP client must do, as tests that it inherits. */
@NullMarked
package io.costguard.http.tck;

import org.jspecify.annotations.NullMarked;
