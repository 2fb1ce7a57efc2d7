@NullMarked
package io.costguard.spring;

import org.jspecify.annotations.NullMarked;
