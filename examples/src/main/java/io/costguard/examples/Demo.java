package io.costguard.examples;

import io.costguard.Unit;
import io.costguard.examples.fleet.Amounts;
import io.costguard.examples.fleet.ApiKey;
import io.costguard.examples.fleet.Budgets;
import io.costguard.examples.fleet.Calls;
import io.costguard.examples.fleet.Event;
import io.costguard.examples.fleet.Fleet;
import io.costguard.examples.fleet.FleetRedis;
import io.costguard.examples.fleet.Provider;
import io.costguard.examples.fleet.Reading;
import io.costguard.examples.page.Page;
import java.io.IOException;
import java.time.Duration;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;

/**
 * The main job: a fleet of processes that share their budgets, and at the end its ledger beside the provider's bill; and a page on which
 * that can be watched and driven.
 */
final class Demo {
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final Settings settings;
    private final Fleet fleet;
    private final Optional<Page> page;
    private final List<Event> events = Collections.synchronizedList(new ArrayList<>());
    private final YearMonth month = YearMonth.now(ZoneOffset.UTC);
    private volatile boolean isPrinting = true;

    private Demo(Settings settings, Fleet fleet, Optional<Page> page) {
        this.settings = settings;
        this.fleet = fleet;
        this.page = page;
        fleet.listen(this::told);
    }

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
        boolean asItShould;
        try (FleetRedis redis = settings.redisUrl().map(FleetRedis::at).orElseGet(FleetRedis::start);
                Provider provider = Provider.start();
                Fleet fleet = new Fleet(redis, provider, Budgets.USUAL)) {
            Optional<Page> page = page(settings, fleet);
            try {
                asItShould = new Demo(settings, fleet, page).run();
            } finally {
                page.ifPresent(Page::close);
            }
        }
        System.exit(asItShould ? 0 : 1);
    }

    private static Optional<Page> page(Settings settings, Fleet fleet) throws IOException {
        if (settings.port().isEmpty()) {
            return Optional.empty();
        }
        int port = settings.port().get();
        try {
            return Optional.of(Page.start(port, fleet));
        } catch (IOException e) {
            System.err.println("demo: no page at port " + port + " (" + e.getMessage() + "); --port says another");
            System.exit(2);
            throw e;
        }
    }

    private boolean run() throws IOException, InterruptedException {
        System.out.println("Redis at " + fleet.redis().url() + ", the provider at "
                + fleet.provider().uri() + ", " + settings.processes() + " processes with " + settings.calls()
                + " calls each");
        System.out.println("Budgets of the fleet: " + fleet.budgets());
        page.ifPresent(open -> System.out.println("Watch it, and drive it, at " + open.uri()));
        System.out.println();
        makeCalls();
        System.out.println();
        tellWhoWaited();
        if (page.isEmpty()) {
            return end();
        }
        if (!page.get().isOpen() && settings.waitSeconds() > 0) {
            System.out.println("All calls are made. Now it is yours: "
                    + page.get().uri() + " (for " + settings.waitSeconds() + " s; Ctrl-C ends it at once)");
            page.get().awaitOpen(Duration.ofSeconds(settings.waitSeconds()));
        }
        if (page.get().isOpen()) {
            System.out.println("The page is open: the fleet goes on until it is closed, and is told of there.");
            isPrinting = false;
            page.get().traffic(true);
            page.get().awaitClosed();
            page.get().traffic(false);
            System.out.println("The page was closed.");
        }
        System.out.println();
        return end();
    }

    /** Has each process make its calls, one after the other. */
    private void makeCalls() throws IOException, InterruptedException {
        List<Thread> callers = new ArrayList<>();
        for (int i = 0; i < settings.processes(); i++) {
            String worker = fleet.add().name();
            int first = i;
            callers.add(new Thread(() -> makeCalls(worker, first)));
        }
        callers.forEach(Thread::start);
        for (Thread caller : callers) {
            caller.join();
        }
    }

    private void makeCalls(String worker, int first) {
        try {
            for (int i = 0; i < settings.calls(); i++) {
                makeCall(worker, first + i);
            }
        } catch (CompletionException | CancellationException | IllegalArgumentException e) {
            System.out.println(worker + " makes no more calls: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Where the guard does not let it go, it comes back when it is told to. */
    private void makeCall(String worker, int number) throws InterruptedException {
        Event.Numbers ended;
        do {
            ended = fleet.call(worker, Calls.mixed(number), ApiKey.SEARCH, "", PATIENCE, Reading.TO_THE_END)
                    .join()
                    .numbers();
            Thread.sleep(ended.comeBackMillis());
        } while (ended.comeBackMillis() > 0);
    }

    private void told(Event event) {
        if (isPrinting && event.what() != Event.What.READY && event.what() != Event.What.ENDED) {
            events.add(event);
            System.out.println(event);
        }
    }

    /** Ends the fleet; gives whether its ledger is the provider's bill, as far as that can be. */
    private boolean end() throws IOException, InterruptedException {
        fleet.redis().run();
        int failed = fleet.end();
        if (failed > 0) {
            System.out.println(failed + " of the processes failed; what they said is above");
        }
        boolean isAsBilled = compare(fleet.ledger(), fleet.provider().account().bill());
        if (isAsBilled) {
            return failed == 0;
        }
        Optional<String> why = page.flatMap(Page::whyTheLedgerDiffers);
        why.ifPresent(text -> System.out.println("That may be, as " + text + "."));
        if (!month.equals(YearMonth.now(ZoneOffset.UTC))) {
            System.out.println("A month ended meanwhile, and its windows with it: run it once more.");
        }
        return failed == 0 && why.isPresent();
    }

    /** The calls that waited, in the order in which they were let go. */
    private void tellWhoWaited() {
        List<Event> waited = events.stream()
                .filter(event ->
                        event.what() == Event.What.GRANTED && event.numbers().waitedMillis() > 0)
                .sorted(Comparator.comparingLong(Event::atMillis))
                .toList();
        if (waited.isEmpty()) {
            return;
        }
        LongSummaryStatistics millis = waited.stream()
                .mapToLong(event -> event.numbers().waitedMillis())
                .summaryStatistics();
        long begin = events.get(0).atMillis();
        System.out.printf(
                "%d calls waited in line, for %d to %d ms, in the order in which they went:%n",
                waited.size(), millis.getMin(), millis.getMax());
        System.out.printf("%14s %14s   %-9s %s%n", "asked", "went", "", "");
        for (Event event : waited) {
            System.out.printf(
                    "%11.3f s %12.3f s   %-9s %s%n",
                    (event.atMillis() - event.numbers().waitedMillis() - begin) / 1_000.0,
                    (event.atMillis() - begin) / 1_000.0,
                    event.worker(),
                    event.model());
        }
        System.out.println();
    }

    private static boolean compare(Amounts ledger, Amounts bill) {
        System.out.printf("%-22s %12s %14s %14s %16s%n", "", "requests", "input tokens", "output tokens", "dollars");
        print("the ledger in Redis", ledger);
        print("the provider's bill", bill);
        boolean equal = ledger.equals(bill);
        System.out.println(equal ? "They are equal." : "They are NOT equal.");
        return equal;
    }

    private static void print(String what, Amounts amounts) {
        System.out.printf(
                "%-22s %12d %14d %14d %16s%n",
                what, amounts.requests(), amounts.input(), amounts.output(), Unit.USD.format(amounts.nanoUsd()));
    }
}
