@NullMarked
package io.costguard.examples.server;

import org.jspecify.annotations.NullMarked;
