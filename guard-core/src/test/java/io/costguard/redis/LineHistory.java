package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Leased;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger;
import io.costguard.limit.Ledger.Correction;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.redis.Batch.LineOperation.Kind;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.Response;
import redis.clients.jedis.resps.Tuple;

/**
 * A random history of a few processes whose calls wait, against the real script in virtual time. After each batch it reads what is
 * in Redis, and works out anew, from the members and the balances alone, who is covered and since when.
 */
public final class LineHistory {
    private static final long START = 1_760_000_000_000_000L;
    private static final long SECOND = 1_000_000;
    private static final long MILLI = 1_000;
    private static final long NEVER = LineAudit.NEVER;
    private static final long ARRIVALS = 7 * SECOND;
    private static final long END = 240 * SECOND;
    private static final long SILENT = 3 * SECOND;
    private static final long BEAT = SECOND;
    private static final long RETRY = 100 * MILLI;
    /** How long a call may stand in line that all its lines cover. */
    private static final long PROMPT = 100 * MILLI;
    /** What a process does not hear, it hears with its next heartbeat. */
    private static final long REPAIRED = BEAT + 200 * MILLI;

    private static final int MOST_ASKS = 4_000;

    /**
     * What happens in a history.
     *
     * @param clamped whether some calls are above capacity
     * @param troubles whether things go wrong, and some limits cool down
     * @param inFlight whether the first limit of each subject counts what is in flight, which is renewed now and then
     */
    record Kinds(int subjects, int limits, boolean overruns, boolean clamped, boolean troubles, boolean inFlight) {}

    /**
     * What a history came to.
     *
     * @param joined how many calls stood in line
     * @param waitedAndGone how many of those were let go
     * @param asks how often calls in line asked
     * @param messages how many processes were told something
     * @param coolDowns how many cool-downs began
     * @param slowestMicros how long a call that was covered waited at most until it went
     */
    public record Figures(int joined, int waitedAndGone, int asks, int messages, int coolDowns, long slowestMicros) {}

    private final Kinds kinds;
    private final Random random;
    private final RedisClient jedis;
    private final Redis redis;
    private final Script script;
    private final String prefix;
    private final String name;

    private final List<String> events = new ArrayList<>();
    private final PriorityQueue<Event> agenda =
            new PriorityQueue<>(Comparator.comparingLong(Event::at).thenComparingLong(Event::order));
    private final List<Site> sites = new ArrayList<>();
    private final List<Peer> peers = new ArrayList<>();
    private final Map<String, Waiter> waiters = new LinkedHashMap<>();
    private final List<Charge> open = new ArrayList<>();
    private final Map<Charge, Long> chargedAt = new HashMap<>();
    private final List<Peer> graves = new ArrayList<>();
    private int born;
    private long now = START;
    private long told = -1;
    private long order;
    private int joined;
    private int waitedAndGone;
    private int asks;
    private int messages;
    private int coolDowns;
    private long slowest;

    private record Event(long at, long order, Runnable what) {}

    LineHistory(long seed, Kinds kinds, RedisClient jedis, Redis redis, Script script, String prefix) {
        this.kinds = kinds;
        this.random = new Random(seed);
        this.jedis = jedis;
        this.redis = redis;
        this.script = script;
        this.prefix = prefix;
        this.name = String.valueOf(seed);
        for (int i = 0; i < kinds.subjects; i++) {
            sites.add(new Site(i));
        }
        for (int i = 0; i < 3; i++) {
            peers.add(new Peer());
        }
    }

    List<String> events() {
        return events;
    }

    Figures run() {
        for (long at = START; at < START + ARRIVALS; at += (long) (-Math.log(1 - random.nextDouble()) * 150 * MILLI)) {
            at(at, this::arrive);
            if (kinds.troubles && random.nextInt(12) == 0) {
                at(at + random.nextInt(100_000), this::trouble);
            }
        }
        for (long at = START; at < START + 2 * ARRIVALS; at += random.nextInt(800_000)) {
            at(at, this::settleOne);
        }
        for (long at = START; kinds.inFlight && at < START + 2 * ARRIVALS; at += random.nextInt(800_000)) {
            at(at, this::renewOne);
        }
        for (Event event = agenda.poll(); event != null; event = agenda.poll()) {
            checkNobodyIsIdle(event.at);
            now = event.at;
            event.what.run();
            assertThat(now - START)
                    .as("nobody is left behind; who waits: %s", waiting())
                    .isLessThan(END);
        }
        assertThat(waiting()).as("who is left behind").isEmpty();
        checkLinesEnd();
        return new Figures(joined, waitedAndGone, asks, messages, coolDowns, slowest);
    }

