package io.costguard.examples;

import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardedCall;
import io.costguard.LimitStatus;
import io.costguard.Unit;
import io.costguard.testing.RedisForTests;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.LongSummaryStatistics;
import java.util.Optional;
import java.util.UUID;

/** The main job: a fleet of processes that share their budgets, and at the end its ledger beside the provider's bill. */
final class Demo {
    private Demo() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        List<String> arguments = List.of(args);
        if (arguments.contains("--help")) {
            System.out.print(Settings.HELP);
            return;
        }
        Settings settings;
        try {
            settings = Settings.parse(arguments);
        } catch (IllegalArgumentException e) {
            System.err.println("demo: " + e.getMessage());
            System.exit(2);
            return;
        }
        Optional<RedisForTests> own =
                settings.redisUrl().isPresent() ? Optional.empty() : Optional.of(RedisForTests.start());
        boolean equal;
        try (Provider provider = Provider.start()) {
            String redis = settings.redisUrl().orElseGet(() -> own.orElseThrow().url());
            equal = run(settings, redis, provider);
        } finally {
            own.ifPresent(RedisForTests::close);
        }
        System.exit(equal ? 0 : 1);
    }

    private static boolean run(Settings settings, String redis, Provider provider)
            throws IOException, InterruptedException {
        String prefix = "demo-" + UUID.randomUUID();
        YearMonth month = YearMonth.now(ZoneOffset.UTC);
        try (CostGuard guard = Fleet.guard(redis, prefix, new GuardListener() {})) {
            guard.flush();
            System.out.println("Redis at " + redis + ", the provider at " + provider.uri() + ", " + settings.processes()
                    + " processes with " + settings.calls() + " calls each");
            System.out.println(
                    "Budgets of the fleet, for each provider: 4 requests per 5 s, 100,000 tokens per minute; for all: $250 per month");
            System.out.println();
            List<Event> events = new ArrayList<>();
            int failed = 0;
            List<Thread> listeners = new ArrayList<>();
            List<Process> workers = start(settings, redis, prefix, provider.uri());
            for (Process worker : workers) {
                listeners.add(listen(worker, events));
            }
            for (Process worker : workers) {
                failed += worker.waitFor() == 0 ? 0 : 1;
            }
            for (Thread listener : listeners) {
                listener.join();
            }
            System.out.println();
            tellWhoWaited(events);
            if (failed > 0) {
                System.out.println(failed + " of the processes failed; what they said is above");
            }
            boolean equal = compare(ledger(guard), provider.bill());
            if (!equal && !month.equals(YearMonth.now(ZoneOffset.UTC))) {
                System.out.println("A month ended meanwhile, and its windows with it: run it once more.");
            }
            return equal && failed == 0;
        }
    }

    private static List<Process> start(Settings settings, String redis, String prefix, URI provider)
            throws IOException {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        List<Process> workers = new ArrayList<>();
        for (int i = 0; i < settings.processes(); i++) {
            Client.Kind client = i % 2 == 0 ? Client.Kind.OKHTTP : Client.Kind.JDK;
            String name = client.name().toLowerCase(Locale.ROOT) + "-" + (i / 2 + 1);
            workers.add(new ProcessBuilder(
                            java.toString(),
                            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", // a worker tells of its denials itself
                            "-cp",
                            System.getProperty("java.class.path"),
                            Worker.class.getName(),
                            name,
                            client.name(),
                            redis,
                            prefix,
                            provider.toString(),
                            String.valueOf(settings.calls()))
                    .redirectError(Redirect.INHERIT)
                    .start());
        }
        return workers;
    }

    /** Prints what a worker tells, as it happens. */
    private static Thread listen(Process worker, List<Event> events) {
        Thread listener = new Thread(() -> {
            try (BufferedReader lines = worker.inputReader(StandardCharsets.UTF_8)) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    Optional<Event> event = Event.read(line);
                    synchronized (events) {
                        event.ifPresent(events::add);
                        System.out.println(event.map(Event::toString).orElse(line));
                    }
                }
            } catch (IOException e) {
                System.out.println("a worker is no longer heard: " + e.getMessage());
            }
        });
        listener.start();
        return listener;
    }

    /** The calls that waited, in the order in which they were let go. */
    private static void tellWhoWaited(List<Event> events) {
        List<Event> waited = events.stream()
                .filter(event -> event.waitedMillis() > 0)
                .sorted(Comparator.comparingLong(Event::atMillis))
                .toList();
        if (waited.isEmpty()) {
            return;
        }
        LongSummaryStatistics millis =
                waited.stream().mapToLong(Event::waitedMillis).summaryStatistics();
        long begin = events.get(0).atMillis();
        System.out.printf(
                "%d calls waited in line, for %d to %d ms, in the order in which they went:%n",
                waited.size(), millis.getMin(), millis.getMax());
        System.out.printf("%14s %14s   %-9s %s%n", "asked", "went", "", "");
        for (Event event : waited) {
            System.out.printf(
                    "%11.3f s %12.3f s   %-9s %s%n",
                    (event.atMillis() - event.waitedMillis() - begin) / 1_000.0,
                    (event.atMillis() - begin) / 1_000.0,
                    event.worker(),
                    event.model());
        }
        System.out.println();
    }

    /** What the ledger in Redis holds of the budget that has one balance for everything. */
    private static Cost ledger(CostGuard guard) throws IOException {
        long[] used = guard.status(GuardedCall.of("gpt-4o").with("provider", "openai")).stream()
                .filter(status -> status.budget().equals("bill"))
                .mapToLong(Demo::used)
                .toArray();
        return Cost.requests(used[0]).input(used[1]).output(used[2]).nanoUsd(used[3]);
    }

    private static long used(LimitStatus status) {
        return status.capacity() - status.balance();
    }

    private static boolean compare(Cost ledger, Cost bill) {
        System.out.printf("%-22s %12s %14s %14s %16s%n", "", "requests", "input tokens", "output tokens", "dollars");
        print("the ledger in Redis", ledger);
        print("the provider's bill", bill);
        boolean equal = ledger.equals(bill);
        System.out.println(equal ? "They are equal." : "They are NOT equal.");
        return equal;
    }

    private static void print(String what, Cost cost) {
        System.out.printf(
                "%-22s %12d %14d %14d %16s%n",
                what, cost.requests(), cost.input(), cost.output(), Unit.USD.format(cost.nanoUsd()));
    }
}
