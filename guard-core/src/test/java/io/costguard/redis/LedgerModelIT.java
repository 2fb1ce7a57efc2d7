package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

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
import io.costguard.testing.RedisForTests;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.RedisClient;

/** The real script, in virtual time, beside the model: every decision, era, balance and wait must be the same. */
class LedgerModelIT {
    private static final int STEPS = 200;
    private static final int HISTORIES = 50;
    private static final long TTL = 60_000;
    private static final long START = 1_760_000_000_000_000L;
    private static final List<Duration> WINDOWS = List.of(
            Duration.ofMillis(1),
            Duration.ofMillis(7),
            Duration.ofSeconds(1),
            Duration.ofSeconds(86_399),
            Duration.ofDays(366));
    private static final String[] ZONES = {"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"};

    private final String prefix = RedisForTests.shared().keyPrefix();
    private final RedisClient jedis = PatientRedis.client(RedisForTests.shared().url());
    private final Redis redis = Redis.of(jedis);
    private final Script script =
            TestScript.ofTheRealOne().withTimeAt(prefix + ":time").build();
    private final LedgerModel model = new LedgerModel();
    private final List<String> history = new ArrayList<>();
    private final Lines lines = new Lines("process-0000", prefix + ":turn:");
    private long now = START;

    @BeforeEach
    void startTheClock() {
        jedis.set(prefix + ":time", Long.toString(now));
    }

    @AfterEach
    void close() {
        jedis.close();
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    @Tag("invariant-1")
    void anyHistoryOfReservesSettlesCorrectionsResetsCancelsClocksAndChangedBudgetsIsTheModelsToTheUnit(long seed) {
        for (int i = 0; i < HISTORIES; i++) {
            long each = seed * 1_000 + i;
            try {
                new History(each).run();
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + each + ": " + e.getMessage() + "\n" + String.join("\n", history), e);
            }
            history.clear();
        }
        assertThat(model.coolDownsBegun()).isPositive();
    }

    @Test
    void theRestOfADivisionIsNotLostAtTheNextRefill() {
        Subject subject = subject("rest", Limit.requests(3).per(Duration.ofMillis(7)));
        Lane lane = lane();
        run(lane, reserve(subject, 3));
        long granted = 0;
        for (int i = 0; i < 7_000; i++) {
            tick(137);
            granted += isGranted(run(lane, reserve(subject, 1)).get(0)) ? 1 : 0;
        }
        assertThat(granted).isEqualTo(7_000 * 137 * 3 / 7_000);
    }

    @Test
    void anHourLastsUntilTheNextOneWhereTheClockIsSetBackByHalfOfIt() {
        ZoneId zone = ZoneId.of("Australia/Lord_Howe");
        Subject subject = subject("half", Limit.requests(1).perHour().fixedWindow(zone));
        Lane lane = lane();
        // On 5 April 2048, when it would be two, it is half past one again.
        tick(micros(ZonedDateTime.of(2048, 4, 5, 1, 15, 0, 0, zone)) - now);
        List<Boolean> granted = new ArrayList<>();
        for (int quarter = 0; quarter < 10; quarter++) {
            granted.add(isGranted(run(lane, reserve(subject, 1)).get(0)));
            tick(Duration.ofMinutes(15).toNanos() / 1_000);
        }

        assertThat(granted).containsExactly(true, false, false, false, false, true, false, false, false, true);
    }

