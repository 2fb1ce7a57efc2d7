package io.costguard;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * A name, the calls it applies to, the attributes it is counted per, and its limits. Immutable: each step gives a new one.
 *
 * <pre>{@code
 * Budget.named("rate")
 *     .models("gpt-4o*", "claude-*")
 *     .per("model", "apiKey")
 *     .limit(Limit.requests(500).perMinute())
 *     .limit(Limit.tokens(200_000).perMinute())
 * }</pre>
 *
 * <p>A call falls under every budget that applies to it, and is charged to all limits of all of them, or to none.
 * Patterns know {@code *} for any run of characters and do not tell upper from lower case.
 */
public final class Budget {
    private static final int MOST_LIMITS = 20;

    /** What a provider counts its own limits per. */
    private static final Set<String> OF_A_PROVIDER = Set.of("model", "apiKey");

    private final String name;
    private final Map<String, Patterns> where;
    private final List<String> per;
    private final List<Limit> limits;
    private final long assumedOutput;
    private final Set<Mode> modes;
    private final boolean countsInFlight;

    private enum Mode {
        CLAMP_TO_CAPACITY,
        DRY_RUN
    }

    private record Patterns(List<String> globs, List<Pattern> compiled) {
        static Patterns of(String attribute, String... globs) {
            if (globs.length == 0) {
                throw new IllegalArgumentException("no pattern given for " + attribute);
            }
            List<Pattern> compiled = new ArrayList<>();
            for (String glob : globs) {
                String known = attribute.equals("model") && !glob.contains("*") ? ModelNames.canonical(glob) : glob;
                compiled.add(Pattern.compile(
                        Pattern.quote(known).replace("*", "\\E.*\\Q"),
                        Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE | Pattern.DOTALL));
            }
            return new Patterns(List.of(globs), List.copyOf(compiled));
        }

        boolean match(String value) {
            for (Pattern pattern : compiled) {
                if (pattern.matcher(value).matches()) {
                    return true;
                }
            }
            return false;
        }
    }

    private Budget(
            String name,
            Map<String, Patterns> where,
            List<String> per,
            List<Limit> limits,
            long assumedOutput,
            Set<Mode> modes) {
        this.name = name;
        this.where = where;
        this.per = per;
        this.limits = limits;
        this.assumedOutput = assumedOutput;
        this.modes = modes;
        this.countsInFlight = limits.stream().anyMatch(Limit::isInFlight);
    }

    /**
     * A budget for all calls, counted per model and API key, without limits yet.
     *
     * @param name what it is called, in Redis, denials and events
     * @return a budget for all calls, per model and API key
     */
    public static Budget named(String name) {
        if (name.isBlank() || name.length() > 100 || name.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(
                    "a budget's name must be 1 to 100 printable characters, not '" + name + "'");
        }
        return new Budget(name, Map.of(), List.of("model", "apiKey"), List.of(), 1_000, Set.of());
    }

    /**
     * Only calls to models whose canonical name ({@link ModelNames}) matches one of {@code patterns}. A pattern without
     * {@code *} is made canonical itself, so that a dated snapshot means its alias.
     *
     * @param patterns of which one has to match; {@code *} is any run of characters
     * @return the narrower budget
     */
    public Budget models(String... patterns) {
        return where("model", patterns);
    }

    /**
     * Only calls to these providers: {@code "openai"}, {@code "anthropic"}. One that no HTTP call can have is logged when a guard is built
     * ({@link CostGuard.Builder#provider}).
     *
     * @param patterns of which one has to match; {@code *} is any run of characters
     * @return the narrower budget
     */
    public Budget providers(String... patterns) {
        return where("provider", patterns);
    }

    /**
     * Only calls whose {@code attribute} matches one of {@code patterns}; a call without it does not match.
     *
     * @param attribute the attribute's name
     * @param patterns of which one has to match; {@code *} is any run of characters
     * @return the narrower budget
     */
    public Budget where(String attribute, String... patterns) {
        Map<String, Patterns> more = new TreeMap<>(where);
        more.put(AttributeMap.checkedName(attribute), Patterns.of(attribute, patterns));
        return new Budget(name, Map.copyOf(more), per, limits, assumedOutput, modes);
    }

    /**
     * Each combination of these attributes has a balance of its own; none means one balance for everything.
     *
     * @param attributes their names
     * @return the budget, counted so
     */
    public Budget per(String... attributes) {
        for (String attribute : attributes) {
            AttributeMap.checkedName(attribute);
        }
        if (new HashSet<>(List.of(attributes)).size() < attributes.length) {
            throw new IllegalArgumentException("budget '" + name + "': an attribute is named twice in per(..)");
        }
        return new Budget(name, where, List.of(attributes), limits, assumedOutput, modes);
    }

    /**
     * This budget with one more limit.
     *
     * @param limit one more
     * @return the budget with one limit more
     */
    public Budget limit(Limit limit) {
        List<Limit> more = new ArrayList<>(limits);
        more.add(limit);
        return new Budget(name, where, per, List.copyOf(more), assumedOutput, modes);
    }

    /**
     * {@return how many output tokens to reserve when the request sets no cap; 1,000 unless said}
     *
     * @param tokens how many
     */
    public Budget assumedOutput(long tokens) {
        if (tokens < 0 || tokens > Cost.MAX_AMOUNT) {
            throw new IllegalArgumentException("assumed output must be from 0 to 2^53 - 1 tokens, not " + tokens);
        }
        return new Budget(name, where, per, limits, tokens, modes);
    }

