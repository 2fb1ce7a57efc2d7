package io.costguard.limit;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Which region has which share of which budget, as the Redis knows it that all of them reach; what no region has is free. Immutable: each step
 * gives a new one.
 *
 * <p>As text: {@code 1 least 10 of eu us}, and a line for each holding, {@code eu 50 7 wants money}: region, percent, version, {@code wants} or
 * {@code has}, and the budget.
 */
final class ShareBook {
    private static final int WHOLE = 100;
    private static final String HAS = "has";
    private static final String WANTS = "wants";

    private final List<String> regions;
    private final int least;
    private final Map<Place, Holding> holdings;

    private record Place(String budget, String region) implements Comparable<Place> {
        @Override
        public int compareTo(Place other) {
            int budgets = budget.compareTo(other.budget);
            return budgets != 0 ? budgets : region.compareTo(other.region);
        }
    }

    private ShareBook(List<String> regions, int least, Map<Place, Holding> holdings) {
        this.regions = regions;
        this.least = least;
        this.holdings = holdings;
    }

    /**
     * What a text says.
     *
     * @param regions all of them
     * @param least the percentage that none of them gives away
     * @throws IllegalStateException if it is of other regions, or was not written by this
     */
    static ShareBook read(String text, List<String> regions, int least) {
        ShareBook book = new ShareBook(regions.stream().sorted().toList(), least, Map.of());
        if (text.isEmpty()) {
            return book;
        }
        String[] lines = text.split("\n", -1);
        if (!lines[0].equals(book.head())) {
            throw new IllegalStateException(
                    "the regions share by '" + lines[0] + "', and this guard was told '" + book.head() + "'");
        }
        Map<Place, Holding> holdings = new TreeMap<>();
        for (int i = 1; i < lines.length; i++) {
            String[] fields = lines[i].split(" ", 5);
            try {
                Holding holding =
                        new Holding(Integer.parseInt(fields[1]), Long.parseLong(fields[2]), fields[3].equals(WANTS));
                holdings.put(new Place(fields[4], fields[0]), holding);
            } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
                throw new IllegalStateException("what the regions share cannot be read: '" + lines[i] + "'", e);
            }
        }
        return new ShareBook(book.regions, least, holdings);
    }

    private String head() {
        return "1 least " + least + " of " + String.join(" ", regions);
    }

    String text() {
        StringBuilder text = new StringBuilder(head());
        holdings.forEach((place, holding) -> text.append('\n')
                .append(place.region)
                .append(' ')
                .append(holding.percent())
                .append(' ')
                .append(holding.version())
                .append(' ')
                .append(holding.wants() ? WANTS : HAS)
                .append(' ')
                .append(place.budget));
        return text.toString();
    }

    Optional<Holding> of(String region, String budget) {
        return Optional.ofNullable(holdings.get(new Place(budget, region)));
    }

    ShareBook with(String region, String budget, Holding holding) {
        Map<Place, Holding> more = new TreeMap<>(holdings);
        more.put(new Place(budget, region), holding);
        return new ShareBook(regions, least, more);
    }

    /**
     * With a region that was not in it. Once all are, what is free is dealt out to those that have less than an equal part, up to that: so at
     * the beginning each has as much.
     */
    ShareBook entered(String region, String budget, Holding holding) {
        ShareBook book = with(region, budget, holding);
        for (String each : regions) {
            Holding has = book.of(each, budget).orElse(null);
            int free = book.free(budget);
            if (has != null && has.percent() < equal() && free > 0) {
                book = book.with(each, budget, has.next(Math.min(equal(), has.percent() + free)));
            }
        }
        return book;
    }

    /** An equal part. */
    int equal() {
        return WHOLE / regions.size();
    }

    /** What no region has; nothing as long as it is not known of all what they have. */
    int free(String budget) {
        return isComplete(budget) ? Math.max(0, WHOLE - sum(budget)) : 0;
    }

    private boolean isComplete(String budget) {
        return regions.stream().allMatch(region -> holdings.containsKey(new Place(budget, region)));
    }

    private int sum(String budget) {
        return regions.stream()
                .mapToInt(region -> of(region, budget).map(Holding::percent).orElse(0))
                .sum();
    }

    /**
     * How much of what is free a region may take that wants more: all, or a part of it where others do, too. Those that have less than an equal
     * part come first.
     */
    int free(String budget, String region) {
        boolean hasLess = of(region, budget).orElseThrow().percent() < equal();
        boolean othersHaveLess = othersThatWant(budget, region).anyMatch(this::isLess);
        if (othersHaveLess && !hasLess) {
            return 0;
        }
        int others = (int) othersThatWant(budget, region)
                .filter(other -> !hasLess || isLess(other))
                .count();
        return (free(budget) + others) / (others + 1);
    }

    private boolean isLess(Holding holding) {
        return holding.percent() < equal();
    }

    /** Whether others want what this region has; or all have too much together, as when the shared Redis has lost what it last knew. */
    boolean isWanted(String budget, String region) {
        return sum(budget) > WHOLE || othersThatWant(budget, region).findAny().isPresent();
    }

    /** Whether that is owed to them as they have less than an equal part. */
    boolean isOwed(String budget, String region) {
        return sum(budget) > WHOLE || othersThatWant(budget, region).anyMatch(this::isLess);
    }

    private Stream<Holding> othersThatWant(String budget, String region) {
        return regions.stream()
                .filter(other -> !other.equals(region))
                .flatMap(other -> of(other, budget).stream())
                .filter(Holding::wants);
    }
}
