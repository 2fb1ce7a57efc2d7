package io.costguard.micrometer;

import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Batch.Result;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardListener.Regression.Lost;
import io.costguard.GuardStats;
import io.costguard.GuardedCall;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of calls, as meters of a {@link MeterRegistry}.
 *
 * <pre>{@code
 * CostGuard guard = CostGuard.builder()
 *     .listener(new CostGuardMetrics(registry).tags("tenant"))
 *     ...
 *     .build();
 * CostGuardMetrics.gauges(guard).bindTo(registry);
 * }</pre>
 *
 * <p>The meters are in docs/metrics.md. Tags are provider, model, budget and limit, and attributes of calls that were named: each has a
 * hundred values at most, unless said, and all together a thousand; those that come later are {@code other}. An attribute that was not named
 * is in no meter.
 *
 * <p>Safe for use by many threads.
 */
public final class CostGuardMetrics implements GuardListener {
    private static final int VALUES = 100;
    private static final int COMBINATIONS_A_VALUE = 10;
    private static final int LONGEST_VALUE = 100;
    private static final String OTHER = "other";
    private static final String NONE = "none";
    private static final double NANOS = 1e9;

    private static final Set<String> OWN_TAGS =
            Set.of("provider", "model", "budget", "limit", "outcome", "by", "type", "direction", "result", "lost");

    private static final Duration[] WAITS = {
        Duration.ofMillis(10),
        Duration.ofMillis(50),
        Duration.ofMillis(100),
        Duration.ofMillis(250),
        Duration.ofMillis(500),
        Duration.ofSeconds(1),
        Duration.ofMillis(2_500),
        Duration.ofSeconds(5),
        Duration.ofSeconds(10),
        Duration.ofSeconds(30),
        Duration.ofMinutes(1),
        Duration.ofMinutes(5)
    };
    private static final Duration[] BATCHES = {
        Duration.ofNanos(500_000),
        Duration.ofMillis(1),
        Duration.ofNanos(2_500_000),
        Duration.ofMillis(5),
        Duration.ofMillis(10),
        Duration.ofMillis(25),
        Duration.ofMillis(50),
        Duration.ofMillis(100),
        Duration.ofMillis(250),
        Duration.ofMillis(500),
        Duration.ofSeconds(1)
    };
    private static final double[] ERRORS = {0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10};

    private final MeterRegistry registry;
    private final List<String> attributes;
    private final int values;

    private final Map<String, Set<String>> known = new ConcurrentHashMap<>();
    private final Map<Tags, OfCalls> ofCalls = new ConcurrentHashMap<>();
    private final Map<Tags, OfLimit> ofLimits = new ConcurrentHashMap<>();
    private final Map<Tags, Counter> denials = new ConcurrentHashMap<>();

    private final Timer waitedAndWent;
    private final Timer waitedInVain;
    private final ErrorOf inputError;
    private final ErrorOf outputError;
    private final Map<Result, Timer> batches;
    private final Counter decided;
    private final Counter settled;
    private final Map<Lost, Counter> regressions;

    /**
     * With no tags but provider, model, budget and limit.
     *
     * @param registry where the meters are
     */
    public CostGuardMetrics(MeterRegistry registry) {
        this(registry, List.of(), VALUES);
    }

    private CostGuardMetrics(MeterRegistry registry, List<String> attributes, int values) {
        this.registry = Objects.requireNonNull(registry);
        this.attributes = attributes;
        this.values = values;
        this.waitedAndWent = waits("granted");
        this.waitedInVain = waits("denied");
        this.inputError = new ErrorOf("input");
        this.outputError = new ErrorOf("output");
        this.batches = each(
                Result.class,
                result -> Timer.builder("costguard.redis.batch")
                        .description("How long Redis took to answer a batch of decisions and settles")
                        .tag("result", lower(result))
                        .serviceLevelObjectives(BATCHES)
                        .register(registry));
        this.decided = operations("decision");
        this.settled = operations("settle");
        this.regressions = each(
                Lost.class,
                lost -> Counter.builder("costguard.regressions")
                        .description("How often Redis was found to have lost something")
                        .tag("lost", lower(lost))
                        .register(registry));
    }

