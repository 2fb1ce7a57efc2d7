package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Leased;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import redis.clients.jedis.RedisClient;

/**
 * Random histories in which Redis' clock is set, by a second or by ten years, forward and back: of all algorithms, and of calls that wait. What may be
 * let go is reckoned from the calls and the limits alone. Used by one thread.
 */
public final class ClockHistories implements AutoCloseable {
    private static final int JUMPS = 10;
    private static final int BESIDE = 3;
    private static final long SECOND = 1_000_000;
    private static final double LONGEST_JUMP_LOG = Math.log(315_576_000_000_000.0 / SECOND);
    private static final long EARLY = 1_400_000_000_000_000L;
    private static final long LATE = 2_000_000_000_000_000L;
    private static final long PATIENCE = 3_600 * SECOND;
    private static final int MOST_WAITING = 8;

    private final RedisClient jedis;
    private final Redis redis;
    private final String prefix;
    private final Script script;
    private int runs;

    /** What histories came to so far. */
    public static final class Figures {
        private long jumps;
        private long jumpsBack;
        private long granted;
        private long waitedAndGone;
        private long over;
        private long refilledByStepsBack;
        private long frozen;
        private long differences;
        private String first = "";

        /** {@return how often the clock was set} */
        public long jumps() {
            return jumps;
        }

        /** {@return how often it was set back} */
        public long jumpsBack() {
            return jumpsBack;
        }

        /** {@return how many calls were let go} */
        public long granted() {
            return granted;
        }

        /** {@return how many of them had waited} */
        public long waitedAndGone() {
            return waitedAndGone;
        }

        /** {@return how many of them were let go beyond what may be} */
        public long over() {
            return over;
        }

        /** {@return how many limits had more as the clock was set back} */
        public long refilledByStepsBack() {
            return refilledByStepsBack;
        }

        /** {@return how many limits, or calls that waited, had not what they should have after the time that takes} */
        public long frozen() {
            return frozen;
        }

        /** {@return how many histories ended as the script and the model differed} */
        public long differences() {
            return differences;
        }

        /** {@return what went wrong first; empty where nothing did} */
        public String first() {
            return first;
        }

        private void wrong(String what) {
            first = first.isEmpty() ? what : first;
        }
    }

    private final Figures figures = new Figures();

    /**
     * Where they happen.
     *
     * @param url of a Redis
     * @param prefix of keys that nobody else has there
     */
    public ClockHistories(String url, String prefix) {
        this.jedis = PatientRedis.client(url);
        this.redis = Redis.of(jedis);
        this.prefix = prefix;
        this.script = TestScript.ofTheRealOne().withTimeAt(prefix + ":time").build();
    }

    /** {@return what all so far came to} */
    public Figures figures() {
        return figures;
    }

    /** One history of a limit of each kind. */
    public void run(long seed) {
        TwinLedger ledger = new TwinLedger(jedis, prefix + ":" + runs++);
        try {
            new OfBalances(seed, ledger).run();
        } catch (AssertionError e) {
            figures.differences++;
            figures.wrong("history " + seed + ": " + e.getMessage() + "\n" + String.join("\n", ledger.events()));
        } finally {
            ledger.end();
        }
    }

    /** One history of a line. */
    public void runLine(long seed) {
        new OfALine(seed).run();
    }

    @Override
    public void close() {
        jedis.close();
    }

    private static long anyJump(Random random, long now) {
        long micros = (long) (SECOND * Math.exp(random.nextDouble() * LONGEST_JUMP_LOG));
        boolean back = now > LATE || (now > EARLY && random.nextBoolean());
        return back ? -micros : micros;
    }

    // ---------------------------------------------------------------------------------------------- balances

    private final class OfBalances {
        private final long seed;
        private final Random random;
        private final TwinLedger ledger;
        private final Lane lane;
        private final List<Site> sites = new ArrayList<>();

        private record Open(Charge charge, int grant) {}

