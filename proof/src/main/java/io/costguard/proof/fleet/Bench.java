package io.costguard.proof.fleet;

import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.PatientRedis;
import io.costguard.proof.Waiting;
import io.costguard.testing.RedisForTests;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisException;

/** What the injections of one row have: servers, guards and load, all of which end with it. For one thread. */
final class Bench implements AutoCloseable {
    /** What a decision may take where it has to fail, now and then, for the row to be seen. */
    static final Duration HASTY = Duration.ofSeconds(1);
    /** Where no call may fail, so that a machine that stalls fails none. */
    static final Duration PATIENT = Duration.ofSeconds(20);

    static final long LONGEST_STALL_MILLIS = 1_000;

    /** Calls come every few milliseconds: in so many, one at least. */
    private static final long LEAST_MILLIS = 25;

    private static final int PROCESSES = 2;
    private static final int PING_MILLIS = 50;

    final Wrongs wrongs;

    private final Random random;
    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private final List<Load> loads = new ArrayList<>();
    private final Map<CostGuard, AtomicLong> lossesTold = new ConcurrentHashMap<>();
    private volatile boolean losesWrites;
    private long longestStall;
    private long metByOthers;
    private long deniedElsewhere;
    private long outages;

    Bench(Wrongs wrongs, Random random) {
        this.wrongs = wrongs;
        this.random = random;
    }

    /** What can be done, and fails. */
    interface Step {
        void run() throws Exception;
    }

    <T extends AutoCloseable> T opened(T closeable) {
        open.push(closeable);
        return closeable;
    }

    RedisForTests server(String... arguments) {
        return opened(RedisForTests.start(arguments));
    }

    Jedis admin(RedisForTests redis) {
        return opened(PatientRedis.connection(redis.url()));
    }

    /** A load whose calls fail in time for that to be seen. */
    Load hasty(String url) {
        return load(guard -> guard.redis(url).decisionTimeout(HASTY));
    }

    /** A load whose calls do not fail for want of time. */
    Load patient(String url) {
        return load(guard -> guard.redis(url));
    }

    /** Guards on the budget of the load, and threads that make calls through them. */
    Load load(UnaryOperator<CostGuard.Builder> builder) {
        List<CostGuard> guards = new ArrayList<>();
        for (int i = 0; i < PROCESSES; i++) {
            guards.add(guard(builder));
        }
        return load(guards);
    }

    Load load(List<CostGuard> guards) {
        Load load = opened(new Load(guards, wrongs, random));
        loads.add(load);
        return load;
    }

    CostGuard guard(UnaryOperator<CostGuard.Builder> builder) {
        AtomicLong told = new AtomicLong();
        CostGuard guard = builder.apply(CostGuard.builder()
                        .keyPrefix("load")
                        .decisionTimeout(PATIENT)
                        .lease(Load.LEASE)
                        .budget(Load.BUDGET)
                        .listener(new GuardListener() {
                            @Override
                            public void onRegressed(Regression event) {
                                if (!losesWrites) {
                                    wrongs.add("a loss was told where there is none: " + event);
                                } else if (event.lost() == Regression.Lost.BALANCES) {
                                    told.incrementAndGet();
                                }
                            }
                        }))
                .build();
        lossesTold.put(guard, told);
        return guard;
    }

    /** Redis loses what it wrote, now and then: guards are to tell of it, and may let go more calls at a time than the limit. */
    Load losing(UnaryOperator<CostGuard.Builder> builder) {
        losesWrites = true;
        return load(builder).withoutBound();
    }

    /** {@return how often it told that Redis lost balances} */
    long lossesTold(CostGuard guard) {
        return Objects.requireNonNull(lossesTold.get(guard)).get();
    }

    /** {@return how many calls could not be decided meanwhile, and what else a fault had to do with} */
    long met() {
        return metByOthers + loads.stream().mapToLong(Load::met).sum();
    }

    /** {@return how many calls were denied as too many were in flight} */
    long denialsInFlight() {
        return deniedElsewhere + loads.stream().mapToLong(Load::denialsInFlight).sum();
    }

    /** A fault met so many others than calls while it lasted. */
    void meets(long more) {
        metByOthers += more;
    }

    /** {@return how often a server has answered by an error of these codes} */
    static long errors(RedisForTests redis, String codes) {
        try (Jedis jedis = PatientRedis.connection(redis.url())) {
            Matcher matcher =
                    Pattern.compile("errorstat_(?:" + codes + "):count=(\\d+)").matcher(jedis.info("errorstats"));
            long errors = 0;
            while (matcher.find()) {
                errors += Long.parseLong(matcher.group(1));
            }
            return errors;
        }
    }

    /** So many milliseconds go by. */
    static void pass(long millis) {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis));
    }

    /** {@return for how long something is wrong: now and then for longer than a hasty guard waits} */
    static int millis(Random random) {
        return random.nextInt(4) == 0 ? 1_200 : random.nextInt(400);
    }

    static void command(RedisForTests redis, ProtocolCommand command, String... arguments) {
        try (Jedis at = PatientRedis.connection(redis.url())) {
            at.sendCommand(command, arguments);
        }
    }

    /** That of a Redis that is back when it answers a PING. */
    Outage outage(Load load, String pingUrl) {
        return outage(load, () -> pings(pingUrl));
    }

    Outage outage(Load load, BooleanSupplier isBack) {
        return new Outage(load, isBack);
    }

    /** A time in which nothing can be decided. */
    final class Outage {
        private final Load load;
        private final BooleanSupplier isBack;

        private Outage(Load load, BooleanSupplier isBack) {
            this.load = load;
            this.isBack = isBack;
        }

        /**
         * It ends when {@code ends} has been done and Redis is back; the time from then to the first grant is the stall.
         *
         * @param millis how long it lasts, at least
         */
        void lasts(long millis, Step begins, Step ends) throws Exception {
            load.faultBegins();
            begins.run();
            load.outageBegins();
            pass(Math.max(LEAST_MILLIS, millis));
            load.outageEnds();
            CompletableFuture<Void> ending = CompletableFuture.runAsync(() -> {
                try {
                    ends.run();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            Waiting.until(isBack::getAsBoolean, "Redis, back");
            final long back = System.nanoTime();
            ending.get(1, TimeUnit.MINUTES);
            load.faultEnds();
            long stall = load.stallSince(back);
            if (stall > LONGEST_STALL_MILLIS) {
                wrongs.tell("the first call was let go after " + stall + " ms");
            }
            longestStall = Math.max(longestStall, stall);
            outages++;
        }
    }

    private static boolean pings(String url) {
        try (Jedis jedis = new Jedis(URI.create(url), PING_MILLIS)) {
            jedis.ping();
            return true;
        } catch (JedisException e) {
            return false;
        }
    }

    /** What there was on another bench of the same row. */
    void add(Bench other) {
        longestStall = Math.max(longestStall, other.longestStall);
        outages += other.outages;
        metByOthers += other.met();
        deniedElsewhere += other.denialsInFlight();
    }

    long longestStall() {
        return longestStall;
    }

    long outages() {
        return outages;
    }

    @Override
    public void close() {
        for (AutoCloseable each : open) {
            try {
                each.close();
            } catch (Exception e) {
                throw new IllegalStateException("it does not close", e);
            }
        }
    }
}