    /**
     * These metrics with a tag of each of these attributes: on what is counted of calls, spend and denials. To be said before the guard is built.
     *
     * @param attributes of calls
     * @return metrics that have them
     * @throws IllegalArgumentException for the name of a tag that there is already
     */
    public CostGuardMetrics tags(String... attributes) {
        List<String> all = new ArrayList<>(this.attributes);
        all.addAll(Arrays.asList(attributes));
        for (String attribute : attributes) {
            if (attribute.isBlank() || OWN_TAGS.contains(attribute)) {
                throw new IllegalArgumentException("'" + attribute
                        + "' cannot be the attribute of a tag, which must have a name, and none of these: "
                        + OWN_TAGS.stream().sorted().toList());
            }
        }
        if (new HashSet<>(all).size() < all.size()) {
            throw new IllegalArgumentException("an attribute is named twice: " + all);
        }
        return new CostGuardMetrics(registry, List.copyOf(all), values);
    }

    /**
     * These metrics with so many values of each tag at most, and ten times as many combinations of them: 100, unless said. To be said before the guard is built.
     *
     * @param values how many
     * @return metrics that have as many
     * @throws IllegalArgumentException unless it is from 1 to 10,000
     */
    public CostGuardMetrics maxValues(int values) {
        if (values < 1 || values > 10_000) {
            throw new IllegalArgumentException("a tag must have from 1 to 10,000 values, not " + values);
        }
        return new CostGuardMetrics(registry, attributes, values);
    }

    /**
     * What a guard has under way in this process: open reservations, calls that wait, settles that are queued or were dropped.
     *
     * @param guard whose they are
     * @param tags that tell guards of one process apart
     * @return to be bound to a registry
     */
    public static MeterBinder gauges(CostGuard guard, Tag... tags) {
        return registry -> {
            gauge(guard, "costguard.reservations.open", GuardStats::openReservations)
                    .description("Calls that were let go, and have not ended")
                    .tags(Tags.of(tags))
                    .register(registry);
            gauge(guard, "costguard.calls.waiting", GuardStats::waitingCalls)
                    .description("Calls that wait for their turn")
                    .tags(Tags.of(tags))
                    .register(registry);
            gauge(guard, "costguard.settles.queued", GuardStats::queuedSettles)
                    .description("Settles and other changes of balances that are not in Redis yet")
                    .tags(Tags.of(tags))
                    .register(registry);
            FunctionCounter.builder(
                            "costguard.settles.dropped",
                            guard,
                            its -> its.stats().droppedSettles())
                    .description("Settles that were given up")
                    .tags(Tags.of(tags))
                    .register(registry);
        };
    }

    private static Gauge.Builder<CostGuard> gauge(CostGuard guard, String name, ToDoubleFunction<GuardStats> figure) {
        return Gauge.builder(name, guard, its -> figure.applyAsDouble(its.stats()));
    }

    // -------------------------------------------------------------------------------------------------- the events

    @Override
    public void onGranted(Grant event) {
        of(event.call()).granted.increment();
        recordWait(waitedAndWent, event.waited());
        for (Left left : event.left()) {
            of(left.budget(), left.limit()).used.record((double) (left.capacity() - left.balance()) / left.capacity());
        }
    }

    @Override
    public void onDenied(Denied event) {
        Tags tags = tagsOf(event.call())
                .and(tagsOf(event.denial().budget(), event.denial().limit()))
                .and("by", lower(event.by()));
        of(denials, tags, this::denials).increment();
        if (event.by() != By.DRY_RUN) {
            of(event.call()).denied.increment();
            recordWait(waitedInVain, event.waited());
        }
    }

