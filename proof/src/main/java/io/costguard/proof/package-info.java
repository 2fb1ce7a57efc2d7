/** Tries to break every promise with real servers, sockets and processes; one line a figure. */
@NullMarked
package io.costguard.proof;

import org.jspecify.annotations.NullMarked;