    private void at(long at, Runnable what) {
        agenda.add(new Event(Math.max(at, now), order++, what));
    }

    private void soon(Runnable what) {
        at(now + random.nextInt(1_000), what);
    }

    private void note(String event) {
        events.add((now - START) + " " + event);
    }

    private Collection<Waiter> waiting() {
        return waiters.values();
    }

    // ------------------------------------------------------------------------------------------------- what happens

    private void arrive() {
        Peer peer = peers.get(random.nextInt(peers.size()));
        List<Claim> claims = new ArrayList<>();
        for (Site site : sites) {
            if (random.nextInt(sites.size()) == 0 || random.nextInt(3) == 0) {
                claims.add(site.anyClaim());
            }
        }
        if (claims.isEmpty()) {
            claims.add(sites.get(0).anyClaim());
        }
        if (random.nextInt(10) == 0) {
            Batch.Call call = random.nextBoolean() ? new Batch.Call.Reserve(claims) : upTo(claims, 0, 0);
            peer.send(call, result -> granted(result), () -> {});
            return;
        }
        long patience = random.nextInt(8) == 0 ? random.nextInt(3_000_000) : 200 * SECOND;
        Waiter waiter = new Waiter(peer, ++peer.lastNumber, claims, now + patience);
        Batch.Call call =
                random.nextInt(4) > 0 ? waiter.operation(Kind.JOIN, patience) : upTo(claims, patience, waiter.number);
        peer.send(call, waiter::heard, () -> {});
    }

    private Batch.Call upTo(List<Claim> claims, long patience, long number) {
        Patience pieces = new Patience(patience, 0, 2 + random.nextInt(4));
        return new Batch.Call.Reserve(claims, Batch.LineOperation.of(pieces, number));
    }

    private void granted(Batch.Result result) {
        if (result instanceof Batch.Result.Decided decided && decided.verdict() instanceof Verdict.Granted granted) {
            for (Charge charge : granted.charges()) {
                open.add(charge);
                chargedAt.put(charge, now);
            }
        }
    }

    private void settleOne() {
        if (open.isEmpty()) {
            return;
        }
        Charge charge = open.remove(random.nextInt(open.size()));
        long[] amounts = charge.claim().amounts();
        long[] actual = new long[amounts.length];
        for (int i = 0; i < actual.length; i++) {
            double share = random.nextInt(4) == 0 ? 0 : random.nextDouble() * (kinds.overruns ? 1.3 : 1);
            actual[i] = (long) (amounts[i] * share);
        }
        settle(new Settled(charge, actual));
    }

    /** What is not settled while it is on its way: that waits for it. */
    private void renewOne() {
        if (open.isEmpty()) {
            return;
        }
        Charge charge = open.remove(random.nextInt(open.size()));
        Subject subject = charge.claim().subject();
        Batch.Call.Renew renew = new Batch.Call.Renew(
                subject, 0, Map.of(charge.eras()[0], charge.claim().amounts()[0]));
        peers.get(random.nextInt(peers.size())).send(renew, result -> renewed(charge, result), () -> open.add(charge));
    }

    private void renewed(Charge charge, Batch.Result result) {
        long era = ((Batch.Result.Renewed) result).era();
        boolean lapsed = Terms.isGone(charge.eras()[0], era);
        if (!lapsed) {
            site(charge.claim()).took(0, -charge.claim().amounts()[0], chargedAt.getOrDefault(charge, now));
        }
        site(charge.claim()).goesOn(charge.claim().amounts()[0]);
        charge.eras()[0] = era;
        chargedAt.put(charge, now);
        open.add(charge);
    }

    private void settle(Settled settled) {
        Peer peer = peers.get(random.nextInt(peers.size()));
        peer.send(new Batch.Call.Settle(settled), result -> {}, () -> settle(settled));
    }

    private void trouble() {
        Site site = sites.get(random.nextInt(sites.size()));
        switch (random.nextInt(10)) {
            case 0, 1 -> site.hold(1 + random.nextInt(2_000_000));
            case 2 -> site.loseLine();
            case 3 -> peers.get(random.nextInt(peers.size())).die();
            case 4 -> site.correct();
            case 5 -> site.change(new Batch.Call.ByHand(Ledger.Change.RESET, site.anyClaim()));
            case 6 -> site.change(new Batch.Call.ByHand(Ledger.Change.CHARGE, site.anyClaim()));
            case 7 -> site.change(new Batch.Call.ByHand(Ledger.Change.REFUND, site.anyClaim()));
            default -> {
                List<Waiter> all = List.copyOf(waiters.values());
                if (!all.isEmpty()) {
                    all.get(random.nextInt(all.size())).leave();
                }
            }
        }
    }

