@NullMarked
package io.costguard.http;

import org.jspecify.annotations.NullMarked;