    @Override
    public void onFailedOpen(FailedOpen event) {
        of(event.call()).failedOpen.increment();
    }

    @Override
    public void onFailedClosed(FailedClosed event) {
        of(event.call()).failedClosed.increment();
    }

    @Override
    public void onSpentLeased(SpentLeased event) {
        of(event.call()).leased.increment();
    }

    @Override
    public void onSettled(Settlement event) {
        OfCalls of = of(event.call());
        of.spend.increment(event.actual().nanoUsd() / NANOS);
        of.input.increment((double) event.actual().input());
        of.output.increment((double) event.actual().output());
        inputError.record(event.inputError());
        outputError.record(event.outputError());
    }

    @Override
    public void onNearLimit(NearLimit event) {
        of(event.budget(), event.limit()).near.increment();
    }

    @Override
    public void onHeld(Hold event) {
        of(event.call()).holds.increment();
    }

    @Override
    public void onCorrected(Correction event) {
        of(event.budget(), event.limit()).corrections.increment();
    }

    @Override
    public void onRegressed(Regression event) {
        Objects.requireNonNull(regressions.get(event.lost())).increment();
    }

    @Override
    public void onBatch(Batch event) {
        Objects.requireNonNull(batches.get(event.result())).record(event.took());
        if (event.result() == Result.ANSWERED) {
            decided.increment(event.decisions());
            settled.increment(event.settles());
        }
    }

    // -------------------------------------------------------------------------------------------------- the meters

    /** Of calls with the same tags. */
    private final class OfCalls {
        final Counter granted;
        final Counter denied;
        final Counter failedOpen;
        final Counter failedClosed;
        final Counter leased;
        final Counter spend;
        final Counter input;
        final Counter output;
        final Counter holds;

        OfCalls(Tags tags) {
            granted = decisions(tags, "granted");
            denied = decisions(tags, "denied");
            failedOpen = decisions(tags, "failed_open");
            failedClosed = decisions(tags, "failed_closed");
            leased = decisions(tags, "leased");
            spend = Counter.builder("costguard.spend")
                    .description("What calls that ended cost, as it is charged")
                    .baseUnit("usd")
                    .tags(tags)
                    .register(registry);
            input = tokens(tags, "input");
            output = tokens(tags, "output");
            holds = Counter.builder("costguard.holds")
                    .description("How often calls like these were held for a while")
                    .tags(tags)
                    .register(registry);
        }

        private Counter decisions(Tags tags, String outcome) {
            return Counter.builder("costguard.decisions")
                    .description("Calls that asked whether they may go, by what became of that")
                    .tags(tags)
                    .tag("outcome", outcome)
                    .register(registry);
        }

        private Counter tokens(Tags tags, String type) {
            return Counter.builder("costguard.tokens")
                    .description("Tokens of calls that ended, as they are charged")
                    .baseUnit("tokens")
                    .tags(tags)
                    .tag("type", type)
                    .register(registry);
        }
    }

    /** Of one limit of a budget, whatever the subject. */
    private final class OfLimit {
        final DistributionSummary used;
        final Counter near;
        final Counter corrections;

        OfLimit(Tags tags) {
            used = DistributionSummary.builder("costguard.limit.used")
                    .description("Share of a limit that is used after a call went, above 1 while in debt")
                    .baseUnit("ratio")
                    .tags(tags)
                    .register(registry);
            near = Counter.builder("costguard.limit.near")
                    .description("How often a limit came to have little left")
                    .tags(tags)
                    .register(registry);
            corrections = Counter.builder("costguard.corrections")
                    .description("How often a balance was brought down to what its provider has left")
                    .tags(tags)
                    .register(registry);
        }
    }

    /** By how much one part of estimates is wrong. A summary takes no negative numbers. */
    private final class ErrorOf {
        private final DistributionSummary over;
        private final DistributionSummary under;