    // -------------------------------------------------------------------------------------------------- a subject

    private final class Site {
        final int index;
        final Subject subject;
        final String line;
        final long[] out;
        final long[] lowest;
        final List<Map<Long, Long>> outByWindow = new ArrayList<>();
        long hold;
        long askedByNewcomerAt;
        long resetAt;
        long quietUntil;
        LineAudit.Value value = LineAudit.Value.NONE;
        List<LineAudit.Member> members = List.of();

        Site(int index) {
            this.index = index;
            Budget budget = Budget.named("s" + index);
            int count = 1 + random.nextInt(kinds.limits);
            for (int i = 0; i < count; i++) {
                Limit limit = limit(i);
                boolean coolsDown = kinds.troubles && !limit.isInFlight() && random.nextInt(3) == 0;
                budget = budget.limit(coolsDown ? limit.coolDown(Duration.ofMillis(1 + random.nextInt(2_000))) : limit);
                outByWindow.add(new HashMap<>());
            }
            this.subject = new Subject(prefix + ":{x}:" + name + "-" + index, budget);
            this.line = subject.key() + ":line";
            this.out = new long[count];
            this.lowest = new long[count];
        }

        private Limit limit(int which) {
            boolean large = random.nextInt(5) == 0;
            long amount = large ? 999_999_937 : 20 + random.nextInt(200);
            Limit.Amount of =
                    which == 0 ? Limit.requests(amount) : which == 1 ? Limit.tokens(amount) : Limit.inputTokens(amount);
            if (which == 0 && kinds.inFlight) {
                return Leased.calls(20 + random.nextInt(200), Duration.ofMillis(1_000 + random.nextInt(3_000)));
            }
            return switch (random.nextInt(5)) {
                case 4 ->
                    of.per(Duration.ofMillis(1_000 + random.nextInt(3_000))).slidingWindow();
                case 0 -> of.per(Duration.ofMillis(500 + random.nextInt(2_500))).fixedWindow();
                case 1 ->
                    of.per(Duration.ofSeconds(1 + random.nextInt(3)))
                            .tokenBucket()
                            .burst(amount / (1 + random.nextInt(3)));
                default ->
                    of.per(Duration.ofMillis(1_000 + random.nextInt(3_000))).tokenBucket();
            };
        }

        Claim anyClaim() {
            long[] amounts = new long[subject.limits().size()];
            for (int i = 0; i < amounts.length; i++) {
                long capacity = subject.limits().get(i).capacity();
                amounts[i] = 1
                        + (long) (random.nextDouble()
                                * capacity
                                / List.of(1, 4, 10).get(random.nextInt(3)));
                amounts[i] = Math.min(amounts[i], capacity);
                if (kinds.clamped && random.nextInt(8) == 0) {
                    amounts[i] = capacity + random.nextInt(1 + (int) Math.min(100, capacity));
                } else if (i > 0 && random.nextInt(5) == 0) {
                    amounts[i] = 0;
                }
            }
            return new Claim(subject, amounts);
        }

        void hold(long micros) {
            Peer peer = peers.get(random.nextInt(peers.size()));
            peer.send(
                    new Batch.Call.Reserve(
                            List.of(new Claim(subject, new long[subject.limits().size()])),
                            new Batch.LineOperation(Kind.HOLD, 0, 0, micros)),
                    result -> {},
                    () -> {});
        }

        void correct() {
            int which = random.nextInt(subject.limits().size());
            long atMost =
                    (long) (random.nextDouble() * subject.limits().get(which).capacity());
            change(new Batch.Call.Correct(new Correction(subject, which, atMost)));
        }

        void change(Batch.Call call) {
            peers.get(random.nextInt(peers.size())).send(call, result -> {}, () -> {});
        }

        /** What was let go before does not count any more. */
        void wasReset() {
            resetAt = now;
            hold = 0;
            for (int i = 0; i < out.length; i++) {
                outByWindow.get(i).clear();
                lowest[i] = level(i);
            }
        }

        private long level(int which) {
            Limit limit = subject.limits().get(which);
            long period = ((Limit.Window.Span) limit.window()).micros();
            return out[which] * period - (now - START) * limit.amount();
        }

        void loseLine() {
            note("the line of " + index + " is lost");
            jedis.del(line);
            read();
            for (Waiter waiter : List.copyOf(waiters.values())) {
                if (waiter.standsIn(this)) {
                    at(now + random.nextInt(500_000), waiter::ask);
                }
            }
        }

