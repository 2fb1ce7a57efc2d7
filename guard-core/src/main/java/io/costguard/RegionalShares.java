package io.costguard;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Budgets that several regions share, each with a Redis of its own: a region's guards decide over its share of each limit, by its own Redis, and
 * the shares follow use by another Redis that all regions reach. The shares in force are never more than the limit in sum, also while regions
 * are cut off from each other. Immutable: each step gives a new one.
 *
 * <pre>{@code
 * CostGuard guard = CostGuard.builder()
 *     .redis("redis://redis.eu:6379")
 *     .budget(Budget.named("money").per().limit(Limit.usd("100.00").perDay()))
 *     .regions(RegionalShares.of("money").among("eu", "us").in("eu").through("redis://redis.shared:6379"))
 *     .build();
 * guard.rebalance();                                     // before the first call, and then every second, in each process
 * }</pre>
 *
 * <p>All but {@link #in} must be the same in all regions, and stays the same while any guard runs.
 */
public final class RegionalShares {
    private static final int MOST_REGIONS = 20;
    private static final int WHOLE = 100;

    private final Set<String> budgets;
    private final List<String> regions;
    private final String here;
    private final String redis;
    private final int least;

    private RegionalShares(Set<String> budgets, List<String> regions, String here, String redis, int least) {
        this.budgets = budgets;
        this.regions = regions;
        this.here = here;
        this.redis = redis;
        this.least = least;
    }

    /**
     * Of the budgets with these names. Each must have one balance for everything: {@link Budget#per per()}.
     *
     * @param budgets their names
     * @return what is still to be said among whom
     */
    public static RegionalShares of(String... budgets) {
        return new RegionalShares(Set.of(budgets), List.of(), "", "", 0);
    }

    /**
     * All regions, from 2 to 20.
     *
     * @param regions the names of all of them
     * @return the shares, said so
     */
    public RegionalShares among(String... regions) {
        if (regions.length < 2
                || regions.length > MOST_REGIONS
                || new HashSet<>(List.of(regions)).size() < regions.length) {
            throw new IllegalArgumentException("there must be 2 to " + MOST_REGIONS + " regions, each named once");
        }
        for (String region : regions) {
            if (!region.matches("[A-Za-z0-9_.-]{1,50}")) {
                throw new IllegalArgumentException(
                        "a region's name must be 1 to 50 letters, digits or any of _ . -, not '" + region + "'");
            }
        }
        return new RegionalShares(budgets, List.of(regions), here, redis, least);
    }

    /**
     * The region that this process is in.
     *
     * @param region its name, one of those
     * @return the shares, said so
     */
    public RegionalShares in(String region) {
        return new RegionalShares(budgets, regions, region, redis, least);
    }

    /**
     * The Redis that all regions reach, as {@link CostGuard.Builder#redis(String)} has it: a single primary, which may be that of one of the
     * regions. Not one that several regions write at once and that replicates both ways.
     *
     * @param redis a URL
     * @return the shares, said so
     */
    public RegionalShares through(String redis) {
        return new RegionalShares(budgets, regions, here, redis, least);
    }

    /**
     * What each region keeps however little it uses, and what a process goes by that does not know its region's share: a fifth of an equal part,
     * unless said, and at most an equal part.
     *
     * @param least of each limit
     * @return the shares, said so
     */
    public RegionalShares keeping(Share least) {
        return new RegionalShares(budgets, regions, here, redis, least.percent());
    }

    List<String> budgets() {
        return budgets.stream().sorted().toList();
    }

    List<String> regions() {
        return regions;
    }

    String here() {
        return here;
    }

    String redis() {
        return redis;
    }

    Share least() {
        return Share.percent(least > 0 ? least : Math.max(1, WHOLE / regions.size() / 5));
    }

    /** @throws IllegalArgumentException where it makes no sense for these budgets */
    void check(List<Budget> all) {
        if (!regions.contains(here)) {
            throw new IllegalArgumentException(
                    "say which regions there are, and which of them this is: among(\"eu\", \"us\")"
                            + ".in(\"eu\"); there are " + regions + ", and this is '" + here + "'");
        }
        if (redis.isEmpty()) {
            throw new IllegalArgumentException(
                    "say where the Redis is that all regions reach: through(\"redis://host:6379\")");
        }
        if (least().percent() > WHOLE / regions.size()) {
            throw new IllegalArgumentException("each of " + regions.size() + " regions can keep "
                    + WHOLE / regions.size() + " % at most, not " + least());
        }
        for (String name : budgets()) {
            Budget budget = all.stream()
                    .filter(each -> each.name().equals(name))
                    .findAny()
                    .orElseThrow(() -> new IllegalArgumentException("there is no budget '" + name + "' to share"));
            if (!budget.countedPer().isEmpty()) {
                throw new IllegalArgumentException("budget '" + name + "' is counted per " + budget.countedPer()
                        + "; regions can share one that has one balance for everything, .per()");
            }
            budget.of(least());
        }
    }
}
