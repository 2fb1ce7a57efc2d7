package io.costguard.redis;

import static io.costguard.redis.Interleavings.assertTrue;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.limit.Claim;
import io.costguard.limit.Subject;
import io.costguard.redis.InterleavingPlan.Deed;
import io.costguard.redis.Interleavings.Act;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What three clients must have been told, and what there must be, while nothing refills: a balance is what there was, less what was let
 * go, plus what was given back. It fails where the script did otherwise, and shares no code with it.
 */
final class InterleavingBook {
    private final List<Account> accounts = new ArrayList<>();
    private final List<Last> lanes = new ArrayList<>();
    /** In which epoch of each limit what is charged to a subject was. */
    private final Map<String, long[]> epochs;

    /** What becomes of an act that has been done, if it is cancelled. */
    private enum Done {
        NOTHING,
        GRANTED,
        JOINED
    }

    /** What the script remembers of a client. */
    private record Last(long number, byte[] answer, List<Act> acts, List<Done> done, boolean isCancelled) {}

    private record Waiting(String name, long place, long[] amounts) {
        @Override
        public String toString() {
            return name + "@" + place + Arrays.toString(amounts);
        }
    }

    /** One subject: what is there of each limit, and how often it was full or made anew. */
    private static final class Account {
        final List<Limit> limits;
        final boolean isDryRun;
        final long[] balances;
        final long[] epochs;
        final List<Waiting> line = new ArrayList<>();
        boolean isHeld;

        Account(Budget budget) {
            this.limits = budget.limits();
            this.isDryRun = budget.isDryRun();
            this.balances = limits.stream().mapToLong(Limit::capacity).toArray();
            this.epochs = new long[balances.length];
        }

        Account(Account other) {
            limits = other.limits;
            isDryRun = other.isDryRun;
            balances = other.balances.clone();
            epochs = other.epochs.clone();
            line.addAll(other.line);
            isHeld = other.isHeld;
        }

        private boolean isBucket(int limit) {
            return limits.get(limit).algorithm() instanceof Limit.Algorithm.TokenBucket
                    && !limits.get(limit).isInFlight();
        }

        private long capacity(int limit) {
            return limits.get(limit).capacity();
        }

        /** Whether what is there, less what those ask who stand before that place, is enough. */
        boolean covers(long[] amounts, long before) {
            for (int i = 0; i < amounts.length; i++) {
                if (lacks(i, amounts[i], before)) {
                    return false;
                }
            }
            return true;
        }

        private boolean lacks(int limit, long amount, long before) {
            long ahead = 0;
            for (Waiting each : line) {
                ahead += each.place < before ? each.amounts[limit] : 0;
            }
            return amount > 0 && (isHeld || balances[limit] - ahead < Math.min(amount, capacity(limit)));
        }

        /** Whether what it lacks may be there at any moment. */
        boolean mayCoverSoon(long[] amounts) {
            for (int i = 0; i < amounts.length; i++) {
                if (lacks(i, amounts[i], Long.MAX_VALUE)
                        && (isHeld || !limits.get(i).isInFlight())) {
                    return false;
                }
            }
            return true;
        }

        void charge(long[] amounts) {
            for (int i = 0; i < amounts.length; i++) {
                balances[i] -= amounts[i];
            }
        }

        void giveBack(int limit, long amount) {
            if (amount > 0 && balances[limit] < capacity(limit)) {
                balances[limit] = Math.min(capacity(limit), balances[limit] + amount);
                if (isBucket(limit) && balances[limit] == capacity(limit)) {
                    epochs[limit]++;
                }
            }
        }

        void giveBack(long[] amounts, long[] since) {
            for (int i = 0; i < amounts.length; i++) {
                giveBack(i, since[i] == epochs[i] ? amounts[i] : 0);
            }
        }

        void reset() {
            for (int i = 0; i < balances.length; i++) {
                balances[i] = capacity(i);
                epochs[i]++;
            }
            isHeld = false;
        }

        @Override
        public String toString() {
            return Arrays.toString(balances) + Arrays.toString(epochs) + line + isHeld;
        }
    }

    InterleavingBook(List<Budget> budgets) {
        budgets.forEach(budget -> accounts.add(new Account(budget)));
        for (int i = 0; i < Interleavings.CLIENTS; i++) {
            lanes.add(new Last(0, new byte[0], List.of(), List.of(), false));
        }
        epochs = new TreeMap<>();
    }

    InterleavingBook(InterleavingBook other) {
        other.accounts.forEach(account -> accounts.add(new Account(account)));
        lanes.addAll(other.lanes);
        epochs = new TreeMap<>(other.epochs);
    }

    /** What decides what these clients must be told; what the lanes have is in Redis too. */
    String text(List<Integer> clients) {
        StringBuilder all = new StringBuilder().append(accounts);
        epochs.forEach((charge, since) -> {
            if (clients.contains(charge.charAt(0) - '0')) {
                all.append(charge).append(Arrays.toString(since));
            }
        });
        return all.toString();
    }

