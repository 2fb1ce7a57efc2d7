package io.costguard.redis;

import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Change;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.redis.Batch.LineOperation;
import io.costguard.redis.BatchSender.NotRunException;
import io.costguard.redis.BatchSender.UnknownOutcomeException;
import io.costguard.redis.InterleavingPlan.Deed;
import io.costguard.redis.InterleavingPlan.Fate;
import io.costguard.redis.InterleavingPlan.Step;
import io.costguard.testing.RedisForTests;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.exceptions.JedisConnectionException;

/**
 * Three clients with four steps each against the real script, in all orders there are. Each client has the real lane, batch and
 * sender; the connection is the test's, which says when what arrives, whether an answer does, and whether it arrives again.
 *
 * <p>Two orders that lead to the same are one from there on: what is in Redis, what each client knows and what the
 * {@linkplain InterleavingBook book} has are the same, and nothing else decides what follows. So each state is left once by each
 * step that may be next, and the orders are counted as the ways through them. The clock goes on by a
 * microsecond as a call asks or leaves, so that no place in a line is given twice, and nothing refills meanwhile.
 */
public final class Interleavings implements AutoCloseable {
    static final int CLIENTS = 3;
    static final int STEPS = 4;
    static final int SUBJECTS = 2;
    static final long START = 1_760_000_012_345_678L;

    private static final long LONG_ENOUGH = Duration.ofDays(300).toNanos() / 1_000;
    private static final long TOO_SHORT = 1_000_000;
    private static final long ONE_TRY_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
    private static final long SEVERAL_TRIES_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** Of each key its content and for how long it is there; of a subject its value, of a line who stands in it. */
    private static final String LOOK = """
            local all = {}
            for i, key in ipairs(KEYS) do
              local more = ''
              if i > 5 then
                more = redis.call('ZRANGEBYSCORE', key, '(0', '+inf')
              elseif i > 3 then
                more = redis.call('GET', key) or ''
              end
              all[i] = { redis.call('DUMP', key) or '', redis.call('PTTL', key), more }
            end
            return all
            """;
    /** The last key has the time. */
    private static final String RESTORE = """
            for i = 1, #KEYS - 1 do
              if ARGV[i] == '' then
                redis.call('DEL', KEYS[i])
              else
                redis.call('RESTORE', KEYS[i], '60000', ARGV[i], 'REPLACE')
              end
            end
            redis.call('SET', KEYS[#KEYS], ARGV[#KEYS])
            return 'OK'
            """;

    private final Wire wire = new Wire();
    private final FaultyClient jedis;
    private final Redis redis;
    private final Script script;
    private final String prefix;
    private final String timeKey;
    private final List<byte[]> keys = new ArrayList<>();
    private final byte[] look;
    private final byte[] restore;
    private final BatchSender[] senders = new BatchSender[CLIENTS];

    /** What the plans that were tried came to: that there was something to break. */
    public static final class Figures {
        private long orders;
        private long steps;
        private long letGo;
        private long letGoInLine;
        private long undone;
        private long deliveredAgain;

        public long orders() {
            return orders;
        }

        /** Steps taken from states that differ. */
        public long steps() {
            return steps;
        }

        public long letGo() {
            return letGo;
        }

        public long letGoInLine() {
            return letGoInLine;
        }

        /** Cancels that found that their batch had run. */
        public long undone() {
            return undone;
        }

        /** Batches that arrived when they had already. */
        public long deliveredAgain() {
            return deliveredAgain;
        }
    }

    private final Figures figures = new Figures();
    /** What is in Redis, as long as nothing else arrives there, and at which time. */
    private List<byte[]> there = List.of();

    private int thereTime;

    /** A client takes its step of that number. */
    public record Turn(int client, int step) {}

    /** A promise was broken. */
    public static final class BrokenException extends Exception {
        private static final long serialVersionUID = 1L;

        private final transient List<Turn> order;

        private BrokenException(List<Turn> order, Throwable cause) {
            super(String.valueOf(cause.getMessage()), cause);
            this.order = order;
        }

        /** {@return the steps that led to it} */
        public List<Turn> order() {
            return order;
        }
    }

    /** What the test does to what a client sends. */
    private static final class Wire implements FaultyClient.Fault {
        final List<byte[]> answers = new ArrayList<>();
        boolean hasArrived;
        int unsent;
        int lost;

