package io.costguard.limit;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import java.math.BigInteger;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one process does for its region's shares of budgets: it follows what the region's own Redis has of them, and, one process at a time,
 * exchanges them with other regions by a Redis that all of them reach. Safe for use by many threads; looks while another does do nothing.
 *
 * <p><b>In force.</b> A process decides by a share for a term after it began to read it, and by the least share after that. So a term after the
 * region's Redis took a lower one, nobody there decides by the higher one any more, whoever stood still meanwhile.
 *
 * <p><b>Never over.</b> What is in force in a region is at most what the shared Redis has for it, and that is at most the whole together:
 *
 * <ul>
 *   <li>To give, the share is lowered in the region first, under the same version. When that has been in force for as long as buckets take to be
 *       full, and what is used is no more than the lower share, it is lowered in the shared Redis too, under the next version: there, and not
 *       before, it is free.
 *   <li>To take, it is raised in the shared Redis first, under the next version, and then in the region.
 *   <li>Each step is one that fails where anything changed since it was decided on. Whoever finds the two Redis at different versions goes on
 *       from there: a share that is lower in the region under the same version is being given, one of an older version is not known there yet.
 *   <li>A region that lost what its Redis knew takes over what the shared one has, under the next version, so that whoever was giving a part of
 *       it away cannot any more.
 *   <li>A shared Redis that lost everything is told by each region what that has; until all have, nothing is free.
 * </ul>
 */
public final class Region {
    private static final Logger log = LoggerFactory.getLogger(Region.class);

    /** For how long a process goes by what it read. */
    public static final Duration TERM = Duration.ofSeconds(10);

    /** Clocks drift, by a thousandth at most. */
    private static final long IN_FORCE_NANOS = TERM.plusMillis(100).toNanos();

    private static final long BEAT_NANOS = Duration.ofSeconds(3).toNanos();
    private static final long SILENT_NANOS = Duration.ofSeconds(10).toNanos();
    private static final long WATCHED_NANOS = Duration.ofSeconds(10).toNanos();
    private static final long WANTS_NANOS = Duration.ofSeconds(30).toNanos();
    private static final long PATIENCE_NANOS = Duration.ofMinutes(1).toNanos();
    private static final long LONGEST_NANOS = Duration.ofDays(366 * 100).toNanos();
    private static final int WHOLE = 100;

    private final String name;
    private final List<String> regions;
    private final Register here;
    private final Register shared;
    private final SharedBudgets budgets;
    private final long termNanos;

    private final String process = UUID.randomUUID().toString();
    private final ReentrantLock looking = new ReentrantLock();
    private final Map<String, Watched> watched = new HashMap<>();
    private @Nullable RegionNote heard;
    private long heardNanos;
    private boolean inTrouble;

    /** What has been seen of the use of one budget since its share last changed, by the process that exchanges it. */
    private static final class Watched {
        private long sinceNanos;
        private int peak;
        private long wantedNanos;
        private boolean wanted;
        /** What was lowered, and is not free yet. */
        private @Nullable Holding lowered;

        private long loweredNanos;

        Watched(long now) {
            anew(now);
        }

        void anew(long now) {
            sinceNanos = now;
            peak = 0;
        }

        void saw(Use use, Holding held, long now) {
            peak = Math.max(peak, use.most);
            if (use.isShortOf(held.percent())) {
                wantedNanos = now;
                wanted = true;
            }
        }

        /** Whether it was short of it of late. */
        boolean wants(long now) {
            return wanted && now - wantedNanos < WANTS_NANOS;
        }

        /** For how long it has been known to be lowered to that. */
        long loweredNanos(Holding held, long now) {
            if (!held.equals(lowered)) {
                lowered = held;
                loweredNanos = now;
            }
            return now - loweredNanos;
        }
    }

    /**
     * How much of a budget is used, in hundredths of the whole, rounded up.
     *
     * @param most of the limit of which most is
     * @param spent of windows, which do not get it back before they end
     */
    private record Use(int most, int spent, boolean isWaitedFor, boolean isOverdrawn) {
        boolean isShortOf(int percent) {
            return isWaitedFor || most * 4 >= percent * 3;
        }
    }

    /**
     * @param name of the region
     * @param regions all of them
     * @param here in the region's own Redis
     * @param shared in the one that all regions reach
     * @param timeout how long a decision may take: less than a term
     */
    public Region(
            String name,
            List<String> regions,
            Register here,
            Register shared,
            SharedBudgets budgets,
            Duration timeout) {
        this.name = name;
        this.regions = regions;
        this.here = here;
        this.shared = shared;
        this.budgets = budgets;
        this.termNanos = TERM.minus(timeout).toNanos();
    }

