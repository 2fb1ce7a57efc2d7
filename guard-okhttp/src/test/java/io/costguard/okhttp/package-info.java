@NullMarked
package io.costguard.okhttp;

import org.jspecify.annotations.NullMarked;