        @Override
        public void beforeItIsSent() {
            if (unsent > 0) {
                unsent--;
                fail();
            }
        }

        @Override
        public void afterItWasAnswered(Object answer) {
            hasArrived = true;
            if (answer instanceof byte[] bytes) {
                answers.add(bytes);
            }
            if (lost > 0) {
                lost--;
                fail();
            }
        }

        private static void fail() {
            // Who tries again need not pause.
            LockSupport.unpark(Thread.currentThread());
            throw new JedisConnectionException("the connection was cut");
        }
    }

    /** One thing that a client wants of the script. */
    record Act(
            Deed deed,
            String id,
            long call,
            long place,
            List<Claim> claims,
            long waitMicros,
            @Nullable Charge charge) {
        Act(Deed deed, String id, long call, long place, List<Claim> claims) {
            this(deed, id, call, place, claims, LONG_ENOUGH, null);
        }

        boolean isPatient() {
            return waitMicros == LONG_ENOUGH;
        }

        @Override
        public String toString() {
            return deed + " " + id + " " + place
                    + claims.stream().map(Interleavings::text).toList();
        }
    }

    /** What travels together, under a number. */
    private record Sent(List<Act> acts, long number) {}

    /** What a client was let go with, of one subject. */
    private record Held(String id, Charge charge) {
        boolean isOf(Act settle) {
            return id.equals(settle.id)
                    && charge.claim().subject().equals(settle.claims.get(0).subject());
        }

        @Override
        public String toString() {
            return id + text(charge.claim()) + Arrays.toString(charge.eras());
        }
    }

    private static String text(Claim claim) {
        return claim.subject().budget().name() + Arrays.toString(claim.amounts());
    }

    private record Client(
            int taken,
            long next,
            List<Held> held,
            @Nullable Act waiting,
            @Nullable Sent pending,
            @Nullable Sent last) {
        Client with(List<Held> nowHeld, @Nullable Act nowWaiting, @Nullable Sent nowPending) {
            return new Client(taken, next, nowHeld, nowWaiting, nowPending, last);
        }

        Client sends(Sent sent) {
            return new Client(taken, next, held, waiting, sent, sent);
        }

        String knows() {
            return next + " " + held + waiting + (pending == null ? "" : "pending");
        }

        /** The number was used. */
        Client advanced() {
            return new Client(taken, next + 1, held, waiting, null, last);
        }

        Client afterStep(int step) {
            return new Client(step + 1, next, held, waiting, pending, last);
        }
    }

    /** Where an order has led. */
    private record State(List<Client> clients, InterleavingBook book, List<byte[]> contents, int time) {
        /** All that decides what may follow: a lane does only where something of it is sent again, or cancelled. */
        String key(InterleavingPlan plan) {
            StringBuilder key = new StringBuilder().append(time);
            List<Integer> unfinished = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                Client client = clients.get(i);
                List<Step> left = plan.steps().get(i).subList(client.taken, STEPS);
                boolean looksBack = left.stream().anyMatch(step -> step.deed().looksBack());
                if (!left.isEmpty()) {
                    unfinished.add(i);
                    key.append(client.taken).append(client.knows());
                }
                if (looksBack) {
                    key.append(client.last).append(text(contents.get(i)));
                }
                key.append('\n');
            }
            key.append(book.text(unfinished));
            contents.subList(CLIENTS, contents.size())
                    .forEach(content -> key.append('\n').append(text(content)));
            return key.toString();
        }

