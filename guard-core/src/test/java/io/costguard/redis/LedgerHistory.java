package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Leased;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger;
import io.costguard.limit.Ledger.Correction;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import redis.clients.jedis.RedisClient;

/**
 * Random histories of a ledger: the real script in virtual time, and the model beside it. A history is what its seed makes of its budgets, and
 * the seeds of its steps: any part of its steps is a history too. Used by one thread.
 */
public final class LedgerHistory implements AutoCloseable {
    private static final String[] ZONES = {"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"};
    private static final int SUBJECTS = 3;

    private final RedisClient jedis;
    private final String prefix;
    private final Figures figures = new Figures();
    private TwinLedger last;
    private int runs;

    /** What happens in a step, and how often in a thousand. */
    public enum Step {
        BATCH(520),
        TICK(160),
        CLOCK_SET_BACK(80),
        CHANGED_BUDGET(80),
        CANCEL(70),
        REPLAY(40),
        CANCEL_OF_WHAT_RAN_BEFORE(15),
        REPLAY_OF_AN_OLD_NUMBER(10),
        LATE_BATCH(10),
        LOST_LANE(8),
        FLUSH(5),
        RESTART(2);

        private static final int ALL =
                Arrays.stream(values()).mapToInt(step -> step.often).sum();

        private final int often;

        Step(int often) {
            this.often = often;
        }

        private static Step any(Random random) {
            int left = random.nextInt(ALL);
            for (Step step : values()) {
                left -= step.often;
                if (left < 0) {
                    return step;
                }
            }
            throw new AssertionError();
        }
    }

    /** What the histories came to so far. */
    public static final class Figures {
        private final Map<Step, Long> steps = new EnumMap<>(Step.class);
        private long expired;
        private long granted;
        private long denied;
        private long coolDowns;
        private long dryRunsShort;

        /** {@return how often that happened} */
        public long of(Step step) {
            return steps.getOrDefault(step, 0L);
        }

        /** {@return how many balances were gone as their time was over} */
        public long expired() {
            return expired;
        }

        /** {@return how many calls were let go} */
        public long granted() {
            return granted;
        }

        /** {@return how many calls were denied} */
        public long denied() {
            return denied;
        }

        /** {@return how often a dry run would have denied a call that was let go} */
        public long dryRunsShort() {
            return dryRunsShort;
        }

        /** {@return how many cool-downs began} */
        public long coolDowns() {
            return coolDowns;
        }
    }

    /**
     * Where histories happen.
     *
     * @param url of a Redis
     * @param prefix of keys that nobody else has there
     */
    public LedgerHistory(String url, String prefix) {
        this.jedis = PatientRedis.client(url);
        this.prefix = prefix;
        this.last = new TwinLedger(jedis, prefix);
    }

    /** {@return the seeds of so many steps} */
    public static List<Long> steps(long seed, int count) {
        return new Random(seed).longs(count).boxed().toList();
    }

    /**
     * Lets it happen, from its beginning.
     *
     * @throws AssertionError where the script and the model differ
     */
    public void run(long seed, List<Long> steps) {
        TwinLedger ledger = new TwinLedger(jedis, prefix + ":" + runs++);
        last = ledger;
        try {
            One history = new One(seed, ledger);
            steps.forEach(history::step);
        } finally {
            figures.granted += ledger.model().granted();
            figures.denied += ledger.model().denied();
            figures.dryRunsShort += ledger.model().dryRunsShort();
            figures.coolDowns += ledger.model().coolDownsBegun();
            ledger.end();
        }
    }

    /** {@return what happened in the last one, in order} */
    public List<String> events() {
        return last.events();
    }

    /** {@return what all of them came to} */
    public Figures figures() {
        return figures;
    }

    @Override
    public void close() {
        jedis.close();
    }

    private final class One {
        private final TwinLedger ledger;
        private Random random;
        private final List<Subject> subjects = new ArrayList<>();
        private final List<Charge> open = new ArrayList<>();
        private final Lane[] lanes;
        private final Map<Lane, List<TwinLedger.Sent>> sent = new HashMap<>();

        One(long seed, TwinLedger ledger) {
            this.ledger = ledger;
            this.random = new Random(seed);
            this.lanes = new Lane[] {ledger.lane("a"), ledger.lane("b")};
            for (int i = 0; i < SUBJECTS; i++) {
                subjects.add(ledger.subject(maybeDryRun(budget("s" + i, limits()))));
            }
        }