    /** Puts other budgets in the place of all that there were, of which the same are shared. */
    public void update(List<Budget> whole) {
        budgets.update(whole);
    }

    /** Lets go of the Redis that all regions reach. */
    public void close() {
        shared.close();
    }

    /** Follows the region's shares, and exchanges them if that is for this process. Failures are logged, once. */
    public void look() {
        if (!looking.tryLock()) {
            return;
        }
        try {
            lookOnce();
            inTrouble = false;
        } catch (GuardUnavailableException | RuntimeException e) {
            if (!inTrouble) {
                log.warn(
                        "region '{}' exchanges no shares of budgets for now: {}", name, String.valueOf(e.getMessage()));
            }
            inTrouble = true;
        } finally {
            looking.unlock();
        }
    }

    private void lookOnce() throws GuardUnavailableException {
        long askedNanos = now();
        Register.Seen seen = here.read();
        RegionNote note = RegionNote.read(seen.text());
        follow(note, askedNanos);
        Optional<Register.Seen> ours = exchanger(seen, note);
        if (ours.isEmpty()) {
            watched.clear();
            return;
        }
        Exchange exchange = new Exchange(shared.read(), ours.get());
        for (String budget : budgets.names()) {
            if (!exchange.step(budget)) {
                // Somebody was faster, here or there: the next look sees what came of it.
                return;
            }
        }
    }

    private void follow(RegionNote note, long askedNanos) {
        Map<String, Integer> percents = new HashMap<>();
        for (String budget : budgets.names()) {
            note.of(budget).ifPresent(holding -> percents.put(budget, holding.percent()));
        }
        budgets.follow(percents, askedNanos + termNanos);
    }

    /**
     * What this region's Redis has if it is for this process to exchange it: as it was before, or as nothing has been heard for long of whose it was.
     */
    private Optional<Register.Seen> exchanger(Register.Seen seen, RegionNote note) throws GuardUnavailableException {
        if (heard == null || !note.exchanger().equals(heard.exchanger()) || note.beats() != heard.beats()) {
            heard = note;
            heardNanos = now();
        }
        long silent = now() - heardNanos;
        boolean isOurs = note.exchanger().equals(process);
        if (isOurs && silent < BEAT_NANOS) {
            return Optional.of(seen);
        }
        return isOurs || note.exchanger().isEmpty() || silent > SILENT_NANOS
                ? here.replace(seen, note.exchangedBy(process).text())
                : Optional.empty();
    }

    /** What one look does for this region. Its steps say whether they were done: where not, somebody else changed something. */
    private final class Exchange {
        private Register.Seen seenShared;
        private Register.Seen seenHere;
        private ShareBook book;
        private RegionNote note;

        /** @param seenShared read first, so that of what changed here since, either the book tells or it changes too */
        Exchange(Register.Seen seenShared, Register.Seen seenHere) {
            this.seenShared = seenShared;
            this.seenHere = seenHere;
            this.book = ShareBook.read(seenShared.text(), regions, budgets.least());
            this.note = RegionNote.read(seenHere.text());
        }

        /** One step for one budget, from whatever the two Redis have. */
        boolean step(String budget) throws GuardUnavailableException {
            Holding listed = book.of(name, budget).orElse(null);
            Holding held = note.of(budget).orElse(null);
            if (listed == null) {
                Holding known = held == null ? new Holding(budgets.least(), 1, false) : held.next(held.percent());
                return list(budget, book.entered(name, budget, known));
            } else if (held == null) {
                return list(budget, listed.next(listed.percent()));
            } else if (held.version() > listed.version()) {
                return list(budget, held.next(held.percent()));
            } else if (held.version() < listed.version()) {
                return write(budget, listed);
            }
            Watched watch = watched.computeIfAbsent(budget, unused -> new Watched(now()));
            Use use = use(budget, held.percent());
            watch.saw(use, held, now());
            return held.percent() < listed.percent()
                    ? give(budget, held, listed, use, watch)
                    : keep(budget, listed, use, watch);
        }

        /** Goes on with a share that was lowered here. */
        private boolean give(String budget, Holding held, Holding listed, Use use, Watched watch)
                throws GuardUnavailableException {
            long nanos = watch.loweredNanos(held, now());
            long fullNanos = IN_FORCE_NANOS + fullNanos(budgets.whole(budget));
            if (nanos > fullNanos && !use.isOverdrawn && !use.isWaitedFor) {
                return here.read().text().equals(seenHere.text()) && list(budget, listed.next(held.percent()));
            } else if (!book.isWanted(budget, name) || nanos > fullNanos + PATIENCE_NANOS) {
                return list(budget, listed.next(listed.percent()));
            }
            return true;
        }