    private Account account(Claim claim) {
        String key = claim.subject().key();
        return accounts.get(key.charAt(key.length() - 1) - '0');
    }

    // ------------------------------------------------------------------------------------------------- what was said

    /** A batch was answered; says whether it had run before. */
    boolean ran(int client, long number, List<Act> acts, List<Batch.Result> results, byte[] answer, long now) {
        Last last = lanes.get(client);
        if (number == last.number) {
            assertTrue(!last.isCancelled && Arrays.equals(answer, last.answer), "a batch that came again ran again");
            return true;
        }
        assertTrue(number == last.number + 1, "batch " + number + " ran after " + last.number);
        assertTrue(micros(answer) == now, "the time of an answer is not that of the server");
        List<Done> done = new ArrayList<>();
        for (int i = 0; i < acts.size(); i++) {
            done.add(does(client, acts.get(i), results.get(i)));
        }
        lanes.set(client, new Last(number, answer, acts, done, false));
        return false;
    }

    private static long micros(byte[] answer) {
        return ByteBuffer.wrap(answer).getLong(14);
    }

    /** Any other answer. */
    void said(int client, Batch.Mode mode, long number, Batch.Reply reply, byte[] answer) {
        Last last = lanes.get(client);
        Batch.Status status = reply.status();
        if (number == last.number && last.isCancelled) {
            assertTrue(Arrays.equals(answer, last.answer), "a cancelled batch was answered " + status);
        } else if (mode == Batch.Mode.RUN) {
            assertTrue(
                    status == Batch.Status.LANE_REFUSED && number < last.number,
                    "batch " + number + " after " + last.number + " was answered " + status);
        } else if (number == last.number) {
            assertTrue(status == Batch.Status.CANCELLED_AFTER_IT_RAN, "a cancel after it ran was answered " + status);
            for (int i = 0; i < last.acts.size(); i++) {
                undo(client, last.acts.get(i), last.done.get(i));
            }
            lanes.set(client, new Last(number, answer, List.of(), List.of(), true));
        } else {
            assertTrue(
                    status == Batch.Status.CANCELLED_BEFORE_IT_CAME && number == last.number + 1,
                    "a cancel before it came was answered " + status);
            lanes.set(client, new Last(number, answer, List.of(), List.of(), true));
        }
    }

    private Done does(int client, Act act, Batch.Result result) {
        String name = name(client, act);
        if (result instanceof Batch.Result.AskAgain) {
            assertTrue(
                    act.claims().stream().map(this::account).anyMatch(each -> each.isHeld || !each.line.isEmpty()),
                    "asked to name a line where none is");
            return Done.NOTHING;
        }
        switch (act.deed()) {
            case RESERVE, JOIN -> {
                return wants(act, name, result);
            }
            case ASK -> {
                return asks(act, name, result);
            }
            case LEAVE -> leave(act, name);
            case SETTLE -> settle(act);
            case RESET -> act.claims().forEach(claim -> account(claim).reset());
            case CHARGE -> act.claims().forEach(claim -> account(claim).charge(claim.amounts()));
            case HOLD -> act.claims().forEach(claim -> account(claim).isHeld = true);
            default ->
                act.claims().forEach(claim -> {
                    for (int i = 0; i < claim.amounts().length; i++) {
                        account(claim).giveBack(i, claim.amounts()[i]);
                    }
                });
        }
        assertTrue(result instanceof Batch.Result.Done, act + " was answered " + result);
        return Done.NOTHING;
    }

    private static String name(int client, Act act) {
        return "process-000" + client + "/" + act.call();
    }

    private Done wants(Act act, String name, Batch.Result result) {
        List<Claim> decisive = decisive(act);
        if (decisive.stream().allMatch(claim -> account(claim).covers(claim.amounts(), Long.MAX_VALUE))) {
            assertTrue(Interleavings.isGranted(result), act + " is covered, and was answered " + result);
            charge(act, result);
            return Done.GRANTED;
        }
        assertTrue(!Interleavings.isGranted(result), act + " is not covered, and was let go: " + accounts);
        boolean waits = act.deed() == Deed.JOIN
                && (act.place() > 0
                        || act.isPatient()
                        || decisive.stream().allMatch(claim -> account(claim).mayCoverSoon(claim.amounts())));
        if (!waits) {
            assertTrue(result instanceof Batch.Result.Decided, act + " was answered " + result);
            return Done.NOTHING;
        }
        if (!(result instanceof Batch.Result.Joined joined)) {
            throw new AssertionError(act + " was answered " + result);
        }
        for (Claim claim : standing(act)) {
            Account account = account(claim);
            assertTrue(
                    act.place() > 0 || account.line.stream().allMatch(each -> each.place < joined.place()),
                    act + " joined at " + joined.place() + " before others: " + account.line);
            account.line.add(new Waiting(name, joined.place(), claim.amounts()));
            account.line.sort(Comparator.comparingLong(Waiting::place));
        }
        assertTrue(act.place() == 0 || act.place() == joined.place(), "a call lost its place");
        return Done.JOINED;
    }

