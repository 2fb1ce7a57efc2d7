/**
 * The life of one HTTP call, whatever the client: described, reserved, metered as its response passes, settled. An adapter for a
 * client calls {@link io.costguard.http.HttpGuard#begin}, hands over the request's body, and tells how the call ended.
 */
@NullMarked
package io.costguard.http;

import org.jspecify.annotations.NullMarked;