        void step(long seed) {
            random = new Random(seed);
            Step step = Step.any(random);
            Lane lane = lanes[random.nextInt(lanes.length)];
            switch (step) {
                case BATCH -> oneBatch(lane);
                case TICK -> passes();
                case CLOCK_SET_BACK -> ledger.tick(-time() / 4);
                case CHANGED_BUDGET -> changeABudget();
                case CANCEL -> cancelOne(lane);
                case REPLAY -> sentBefore(lane, 1).ifPresent(ledger::again);
                case REPLAY_OF_AN_OLD_NUMBER -> sentBefore(lane, 2).ifPresent(ledger::again);
                case CANCEL_OF_WHAT_RAN_BEFORE -> sentBefore(lane, 1).ifPresent(this::cancelLater);
                case LATE_BATCH -> ledger.sendLate(lane, anyBatch());
                case LOST_LANE -> {
                    ledger.lose(lane);
                    isUnknown(lane);
                }
                case FLUSH -> {
                    ledger.flush();
                    List.of(lanes).forEach(this::isUnknown);
                }
                case RESTART -> ledger.forgetScript();
            }
            figures.steps.merge(step, 1L, Long::sum);
        }

        private Limit[] limits() {
            Limit[] limits = new Limit[1 + random.nextInt(3)];
            for (int i = 0; i < limits.length; i++) {
                limits[i] = limit(i);
            }
            return limits;
        }

        private static Budget budget(String name, Limit[] limits) {
            Budget budget = Budget.named(name);
            for (Limit limit : limits) {
                budget = budget.limit(limit);
            }
            return budget;
        }

        private Budget maybeDryRun(Budget budget) {
            return random.nextInt(4) == 0 ? budget.dryRun() : budget;
        }

        private Limit limit(int which) {
            Limit limit = anyLimit(which);
            return limit.isInFlight() ? limit : maybeCoolingDown(limit);
        }

        private Limit maybeCoolingDown(Limit limit) {
            long span = Math.min(Duration.ofDays(366).toMillis(), 1 + time() / 1_000);
            return random.nextInt(4) == 0 ? limit.coolDown(Duration.ofMillis(span)) : limit;
        }

        private Limit anyLimit(int which) {
            long amount = amount();
            if (which == 0 && random.nextInt(3) == 0) {
                return Leased.calls(amount, sliding());
            }
            Limit.Amount of =
                    which == 0 ? Limit.requests(amount) : which == 1 ? Limit.tokens(amount) : Limit.inputTokens(amount);
            return switch (random.nextInt(9)) {
                case 7, 8 -> of.per(sliding()).slidingWindow();
                case 0 -> of.perSecond().burst(amount());
                case 1 -> of.per(Duration.ofMillis(1 + random.nextInt(100_000)));
                case 2 -> of.per(Duration.ofDays(1 + random.nextInt(366))).tokenBucket();
                case 3 -> of.per(Duration.ofMillis(1 + random.nextInt(100_000))).fixedWindow();
                case 4 -> of.perWeek();
                case 5 -> of.perHour().fixedWindow(zone());
                default ->
                    random.nextBoolean()
                            ? of.perDay().fixedWindow(zone())
                            : of.perMonth().fixedWindow(zone());
            };
        }

        private Duration sliding() {
            return random.nextInt(4) == 0
                    ? Duration.ofDays(1 + random.nextInt(366))
                    : Duration.ofMillis(1 + random.nextInt(100_000));
        }

        private ZoneId zone() {
            return ZoneId.of(ZONES[random.nextInt(ZONES.length)]);
        }

        /** Mostly small, often at an edge, sometimes as large as can be. */
        private long amount() {
            return switch (random.nextInt(8)) {
                case 0 -> Cost.MAX_AMOUNT - random.nextInt(3);
                case 1 -> 1 + Math.floorMod(random.nextLong(), Cost.MAX_AMOUNT);
                case 2 -> 1;
                default -> 1 + random.nextInt(10_000);
            };
        }

        private long time() {
            return switch (random.nextInt(6)) {
                case 0 -> random.nextInt(10);
                case 1 -> random.nextInt(20_000_000) * 2L;
                case 2 -> 3_600_000_000L + random.nextInt(1_000_000);
                case 3 -> Math.floorMod(random.nextLong(), 315_360_000_000_000L);
                default -> random.nextInt(2_000_000);
            };
        }

        /** Some of it to the very end of a key. What has outlived its time is gone or, as long as nobody looks, not yet. */
        private void passes() {
            long end = ledger.nextEnd();
            if (end < Long.MAX_VALUE && random.nextInt(5) == 0) {
                ledger.at(end - 1 + random.nextInt(3));
            } else {
                ledger.tick(time());
            }
            if (random.nextInt(4) > 0) {
                figures.expired += ledger.expire();
            }
        }

