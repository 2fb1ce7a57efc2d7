/**
 * A real Redis for tests, with or without Docker, and a link to it that can fail.
 *
 * <p>{@link io.costguard.testing.RedisForTests#shared()} is for ordinary tests;
 * {@link io.costguard.testing.RedisForTests#start(String...)} gives a test a server of its own, which it may kill,
 * restart and suspend; {@link io.costguard.testing.RedisCluster} is several that share the keys;
 * {@link io.costguard.testing.FaultyLink} stands between a client and its Redis and loses, holds
 * or cuts what passes.
 */
@NullMarked
package io.costguard.testing;

import org.jspecify.annotations.NullMarked;