    private Done asks(Act act, String name, Batch.Result result) {
        boolean stands = true;
        boolean covered = true;
        boolean isFirst = true;
        for (Claim claim : standing(act)) {
            Account account = account(claim);
            stands &= account.line.stream().anyMatch(each -> each.name.equals(name));
            covered &= account.covers(claim.amounts(), act.place());
            isFirst &= account.line.stream().noneMatch(each -> each.place < act.place());
        }
        if (Interleavings.isGranted(result)) {
            assertTrue(stands, act + " stands nowhere, and was let go");
            assertTrue(covered, act + " is not covered behind those before it, and was let go: " + accounts);
            List<Claim> charged = charged(act);
            leave(act, name);
            charge(act, charged, result);
            return Done.GRANTED;
        }
        assertTrue(!(stands && covered && isFirst), act + " is first and covered, and was answered " + result);
        assertTrue(
                stands ? result instanceof Batch.Result.WaitsOn : result instanceof Batch.Result.Gone,
                act + " was answered " + result);
        return Done.NOTHING;
    }

    /** What may keep it from going. */
    private List<Claim> decisive(Act act) {
        return act.claims().stream().filter(claim -> !account(claim).isDryRun).toList();
    }

    /** Where it stands if it waits. */
    private List<Claim> standing(Act act) {
        return decisive(act).stream()
                .filter(claim -> Arrays.stream(claim.amounts()).anyMatch(amount -> amount > 0))
                .toList();
    }

    /** All of it, but for dry runs that do not cover it. */
    private List<Claim> charged(Act act) {
        return act.claims().stream()
                .filter(claim -> !account(claim).isDryRun || account(claim).covers(claim.amounts(), Long.MAX_VALUE))
                .toList();
    }

    private void charge(Act act, Batch.Result result) {
        charge(act, charged(act), result);
    }

    private void charge(Act act, List<Claim> charged, Batch.Result result) {
        List<Subject> should = charged.stream().map(Claim::subject).toList();
        List<Subject> told = Interleavings.granted(result).charges().stream()
                .map(charge -> charge.claim().subject())
                .toList();
        assertTrue(told.equals(should), act + " is charged to " + told + ", not to " + should);
        for (Claim claim : charged) {
            account(claim).charge(claim.amounts());
            epochs.put(name(act, claim), account(claim).epochs.clone());
        }
    }

    private void leave(Act act, String name) {
        act.claims().forEach(claim -> account(claim).line.removeIf(each -> each.name.equals(name)));
    }

    private void settle(Act act) {
        Claim used = act.claims().get(0);
        Account account = account(used);
        long[] since = epochs.remove(name(act, used));
        if (since == null || act.charge() == null) {
            throw new AssertionError(act + " was settled twice");
        }
        long[] charged = act.charge().claim().amounts();
        for (int i = 0; i < charged.length; i++) {
            long over = used.amounts()[i] - charged[i];
            if (over > 0) {
                account.balances[i] -= over;
            } else if (since[i] == account.epochs[i]) {
                account.giveBack(i, -over);
            }
        }
    }

    private static String name(Act act, Claim claim) {
        return act.id() + " " + claim.subject().key();
    }

    private void undo(int client, Act act, Done done) {
        if (done == Done.JOINED) {
            leave(act, name(client, act));
        } else if (done == Done.GRANTED) {
            for (Claim claim : act.claims()) {
                long[] since = epochs.remove(name(act, claim));
                if (since != null) {
                    account(claim).giveBack(claim.amounts(), since);
                }
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ what is there

    /** What Redis has of a subject, and who stands in its line. */
    void stands(int subject, LineAudit.Value value, List<LineAudit.Member> members, long now) {
        Account account = accounts.get(subject);
        for (int i = 0; i < account.balances.length; i++) {
            long balance = account.capacity(i);
            if (!value.limits().isEmpty()) {
                LineAudit.Stored stored = value.limits().get(i);
                balance = stored.kind() >= 2
                        ? account.capacity(i) - stored.balance()
                        : Math.floorDiv(stored.balance(), stored.kind() == 0 ? stored.parts() : 1);
            }
            assertTrue(
                    balance == account.balances[i],
                    "the balance of " + account.limits.get(i) + " is " + balance + ", not " + account.balances[i]);
        }
        List<String> standing = members.stream()
                .map(member -> member.call() + "@" + member.place())
                .toList();
        List<String> should =
                account.line.stream().map(each -> each.name + "@" + each.place).toList();
        assertTrue(standing.equals(should), "in line stand " + standing + ", not " + should);
        LineAudit.Line line = value.line();
        assertTrue(line.size() == should.size(), "the size of a line is " + line.size() + ", not " + should.size());
        assertTrue(line.hold() > now == account.isHeld, "the hold lasts until " + line.hold());
        for (int i = 0; i < value.limits().size(); i++) {
            int limit = i;
            long sum =
                    account.line.stream().mapToLong(each -> each.amounts[limit]).sum();
            long told = line.sums().getOrDefault(value.limits().get(i).limit(), 0L);
            assertTrue(told == sum, "the sum of a line is " + told + ", not " + sum);
        }
    }
}