        private final class Site {
            final Subject subject;
            final Limit limit;
            final ClockAllowance allowance;
            final List<Open> open = new ArrayList<>();

            Site(String name, Limit limit) {
                this.subject = ledger.subject(name, limit);
                this.limit = limit;
                this.allowance = new ClockAllowance(limit);
            }

            Batch.Call reserve(long amount) {
                return new Batch.Call.Reserve(List.of(new Claim(subject, new long[] {amount})));
            }

            /** Says how much was let go. */
            long heard(Batch.Result result) {
                if (!(result instanceof Batch.Result.Decided decided)
                        || !(decided.verdict() instanceof Verdict.Granted granted)) {
                    return 0;
                }
                Charge charge = granted.charges().get(0);
                long amount = charge.claim().amounts()[0];
                figures.granted++;
                if (allowance.isOverWith(amount)) {
                    figures.over++;
                    wrong(limit + " let go more than it may");
                }
                open.add(new Open(charge, allowance.last()));
                return amount;
            }

            Batch.Call settleOne() {
                Open ended = open.remove(random.nextInt(open.size()));
                long amount = ended.charge.claim().amounts()[0];
                long used = random.nextInt(4) == 0 && !limit.isInFlight()
                        ? Math.min(Cost.MAX_AMOUNT, amount + limit.capacity() / 3)
                        : random.nextLong(amount + 1);
                if (used > amount) {
                    allowance.owes(used - amount);
                } else {
                    allowance.returns(ended.grant, limit.isInFlight() ? amount : amount - used);
                }
                return new Batch.Call.Settle(new Settled(ended.charge, new long[] {used}));
            }
        }

        OfBalances(long seed, TwinLedger ledger) {
            this.seed = seed;
            this.random = new Random(seed);
            this.ledger = ledger;
            this.lane = ledger.lane("one");
            sites.add(new Site("bucket", anyOf().per(anySpan()).tokenBucket()));
            sites.add(new Site(
                    "long bucket",
                    Limit.requests((1L << 52) + 1)
                            .per(Duration.ofDays(1 + random.nextInt(60)))
                            .tokenBucket()
                            .burst(Cost.MAX_AMOUNT - random.nextInt(1_000))));
            sites.add(new Site("window", anyOf().per(anySpan()).fixedWindow()));
            ZoneId zone = ZoneId.of(random.nextBoolean() ? "America/New_York" : "Australia/Lord_Howe");
            sites.add(new Site(
                    "calendar",
                    random.nextBoolean()
                            ? anyOf().perDay().fixedWindow(zone)
                            : anyOf().perMonth().fixedWindow(zone)));
            sites.add(new Site("sliding", anyOf().per(anySpan()).slidingWindow()));
            sites.add(new Site("in flight", Leased.calls(1 + random.nextInt(1_000), anySpan())));
        }

        private Limit.Amount anyOf() {
            return Limit.requests(
                    random.nextInt(8) == 0 ? Math.floorMod(random.nextLong(), 1L << 50) + 1 : 1 + random.nextInt(5_000));
        }

        private Duration anySpan() {
            return random.nextInt(3) == 0
                    ? Duration.ofSeconds(1 + random.nextInt(60 * 86_400))
                    : Duration.ofMillis(100 + random.nextInt(200_000));
        }

        private void wrong(String what) {
            figures.wrong("history " + seed + ": " + what + "\n" + String.join("\n", ledger.events()));
        }

        void run() {
            for (int jump = 0; jump < JUMPS; jump++) {
                for (int i = random.nextInt(4); i > 0; i--) {
                    passes(random.nextLong(sites.get(random.nextInt(sites.size())).allowance.untilFull()));
                    use();
                }
                boolean isEmpty = random.nextInt(3) > 0;
                if (isEmpty) {
                    drain();
                }
                boolean back = jumps();
                long[] drained = drain();
                for (int i = 0; isEmpty && i < drained.length; i++) {
                    if (back && drained[i] > 0) {
                        figures.refilledByStepsBack++;
                        wrong(sites.get(i).limit + " had " + drained[i] + " more");
                    } else if (drained[i] > sites.get(i).limit.capacity()) {
                        figures.over++;
                        wrong(sites.get(i).limit + " gave " + drained[i] + " as the clock was set forward");
                    }
                }
                if (random.nextBoolean()) {
                    allAreFullInTime();
                }
            }
        }

