package io.costguard.opentelemetry;

import io.costguard.BudgetExceededException;
import io.costguard.Cost;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardedCall;
import io.costguard.Outcome;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.AttributesBuilder;
import io.opentelemetry.api.metrics.DoubleCounter;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.LongCounter;
import io.opentelemetry.api.metrics.LongHistogram;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.context.Context;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.WeakHashMap;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of calls, in the terms of OpenTelemetry: events and attributes of the span that is current where a call asks, and metrics.
 *
 * <pre>{@code
 * CostGuard guard = CostGuard.builder()
 *     .listener(new CostGuardTelemetry(openTelemetry))
 *     ...
 *     .build();
 * }</pre>
 *
 * <p>What is in {@code gen_ai.} is as the semantic conventions for generative AI have it (1.41, "Generative AI metrics" and "Inference"); all
 * else is in {@code costguard.}. It makes no spans, and sets no status: whether a denial is an error is for those to say whom it was told.
 * docs/metrics.md has all of it.
 *
 * <p>Safe for use by many threads.
 */
public final class CostGuardTelemetry implements GuardListener {
    private static final String SCOPE = "io.costguard";
    private static final String SCHEMA = "https://opentelemetry.io/schemas/1.41.0";

    private static final AttributeKey<String> OPERATION = AttributeKey.stringKey("gen_ai.operation.name");
    private static final AttributeKey<String> PROVIDER = AttributeKey.stringKey("gen_ai.provider.name");
    private static final AttributeKey<String> MODEL = AttributeKey.stringKey("gen_ai.request.model");
    private static final AttributeKey<String> TOKEN_TYPE = AttributeKey.stringKey("gen_ai.token.type");
    private static final AttributeKey<Long> INPUT = AttributeKey.longKey("gen_ai.usage.input_tokens");
    private static final AttributeKey<Long> CACHE_READ = AttributeKey.longKey("gen_ai.usage.cache_read.input_tokens");
    private static final AttributeKey<Long> OUTPUT = AttributeKey.longKey("gen_ai.usage.output_tokens");
    private static final AttributeKey<Long> REASONING = AttributeKey.longKey("gen_ai.usage.reasoning.output_tokens");
    private static final AttributeKey<String> ERROR = AttributeKey.stringKey("error.type");

    private static final AttributeKey<String> DECISION = AttributeKey.stringKey("costguard.decision");
    private static final AttributeKey<Double> WAIT = AttributeKey.doubleKey("costguard.wait.duration");
    private static final AttributeKey<Double> COST = AttributeKey.doubleKey("costguard.cost.usd");
    private static final AttributeKey<Double> ESTIMATE = AttributeKey.doubleKey("costguard.estimate.usd");
    private static final AttributeKey<String> OUTCOME = AttributeKey.stringKey("costguard.outcome");
    private static final AttributeKey<String> BUDGET = AttributeKey.stringKey("costguard.budget");
    private static final AttributeKey<String> LIMIT = AttributeKey.stringKey("costguard.limit");
    private static final AttributeKey<String> DENIED_BY = AttributeKey.stringKey("costguard.denied_by");
    private static final AttributeKey<Double> RETRY_AFTER = AttributeKey.doubleKey("costguard.retry_after");
    private static final AttributeKey<Double> EXPECTED = AttributeKey.doubleKey("costguard.wait.expected");

    /** By ours, the conventions' well-known values where they are others. */
    private static final Map<String, String> PROVIDERS = Map.of(
            "azure", "azure.ai.openai",
            "bedrock", "aws.bedrock",
            "gemini", "gcp.gemini",
            "vertex", "gcp.vertex_ai",
            "mistral", "mistral_ai",
            "xai", "x_ai");

