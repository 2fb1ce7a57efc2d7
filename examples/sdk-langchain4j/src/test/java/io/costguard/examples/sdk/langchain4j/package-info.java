/** LangChain4j with a guard in it. */
@NullMarked
package io.costguard.examples.sdk.langchain4j;

import org.jspecify.annotations.NullMarked;