        /** What the script says of the sums is what the members say. */
        void check(long ttl) {
            if (!members.isEmpty()) {
                assertThat(ttl).as("the TTL of a line").isPositive();
            }
            LineAudit.Line its = value.line();
            if (hold <= now && askedByNewcomerAt == now && isACoolDown(its.hold() - now)) {
                hold = its.hold();
                coolDowns++;
            }
            assertThat(its.size()).as("the size of line %d", index).isEqualTo(members.size());
            assertThat(its.hold() > now ? its.hold() : 0)
                    .as("the hold of %d", index)
                    .isEqualTo(hold > now ? hold : 0);
            for (LineAudit.Stored limit : value.limits()) {
                long sum = 0;
                long before = 0;
                for (LineAudit.Member member : members) {
                    sum += member.amount(limit.limit());
                    before += member.place() <= its.after() ? member.amount(limit.limit()) : 0;
                }
                assertThat(its.sums().getOrDefault(limit.limit(), 0L))
                        .as("the sum of line %d", index)
                        .isEqualTo(sum);
                assertThat(its.told().getOrDefault(limit.limit(), 0L))
                        .as("the sum of line %d before its turn", index)
                        .isEqualTo(before);
            }
        }

        private boolean isACoolDown(long micros) {
            return subject.limits().stream()
                    .anyMatch(limit ->
                            !limit.coolDown().isZero() && limit.coolDown().equals(Duration.ofNanos(micros * 1_000)));
        }

        /** From when on this line covers a call and all who stand before it, as things stand. */
        long coveredAt(LineAudit.Member member) {
            long at = Math.max(now, hold);
            for (LineAudit.Member each : members) {
                if (each.place() <= member.place()) {
                    at = Math.max(at, coveredBehindOthers(each));
                }
            }
            return at;
        }

        private long coveredBehindOthers(LineAudit.Member member) {
            long at = now;
            for (int i = 0; i < value.limits().size(); i++) {
                LineAudit.Stored stored = value.limits().get(i);
                long amount = member.amount(stored.limit());
                if (amount > 0) {
                    Limit limit = subject.limits().get(i);
                    long need = Math.min(amount, limit.capacity());
                    for (LineAudit.Member other : members) {
                        need += other.place() < member.place() ? other.amount(stored.limit()) : 0;
                    }
                    at = Math.max(at, value.coveredAt(limit, stored, need, now));
                }
            }
            return at;
        }

        /** So much goes on, however full it is. */
        void goesOn(long amount) {
            outByWindow.get(0).merge(now, amount, Long::sum);
        }

        /** What was let go minus what was given back never exceeds what there is in any interval, or in one window. */
        void took(int which, long amount, long from) {
            Limit limit = subject.limits().get(which);
            long period = ((Limit.Window.Span) limit.window()).micros();
            if (limit.algorithm() instanceof Limit.Algorithm.FixedWindow) {
                if (from / period == now / period) {
                    long inWindow = outByWindow.get(which).merge(now / period, amount, Long::sum);
                    if (amount > 0) {
                        assertThat(inWindow).as("let go in one window").isLessThanOrEqualTo(limit.capacity());
                    }
                }
                return;
            }
            if (limit.isInFlight() || limit.algorithm() instanceof Limit.Algorithm.SlidingWindow) {
                outByWindow.get(which).merge(from, amount, Long::sum);
                if (amount > 0) {
                    assertThat(outByWindow.get(which).entrySet().stream()
                                    .filter(each -> each.getKey() > now - period)
                                    .mapToLong(Map.Entry::getValue)
                                    .sum())
                            .as("let go in a window that ends now")
                            .isLessThanOrEqualTo(limit.capacity());
                }
                return;
            }
            lowest[which] = Math.min(lowest[which], level(which));
            out[which] += amount;
            if (amount > 0) {
                assertThat(level(which) - lowest[which])
                        .as("let go in one interval, times the period")
                        .isLessThanOrEqualTo(limit.capacity() * period);
            }
        }
    }

    private Site site(Claim claim) {
        return sites.stream()
                .filter(site -> site.subject.equals(claim.subject()))
                .findFirst()
                .orElseThrow();
    }

    // -------------------------------------------------------------------------------------------------- a process

    private static boolean asksSomething(Claim claim) {
        for (long amount : claim.amounts()) {
            if (amount > 0) {
                return true;
            }
        }
        return false;
    }

    /** A call and who hears what became of it; {@code lost} where it did not happen, and that is all that is known. */
    private record Sent(Batch.Call call, Consumer<Batch.Result> then, Runnable lost) {}