    private static final List<Long> TOKENS = List.of(
            1L,
            4L,
            16L,
            64L,
            256L,
            1_024L,
            4_096L,
            16_384L,
            65_536L,
            262_144L,
            1_048_576L,
            4_194_304L,
            16_777_216L,
            67_108_864L);
    private static final List<Double> SECONDS =
            List.of(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92);
    private static final double NANOS = 1e9;
    private static final int LONGEST_NAME = 100;

    private final LongHistogram tokens;
    private final DoubleCounter spend;
    private final LongCounter decisions;
    private final DoubleHistogram waits;
    private final String operation;

    /** Where calls asked that have not ended: a call is equal to itself alone, and one that is lost is forgotten. */
    private final Map<GuardedCall, Context> open = Collections.synchronizedMap(new WeakHashMap<>());

    /**
     * All calls are taken for {@code chat}.
     *
     * @param openTelemetry where spans and metrics go
     */
    public CostGuardTelemetry(OpenTelemetry openTelemetry) {
        this(openTelemetry, "chat");
    }

    /**
     * All calls are taken for one operation.
     *
     * @param openTelemetry where spans and metrics go
     * @param operation the {@code gen_ai.operation.name} of the guard's calls, which the metric of tokens must have, and which the guard does
     *     not know: {@code chat}, {@code embeddings}, or another of the conventions' values
     */
    public CostGuardTelemetry(OpenTelemetry openTelemetry, String operation) {
        this.operation = operation;
        Meter meter = openTelemetry
                .getMeterProvider()
                .meterBuilder(SCOPE)
                .setSchemaUrl(SCHEMA)
                .build();
        this.tokens = meter.histogramBuilder("gen_ai.client.token.usage")
                .ofLongs()
                .setDescription("Number of input and output tokens used.")
                .setUnit("{token}")
                .setExplicitBucketBoundariesAdvice(TOKENS)
                .build();
        this.spend = meter.counterBuilder("costguard.spend")
                .ofDoubles()
                .setDescription("What calls that ended cost, as it is charged.")
                .setUnit("USD")
                .build();
        this.decisions = meter.counterBuilder("costguard.decisions")
                .setDescription("Calls that asked whether they may go, by what became of that.")
                .setUnit("{call}")
                .build();
        this.waits = meter.histogramBuilder("costguard.wait.duration")
                .setDescription("How long calls waited that had to, until they went or were denied.")
                .setUnit("s")
                .setExplicitBucketBoundariesAdvice(SECONDS)
                .build();
    }

    // ------------------------------------------------------------------------------------------------- the decision

    @Override
    public void onWaiting(Waiting event) {
        Span span = Span.current();
        if (span.isRecording()) {
            span.addEvent(
                    "costguard.waiting",
                    of(event.call())
                            .put(BUDGET, event.expected().budget())
                            .put(LIMIT, event.expected().limit())
                            .put(EXPECTED, seconds(event.expected().retryAfter()))
                            .build());
        }
    }

    @Override
    public void onGranted(Grant event) {
        letGo(event.call(), "granted", event.waited());
    }

    @Override
    public void onSpentLeased(SpentLeased event) {
        letGo(event.call(), "leased", Duration.ZERO);
    }

    private void letGo(GuardedCall call, String decision, Duration waited) {
        open.put(call, Context.current());
        decided(call, decision, waited, of(call).put(ESTIMATE, usd(call.cost())));
    }

    @Override
    public void onDenied(Denied event) {
        AttributesBuilder told = of(event.call())
                .put(BUDGET, event.denial().budget())
                .put(LIMIT, event.denial().limit())
                .put(DENIED_BY, event.by().name().toLowerCase(Locale.ROOT));
        if (!event.denial().retryAfter().equals(Denial.NEVER)) {
            told.put(RETRY_AFTER, seconds(event.denial().retryAfter()));
        }
        if (event.by() == By.DRY_RUN) {
            Span.current().addEvent("costguard.would_be_denied", told.build());
        } else {
            told.put(ERROR, BudgetExceededException.class.getName());
            decided(event.call(), "denied", event.waited(), told);
        }
    }

