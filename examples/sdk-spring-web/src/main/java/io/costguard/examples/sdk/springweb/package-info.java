/** Spring's HTTP clients with a guard in them. */
@NullMarked
package io.costguard.examples.sdk.springweb;

import org.jspecify.annotations.NullMarked;
