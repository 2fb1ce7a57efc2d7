/** The demo's page: shows a fleet as it works, and drives it. */
@NullMarked
package io.costguard.examples.page;

import org.jspecify.annotations.NullMarked;