        private void changeABudget() {
            int which = random.nextInt(subjects.size());
            Subject old = subjects.get(which);
            Limit[] changed = old.limits().toArray(Limit[]::new);
            long amount = amount();
            Limit limit = changed[0];
            changed[0] = limit.isInFlight()
                    ? Leased.calls(amount, Duration.ofNanos(micros(limit) * 1_000))
                    : limit.algorithm() instanceof Limit.Algorithm.TokenBucket
                            ? Limit.requests(amount)
                                    .per(Duration.ofNanos(micros(limit) * 1_000))
                                    .tokenBucket()
                            : limit.algorithm() instanceof Limit.Algorithm.SlidingWindow
                                    ? Limit.requests(amount)
                                            .per(Duration.ofNanos(micros(limit) * 1_000))
                                            .slidingWindow()
                                    : fixed(Limit.requests(amount), limit);
            changed[0] = limit.isInFlight() ? changed[0] : maybeCoolingDown(changed[0]);
            Subject fresh = ledger.subject(maybeDryRun(budget(old.budget().name(), changed)));
            subjects.set(which, fresh);
            open.removeIf(charge -> charge.claim().subject().key().equals(old.key()));
        }

        private Limit fixed(Limit.Amount amount, Limit like) {
            Limit limit = switch (like.window().label()) {
                case "month" -> amount.perMonth();
                default -> amount.per(Duration.ofNanos(micros(like) * 1_000));
            };
            return limit.fixedWindow(((Limit.Algorithm.FixedWindow) like.algorithm()).zone());
        }

        private static long micros(Limit limit) {
            return limit.window() instanceof Limit.Window.Span span ? span.micros() : 0;
        }

        private Batch.Call anyCorrection() {
            Subject subject = subjects.get(random.nextInt(subjects.size()));
            int which = random.nextInt(subject.limits().size());
            long atMost =
                    (long) (random.nextDouble() * subject.limits().get(which).capacity());
            return new Batch.Call.Correct(new Correction(subject, which, random.nextInt(4) == 0 ? 0 : atMost));
        }

        private Batch.Call byHand() {
            Subject subject = subjects.get(random.nextInt(subjects.size()));
            Claim claim = new Claim(
                    subject,
                    subject.limits().stream()
                            .mapToLong(limit -> random.nextInt(3) == 0 ? amount() : limit.capacity() / 3)
                            .toArray());
            return switch (random.nextInt(4)) {
                case 0 -> new Batch.Call.ByHand(Ledger.Change.RESET, claim);
                case 1 -> new Batch.Call.ByHand(Ledger.Change.CHARGE, claim);
                case 2 -> new Batch.Call.ByHand(Ledger.Change.REFUND, claim);
                default -> anyCorrection();
            };
        }

        private Batch.Call anyCall() {
            if (random.nextInt(8) == 0) {
                return byHand();
            }
            if (!open.isEmpty() && random.nextInt(5) == 0) {
                Charge charge = open.get(random.nextInt(open.size()));
                if (charge.claim().subject().budget().countsInFlight()) {
                    return renewal(charge.claim().subject());
                }
            }
            if (!open.isEmpty() && random.nextInt(3) == 0) {
                Charge charge = open.remove(random.nextInt(open.size()));
                long[] actual = charge.claim().amounts().clone();
                for (int i = 0; i < actual.length; i++) {
                    actual[i] = switch (random.nextInt(4)) {
                        case 0 -> 0;
                        case 1 -> actual[i];
                        case 2 -> Math.min(Cost.MAX_AMOUNT, actual[i] + random.nextInt(1_000));
                        default -> actual[i] / (1 + random.nextInt(5));
                    };
                }
                return new Batch.Call.Settle(new Settled(charge, actual));
            }
            List<Claim> claims = new ArrayList<>();
            for (Subject subject : subjects) {
                if (random.nextInt(3) > 0) {
                    long[] amounts = new long[subject.limits().size()];
                    for (int i = 0; i < amounts.length; i++) {
                        long capacity = subject.limits().get(i).capacity();
                        amounts[i] = switch (random.nextInt(5)) {
                            case 0 -> 0;
                            case 1 -> Math.min(Cost.MAX_AMOUNT, capacity + random.nextInt(3) - 1);
                            case 2 -> amount();
                            default -> capacity / (1 + random.nextInt(6));
                        };
                    }
                    claims.add(new Claim(subject, amounts));
                }
            }
            return claims.isEmpty() || random.nextInt(3) > 0
                    ? new Batch.Call.Reserve(claims)
                    : upTo(2 + random.nextInt(8), claims);
        }

