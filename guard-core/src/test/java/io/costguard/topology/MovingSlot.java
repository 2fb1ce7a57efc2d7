package io.costguard.topology;

import io.costguard.PatientRedis;
import io.costguard.testing.RedisForTests;
import java.util.List;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.params.MigrateParams;

/** A slot of a cluster on its way from one master to another, step by step as {@code redis-cli --cluster reshard} takes it. */
public final class MovingSlot implements AutoCloseable {
    private static final int TIMEOUT_MILLIS = 60_000;

    final Jedis source;
    final Jedis target;
    private final int slot;
    private final RedisForTests to;
    private final String targetId;

    /**
     * Begins: the source sends elsewhere whoever asks for what it does not have.
     *
     * @param slot which
     * @param from whose it is
     * @param to whose it will be
     */
    public MovingSlot(int slot, RedisForTests from, RedisForTests to) {
        this.slot = slot;
        this.to = to;
        this.source = PatientRedis.connection(from.url());
        this.target = PatientRedis.connection(to.url());
        this.targetId = target.clusterMyId();
        target.clusterSetSlotImporting(slot, source.clusterMyId());
        source.clusterSetSlotMigrating(slot, targetId);
    }

    /** {@return what has not moved yet, as far as that is not more than a page} */
    public List<String> keysLeft() {
        return source.clusterGetKeysInSlot(slot, 100);
    }

    /** @param keys that the source has */
    public void move(List<String> keys) {
        source.migrate(to.host(), to.port(), TIMEOUT_MILLIS, new MigrateParams(), keys.toArray(String[]::new));
    }

    /** Moves what is left, and has the slot belong to the target. */
    public void finish() {
        for (List<String> keys = keysLeft(); !keys.isEmpty(); keys = keysLeft()) {
            move(keys);
        }
        target.clusterSetSlotNode(slot, targetId);
        source.clusterSetSlotNode(slot, targetId);
    }

    @Override
    public void close() {
        source.close();
        target.close();
    }
}
