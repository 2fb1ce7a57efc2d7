package io.costguard.benchmarks;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Runs all benchmarks, and says which goals they meet; exit status 1 where one is short, 2 where nothing was run. {@code ./benchmarks/run} pins it, once on
 * the core of its Redis and once on another, and passes its arguments on.
 */
public final class Benchmarks {
    private static final List<Section> SECTIONS = List.of(
            new Section("latency", "what one caller waits for a decision", OneCaller::run),
            new Section("server", "what a decision costs Redis", ServerTime::run),
            new Section("hot", "256 platform threads on one key", ManyCallers::hotKey),
            new Section("virtual", "256 virtual threads on one key, on Java 21 or newer", ManyCallers::virtualThreads),
            new Section("keys", "256 platform threads on 1,000 keys", ManyCallers::manyKeys),
            new Section("denial", "a denial that does not ask Redis", LocalDenials::run),
            new Section("http", "what a guarded HTTP call takes longer", GuardedHttp::run),
            new Section("metering", "what metering a stream costs, of the time to read it", Metering::run),
            new Section("estimate", "what estimating a call by its request takes", Estimates::run),
            new Section("growth", "one caller, with more and more in Redis", Growth::run),
            new Section("memory", "what is in Redis", Memory::run));

    private static final String USAGE = """
            arguments:
              --quick | --full     fewer rounds and subjects, or as many as the published figures have
              --pinned same|apart  where it runs, as the report names it; apart moves it to the second core
              --json FILE          where to write the report
              --only NAME,...      some of:
            """
            + SECTIONS.stream()
                    .map(section -> String.format("      %-10s %s%n", section.name, section.about))
                    .collect(Collectors.joining());

    private record Section(String name, String about, Work work) {
        interface Work {
            void run(Bench bench) throws Exception;
        }
    }

    private record Settings(Effort effort, String pinned, Path json, Set<String> only) {
        boolean has(Section section) {
            return only.isEmpty() || only.contains(section.name);
        }
    }

    private Benchmarks() {}

    public static void main(String[] arguments) throws Exception {
        if (List.of(arguments).contains("--help")) {
            System.out.print(USAGE);
            return;
        }
        Settings settings;
        try {
            settings = settings(arguments);
        } catch (IllegalArgumentException e) {
            System.err.print(e.getMessage() + "\n" + USAGE);
            System.exit(2);
            return;
        }
        System.exit(run(settings) ? 0 : 1);
    }

    private static boolean run(Settings settings) throws Exception {
        long start = System.nanoTime();
        try (Server server = new Server()) {
            if (settings.pinned.equals("apart")) {
                Pinning.moveTo(1);
            }
            String machine = "JDK " + Runtime.version() + ", Redis " + server.version() + ", "
                    + Runtime.getRuntime().availableProcessors() + " processors for this process, pinned: "
                    + settings.pinned;
            System.out.println(machine);
            Report report = new Report(System.out);
            for (Section section : SECTIONS) {
                if (settings.has(section)) {
                    server.flush();
                    section.work.run(new Bench(server, report, settings.effort));
                }
            }
            report.write(settings.json, machine);
            Duration took = Duration.ofNanos(System.nanoTime() - start);
            System.out.println(took.toSeconds() + " s; " + settings.json);
            return report.allMet();
        }
    }

    private static Settings settings(String[] arguments) {
        Effort effort = Effort.QUICK;
        String pinned = "no";
        Path json = Path.of("benchmarks/target/benchmarks.json");
        Set<String> only = new TreeSet<>();
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--quick" -> effort = Effort.QUICK;
                case "--full" -> effort = Effort.FULL;
                case "--pinned" -> pinned = value(arguments, ++i);
                case "--json" -> json = Path.of(value(arguments, ++i));
                case "--only" -> only.addAll(List.of(value(arguments, ++i).split(",")));
                default -> throw new IllegalArgumentException("unknown argument " + arguments[i]);
            }
        }
        Set<String> unknown = new TreeSet<>(only);
        SECTIONS.forEach(section -> unknown.remove(section.name));
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("nothing is named " + String.join(", ", unknown));
        }
        return new Settings(effort, pinned, json, only);
    }

    private static String value(String[] arguments, int index) {
        if (index == arguments.length) {
            throw new IllegalArgumentException(arguments[index - 1] + " needs a value");
        }
        return arguments[index];
    }
}