    @Override
    public void onFailedOpen(FailedOpen event) {
        decided(event.call(), "failed_open", Duration.ZERO, of(event.call()));
    }

    @Override
    public void onFailedClosed(FailedClosed event) {
        String type = event.cause().getClass().getName();
        decided(event.call(), "failed_closed", Duration.ZERO, of(event.call()).put(ERROR, type));
    }

    private void decided(GuardedCall call, String decision, Duration waited, AttributesBuilder told) {
        decisions.add(1, of(call).put(DECISION, decision).build());
        if (!waited.isZero()) {
            waits.record(seconds(waited), Attributes.of(DECISION, decision));
        }
        Span span = Span.current();
        if (span.isRecording()) {
            span.setAttribute(DECISION, decision);
            if (!waited.isZero()) {
                span.setAttribute(WAIT, seconds(waited));
                told.put(WAIT, seconds(waited));
            }
            span.addEvent("costguard." + decision, told.build());
        }
    }

    // ------------------------------------------------------------------------------------------------------ the end

    @Override
    public void onSettled(Settlement event) {
        Cost actual = event.actual();
        Context asked = open.remove(event.call());
        Context context = asked == null ? Context.current() : asked;
        boolean isReported = event.outcome() == Outcome.REPORTED || event.outcome() == Outcome.SETTLED;
        spend.add(usd(actual), of(event.call()).build(), context);
        if (isReported) {
            record("input", actual.input(), event.call(), context);
            record("output", actual.output(), event.call(), context);
        }
        Span span = Span.fromContext(context);
        if (asked != null && span.isRecording()) {
            Attributes usage = isReported ? usage(actual) : Attributes.empty();
            String outcome = event.outcome().name().toLowerCase(Locale.ROOT);
            span.setAllAttributes(usage);
            span.setAttribute(COST, usd(actual));
            span.setAttribute(OUTCOME, outcome);
            span.addEvent(
                    "costguard.settled",
                    of(event.call())
                            .putAll(usage)
                            .put(COST, usd(actual))
                            .put(OUTCOME, outcome)
                            .build());
        }
    }

    /** A call that has no provider is of no model that the conventions know. */
    private void record(String type, long count, GuardedCall call, Context context) {
        if (count > 0 && provider(call) != null) {
            Attributes attributes =
                    of(call).put(OPERATION, operation).put(TOKEN_TYPE, type).build();
            tokens.record(count, attributes, context);
        }
    }

    private static Attributes usage(Cost actual) {
        AttributesBuilder usage =
                Attributes.builder().put(INPUT, actual.input()).put(OUTPUT, actual.output());
        if (actual.cacheRead() > 0) {
            usage.put(CACHE_READ, actual.cacheRead());
        }
        if (actual.reasoning() > 0) {
            usage.put(REASONING, actual.reasoning());
        }
        return usage.build();
    }

    // ------------------------------------------------------------------------------------------------------ the words

    /** Who offers which model; nothing else of a call is told. */
    private static AttributesBuilder of(GuardedCall call) {
        AttributesBuilder attributes = Attributes.builder();
        String provider = provider(call);
        if (provider != null) {
            attributes.put(PROVIDER, cut(PROVIDERS.getOrDefault(provider, provider)));
        }
        if (!call.model().isEmpty()) {
            attributes.put(MODEL, cut(call.model()));
        }
        return attributes;
    }

    /** Who makes a call says its model, and spans and metrics keep it. */
    private static String cut(String name) {
        return name.length() > LONGEST_NAME ? name.substring(0, LONGEST_NAME) : name;
    }

    private static @Nullable String provider(GuardedCall call) {
        String provider = call.attributes().get("provider");
        return provider == null || provider.isBlank() ? null : provider;
    }

    private static double usd(Cost cost) {
        return cost.nanoUsd() / NANOS;
    }

    private static double seconds(Duration duration) {
        return duration.getSeconds() + duration.getNano() / NANOS;
    }
}
