package io.costguard.examples.fleet;

import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Outcome;
import io.costguard.WhenExhausted;
import io.costguard.examples.fleet.Event.Numbers;
import io.costguard.examples.fleet.Event.What;
import io.costguard.testing.Recordings.Exchange;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One process of the fleet: takes orders on its standard input, and tells on its standard output each thing that happens. Whoever gave it
 * its orders and is gone leaves it the end of that input: then it is gone too.
 */
final class Worker {
    private static final Duration CALLS_END_WITHIN = Duration.ofSeconds(30);

    private final String name;
    private final Client.Kind kind;
    private final String redis;
    private final String keyPrefix;
    private final URI provider;
    private final ExecutorService callers = Executors.newCachedThreadPool();
    private final Map<String, Under> underWay = new ConcurrentHashMap<>();
    private @Nullable Guarded current;

    private Worker(String name, Client.Kind kind, String redis, String keyPrefix, URI provider) {
        this.name = name;
        this.kind = kind;
        this.redis = redis;
        this.keyPrefix = keyPrefix;
        this.provider = provider;
    }

    /** Arguments: name, kind of client, Redis, key prefix, provider. */
    public static void main(String[] args) throws IOException, InterruptedException {
        Worker worker = new Worker(args[0], Client.Kind.valueOf(args[1]), args[2], args[3], URI.create(args[4]));
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            Order order = Wire.read(line, Order.class);
            if (order instanceof Order.Change change) {
                worker.change(change);
            } else if (order instanceof Order.Call call) {
                worker.callers.execute(() -> worker.make(call));
            } else {
                worker.end();
                System.exit(0); // the clients keep threads for their next call
            }
        }
        Runtime.getRuntime().halt(1);
    }

    /** A call that this process makes. */
    private static final class Under {
        final Thread caller = Thread.currentThread();
        final long beganNanos = System.nanoTime();
        volatile long letGoNanos;
        volatile boolean waits;
    }

    /** A guard with the client that it is on; closed once it is not the current one any more, and its last call is over. */
    private static final class Guarded {
        final CostGuard guard;
        final Client client;
        final RedisFails whenRedisFails;
        int calls;

        Guarded(CostGuard guard, Client client, RedisFails whenRedisFails) {
            this.guard = guard;
            this.client = client;
            this.whenRedisFails = whenRedisFails;
        }
    }

    private synchronized void change(Order.Change to) {
        Guarded before = current;
        if (before != null && before.whenRedisFails == to.whenRedisFails()) {
            before.guard.update(to.budgets().list());
            return;
        }
        // A policy is for the life of a guard, so that another one takes a new guard, as a deployment would bring.
        CostGuard guard = Fleet.guard(redis, keyPrefix, to.budgets())
                .whenRedisFails(to.whenRedisFails().policy())
                .listener(new Telling())
                .build();
        current = new Guarded(guard, kind.guardedBy(guard, provider), to.whenRedisFails());
        if (before == null) {
            tell(What.READY, "", "", "", "", "pid " + ProcessHandle.current().pid(), Numbers.NONE);
        } else if (before.calls == 0) {
            callers.execute(before.guard::close);
        }
    }

    private synchronized Guarded begin() {
        Guarded guarded = current;
        if (guarded == null) {
            throw new IllegalStateException("a call was ordered before there were budgets");
        }
        guarded.calls++;
        return guarded;
    }

    private synchronized boolean isLast(Guarded guarded) {
        return --guarded.calls == 0 && guarded != current;
    }

    private void make(Order.Call order) {
        Exchange exchange = Calls.of(order.exchange());
        Under call = new Under();
        underWay.put(order.id(), call);
        CallAttributes said = CostGuard.with(Map.of("call", order.id(), "team", order.team()))
                .whenExhausted(
                        order.patienceMillis() == 0
                                ? WhenExhausted.reject()
                                : WhenExhausted.waitUpTo(Duration.ofMillis(order.patienceMillis())));
        if (!order.run().isEmpty()) {
            said = said.with("run", order.run());
        }
        Guarded guarded = begin();
        Numbers numbers = Numbers.NONE;
        String detail = "";
        try {
            Client.Answer answer =
                    said.call(() -> guarded.client.send(exchange, ApiKey.of(order.team()), order.reading()));
            numbers = numbers.answered(answer.status())
                    .comingBackAfter(
                            answer.comeBackAfter().map(Duration::toMillis).orElse(0L));
            detail = !answer.isOfGuard()
                    ? "answered by the provider"
                    : answer.status() == 503 ? "not sent, as Redis is away" : "not sent";
        } catch (Exception e) {
            detail = "failed: " + e.getMessage();
        } finally {
            underWay.remove(order.id());
            if (call.letGoNanos != 0) {
                numbers = numbers.took((System.nanoTime() - call.letGoNanos) / 1_000);
            }
            tell(What.ENDED, order.id(), Calls.modelOf(exchange), order.team(), order.run(), detail, numbers);
            if (isLast(guarded)) {
                guarded.guard.close();
            }
        }
    }

    /** Those that wait give up, the others are let end. */
    private void end() throws InterruptedException {
        callers.shutdown();
        underWay.values().stream().filter(call -> call.waits).forEach(call -> call.caller.interrupt());
        if (!callers.awaitTermination(CALLS_END_WITHIN.toMillis(), TimeUnit.MILLISECONDS)) {
            callers.shutdownNow();
        }
        CostGuard guard;
        synchronized (this) {
            if (current == null) {
                return;
            }
            guard = current.guard;
        }
        try {
            guard.flush();
        } catch (GuardUnavailableException e) {
            System.err.println(name + ": not all was settled: " + e.getMessage());
        }
        guard.close();
    }

    private void tell(What what, String call, String model, String team, String run, String detail, Numbers numbers) {
        Event event = new Event(System.currentTimeMillis(), name, what, call, model, team, run, detail, numbers);
        System.out.print(event.written() + "\n"); // in one piece
    }

    /** Tells of each thing that happens to a call. */
    private final class Telling implements GuardListener {
        @Override
        public void onGranted(Grant event) {
            String left = event.left().stream()
                    .filter(limit -> !limit.budget().equals(Budgets.BILL))
                    .min(Comparator.comparingDouble(limit -> (double) limit.balance() / limit.capacity()))
                    .map(limit -> "; left: " + limit)
                    .orElse("");
            long waited = event.waited().toMillis();
            String detail = event.estimate() + " at most" + left + (waited > 0 ? "; waited " + waited + " ms" : "");
            of(
                    What.GRANTED,
                    event.call(),
                    detail,
                    decided(event.call(), waited).reserving(Amounts.of(event.estimate())));
            letGo(event.call());
        }

        @Override
        public void onWaiting(Waiting event) {
            Under call = underWay(event.call());
            if (call != null) {
                call.waits = true;
            }
            of(
                    What.WAITING,
                    event.call(),
                    event.expected() + " at the earliest",
                    decided(event.call(), 0).behind(event.expected().ahead()));
        }

        @Override
        public void onDenied(Denied event) {
            of(
                    What.DENIED,
                    event.call(),
                    event.denial() + ", says " + event.by(),
                    decided(event.call(), event.waited().toMillis()));
        }

        @Override
        public void onSettled(Settlement event) {
            String how = event.outcome() == Outcome.REPORTED ? "" : ", " + event.outcome();
            Numbers numbers = Numbers.NONE
                    .reserving(Amounts.of(event.estimate()))
                    .charging(Amounts.of(event.actual()), event.outcome());
            of(What.SETTLED, event.call(), event.actual() + how, numbers);
        }

        @Override
        public void onHeld(Hold event) {
            of(
                    What.HELD,
                    event.call(),
                    "no call like this one goes for " + event.hold().toMillis() + " ms",
                    Numbers.NONE);
        }

        @Override
        public void onFailedOpen(FailedOpen event) {
            of(What.UNCOUNTED, event.call(), "goes uncounted, as Redis is away", Numbers.NONE);
            letGo(event.call());
        }

        @Override
        public void onSpentLeased(SpentLeased event) {
            of(What.LEASED, event.call(), "goes by what this process had leased", Numbers.NONE);
            letGo(event.call());
        }

        @Override
        public void onRegressed(Regression event) {
            of(What.REGRESSED, event.call(), "Redis lost " + event.lost(), Numbers.NONE);
        }

        private Numbers decided(GuardedCall call, long waitedMillis) {
            Under under = underWay(call);
            Numbers numbers = Numbers.NONE.waited(waitedMillis);
            return under == null || under.waits
                    ? numbers
                    : numbers.took((System.nanoTime() - under.beganNanos) / 1_000);
        }

        private void letGo(GuardedCall call) {
            Under under = underWay(call);
            if (under != null) {
                under.waits = false;
                under.letGoNanos = System.nanoTime();
            }
        }

        private @Nullable Under underWay(GuardedCall call) {
            return underWay.get(attribute(call, "call"));
        }

        private void of(What what, GuardedCall call, String detail, Numbers numbers) {
            tell(
                    what,
                    attribute(call, "call"),
                    call.model(),
                    attribute(call, "team"),
                    attribute(call, "run"),
                    detail,
                    numbers);
        }

        private static String attribute(GuardedCall call, String name) {
            return call.attributes().getOrDefault(name, "");
        }
    }
}
