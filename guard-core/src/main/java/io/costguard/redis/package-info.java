/**
 * The ledger in Redis: the script that decides, the batches that it decides on, and the lanes in which they travel. The only
 * package that knows Jedis.
 */
@NullMarked
package io.costguard.redis;

import org.jspecify.annotations.NullMarked;
