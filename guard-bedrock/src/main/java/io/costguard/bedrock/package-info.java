/** The guard as an HTTP client of the AWS SDK. */
@NullMarked
package io.costguard.bedrock;

import org.jspecify.annotations.NullMarked;
