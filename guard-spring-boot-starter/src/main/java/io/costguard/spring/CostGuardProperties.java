package io.costguard.spring;

import io.costguard.Denials;
import io.costguard.UnknownCalls;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.core.io.Resource;

/**
 * What properties say of the guard. What none says is as {@link io.costguard.CostGuard.Builder} has it. Immutable.
 *
 * @param enabled Whether calls are guarded; if not, everything goes, uncounted, and no Redis is needed
 * @param redis Where Redis is, like redis://user:password@host:6379/0, or rediss:// for TLS; unless said, the only UnifiedJedis bean, else what
 *     spring.data.redis.* says
 * @param keyPrefix What keys in Redis begin with; unless said, costguard
 * @param partitionBy The attribute whose value is the hash tag of keys, for Redis Cluster; unless said, apiKey
 * @param fingerprintKey Under what names are fingerprinted in Redis, 16 bytes or more; the same in the whole fleet
 * @param whenExhausted What becomes of a call whose budget is spent; unless said, it is denied at once
 * @param whenRedisFails What becomes of a call that Redis cannot decide in time
 * @param leasedShare How much of each limit this process holds for when Redis fails, in percent, from 1 to 50; with spend-leased
 * @param denials How HTTP clients see a denial: as the provider's own answer, or as an exception; unless said, answer
 * @param unknownCalls What becomes of HTTP calls to an API that is not known; unless said, each is counted as a request
 * @param streamUsage Whether providers are asked for usage in their streams, which adds a chunk to the answer
 * @param decisionTimeout How long a decision may take, from 10ms to 1m; unless said, 500ms
 * @param preCheck How long a denial is repeated without asking Redis, up to 1m, 0 is off; unless said, 100ms
 * @param lease For how long a call in flight counts of which nothing is heard, from 1s to 1d; unless said, 10m
 * @param cardinalityLimit How many subjects of each budget this process tells apart; unless said, 100000
 * @param prices A file of prices that win over the bundled ones; one in the file system is followed while the process runs
 * @param attributes What HTTP requests say of their calls
 * @param budgets The budgets
 * @param budgetsFile A file of budgets, in JSON or YAML, which is followed while the process runs; in the place of budgets
 * @param nearLimit How much of a limit must be used for that to be told, above 0 and below 1, such as 0.8; unless said, it never is
 * @param httpClients Which HTTP clients are guarded by themselves
 * @param metrics The meters, where there is a MeterRegistry
 */
