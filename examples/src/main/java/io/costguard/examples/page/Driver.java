package io.costguard.examples.page;

import io.costguard.examples.fleet.ApiKey;
import io.costguard.examples.fleet.Calls;
import io.costguard.examples.fleet.Event;
import io.costguard.examples.fleet.Fleet;
import io.costguard.examples.fleet.Reading;
import io.costguard.testing.Recordings.Exchange;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Makes the fleet do what the page asks, and a little traffic of its own. Safe for use by many threads. */
final class Driver implements AutoCloseable {
    static final Duration PATIENCE = Duration.ofSeconds(15);

    private static final Duration BETWEEN_CALLS = Duration.ofMillis(1_300);
    private static final int SURGE_EVERY = 9;
    /** Above what a budget holds, unless that was made larger: some go, some wait, some are denied. */
    private static final int SURGE = 10;

    private static final List<ApiKey> KEYS = List.of(ApiKey.values());

    private static final int BURST = 14;
    private static final int MOST_CALLS_OF_A_RUN = 200;

    private final Fleet fleet;
    private final Live live;
    private final ScheduledExecutorService clock =
            Executors.newSingleThreadScheduledExecutor(Threads.named("page traffic"));
    private final Random random = new Random();
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger runs = new AtomicInteger();
    private int ticks;
    private volatile boolean hasTraffic;
    private volatile boolean waits = true;

    Driver(Fleet fleet, Live live) {
        this.fleet = fleet;
        this.live = live;
        var unusedTraffic = clock.scheduleWithFixedDelay(
                this::tick, BETWEEN_CALLS.toMillis(), BETWEEN_CALLS.toMillis(), TimeUnit.MILLISECONDS);
    }

    boolean hasTraffic() {
        return hasTraffic;
    }

    boolean waits() {
        return waits;
    }

    /** @throws IllegalArgumentException if that cannot be done; it says why */
    void perform(Action action) {
        if (action instanceof Action.Call call) {
            make(Calls.to(call.model(), false), ApiKey.of(call.team()), Reading.TO_THE_END);
        } else if (action instanceof Action.Burst burst) {
            surge(BURST, Calls.to(burst.model(), false), ApiKey.of(burst.team()));
        } else if (action instanceof Action.Stream stream) {
            make(Calls.to(stream.model(), true), ApiKey.of(stream.team()), Reading.TO_THE_END);
        } else if (action instanceof Action.CutStream stream) {
            live.cut();
            make(Calls.to(stream.model(), true), ApiKey.of(stream.team()), Reading.HALF);
        } else if (action instanceof Action.Agent agent) {
            goWild(ApiKey.of(agent.team()));
        } else if (action instanceof Action.Traffic traffic) {
            hasTraffic = traffic.on();
        } else if (action instanceof Action.Wait wait) {
            waits = wait.on();
        } else if (action instanceof Action.SetBudgets set) {
            fleet.conduct(set.budgets(), fleet.whenRedisFails());
        } else if (action instanceof Action.SetProvider set) {
            fleet.provider().behave(set.manner());
        } else if (action instanceof Action.RunRedis redis) {
            if (!redis.on()) {
                live.outageBegins();
            }
            fleet.redis().run(redis.on());
        } else if (action instanceof Action.WhenRedisFails set) {
            fleet.conduct(fleet.budgets(), set.policy());
        } else if (action instanceof Action.AddProcess) {
            try {
                fleet.add();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        } else if (action instanceof Action.KillProcess kill) {
            fleet.kill(kill.name());
        }
    }

    private void surge(int calls, Exchange exchange, ApiKey key) {
        for (int i = 0; i < calls; i++) {
            make(exchange, key, Reading.TO_THE_END);
        }
    }

    private void make(Exchange exchange, ApiKey key, Reading reading) {
        make(exchange, key, reading, waits ? PATIENCE : Duration.ZERO);
    }

    private void make(Exchange exchange, ApiKey key, Reading reading, Duration patience) {
        var unusedEnd = make(exchange, key, "", reading, patience);
    }

    private CompletableFuture<Event> make(
            Exchange exchange, ApiKey key, String run, Reading reading, Duration patience) {
        List<Fleet.Member> members = fleet.members();
        if (members.isEmpty()) {
            throw new IllegalArgumentException("there is no process to make a call; add one");
        }
        String worker = members.get(Math.floorMod(next.getAndIncrement(), members.size()))
                .name();
        return fleet.call(worker, exchange, key, run, patience, reading);
    }

    /** Each call after the other, wherever there is a process, as long as anything lets it. */
    private void goWild(ApiKey key) {
        String run = "run-" + runs.incrementAndGet();
        live.runBegins(run, key);
        goOn(run, key, 0);
    }

    private void goOn(String run, ApiKey key, int made) {
        String dearest = Calls.MODELS.get(Calls.MODELS.size() - 1);
        CompletableFuture<Event> call;
        try {
            call = make(Calls.to(dearest, true), key, run, Reading.TO_THE_END, PATIENCE);
        } catch (IllegalArgumentException e) {
            live.runEnds(run, String.valueOf(e.getMessage()));
            return;
        }
        CompletableFuture<Void> unusedEnd = call.handle((ended, failure) -> {
            if (failure == null && ended.numbers().status() == 402) {
                live.runEnds(run, "stopped by its budget");
            } else if (failure == null && ended.numbers().status() == 503) {
                live.runEnds(run, "stopped, as Redis is away");
            } else if (made + 1 >= MOST_CALLS_OF_A_RUN) {
                live.runEnds(run, "given up after " + MOST_CALLS_OF_A_RUN + " calls");
            } else {
                long pause = failure == null ? Math.max(50, ended.numbers().comeBackMillis()) : 500;
                if (!clock.isShutdown()) {
                    var unused = clock.schedule(() -> goOn(run, key, made + 1), pause, TimeUnit.MILLISECONDS);
                }
            }
            return null;
        });
    }

    private void tick() {
        if (!hasTraffic || fleet.members().isEmpty()) {
            return;
        }
        try {
            ApiKey key = KEYS.get(random.nextInt(KEYS.size()));
            if (++ticks % SURGE_EVERY == 5) {
                String model = Calls.MODELS.get(random.nextInt(2));
                surge(SURGE, Calls.to(model, false), key);
                // One that is in a hurry stands in no line.
                make(Calls.to(model, false), key, Reading.TO_THE_END, Duration.ZERO);
            } else {
                String model = Calls.MODELS.get(ticks % 6 == 0 ? 2 : random.nextInt(2));
                make(Calls.to(model, random.nextBoolean()), key, Reading.TO_THE_END);
            }
        } catch (IllegalArgumentException e) {
            // The last process is just gone.
        }
    }

    @Override
    public void close() {
        hasTraffic = false;
        clock.shutdownNow();
    }
}
