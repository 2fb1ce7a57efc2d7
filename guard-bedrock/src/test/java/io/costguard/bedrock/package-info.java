@NullMarked
package io.costguard.bedrock;

import org.jspecify.annotations.NullMarked;