        private static Batch.Call upTo(int pieces, List<Claim> claims) {
            return new Batch.Call.Reserve(claims, Batch.LineOperation.of(new Patience(0, 0, pieces), 1));
        }

        /** Of some of those that are open. */
        private Batch.Call renewal(Subject subject) {
            Map<Long, Long> byEra = new TreeMap<>();
            long sum = 0;
            for (Charge charge : open) {
                long calls = charge.claim().amounts()[0];
                if (charge.claim().subject().equals(subject)
                        && random.nextBoolean()
                        && calls <= Cost.MAX_AMOUNT - sum) {
                    byEra.merge(charge.eras()[0], calls, Long::sum);
                    sum += calls;
                }
            }
            return new Batch.Call.Renew(subject, 0, byEra);
        }

        private void renewed(Batch.Call.Renew call, long era) {
            for (Charge charge : open) {
                boolean isOfIt = charge.claim().subject().equals(call.subject())
                        && call.byEra().containsKey(charge.eras()[0]);
                if (isOfIt && random.nextInt(4) > 0) {
                    charge.eras()[0] = era;
                }
            }
        }

        private TwinLedger.Asked anyBatch() {
            Batch.Call[] calls = new Batch.Call[1 + random.nextInt(4)];
            for (int i = 0; i < calls.length; i++) {
                calls[i] = anyCall();
            }
            TwinLedger.Asked asked = ledger.batch(calls);
            if (random.nextInt(4) == 0) {
                asked.batch().beginsNoCoolDown(random.nextInt(calls.length));
            }
            return asked;
        }

        private void oneBatch(Lane lane) {
            heard(ledger.send(lane, anyBatch(), Batch.Mode.RUN));
        }

        private void heard(TwinLedger.Sent batch) {
            Lane lane = batch.lane();
            if (batch.reply().status() == Batch.Status.LANE_REFUSED) {
                lane.renew();
                return;
            }
            lane.advance(0);
            sent.computeIfAbsent(lane, each -> new ArrayList<>()).add(batch);
            List<Batch.Call> calls = batch.asked().calls();
            for (int i = 0; i < calls.size(); i++) {
                Batch.Result result = batch.reply().results().get(i);
                if (calls.get(i) instanceof Batch.Call.Renew renew && result instanceof Batch.Result.Renewed to) {
                    renewed(renew, to.era());
                }
            }
            open.addAll(charges(batch));
        }

        private static List<Charge> charges(TwinLedger.Sent batch) {
            List<Charge> charges = new ArrayList<>();
            for (Batch.Result result : batch.reply().results()) {
                if (result instanceof Batch.Result.Decided decided
                        && decided.verdict() instanceof Verdict.Granted granted) {
                    charges.addAll(granted.charges());
                }
            }
            return charges;
        }

        /** Whether its batch came before, after, both or neither. */
        private void cancelOne(Lane lane) {
            TwinLedger.Asked asked = ledger.batch(byHand(), anyReserve(), anyReserve());
            if (random.nextBoolean()) {
                ledger.send(lane, asked, Batch.Mode.RUN);
            }
            Batch.Status status =
                    ledger.send(lane, asked, Batch.Mode.CANCEL).reply().status();
            if (random.nextBoolean()) {
                ledger.send(lane, asked, Batch.Mode.RUN);
            }
            if (status == Batch.Status.LANE_REFUSED) {
                lane.renew();
            } else {
                lane.advance(0);
            }
        }

        private void cancelLater(TwinLedger.Sent batch) {
            if (ledger.cancel(batch).reply().status() != Batch.Status.LANE_REFUSED) {
                open.removeAll(charges(batch));
            }
        }

        /** A first batch would run anew, if its time were not long over. */
        private void isUnknown(Lane lane) {
            sent.getOrDefault(lane, new ArrayList<>()).removeIf(batch -> batch.number() == 1);
        }

        private Optional<TwinLedger.Sent> sentBefore(Lane lane, int back) {
            List<TwinLedger.Sent> all = sent.getOrDefault(lane, List.of());
            return all.size() < back ? Optional.empty() : Optional.of(all.get(all.size() - back));
        }

        private Batch.Call anyReserve() {
            Batch.Call call = anyCall();
            while (!(call instanceof Batch.Call.Reserve)) {
                call = anyCall();
            }
            return call;
        }
    }
}