    /**
     * A call whose estimate is above a limit's capacity goes when the limit is full, and debt carries the rest, instead of
     * being refused for good. It does not help a call that is {@link WhenExhausted#leaving leaving} a share, for which a full limit is not
     * enough.
     *
     * @return the budget that does so
     */
    public Budget clampToCapacity() {
        return with(Mode.CLAMP_TO_CAPACITY);
    }

    /**
     * Decides and reports, never denies.
     *
     * @return the budget that does so
     */
    public Budget dryRun() {
        return with(Mode.DRY_RUN);
    }

    private Budget with(Mode mode) {
        List<Mode> more = new ArrayList<>(modes);
        more.add(mode);
        return new Budget(name, where, per, limits, assumedOutput, Set.copyOf(more));
    }

    /** The patterns of providers, in order, that none of these has. */
    List<String> providersBut(Set<String> known) {
        Patterns providers = where.get("provider");
        return providers == null
                ? List.of()
                : providers.globs().stream()
                        .filter(glob -> known.stream().noneMatch(Patterns.of("provider", glob)::match))
                        .toList();
    }

    /** {@return what it is called} */
    public String name() {
        return name;
    }

    /** {@return the attributes that this budget is counted per} */
    public List<String> countedPer() {
        return per;
    }

    /** {@return whether each model and API key has balances of its own, as it has with its provider} */
    public boolean isCountedAsByProviders() {
        return per.containsAll(OF_A_PROVIDER);
    }

    /** {@return all attributes that it looks at: those that say which calls it applies to, and those it is counted per} */
    public Set<String> attributes() {
        Set<String> all = new TreeSet<>(where.keySet());
        all.addAll(per);
        return all;
    }

    /** {@return what it holds calls to} */
    public List<Limit> limits() {
        return limits;
    }

    /** {@return output tokens to reserve when the request sets no cap} */
    public long assumedOutput() {
        return assumedOutput;
    }

    /** {@return whether a call above a limit's capacity goes all the same} */
    public boolean isClampedToCapacity() {
        return modes.contains(Mode.CLAMP_TO_CAPACITY);
    }

    /** {@return whether one of its limits counts calls in flight} */
    public boolean countsInFlight() {
        return countsInFlight;
    }

    /** {@return whether it only decides and reports} */
    public boolean isDryRun() {
        return modes.contains(Mode.DRY_RUN);
    }

    /** This budget, as a guard with this lease counts it. */
    Budget leased(Duration lease) {
        List<Limit> leased = limits.stream().map(limit -> limit.leased(lease)).toList();
        return leased.equals(limits) ? this : new Budget(name, where, per, leased, assumedOutput, modes);
    }

    /**
     * This budget with a share of each of its limits, rounded down.
     *
     * @throws IllegalArgumentException if that is nothing of one
     */
    Budget of(Share share) {
        List<Limit> shares = limits.stream().map(limit -> limit.of(share)).toList();
        return new Budget(name, where, per, shares, assumedOutput, modes);
    }

    /** @throws IllegalArgumentException where the limits make no sense, or a model has no price */
    void check(PriceList prices) {
        checkLimits();
        if (limits.stream().anyMatch(limit -> limit.unit() == Unit.USD)) {
            checkPrices(prices);
        }
    }

    /** Itself, if its limits make sense, whatever the prices. */
    Budget checked() {
        checkLimits();
        return this;
    }

    private void checkLimits() {
        if (limits.isEmpty()) {
            throw new IllegalArgumentException("budget '" + name + "' has no limit; add one with limit(..)");
        }
        if (limits.size() > MOST_LIMITS) {
            throw new IllegalArgumentException(
                    "budget '" + name + "' has " + limits.size() + " limits, and may have " + MOST_LIMITS + " at most");
        }
        Set<String> names = new HashSet<>();
        for (Limit limit : limits) {
            limit.check();
            if (!names.add(limit.name())) {
                throw new IllegalArgumentException(
                        "budget '" + name + "' has two limits of " + limit.name() + "; keep the smaller one");
            }
            if (limit.isCorrectedByProvider() && !isCountedAsByProviders()) {
                throw new IllegalArgumentException(
                        "budget '" + name + "': a provider tells what is left for a model and a key, so"
                                + " a limit that is corrected by it needs .per(\"model\", \"apiKey\")");
            }
        }
    }

    private void checkPrices(PriceList prices) {
        Patterns models = where.get("model");
        for (String glob : models == null ? List.<String>of() : models.globs()) {
            String model = ModelNames.canonical(glob);
            if (!glob.contains("*") && !prices.has(model)) {
                throw new IllegalArgumentException("budget '" + name + "' limits dollars, and its model '" + model
                        + "' has no price in " + prices
                        + "; add it with prices(PriceList.bundled().plus(PriceList.read(file)))");
            }
        }
    }

    /**
     * {@return whether a call with these attributes falls under this budget}
     *
     * @param attributes their names
     */
    public boolean appliesTo(Map<String, String> attributes) {
        for (Map.Entry<String, Patterns> condition : where.entrySet()) {
            String value = attributes.get(condition.getKey());
            if (value == null || !condition.getValue().match(value)) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return "budget '" + name + "' " + limits + " per " + per;
    }
}