        private void passes(long micros) {
            long from = ledger.now();
            ledger.tick(micros);
            sites.forEach(site -> site.allowance.passes(from, ledger.now()));
            ledger.expire();
        }

        private boolean jumps() {
            long micros = anyJump(random, ledger.now());
            ledger.note(() -> "the clock is set");
            ledger.tick(micros);
            ledger.expire();
            sites.forEach(site -> site.allowance.jumps());
            figures.jumps++;
            figures.jumpsBack += micros < 0 ? 1 : 0;
            return micros < 0;
        }

        private void use() {
            List<Batch.Call> settles = new ArrayList<>();
            List<Batch.Call> reserves = new ArrayList<>();
            for (Site site : sites) {
                if (!site.open.isEmpty() && random.nextBoolean()) {
                    settles.add(site.settleOne());
                }
                reserves.add(site.reserve(1 + random.nextLong(site.limit.capacity())));
            }
            ledger.run(lane, settles.toArray(Batch.Call[]::new));
            List<Batch.Result> results = ledger.run(lane, reserves.toArray(Batch.Call[]::new));
            for (int i = 0; i < results.size(); i++) {
                sites.get(i).heard(results.get(i));
            }
        }

        /** Takes all there is, down to the last unit: the powers of two that fit, the largest first. Says how much that was, of each. */
        private long[] drain() {
            long[] all = new long[sites.size()];
            for (int i = 0; i < all.length; i++) {
                Site site = sites.get(i);
                List<Batch.Call> calls = new ArrayList<>();
                for (long amount = Long.highestOneBit(site.limit.capacity()); amount > 0; amount /= 2) {
                    calls.add(site.reserve(amount));
                }
                for (Batch.Result result : ledger.run(lane, calls.toArray(Batch.Call[]::new))) {
                    all[i] += site.heard(result);
                }
            }
            return all;
        }