    private final class Peer {
        final String process = "p%03d-%s".formatted(born++, ("0000000" + name).substring(name.length()));
        final Lines lines = new Lines(process, prefix + ":turn:");
        final Lane lane = new Lane(prefix + ":{lane-" + process + "}", 0);
        final List<Sent> outbox = new ArrayList<>();
        long lastNumber;
        boolean beats;
        boolean dead;
        long diedAt;

        void send(Batch.Call call, Consumer<Batch.Result> then, Runnable lost) {
            if (outbox.isEmpty()) {
                soon(this::flush);
            }
            outbox.add(new Sent(call, then, lost));
        }

        private void flush() {
            if (dead || outbox.isEmpty()) {
                return;
            }
            List<Sent> sent = List.copyOf(outbox.subList(0, Math.min(outbox.size(), 8)));
            outbox.subList(0, sent.size()).clear();
            if (!outbox.isEmpty()) {
                soon(this::flush);
            }
            if (kinds.troubles && random.nextInt(50) == 0) {
                cancelled(sent);
                return;
            }
            Batch batch = batch(sent);
            Batch.Reply reply = run(Batch.Mode.RUN, batch, sent);
            lane.advance(0);
            for (int i = 0; i < sent.size(); i++) {
                hear(sent.get(i), reply.results().get(i));
            }
            reply.wakes().forEach(wake -> told(wake.number(), wake.micros()));
            lookAround();
        }

        private void hear(Sent sent, Batch.Result result) {
            if (result instanceof Batch.Result.AskAgain) {
                send(sent.call.namingLines(), sent.then, sent.lost);
                return;
            }
            assertThat(result).isNotInstanceOf(Batch.Result.Refused.class);
            sent.then.accept(result);
        }

        /** Its answer, or the batch itself, gets lost. */
        private void cancelled(List<Sent> sent) {
            boolean ran = random.nextBoolean();
            Batch batch = batch(sent);
            Batch.Reply reply = ran ? run(Batch.Mode.RUN, batch, sent) : null;
            lookAround();
            if (reply != null) {
                undo(reply);
            }
            run(Batch.Mode.CANCEL, batch, sent);
            lane.advance(0);
            for (int i = 0; i < sent.size(); i++) {
                Sent each = sent.get(i);
                // Only reserves are undone.
                if (reply != null
                        && !(each.call instanceof Batch.Call.Reserve)
                        && !(reply.results().get(i) instanceof Batch.Result.AskAgain)) {
                    each.then.accept(reply.results().get(i));
                } else {
                    each.lost.run();
                }
            }
            for (Site site : sites) {
                site.quietUntil = Math.max(site.quietUntil, now + REPAIRED);
            }
            lookAround();
        }

        private void undo(Batch.Reply reply) {
            for (Batch.Result result : reply.results()) {
                if (result instanceof Batch.Result.Decided decided
                        && decided.verdict() instanceof Verdict.Granted granted) {
                    for (Charge charge : granted.charges()) {
                        long[] amounts = charge.claim().amounts();
                        for (int i = 0; i < amounts.length; i++) {
                            site(charge.claim()).took(i, -amounts[i], now);
                        }
                    }
                }
            }
        }

        private Batch batch(List<Sent> sent) {
            Batch batch = new Batch(lines);
            sent.forEach(each -> batch.add(each.call));
            return batch;
        }

        private Batch.Reply run(Batch.Mode mode, Batch batch, List<Sent> sent) {
            if (told != now) {
                jedis.set(prefix + ":time", Long.toString(now));
                told = now;
            }
            byte[] request = batch.request(mode, lane.number(), now + SECOND, 60_000, now);
            byte[] answer = script.run(
                    redis,
                    batch.keys(lane.key()),
                    request,
                    Duration.ofSeconds(5).toNanos());
            Batch.Reply reply = batch.read(answer);
            note(process + " " + mode + " "
                    + sent.stream().map(each -> text(each.call)).toList() + " -> " + reply.status() + " "
                    + reply.results().stream().map(LineHistory::text).toList() + " " + reply.wakes());
            if (mode == Batch.Mode.RUN) {
                sent.forEach(each -> asksAsNewcomer(each.call));
                for (int i = 0; i < sent.size(); i++) {
                    if (!(reply.results().get(i) instanceof Batch.Result.AskAgain)) {
                        happened(sent.get(i).call);
                    }
                }
            }
            return reply;
        }