@ConfigurationProperties(CostGuardProperties.PREFIX)
public record CostGuardProperties(
        @DefaultValue("true") boolean enabled,
        @Nullable String redis,
        @Nullable String keyPrefix,
        @Nullable String partitionBy,
        @Nullable String fingerprintKey,
        @Nullable WhenExhausted whenExhausted,
        @DefaultValue("fail-closed") WhenRedisFails whenRedisFails,
        @Nullable Integer leasedShare,
        @Nullable Denials denials,
        @Nullable UnknownCalls unknownCalls,
        @DefaultValue("false") boolean streamUsage,
        @Nullable Duration decisionTimeout,
        @Nullable Duration preCheck,
        @Nullable Duration lease,
        @Nullable Integer cardinalityLimit,
        @Nullable Resource prices,
        @DefaultValue Attributes attributes,
        @DefaultValue List<Budget> budgets,
        @Nullable Path budgetsFile,
        @Nullable Double nearLimit,
        @DefaultValue HttpClients httpClients,
        @DefaultValue Metrics metrics) {

    static final String PREFIX = "costguard";

    /** Without what may be secret: the URL of Redis may have a password. */
    @Override
    public String toString() {
        return "properties of " + PREFIX + ", with " + budgets.size() + " budgets";
    }

    /**
     * What becomes of a call whose budget is spent.
     *
     * @param waitUpTo How long it may wait in line
     * @param leaving How much of every limit such calls leave to others, in percent, from 1 to 99; they never stand in line
     */
    public record WhenExhausted(
            @Nullable Duration waitUpTo, @Nullable Integer leaving) {}

    /** What becomes of a call that Redis cannot decide in time. */
    public enum WhenRedisFails {
        /** It is not sent. */
        FAIL_CLOSED,
        /** It is sent, and counted nowhere. */
        FAIL_OPEN,
        /** It is sent if this process has leased enough for it beforehand. */
        SPEND_LEASED
    }

    /**
     * What HTTP requests say of their calls.
     *
     * @param header Attributes, and for each the header that says it and is not sent, such as tenant: X-Tenant
     */
    public record Attributes(@DefaultValue Map<String, String> header) {}

    /**
     * Which HTTP clients are guarded by themselves.
     *
     * @param enabled Whether all that is built by beans of RestClient.Builder and WebClient.Builder is guarded
     */
    public record HttpClients(@DefaultValue("false") boolean enabled) {}

    /**
     * The meters of the guard.
     *
     * @param enabled Whether there are any
     * @param tags Attributes of calls that are tags of what is counted of them, such as tenant
     */
    public record Metrics(
            @DefaultValue("true") boolean enabled,
            @DefaultValue List<String> tags) {}

    /**
     * A budget, in the words of a file of budgets.
     *
     * @param name What it is called; no two budgets have the same
     * @param models Only calls to these, * stands for anything; unless said, all
     * @param providers Only calls to these, * stands for anything; unless said, all
     * @param where Only calls that have these attributes, with such values
     * @param per Each combination of the values of these attributes has a balance of its own; unless said, model and apiKey
     * @param assumedOutput Output tokens to reserve for a request that sets no cap; unless said, 1000
     * @param clampToCapacity Whether a call above the capacity of a limit goes when that is full
     * @param dryRun Whether it decides and reports only, and never denies
     * @param limits Its limits, of which it needs one
     */
    public record Budget(
            @Nullable String name,
            @Nullable List<String> models,
            @Nullable List<String> providers,
            @Nullable Map<String, List<String>> where,
            @Nullable List<String> per,
            @Nullable Long assumedOutput,
            @Nullable Boolean clampToCapacity,
            @Nullable Boolean dryRun,
            @Nullable List<Limit> limits) {}

    /**
     * A limit, in the words of a file of budgets: one of requests, tokens, inputTokens, outputTokens and usd, with per; or concurrentCalls alone.
     *
     * @param requests So many requests
     * @param tokens So many tokens, of input and output
     * @param inputTokens So many tokens of input
     * @param outputTokens So many tokens of output
     * @param usd So many dollars
     * @param concurrentCalls So many calls at once
     * @param per One of second, minute, hour, day, week, month, or a duration like PT5M
     * @param algorithm Unless said, token-bucket for windows shorter than a day, else fixed-window
     * @param zone The time zone of a fixed window, like Europe/Berlin; unless said, UTC
     * @param burst The most that may go at once, of a token bucket; unless said, the amount
     * @param coolDown For how long who runs into the limit keeps everybody of that balance away
     * @param correctedByProvider Whether the rate-limit headers of answers bring it down to what the provider says is left
     * @param weights What tokens count: anthropic, openAi, gemini, or weights one by one; unless said, each counts 1
     */
    public record Limit(
            @Nullable Long requests,
            @Nullable Long tokens,
            @Nullable Long inputTokens,
            @Nullable Long outputTokens,
            @Nullable BigDecimal usd,
            @Nullable Long concurrentCalls,
            @Nullable String per,
            @Nullable Algorithm algorithm,
            @Nullable String zone,
            @Nullable BigDecimal burst,
            @Nullable Duration coolDown,
            @Nullable Boolean correctedByProvider,
            @Nullable Weights weights) {}

    /** How a limit counts over time. */
    public enum Algorithm {
        /** Refills evenly. */
        TOKEN_BUCKET,
        /** The amount in each window of the calendar. */
        FIXED_WINDOW,
        /** The amount in any window of that length. */
        SLIDING_WINDOW
    }

    /**
     * What tokens count.
     *
     * @param ofProvider One of anthropic, openAi and gemini, as the value of the property itself
     * @param cacheRead Of input, what a prompt cache served
     * @param cacheWrite Of input, what was written to a prompt cache
     * @param output Output
     * @param reasoning Of output, what was reasoning
     */
    public record Weights(
            @Nullable String ofProvider,
            @Nullable BigDecimal cacheRead,
            @Nullable BigDecimal cacheWrite,
            @Nullable BigDecimal output,
            @Nullable BigDecimal reasoning) {

        /**
         * What a property of this type means that is a text.
         *
         * @param provider anthropic, openAi or gemini
         * @return as that provider counts
         */
        public static Weights of(String provider) {
            return new Weights(provider, null, null, null, null);
        }
    }
}