        /** Each at its own time, so that nothing else stands still for longer and is not seen. */
        private void allAreFullInTime() {
            long passed = 0;
            List<Site> inOrder = sites.stream()
                    .sorted(Comparator.comparingLong(site -> site.allowance.untilFull()))
                    .toList();
            for (Site site : inOrder) {
                long after = site.allowance.untilFull();
                passes(Math.max(0, after - passed));
                passed = Math.max(passed, after);
                long amount = site.limit.capacity();
                if (site.heard(ledger.run(lane, site.reserve(amount)).get(0)) == 0) {
                    figures.frozen++;
                    wrong(site.limit + " is not full after " + after + " us");
                }
                site.allowance.isFull();
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ a line

    private final class OfALine {
        private static final long STEP = SECOND / 2;

        private final long seed;
        private final Random random;
        private final Limit limit;
        private final Subject subject;
        private final ClockAllowance allowance;
        private final Lines lines = new Lines("process-0000", prefix + ":turn:");
        private final Lane lane;
        private final List<Waiter> waiters = new ArrayList<>();
        private final List<String> events = new ArrayList<>();
        private long now = TwinLedger.START;
        private long lastNumber;

        private final class Waiter {
            final long number = ++lastNumber;
            final long amount = 1 + random.nextLong(Math.max(1, limit.capacity() / BESIDE));
            long place;
            boolean hasWaited;

            Batch.Call asks() {
                Batch.LineOperation operation = place == 0
                        ? new Batch.LineOperation(Batch.LineOperation.Kind.JOIN, number, 0, PATIENCE)
                        : new Batch.LineOperation(Batch.LineOperation.Kind.ASK, number, place, 0);
                return new Batch.Call.Reserve(List.of(new Claim(subject, new long[] {amount})), operation);
            }

            /** Says whether it went. */
            boolean heard(Batch.Result result) {
                if (result instanceof Batch.Result.Joined joined) {
                    place = joined.place();
                    hasWaited = true;
                } else if (result instanceof Batch.Result.Gone) {
                    place = 0;
                }
                return result instanceof Batch.Result.Decided decided
                        && decided.verdict() instanceof Verdict.Granted;
            }
        }

        OfALine(long seed) {
            this.seed = seed;
            this.random = new Random(seed);
            Limit.Amount of = Limit.requests(4 + random.nextInt(200));
            Duration span = Duration.ofMillis(500 + random.nextInt(2_500));
            this.limit = switch (random.nextInt(4)) {
                case 0 -> of.per(span).fixedWindow();
                case 1 -> of.per(span).slidingWindow();
                case 2 -> Leased.calls(4 + random.nextInt(200), span);
                default -> of.per(span).tokenBucket();
            };
            String name = prefix + ":line-" + runs++;
            this.subject = new Subject(name + ":{x}:s", Budget.named("s").limit(limit));
            this.allowance = new ClockAllowance(limit);
            this.lane = new Lane(name + ":{lane}", 0);
        }

        void run() {
            for (int jumps = 0; jumps < JUMPS; ) {
                passes();
                if (waiters.size() < MOST_WAITING) {
                    waiters.add(new Waiter());
                }
                if (random.nextInt(5) == 0) {
                    jumps++;
                    jump();
                }
                ask();
            }
            long amounts = waiters.stream().mapToLong(waiter -> waiter.amount).sum();
            allowance.owes(amounts);
            long until = allowance.untilFull() + 10 * STEP;
            for (long passed = 0; passed < until && !waiters.isEmpty(); passed += STEP) {
                passes();
                ask();
            }
            if (!waiters.isEmpty()) {
                figures.frozen += waiters.size();
                wrong(waiters.size() + " calls wait on for " + limit + " after " + until + " us");
            }
            jedis.del(subject.key(), subject.key() + ":line");
        }

        private void passes() {
            allowance.passes(now, now + STEP);
            now += STEP;
        }

        private void jump() {
            long micros = anyJump(random, now);
            now += micros;
            allowance.jumps();
            figures.jumps++;
            figures.jumpsBack += micros < 0 ? 1 : 0;
            events.add("the clock is set by " + micros + " us");
        }

        private void ask() {
            jedis.set(prefix + ":time", Long.toString(now));
            Batch batch = new Batch(lines);
            batch.add(new Batch.Call.Reserve(
                    List.of(new Claim(subject, new long[] {0})),
                    new Batch.LineOperation(Batch.LineOperation.Kind.BEAT, 0, 0, 0)));
            List<Batch.Call> calls = waiters.stream().map(Waiter::asks).toList();
            calls.forEach(batch::add);
            byte[] request = batch.request(Batch.Mode.RUN, lane.number(), Long.MAX_VALUE >> 10, 60_000, now);
            Batch.Reply reply = batch.read(script.run(
                    redis, batch.keys(lane.key()), request, Duration.ofMinutes(1).toNanos()));
            lane.advance(0);
            events.add(now + " " + calls.stream().map(LineHistory::text).toList() + " -> "
                    + reply.results().stream().map(LineHistory::text).toList());
            List<Waiter> all = List.copyOf(waiters);
            for (int i = 0; i < all.size(); i++) {
                Waiter waiter = all.get(i);
                if (waiter.heard(reply.results().get(i + 1))) {
                    waiters.remove(waiter);
                    figures.granted++;
                    figures.waitedAndGone += waiter.hasWaited ? 1 : 0;
                    if (allowance.isOverWith(waiter.amount)) {
                        figures.over++;
                        wrong(limit + " let go more than it may");
                    }
                }
            }
        }

        private void wrong(String what) {
            figures.wrong("history " + seed + " of a line: " + what + "\n" + String.join("\n", events));
        }
    }
}