        private void asksAsNewcomer(Batch.Call call) {
            if (call instanceof Batch.Call.Reserve reserve
                    && (reserve.operation() == null
                            || reserve.operation().kind() == Kind.UP_TO
                            || (reserve.operation().kind() == Kind.JOIN
                                    && reserve.operation().place() == 0))) {
                reserve.claims().forEach(claim -> site(claim).askedByNewcomerAt = now);
            }
        }

        private void happened(Batch.Call call) {
            if (call instanceof Batch.Call.Settle settle) {
                Charge charge = settle.settled().charge();
                if (chargedAt.getOrDefault(charge, now) <= site(charge.claim()).resetAt) {
                    return;
                }
                for (int i = 0; i < settle.settled().actual().length; i++) {
                    long back = charge.claim().amounts()[i] - settle.settled().actual()[i];
                    if (back > 0) {
                        site(charge.claim()).took(i, -back, chargedAt.getOrDefault(charge, now));
                    }
                }
            } else if (call instanceof Batch.Call.ByHand byHand) {
                byHand(byHand.change(), byHand.claim());
            } else if (call instanceof Batch.Call.Reserve reserve
                    && reserve.operation() != null
                    && reserve.operation().kind() == Kind.HOLD) {
                Site site = site(reserve.claims().get(0));
                site.hold = Math.max(site.hold, now + reserve.operation().waitMicros());
            }
        }

        private void byHand(Ledger.Change change, Claim claim) {
            switch (change) {
                case CHARGE -> {} // Above what there is, it is debt.
                case REFUND -> {
                    for (int i = 0; i < claim.amounts().length; i++) {
                        site(claim).took(i, -claim.amounts()[i], now);
                    }
                }
                case RESET -> site(claim).wasReset();
            }
        }

        void told(long number, long moment) {
            Waiter waiter = waiters.get(process + "/" + number);
            if (waiter != null && !dead) {
                waiter.askAt(Math.max(now, moment));
            }
        }

        void begin() {
            if (!beats) {
                beats = true;
                at(now + BEAT, this::beat);
            }
        }

        private void beat() {
            Set<Site> its = new LinkedHashSet<>();
            waiters.values().stream()
                    .filter(waiter -> waiter.peer == this)
                    .forEach(waiter -> its.addAll(waiter.lines()));
            beats = !its.isEmpty() && !dead;
            if (!beats) {
                return;
            }
            its.forEach(this::beat);
            at(now + BEAT, this::beat);
        }

        void beat(Site site) {
            send(
                    new Batch.Call.Reserve(
                            List.of(new Claim(
                                    site.subject, new long[site.subject.limits().size()])),
                            new Batch.LineOperation(Kind.BEAT, 0, 0, 0)),
                    result -> assertThat(((Batch.Result.Beaten) result).next()).isZero(),
                    () -> {});
        }

        /** Another takes its place. */
        void die() {
            note(process + " dies");
            dead = true;
            diedAt = now;
            waiters.values().removeIf(waiter -> waiter.peer == this);
            int index = peers.indexOf(this);
            graves.add(this);
            peers.set(index, new Peer());
            lookAround();
        }
    }

    // --------------------------------------------------------------------------------------------------- a waiter

    private final class Waiter {
        final Peer peer;
        final long number;
        final List<Claim> claims;
        final long deadline;
        long place;
        long askAt = NEVER;
        boolean asking = true;
        boolean leaves;
        long coveredSince = NEVER;

        Waiter(Peer peer, long number, List<Claim> claims, long deadline) {
            this.peer = peer;
            this.number = number;
            this.claims = claims;
            this.deadline = deadline;
        }

        String name() {
            return peer.process + "/" + number;
        }

        List<Site> lines() {
            return claims.stream()
                    .filter(LineHistory::asksSomething)
                    .map(LineHistory.this::site)
                    .toList();
        }

        boolean standsIn(Site site) {
            return lines().contains(site);
        }

        Batch.Call operation(Kind kind, long wait) {
            return new Batch.Call.Reserve(claims, new Batch.LineOperation(kind, number, place, wait));
        }

        void askAt(long at) {
            if (at < askAt) {
                askAt = at;
                at(at, this::askWhenDue);
            }
        }

        private void askWhenDue() {
            if (askAt <= now && !asking && !leaves) {
                ask();
            }
        }

        void ask() {
            if (asking || leaves || peer.dead) {
                return;
            }
            askAt = NEVER;
            asking = true;
            asks++;
            assertThat(asks).as("asks; a walk without end?").isLessThan(MOST_ASKS);
            peer.send(operation(Kind.ASK, 0), this::heard, () -> {
                asking = false;
                again();
                askAt(now + RETRY);
            });
        }

