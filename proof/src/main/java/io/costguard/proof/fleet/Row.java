package io.costguard.proof.fleet;

import java.util.List;
import java.util.Random;

/** A fault of Redis, by its row. */
record Row(int number, String fault, Opening opening) {
    static final List<Row> ALL = List.of(
            new Row(1, "down at start", ServerFaults::downAtStart),
            new Row(2, "dies mid-reserve, outcome unknown", ServerFaults::unknownOutcome),
            new Row(3, "slow, timed out", ServerFaults::slow),
            new Row(4, "-OOM", ServerFaults::outOfMemory),
            new Row(5, "-READONLY, -MASTERDOWN, -NOREPLICAS, -MISCONF", ServerFaults::refuses),
            new Row(6, "-LOADING, -BUSY", ServerFaults::loadingOrBusy),
            new Row(7, "NOSCRIPT", ServerFaults::noScript),
            new Row(8, "MOVED, ASK, TRYAGAIN, CLUSTERDOWN", ClusterFaults::movesAndFailovers),
            new Row(9, "NOAUTH, NOPERM, maxclients", ServerFaults::notAllowed),
            new Row(10, "failover or restart loses writes", LossFaults::lostWrites),
            new Row(11, "FLUSHALL, eviction", LossFaults::flushed),
            new Row(12, "clock back or forward", FleetFaults::clock),
            new Row(13, "two builds in one fleet", FleetFaults::twoBuilds),
            new Row(14, "budget changed at runtime", FleetFaults::changedBudget),
            new Row(15, "keys without end", FleetFaults::strangers),
            new Row(16, "everybody wakes at the refill", FleetFaults::allWake));

    /** One of many, each after the other. */
    interface Injection {
        void inject(Random random) throws Exception;
    }

    /** Begins with what all injections of the row share. */
    interface Opening {
        Injection on(Bench bench) throws Exception;
    }
}
