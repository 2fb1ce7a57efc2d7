package io.costguard.limit;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What a region's own Redis knows: which shares are in force there, and which process exchanges them with other regions. Immutable: each step
 * gives a new one.
 *
 * <p>As text: {@code 1 PROCESS 12}, who exchanges and how often it said so, and a line for each budget, {@code 50 7 money}: percent, version, and
 * its name.
 *
 * @param beats change as long as that process lives
 */
record RegionNote(String exchanger, long beats, Map<String, Holding> holdings) {
    private static final String VERSION = "1";

    /** @throws IllegalStateException if it was not written by this */
    static RegionNote read(String text) {
        if (text.isEmpty()) {
            return new RegionNote("", 0, Map.of());
        }
        String[] lines = text.split("\n", -1);
        try {
            String[] head = lines[0].split(" ", -1);
            if (!head[0].equals(VERSION)) {
                throw new IllegalStateException(
                        "this region's shares were written by another version: '" + lines[0] + "'");
            }
            Map<String, Holding> holdings = new TreeMap<>();
            for (int i = 1; i < lines.length; i++) {
                String[] fields = lines[i].split(" ", 3);
                holdings.put(fields[2], new Holding(Integer.parseInt(fields[0]), Long.parseLong(fields[1]), false));
            }
            return new RegionNote(head[1], Long.parseLong(head[2]), Map.copyOf(holdings));
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            throw new IllegalStateException("this region's shares cannot be read: '" + text + "'", e);
        }
    }

    String text() {
        StringBuilder text = new StringBuilder(VERSION + " " + exchanger + " " + beats);
        new TreeMap<>(holdings)
                .forEach((budget, holding) -> text.append('\n')
                        .append(holding.percent())
                        .append(' ')
                        .append(holding.version())
                        .append(' ')
                        .append(budget));
        return text.toString();
    }

    Optional<Holding> of(String budget) {
        return Optional.ofNullable(holdings.get(budget));
    }

    RegionNote with(String budget, Holding holding) {
        Map<String, Holding> more = new TreeMap<>(holdings);
        more.put(budget, holding);
        return new RegionNote(exchanger, beats, Map.copyOf(more));
    }

    RegionNote exchangedBy(String process) {
        return new RegionNote(process, beats + 1, holdings);
    }
}
