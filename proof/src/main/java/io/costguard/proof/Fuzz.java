package io.costguard.proof;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.costguard.settle.Scrutiny.Fault;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.Base64;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Whatever comes in: nothing throws, hangs or fills the heap, no byte is changed, and usage is what was last reported unless that is nonsense. */
final class Fuzz implements Check {
    private static final int ONE_IN = 200;
    private static final int FEWEST_EXCHANGES = 60;

    /** In one of so many it may depend on the moment what a client passes on of an answer that breaks off, without a guard as well. */
    private static final int OF_EXCHANGES = 2_000;

    /** Of four adapters, synchronous and asynchronous. */
    private static final int CLIENTS = 8;

    /** Its heap is small; and what Netty logs of itself, where an answer is none, is not the guard's. */
    private static final List<String> OPTIONS = List.of("-Xmx256m", "-Dorg.slf4j.simpleLogger.log.io.netty=off");

    private static final Duration AT_MOST = Duration.ofHours(3);

    /** So that it is known that all of that happened. */
    private static final Set<String> OUTCOMES = Set.of(
            "bodies true",
            "bodies false",
            "bodies COMPLETE",
            "bodies PARTIAL",
            "bodies UNREADABLE",
            "usages REPORTED",
            "usages COUNTED",
            "headers holds",
            "headers corrects",
            "headers COMPLETE",
            "headers PARTIAL",
            "headers UNREADABLE",
            "names true",
            "names false",
            "exchanges whole",
            "exchanges failed");

    @Override
    public void run(Trial trial) throws Exception {
        int inputs = trial.times(100_000, 10_000_000);
        int oneIn = Math.min(ONE_IN, inputs / FEWEST_EXCHANGES);
        Map<String, Long> kinds = new TreeMap<>();
        Map<Fault, Long> faults = new EnumMap<>(Fault.class);
        Set<String> outcomes = new TreeSet<>();
        Map<String, Long> clients = new TreeMap<>();
        Map<String, Long> calls = new TreeMap<>();
        try (RedisForTests redis = RedisForTests.start();
                ChildJvm worker = ChildJvm.start(
                        FuzzWorker.class,
                        OPTIONS,
                        String.valueOf(trial.seed()),
                        String.valueOf(inputs),
                        String.valueOf(oneIn),
                        redis.url(),
                        redis.keyPrefix())) {
            worker.run(AT_MOST, line -> {
                String[] told = line.split("\t", -1);
                long value = Long.parseLong(told[2]);
                switch (told[0]) {
                    case "kind" -> kinds.put(told[1], value);
                    case "outcome" -> outcomes.add(told[1]);
                    case "fault" -> faults.put(Fault.valueOf(told[1]), value);
                    case "client" -> clients.put(told[1], value);
                    case "history" ->
                        trial.history(new String(Base64.getDecoder().decode(told[1]), UTF_8));
                    default -> calls.put(told[0], value);
                }
            });
        }
        for (String kind : List.of("bodies", "usages", "headers", "names")) {
            trial.atLeast(kind + " fuzzed", kinds.getOrDefault(kind, 0L), inputs / 10);
        }
        trial.atLeast(
                "inputs", kinds.values().stream().mapToLong(Long::longValue).sum(), inputs);
        trial.atLeast("inputs through clients with a guard", kinds.getOrDefault("exchanges", 0L), inputs / oneIn);
        trial.atLeast(
                "of these, inputs that it let go",
                clients.values().stream().mapToLong(Long::longValue).sum(),
                inputs / oneIn);
        trial.all("kinds of clients by which it did", clients.size(), CLIENTS);
        trial.none("calls of those that were not settled", calls.getOrDefault("unsettled", -1L));
        trial.atMost(
                "inputs passed on in two ways, without a guard as well",
                calls.getOrDefault("unsteady", Long.MAX_VALUE),
                Math.max(1, inputs / oneIn / OF_EXCHANGES));
        Set<String> unseen = new TreeSet<>(OUTCOMES);
        unseen.removeAll(outcomes);
        if (!unseen.isEmpty()) {
            trial.history("never seen: " + unseen);
        }
        trial.all("kinds of outcomes seen", OUTCOMES.size() - unseen.size(), OUTCOMES.size());
        trial.none("exceptions", faults.getOrDefault(Fault.EXCEPTION, 0L));
        trial.none("hangs of more than 50 ms of CPU time", faults.getOrDefault(Fault.HANG, 0L));
        trial.none("inputs that took much memory", faults.getOrDefault(Fault.MEMORY, 0L));
        trial.none("inputs whose bytes were changed", faults.getOrDefault(Fault.CHANGED, 0L));
        trial.none(
                "usages, names, headers and answers read or passed on wrongly", faults.getOrDefault(Fault.WRONG, 0L));
    }
}
