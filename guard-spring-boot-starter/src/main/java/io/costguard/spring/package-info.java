/** The guard as beans of a Spring Boot application. */
@NullMarked
package io.costguard.spring;

import org.jspecify.annotations.NullMarked;