        /** Takes what it wants, or begins to give what others want. */
        private boolean keep(String budget, Holding listed, Use use, Watched watch) throws GuardUnavailableException {
            boolean wants = watch.wants(now());
            int free = wants ? book.free(budget, name) : 0;
            if (free > 0) {
                return list(budget, listed.wanting(true).next(listed.percent() + free));
            } else if (wants != listed.wants()) {
                return enter(book.with(name, budget, listed.wanting(wants)));
            } else if (now() - watch.sinceNanos > WATCHED_NANOS) {
                int kept = kept(budget, listed.percent(), use, watch);
                if (kept < listed.percent()) {
                    return write(budget, listed.loweredTo(kept));
                }
                watch.anew(now());
            }
            return true;
        }

        /** How much of a share is kept: what is used and half of the rest, if others want it; an equal part, if others have less. */
        private int kept(String budget, int percent, Use use, Watched watch) {
            int kept = percent;
            if (book.isWanted(budget, name) && !watch.wants(now())) {
                kept = (percent + watch.peak + 1) / 2;
            }
            if (book.isOwed(budget, name)) {
                kept = Math.min(kept, Math.max(book.equal(), use.spent));
            }
            return Math.max(budgets.least(), kept);
        }

        /** Has the shared Redis know first, and then the region's. */
        private boolean list(String budget, Holding holding) throws GuardUnavailableException {
            return list(budget, book.with(name, budget, holding));
        }

        private boolean list(String budget, ShareBook next) throws GuardUnavailableException {
            return enter(next) && write(budget, next.of(name, budget).orElseThrow());
        }

        private boolean enter(ShareBook next) throws GuardUnavailableException {
            Optional<Register.Seen> entered = shared.replace(seenShared, next.text());
            if (entered.isPresent()) {
                seenShared = entered.get();
                book = next;
            }
            return entered.isPresent();
        }

        private boolean write(String budget, Holding holding) throws GuardUnavailableException {
            RegionNote next = note.with(budget, holding);
            Optional<Register.Seen> written = here.replace(seenHere, next.text());
            if (written.isPresent()) {
                seenHere = written.get();
                note = next;
            }
            watched.remove(budget);
            return written.isPresent();
        }
    }

    private long now() {
        return budgets.nanoTime();
    }

    private Use use(String budget, int percent) throws GuardUnavailableException {
        List<Limit> whole = budgets.whole(budget).limits();
        Budget share = budgets.share(budget, percent);
        List<Standing> standings = budgets.standings(share);
        int most = 0;
        int spent = 0;
        boolean isWaitedFor = false;
        boolean isOverdrawn = false;
        for (int i = 0; i < standings.size(); i++) {
            long balance = standings.get(i).balance();
            long used = Math.max(0, share.limits().get(i).capacity() - balance);
            long capacity = whole.get(i).capacity();
            int part = (int)
                    Math.min(WHOLE, used / capacity * WHOLE + (used % capacity * WHOLE + capacity - 1) / capacity);
            most = Math.max(most, part);
            if (isWindow(whole.get(i))) {
                spent = Math.max(spent, part);
            }
            isOverdrawn |= balance < 0;
            isWaitedFor |= standings.get(i).waiting() > 0;
        }
        return new Use(most, spent, isWaitedFor, isOverdrawn);
    }

    private static boolean isWindow(Limit limit) {
        return !limit.isInFlight() && !(limit.algorithm() instanceof Limit.Algorithm.TokenBucket);
    }

    /**
     * How long the buckets of a budget take to be full. As much of the refill as nobody is given in that time is as much as a larger bucket
     * holds more.
     */
    private static long fullNanos(Budget whole) {
        BigInteger longest = BigInteger.ZERO;
        for (Limit limit : whole.limits()) {
            if (limit.algorithm() instanceof Limit.Algorithm.TokenBucket
                    && limit.window() instanceof Limit.Window.Span span) {
                BigInteger full = BigInteger.valueOf(span.micros() * 1_000)
                        .multiply(BigInteger.valueOf(limit.capacity()))
                        .divide(BigInteger.valueOf(limit.amount()));
                longest = longest.max(full);
            }
        }
        return longest.min(BigInteger.valueOf(LONGEST_NANOS)).longValueExact();
    }
}