        ErrorOf(String type) {
            over = summary(type, "over");
            under = summary(type, "under");
        }

        private DistributionSummary summary(String type, String direction) {
            return DistributionSummary.builder("costguard.estimate.error")
                    .description("By how much reservations were above or below what was used, as a share of that")
                    .baseUnit("ratio")
                    .tags("type", type, "direction", direction)
                    .serviceLevelObjectives(ERRORS)
                    .register(registry);
        }

        void record(OptionalDouble error) {
            if (error.isPresent()) {
                (error.getAsDouble() < 0 ? under : over).record(Math.abs(error.getAsDouble()));
            }
        }
    }

    private Timer waits(String outcome) {
        return Timer.builder("costguard.wait")
                .description("How long calls waited that had to, until they went or were denied")
                .tag("outcome", outcome)
                .serviceLevelObjectives(WAITS)
                .register(registry);
    }

    private static void recordWait(Timer timer, Duration waited) {
        if (!waited.isZero()) {
            timer.record(waited);
        }
    }

    private Counter operations(String type) {
        return Counter.builder("costguard.redis.operations")
                .description("Decisions, and settles and other changes, that Redis answered")
                .tag("type", type)
                .register(registry);
    }

    private Counter denials(Tags tags) {
        return Counter.builder("costguard.denials")
                .description("Denials, by what denied; those of dry runs denied nothing")
                .tags(tags)
                .register(registry);
    }

    private OfCalls of(GuardedCall call) {
        return of(ofCalls, tagsOf(call), OfCalls::new);
    }

    private OfLimit of(String budget, String limit) {
        return of(ofLimits, tagsOf(budget, limit), OfLimit::new);
    }

    private <M> M of(Map<Tags, M> meters, Tags tags, Function<Tags, M> made) {
        M there = meters.get(tags);
        if (there != null) {
            return there;
        }
        // Values that are few each may still be many together.
        boolean isFull = meters.size() >= COMBINATIONS_A_VALUE * values;
        return meters.computeIfAbsent(isFull ? others(tags) : tags, made);
    }

    private static Tags others(Tags tags) {
        return Tags.of(tags.stream()
                .map(tag -> tag.getKey().equals("by") ? tag : Tag.of(tag.getKey(), OTHER))
                .toList());
    }

    // ---------------------------------------------------------------------------------------------------- the tags

    private Tags tagsOf(GuardedCall call) {
        List<Tag> tags = new ArrayList<>(2 + attributes.size());
        tags.add(tag("provider", call.attributes().get("provider")));
        tags.add(tag("model", call.model()));
        for (String attribute : attributes) {
            tags.add(tag(attribute, call.attributes().get(attribute)));
        }
        return Tags.of(tags);
    }

    private Tags tagsOf(String budget, String limit) {
        return Tags.of(tag("budget", budget), tag("limit", limit));
    }

    private Tag tag(String name, @Nullable String value) {
        if (value == null || value.isBlank()) {
            return Tag.of(name, NONE);
        }
        String cut = value.length() > LONGEST_VALUE ? value.substring(0, LONGEST_VALUE) : value;
        return Tag.of(name, isKnown(name, cut) ? cut : OTHER);
    }

    /** Those that came first, up to so many. */
    private boolean isKnown(String name, String value) {
        Set<String> first = known.computeIfAbsent(name, unused -> ConcurrentHashMap.newKeySet());
        if (first.contains(value)) {
            return true;
        }
        if (first.size() >= values) {
            return false;
        }
        synchronized (first) {
            if (first.size() < values) {
                first.add(value);
            }
        }
        return first.contains(value);
    }

    private static <E extends Enum<E>, M> Map<E, M> each(Class<E> type, Function<E, M> meter) {
        Map<E, M> meters = new EnumMap<>(type);
        for (E each : Objects.requireNonNull(type.getEnumConstants())) {
            meters.put(each, meter.apply(each));
        }
        return meters;
    }

    private static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