        private static String text(byte[] content) {
            return new String(content, StandardCharsets.ISO_8859_1);
        }
    }

    public Interleavings(RedisForTests server) {
        jedis = new FaultyClient(server, 1, wire);
        redis = Redis.of(jedis);
        prefix = server.keyPrefix();
        timeKey = prefix + ":time";
        script = TestScript.ofTheRealOne().withTimeAt(timeKey).build();
        for (int client = 0; client < CLIENTS; client++) {
            keys.add(lane(client, 1).key());
        }
        for (int subject = 0; subject < SUBJECTS; subject++) {
            keys.add(key(subject).getBytes(StandardCharsets.UTF_8));
        }
        for (int subject = 0; subject < SUBJECTS; subject++) {
            keys.add((key(subject) + ":line").getBytes(StandardCharsets.UTF_8));
        }
        look = jedis.scriptLoad(LOOK, timeKey).getBytes(StandardCharsets.US_ASCII);
        restore = jedis.scriptLoad(RESTORE, timeKey).getBytes(StandardCharsets.US_ASCII);
        for (int client = 0; client < CLIENTS; client++) {
            ServerClock clock = new ServerClock(() -> 0, nanos -> new CompletableFuture<>());
            clock.told(START, 0);
            senders[client] = new BatchSender(redis, script, clock, Duration.ofSeconds(1));
        }
    }

    private String key(int subject) {
        return prefix + ":{x}:" + subject;
    }

    private Lane lane(int client, long next) {
        Lane lane = new Lane(prefix + ":{x}:lane-" + client, 0);
        for (long number = 1; number < next; number++) {
            lane.advance(0);
        }
        return lane;
    }

    /** {@return what all plans came to so far} */
    public Figures figures() {
        return figures;
    }

    @Override
    public void close() {
        jedis.close();
    }

    // ---------------------------------------------------------------------------------------------------- the orders

    /** Tries all orders of a plan. */
    public void tryAll(InterleavingPlan plan) throws BrokenException {
        figures.orders += new Search(plan).orders(begin(plan), new ArrayList<>());
    }

    /** Tries one order, which may lack steps. */
    public void tryOne(InterleavingPlan plan, List<Turn> order) throws BrokenException {
        Run run = new Run(plan);
        State state = begin(plan);
        for (int i = 0; i < order.size(); i++) {
            state = run.take(state, order.subList(0, i + 1));
        }
    }

    private State begin(InterleavingPlan plan) {
        Client client = new Client(0, 1, List.of(), null, null, null);
        List<byte[]> nothing = keys.stream().map(key -> new byte[0]).toList();
        return new State(List.of(client, client, client), new InterleavingBook(plan.budgets()), nothing, 0);
    }

    private final class Search {
        final Run run;
        final Map<String, Long> known = new HashMap<>();

        Search(InterleavingPlan plan) {
            run = new Run(plan);
        }

        long orders(State state, List<Turn> order) throws BrokenException {
            String key = state.key(run.plan);
            Long before = known.get(key);
            if (before != null) {
                return before;
            }
            long orders = order.size() == CLIENTS * STEPS ? 1 : 0;
            for (int client = 0; client < CLIENTS; client++) {
                int step = state.clients.get(client).taken;
                if (step < STEPS) {
                    order.add(new Turn(client, step));
                    orders += orders(run.take(state, order), order);
                    order.remove(order.size() - 1);
                }
            }
            known.put(key, orders);
            return orders;
        }
    }

    // ------------------------------------------------------------------------------------------------------ one step

    private final class Run {
        final InterleavingPlan plan;
        final List<Subject> subjects = new ArrayList<>();

        Run(InterleavingPlan plan) {
            this.plan = plan;
            for (int subject = 0; subject < SUBJECTS; subject++) {
                subjects.add(new Subject(key(subject), plan.budgets().get(subject)));
            }
        }

        /** The last of these, after the others. */
        State take(State state, List<Turn> order) throws BrokenException {
            try {
                figures.steps++;
                return new Taking(state, order.get(order.size() - 1)).after();
            } catch (AssertionError | RuntimeException e) {
                there = List.of();
                throw new BrokenException(List.copyOf(order), e);
            }
        }

        private final class Taking {
            final State before;
            final Turn turn;
            final Step step;
            final List<Client> clients;
            final InterleavingBook book;
            final int time;
            Client client;

            Taking(State before, Turn turn) {
                this.before = before;
                this.turn = turn;
                this.step = plan.steps().get(turn.client).get(turn.step);
                this.clients = new ArrayList<>(before.clients);
                this.client = clients.get(turn.client);
                this.book = new InterleavingBook(before.book);
                wire.hasArrived = false;
                this.time = before.time + (step.deed() == Deed.ASK || step.deed() == Deed.LEAVE ? 1 : 0);
            }

            /** Nothing is sent before: what is to be in Redis is there. */
            private void arrange() {
                if (there != before.contents || thereTime != time) {
                    List<byte[]> restored = new ArrayList<>(before.contents);
                    restored.add(Long.toString(START + time).getBytes(StandardCharsets.US_ASCII));
                    List<byte[]> all = new ArrayList<>(keys);
                    all.add(timeKey.getBytes(StandardCharsets.UTF_8));
                    jedis.evalsha(restore, all, restored);
                }
                there = before.contents;
                thereTime = time;
                wire.answers.clear();
                wire.hasArrived = false;
            }

            State after() {
                take();
                clients.set(turn.client, client.afterStep(turn.step));
                if (wire.hasArrived) {
                    there = looked();
                    return new State(List.copyOf(clients), book, there, time);
                }
                return new State(List.copyOf(clients), book, before.contents, time);
            }

            /** What a client cannot do as things stand it does not. */
            private void take() {
                Sent pending = client.pending;
                if (step.deed() == Deed.LATE) {
                    if (client.last != null) {
                        deliver(client.last);
                    }
                } else if (pending != null) {
                    if (step.deed() == Deed.AGAIN) {
                        run(pending);
                    } else if (step.deed() == Deed.CANCEL) {
                        cancel(pending);
                    }
                } else {
                    List<Act> acts = acts();
                    if (!acts.isEmpty()) {
                        Sent sent = new Sent(acts, client.next);
                        client = client.sends(sent);
                        run(sent);
                    }
                }
            }

            private List<Act> acts() {
                String id = turn.client + "/" + client.next;
                Act waiting = client.waiting;
                List<Claim> claims = claims(step.amounts());
                return switch (step.deed()) {
                    case RESERVE -> List.of(new Act(Deed.RESERVE, id, client.next, 0, claims));
                    case JOIN ->
                        waiting == null
                                ? List.of(new Act(Deed.JOIN, id, client.next, 0, claims, patience(), null))
                                : List.of();
                    case RESET, CHARGE, REFUND, HOLD ->
                        claims.stream()
                                .map(claim -> new Act(step.deed(), id, 0, 0, List.of(claim)))
                                .toList();
                    case ASK, LEAVE ->
                        waiting == null
                                ? List.of()
                                : List.of(new Act(step.deed(), id, waiting.call, waiting.place, waiting.claims));
                    case SETTLE -> settles();
                    case SETTLE_AND_RESERVE -> {
                        List<Act> both = new ArrayList<>(settles());
                        both.add(new Act(Deed.RESERVE, id, client.next, 0, claims));
                        yield both;
                    }
                    case AGAIN, CANCEL, LATE -> List.of();
                };
            }

            private long patience() {
                return step.percent() == 0 ? TOO_SHORT : LONG_ENOUGH;
            }

            private List<Claim> claims(List<long[]> amounts) {
                List<Claim> claims = new ArrayList<>();
                for (int i = 0; i < amounts.size(); i++) {
                    if (amounts.get(i).length > 0) {
                        claims.add(new Claim(subjects.get(i), amounts.get(i)));
                    }
                }
                return claims;
            }

            /** Of what it was let go with first. */
            private List<Act> settles() {
                List<Act> settles = new ArrayList<>();
                for (Held held : client.held) {
                    if (held.id.equals(client.held.get(0).id)) {
                        settles.add(settle(held));
                    }
                }
                return settles;
            }

            private Act settle(Held held) {
                Claim claim = held.charge.claim();
                long[] used = claim.amounts().clone();
                for (int i = 0; i < used.length; i++) {
                    boolean isInFlight = claim.subject().limits().get(i).isInFlight();
                    used[i] = isInFlight ? 0 : used[i] * step.percent() / 100;
                }
                return new Act(Deed.SETTLE, held.id, 0, 0, List.of(new Claim(claim.subject(), used)), 0, held.charge);
            }

            private Batch batch(List<Act> acts, boolean naming) {
                Lines lines = new Lines("process-000" + turn.client, prefix + ":turn:");
                if (naming) {
                    subjects.forEach(subject -> lines.told(subject, true));
                }
                Batch batch = new Batch(lines);
                for (Act act : acts) {
                    batch.add(naming ? call(act).namingLines() : call(act));
                }
                return batch;
            }

            private Batch.Call call(Act act) {
                return switch (act.deed) {
                    case JOIN -> inLine(act, LineOperation.Kind.JOIN, act.waitMicros);
                    case ASK -> inLine(act, LineOperation.Kind.ASK, 0);
                    case LEAVE -> inLine(act, LineOperation.Kind.LEAVE, 0);
                    case HOLD -> inLine(act, LineOperation.Kind.HOLD, LONG_ENOUGH);
                    case RESET -> new Batch.Call.ByHand(Change.RESET, act.claims.get(0));
                    case CHARGE -> new Batch.Call.ByHand(Change.CHARGE, act.claims.get(0));
                    case REFUND -> new Batch.Call.ByHand(Change.REFUND, act.claims.get(0));
                    case SETTLE ->
                        new Batch.Call.Settle(new Settled(
                                Objects.requireNonNull(act.charge),
                                act.claims.get(0).amounts()));
                    default -> new Batch.Call.Reserve(act.claims);
                };
            }

            private Batch.Call inLine(Act act, LineOperation.Kind kind, long micros) {
                return new Batch.Call.Reserve(act.claims, new LineOperation(kind, act.call, act.place, micros));
            }

            // -------------------------------------------------------------------------------------- what travels

            /** A copy that was on its way all the time. */
            private void deliver(Sent sent) {
                arrange();
                Batch batch = batch(sent.acts, true);
                byte[] request = batch.request(
                        Batch.Mode.RUN, sent.number, START + SEVERAL_TRIES_NANOS, TimeUnit.MINUTES.toMillis(1), START);
                script.run(redis, batch.keys(lane(turn.client, sent.number).key()), request, SEVERAL_TRIES_NANOS);
                arrived(Batch.Mode.RUN, sent);
            }

            private void run(Sent sent) {
                arrange();
                boolean isFirst = step.deed() != Deed.AGAIN;
                Fate fate = isFirst ? step.fate() : Fate.HEARD;
                wire.unsent = fate == Fate.UNSENT ? 1 : 0;
                wire.lost = fate == Fate.LOST || fate == Fate.HEARD_AGAIN ? 1 : 0;
                // What names no line is asked again where that is needed; but what is asked twice must be the same.
                boolean naming = fate != Fate.HEARD || !isFirst;
                Batch batch = batch(sent.acts, naming);
                long nanos = fate == Fate.HEARD_AGAIN ? SEVERAL_TRIES_NANOS : ONE_TRY_NANOS;
                try {
                    Batch.Reply reply =
                            senders[turn.client].send(Batch.Mode.RUN, lane(turn.client, sent.number), batch, nanos);
                    arrived(Batch.Mode.RUN, sent);
                    assertTrue(fate == Fate.HEARD || fate == Fate.HEARD_AGAIN, "an answer was lost, and heard");
                    assertTrue(
                            reply.status() == Batch.Status.DONE, "a batch that is sent is answered " + reply.status());
                    client = client.advanced();
                    heard(sent, reply.results());
                } catch (UnknownOutcomeException e) {
                    arrived(Batch.Mode.RUN, sent);
                    assertTrue(fate == Fate.LOST || fate == Fate.UNSENT, "a batch is not known to have run: " + e);
                } catch (NotRunException e) {
                    throw new AssertionError("a batch did not run", e);
                }
            }

            private void cancel(Sent sent) {
                arrange();
                try {
                    Batch.Reply reply = senders[turn.client].send(
                            Batch.Mode.CANCEL, lane(turn.client, sent.number), batch(sent.acts, true), ONE_TRY_NANOS);
                    arrived(Batch.Mode.CANCEL, sent);
                    client = client.advanced();
                    if (reply.status() == Batch.Status.CANCELLED_AFTER_IT_RAN) {
                        figures.undone++;
                        List<Batch.Result> results = reply.results();
                        for (int i = 0; i < results.size(); i++) {
                            if (sent.acts.get(i).deed == Deed.SETTLE) {
                                heard(sent.acts.get(i), results.get(i));
                            }
                        }
                    }
                } catch (UnknownOutcomeException | NotRunException e) {
                    throw new AssertionError("a cancel did not run", e);
                }
            }

            /** Has the book say whether what came back is right. */
            private void arrived(Batch.Mode mode, Sent sent) {
                for (byte[] answer : wire.answers) {
                    Batch batch = batch(sent.acts, true);
                    Batch.Reply reply = batch.read(answer);
                    if (reply.status() == Batch.Status.DONE && mode == Batch.Mode.RUN) {
                        boolean again =
                                book.ran(turn.client, sent.number, sent.acts, reply.results(), answer, START + time);
                        figures.deliveredAgain += again ? 1 : 0;
                        count(sent, reply.results(), again);
                    } else {
                        book.said(turn.client, mode, sent.number, reply, answer);
                    }
                }
                wire.answers.clear();
            }

            private void count(Sent sent, List<Batch.Result> results, boolean again) {
                for (int i = 0; i < results.size() && !again; i++) {
                    if (isGranted(results.get(i))) {
                        figures.letGo++;
                        figures.letGoInLine += sent.acts.get(i).deed == Deed.ASK ? 1 : 0;
                    }
                }
            }

            // ------------------------------------------------------------------------------- what a client hears

            private void heard(Sent sent, List<Batch.Result> results) {
                List<Act> again = new ArrayList<>();
                for (int i = 0; i < results.size(); i++) {
                    Act act = sent.acts.get(i);
                    if (results.get(i) instanceof Batch.Result.AskAgain) {
                        again.add(act);
                    } else if (results.get(i) instanceof Batch.Result.Gone) {
                        again.add(new Act(Deed.JOIN, act.id, act.call, act.place, act.claims));
                    } else {
                        heard(act, results.get(i));
                    }
                }
                if (!again.isEmpty()) {
                    Sent second = new Sent(again, client.next);
                    client = client.sends(second);
                    try {
                        Batch.Reply reply = senders[turn.client].send(
                                Batch.Mode.RUN, lane(turn.client, client.next), batch(again, true), ONE_TRY_NANOS);
                        arrived(Batch.Mode.RUN, second);
                        client = client.advanced();
                        List<Batch.Result> its = reply.results();
                        for (int i = 0; i < its.size(); i++) {
                            heard(again.get(i), its.get(i));
                        }
                    } catch (UnknownOutcomeException | NotRunException e) {
                        throw new AssertionError("a batch did not run", e);
                    }
                }
            }

            private void heard(Act act, Batch.Result result) {
                List<Held> held = new ArrayList<>(client.held);
                Act waiting = client.waiting;
                if (act.deed == Deed.SETTLE) {
                    held.removeIf(each -> each.isOf(act));
                } else if (result instanceof Batch.Result.Decided decided) {
                    if (decided.verdict() instanceof Verdict.Granted granted) {
                        granted.charges().forEach(charge -> held.add(new Held(act.id, charge)));
                    }
                    waiting = act.deed == Deed.RESERVE ? waiting : null;
                } else if (result instanceof Batch.Result.Joined joined) {
                    waiting = new Act(Deed.JOIN, act.id, act.call, joined.place(), act.claims);
                } else if (act.deed == Deed.LEAVE) {
                    waiting = null;
                }
                client = client.with(held, waiting, client.pending);
            }

            // ------------------------------------------------------------------------------------ what is there

            private List<byte[]> looked() {
                List<?> all = (List<?>) jedis.evalsha(look, keys, List.of());
                List<byte[]> contents = new ArrayList<>();
                for (int i = 0; i < keys.size(); i++) {
                    List<?> each = (List<?>) all.get(i);
                    byte[] content = (byte[]) each.get(0);
                    contents.add(content);
                    assertTrue(
                            content.length == 0 || (Long) each.get(1) > 0,
                            "a key without end: " + new String(keys.get(i), StandardCharsets.UTF_8));
                }
                for (int subject = 0; subject < SUBJECTS; subject++) {
                    byte[] value = (byte[]) ((List<?>) all.get(CLIENTS + subject)).get(2);
                    List<?> members = (List<?>) ((List<?>) all.get(CLIENTS + SUBJECTS + subject)).get(2);
                    book.stands(
                            subject,
                            value.length == 0 ? LineAudit.Value.NONE : LineAudit.Value.of(value),
                            members.stream()
                                    .map(member -> LineAudit.Member.of((byte[]) member))
                                    .toList(),
                            START + time);
                }
                return contents;
            }
        }
    }

    static Verdict.Granted granted(Batch.Result result) {
        return (Verdict.Granted) ((Batch.Result.Decided) result).verdict();
    }

    static boolean isGranted(Batch.Result result) {
        return result instanceof Batch.Result.Decided decided && decided.verdict() instanceof Verdict.Granted;
    }

    static void assertTrue(boolean isSo, String otherwise) {
        if (!isSo) {
            throw new AssertionError(otherwise);
        }
    }

    /** {@return which client does what, in that order} */
    public static String told(InterleavingPlan plan, List<Turn> order) {
        return plan.budgets() + "\n"
                + order.stream()
                        .map(turn -> "client " + turn.client + ": "
                                + plan.steps().get(turn.client).get(turn.step))
                        .collect(Collectors.joining("\n"));
    }
}