        /** What it was told meanwhile. */
        private void again() {
            if (leaves) {
                goAway();
            } else if (askAt != NEVER) {
                at(askAt, this::askWhenDue);
            }
        }

        void heard(Batch.Result result) {
            if (result instanceof Batch.Result.Joined in) {
                asking = false;
                if (place == 0) {
                    place = in.place();
                    joined++;
                    waiters.put(name(), this);
                    at(deadline, this::leave);
                    peer.begin();
                }
                again();
            } else if (result instanceof Batch.Result.Gone) {
                peer.send(operation(Kind.JOIN, Math.max(0, deadline - now)), this::heard, () -> {
                    asking = false;
                    again();
                    askAt(now + RETRY);
                });
            } else if (result instanceof Batch.Result.WaitsOn) {
                asking = false;
                again();
            } else {
                waitedAndGone += place > 0 ? 1 : 0;
                waiters.remove(name());
                granted(result);
            }
        }

        void leave() {
            if (waiters.remove(name()) != null && !peer.dead) {
                leaves = true;
                if (!asking) {
                    goAway();
                }
            }
        }

        private void goAway() {
            peer.send(
                    operation(Kind.LEAVE, 0),
                    result -> assertThat(result).isEqualTo(new Batch.Result.Done()),
                    () -> at(now + RETRY, this::goAway));
        }

        @Override
        public String toString() {
            return name() + " at " + place + (asking ? " asking" : "") + " asks at " + askAt;
        }
    }

    // ------------------------------------------------------------------------------------------------ what is there

    /** Reads what is in Redis, delivers what was told, and checks what was let go. */
    private void lookAround() {
        List<byte[]> audit = read();
        for (byte[] entry : audit) {
            if (LineAudit.read(entry) instanceof LineAudit.LetGo gone) {
                check(gone);
            }
        }
        if (Boolean.getBoolean("costguard.states")) {
            for (Site site : sites) {
                note("  " + site.index + " " + site.subject.limits() + " " + site.value + " " + site.members);
            }
        }
        for (Waiter waiter : waiters.values()) {
            since(waiter);
        }
        checkTheDeadAreDropped();
    }

    private List<byte[]> read() {
        byte[] auditKey = (prefix + ":audit").getBytes(StandardCharsets.UTF_8);
        List<Response<byte[]>> values = new ArrayList<>();
        List<Response<List<Tuple>>> members = new ArrayList<>();
        List<Response<Long>> ttls = new ArrayList<>();
        Response<List<String>> messagesTold;
        Response<List<byte[]>> audit;
        try (Pipeline pipeline = jedis.pipelined()) {
            messagesTold = pipeline.lrange(prefix + ":told", 0, -1);
            audit = pipeline.lrange(auditKey, 0, -1);
            pipeline.del(prefix + ":told", prefix + ":audit");
            for (Site site : sites) {
                values.add(pipeline.get(site.subject.key().getBytes(StandardCharsets.UTF_8)));
                members.add(pipeline.zrangeWithScores(site.line, 0, -1));
                ttls.add(pipeline.pttl(site.line));
            }
        }
        for (int i = 0; i < sites.size(); i++) {
            Site site = sites.get(i);
            byte[] value = values.get(i).get();
            site.value = value == null ? LineAudit.Value.NONE : LineAudit.Value.of(value);
            site.members = members.get(i).get().stream()
                    .filter(member -> member.getScore() > 0)
                    .map(member -> LineAudit.Member.of(member.getBinaryElement()))
                    .toList();
            if (!lost(site)) {
                site.check(ttls.get(i).get());
            }
        }
        for (String message : messagesTold.get()) {
            messages++;
            String[] words = message.substring((prefix + ":turn:").length()).split(" ", -1);
            Peer to = peers.stream()
                    .filter(peer -> peer.process.equals(words[0]))
                    .findFirst()
                    .orElse(null);
            if (to != null) {
                soon(() -> to.told(Long.parseLong(words[1]), Long.parseLong(words[2])));
            }
        }
        return audit.get();
    }

    /** The script has not seen yet that a line was lost. */
    private static boolean lost(Site site) {
        return site.members.isEmpty() && site.value.line().size() > 0;
    }

    private void check(LineAudit.LetGo gone) {
        gone.checkCovered();
        if (kinds.subjects == 1 && gone.place() > 0) {
            assertThat(gone.ahead())
                    .as("who stands before %s in its only line", gone.call())
                    .isEmpty();
        }
        Site site = sites.stream()
                .filter(each -> each.subject.key().equals(gone.key()))
                .findFirst()
                .orElseThrow();
        for (int i = 0; i < gone.limits().size(); i++) {
            LineAudit.Taken taken = gone.limits().get(i);
            site.took(i, Math.min(taken.amount(), taken.capacity() / taken.parts()), now);
        }
    }