    private static long micros(ZonedDateTime time) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, time.toInstant());
    }

    /** Row by row: what a multiplication or a division may lose is lost here if anywhere. */
    @ParameterizedTest(name = "{0}")
    @ValueSource(
            longs = {
                1,
                2,
                3,
                999_999_937,
                (1L << 31) - 1,
                1L << 32,
                (1L << 52) + 1,
                Cost.MAX_AMOUNT - 1,
                Cost.MAX_AMOUNT
            })
    @Tag("fault-27")
    @Tag("fault-29")
    void amountsAtTheEdgesOfWhatIsExactAreTheModelsToTheUnit(long amount) {
        Lane lane = lane();
        for (Duration window : WINDOWS) {
            long micros = window.toNanos() / 1_000;
            Limit limit = Limit.tokens(amount).per(window);
            List<Limit> limits = List.of(
                    limit.tokenBucket(),
                    limit.tokenBucket().burst(Cost.MAX_AMOUNT),
                    limit.tokenBucket().burst(1),
                    limit.fixedWindow(),
                    limit.slidingWindow(),
                    Leased.calls(amount, window));
            for (int i = 0; i < limits.size(); i++) {
                Subject subject = subject(amount + "-" + micros + "-" + i, limits.get(i));
                long capacity = limits.get(i).capacity();
                assertThat(isGranted(run(lane, reserve(subject, capacity)).get(0)))
                        .isTrue();
                for (long elapsed : new long[] {0, 1, 999, micros - 1, micros / 3, micros, Cost.MAX_AMOUNT >> 4}) {
                    tick(elapsed);
                    run(lane, reserve(subject, 1));
                    run(lane, reserve(subject, Math.max(1, amount / 2)), reserve(subject, capacity));
                    run(lane, reserve(subject, Cost.MAX_AMOUNT));
                }
            }
            now = START;
            jedis.set(prefix + ":time", Long.toString(now));
        }
    }

    private static boolean isGranted(Batch.Result result) {
        return result instanceof Batch.Result.Decided decided && decided.verdict() instanceof Verdict.Granted;
    }

    /** One random history, with subjects of its own. */
    private final class History {
        private final Random random;
        private final List<Subject> subjects = new ArrayList<>();
        private final List<Charge> open = new ArrayList<>();
        private final Lane[] lanes = {lane(), lane()};

        History(long seed) {
            this.random = new Random(seed);
            for (int i = 0; i < 3; i++) {
                subjects.add(subject(seed + "-" + i, limits()));
            }
        }

        void run() {
            for (int step = 0; step < STEPS; step++) {
                switch (random.nextInt(12)) {
                    case 0, 1 -> tick(time());
                    case 2 -> tick(-time() / 4);
                    case 3 -> changeABudget();
                    case 4 -> cancelOne();
                    default -> oneBatch();
                }
            }
        }

        private Limit[] limits() {
            Limit[] limits = new Limit[1 + random.nextInt(3)];
            for (int i = 0; i < limits.length; i++) {
                limits[i] = limit(i);
            }
            return limits;
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
            Subject fresh = subject(old.key(), changed);
            subjects.set(which, new Subject(old.key(), fresh.budget()));
            history.add("changed " + old.limits() + " to " + fresh.limits());
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

        private void oneBatch() {
            Batch.Call[] calls = new Batch.Call[1 + random.nextInt(4)];
            for (int i = 0; i < calls.length; i++) {
                calls[i] = anyCall();
            }
            Lane lane = lanes[random.nextInt(2)];
            Batch batch = batch(calls);
            if (random.nextInt(4) == 0) {
                batch.beginsNoCoolDown(random.nextInt(calls.length));
            }
            List<Batch.Result> results = LedgerModelIT.this.run(lane, batch);
            for (int i = 0; i < calls.length; i++) {
                if (calls[i] instanceof Batch.Call.Renew renew && results.get(i) instanceof Batch.Result.Renewed to) {
                    renewed(renew, to.era());
                }
            }
            for (Batch.Result result : results) {
                if (result instanceof Batch.Result.Decided decided
                        && decided.verdict() instanceof Verdict.Granted granted) {
                    open.addAll(granted.charges());
                }
            }
        }

        private void cancelOne() {
            Lane lane = lanes[random.nextInt(2)];
            Batch batch = batch(byHand(), anyReserve(), anyReserve());
            if (random.nextBoolean()) {
                send(lane, batch, Batch.Mode.RUN);
            }
            send(lane, batch, Batch.Mode.CANCEL);
            lane.advance(0);
        }

        private Batch.Call anyReserve() {
            Batch.Call call = anyCall();
            while (!(call instanceof Batch.Call.Reserve)) {
                call = anyCall();
            }
            return call;
        }
    }

    private void tick(long micros) {
        now = Math.max(1_000_000_000_000_000L, Math.min(2_500_000_000_000_000L, now + micros));
        history.add("tick " + micros + " to " + now);
        jedis.set(prefix + ":time", Long.toString(now));
    }

    private Subject subject(String name, Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return new Subject(name.startsWith(prefix) ? name : prefix + ":{x}:" + name, budget);
    }

    private Lane lane() {
        return new Lane(prefix + ":{lane-" + Math.random() + "}", 0);
    }

    private static Batch.Call reserve(Subject subject, long... amounts) {
        return new Batch.Call.Reserve(List.of(new Claim(subject, amounts)));
    }

    private static Batch.Call upTo(int pieces, List<Claim> claims) {
        return new Batch.Call.Reserve(claims, Batch.LineOperation.of(new Patience(0, 0, pieces), 1));
    }

    /** Names all lines that may have to be: what the script asks again for is not the model's to say. */
    private Batch batch(Batch.Call... calls) {
        Batch batch = new Batch(lines);
        for (Batch.Call call : calls) {
            batch.add(namingLines(call));
        }
        return batch;
    }

    private Batch.Call namingLines(Batch.Call call) {
        List<Subject> subjects = List.of();
        if (call instanceof Batch.Call.Reserve reserve) {
            subjects = reserve.claims().stream().map(Claim::subject).toList();
        } else if (call instanceof Batch.Call.OfOneSubject one) {
            subjects = List.of(one.subject());
        }
        boolean wasHeld = false;
        for (Subject subject : subjects) {
            if (model.heldUntil(subject.key()) > 0) {
                lines.told(subject, true);
                wasHeld = true;
            }
        }
        return wasHeld ? call.namingLines() : call;
    }

    private List<Batch.Result> run(Lane lane, Batch.Call... calls) {
        return run(lane, batch(calls));
    }

    private List<Batch.Result> run(Lane lane, Batch batch) {
        List<Batch.Result> results = send(lane, batch, Batch.Mode.RUN).results();
        lane.advance(0);
        return results;
    }

    private Batch.Reply send(Lane lane, Batch batch, Batch.Mode mode) {
        byte[] request = batch.request(mode, lane.number(), Long.MAX_VALUE >> 10, TTL, now);
        List<byte[]> keys = batch.keys(lane.key());
        byte[] reply = script.run(redis, keys, request, Duration.ofSeconds(5).toNanos());
        history.add(mode + " at " + now + ": " + batch.read(reply));
        model.replay(
                request,
                reply,
                keys.stream()
                        .map(key -> new String(key, StandardCharsets.UTF_8))
                        .toArray(String[]::new));
        return batch.read(reply);
    }
}
