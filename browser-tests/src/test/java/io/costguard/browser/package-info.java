@NullMarked
package io.costguard.browser;

import org.jspecify.annotations.NullMarked;