    /** Since when all lines of a call have covered it, as things stand; or from when on they will. */
    private void since(Waiter waiter) {
        long at = now;
        for (Site site : waiter.lines()) {
            LineAudit.Member its = site.members.stream()
                    .filter(member -> member.process().equals(waiter.peer.process) && member.number() == waiter.number)
                    .findFirst()
                    .orElse(null);
            if (its == null || behindTheDead(site, its)) {
                waiter.coveredSince = NEVER;
                return;
            }
            at = Math.max(at, Math.max(site.coveredAt(its), site.quietUntil));
        }
        boolean still = at == now && waiter.coveredSince <= now;
        waiter.coveredSince = still ? waiter.coveredSince : at;
    }

    private boolean behindTheDead(Site site, LineAudit.Member its) {
        Set<String> dead = graves.stream().map(peer -> peer.process).collect(Collectors.toSet());
        return site.members.stream()
                .anyMatch(member -> member.place() < its.place() && dead.contains(member.process()));
    }

    private void checkNobodyIsIdle(long at) {
        for (Waiter waiter : waiters.values()) {
            if (waiter.coveredSince != NEVER) {
                slowest = Math.max(slowest, at - waiter.coveredSince);
                assertThat(at - waiter.coveredSince)
                        .as("how long %s has been covered at %d", waiter, at - START)
                        .isLessThanOrEqualTo(PROMPT);
            }
        }
    }

    private void checkTheDeadAreDropped() {
        for (Site site : sites) {
            boolean watched = waiters.values().stream()
                    .anyMatch(waiter -> waiter.standsIn(site)
                            && waiter.place < now - SILENT - 3 * REPAIRED
                            && site.quietUntil < now);
            for (Peer grave : watched ? graves : List.<Peer>of()) {
                if (grave.diedAt < now - SILENT - 2 * REPAIRED) {
                    assertThat(site.members)
                            .as("who stands in a line and has been dead since %d", grave.diedAt - START)
                            .noneMatch(member -> member.process().equals(grave.process));
                }
            }
        }
    }

    /** After the dead were dropped, whoever looks finds nothing. */
    private void checkLinesEnd() {
        now += 2 * SILENT;
        for (int i = 0; i < 2; i++) {
            sites.forEach(site -> peers.get(0).beat(site));
            for (Event event = agenda.poll(); event != null; event = agenda.poll()) {
                now = Math.max(now, event.at);
                event.what.run();
            }
        }
        for (Site site : sites) {
            assertThat(jedis.exists(site.line))
                    .as("a line in which nobody stands")
                    .isFalse();
            assertThat(site.value.line().sums()).isEqualTo(new TreeMap<>());
        }
    }

    static String text(Batch.Call call) {
        if (call instanceof Batch.Call.Reserve reserve) {
            String claims = reserve.claims().stream()
                    .map(claim -> claim.subject().budget().name() + Arrays.toString(claim.amounts()))
                    .collect(Collectors.joining(" "));
            Batch.LineOperation op = reserve.operation();
            return op == null
                    ? "RESERVE " + claims
                    : op.kind() + " " + op.number() + " at " + op.place() + " for " + op.waitMicros() + " " + claims;
        } else if (call instanceof Batch.Call.Settle settle) {
            Claim claim = settle.settled().charge().claim();
            return "SETTLE " + claim.subject().budget().name()
                    + Arrays.toString(claim.amounts())
                    + Arrays.toString(settle.settled().actual());
        } else if (call instanceof Batch.Call.ByHand byHand) {
            return byHand.change() + " " + byHand.claim().subject().budget().name()
                    + Arrays.toString(byHand.claim().amounts());
        } else if (call instanceof Batch.Call.Correct correct) {
            return "CORRECT " + correct.subject().budget().name() + " limit "
                    + correct.correction().limit() + " to "
                    + correct.correction().atMost();
        } else if (call instanceof Batch.Call.Renew renew) {
            return "RENEW " + renew.subject().budget().name() + " " + renew.byEra();
        }
        return call.toString();
    }

    static String text(Batch.Result result) {
        if (result instanceof Batch.Result.Decided decided) {
            return decided.verdict() instanceof Verdict.Granted ? "GRANTED" : "DENIED";
        } else if (result instanceof Batch.Result.Joined in) {
            return "JOINED " + in.place();
        }
        return result.getClass().getSimpleName();
    }
}
