package io.costguard;

import io.costguard.describe.Usage;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What one model costs, in billionths of a thousandth of a dollar. Immutable. */
final class Price {
    private static final long PICO_A_NANO = 1_000;

    /** By part; under the size of the prompt above which they hold. */
    private final NavigableMap<Long, Map<Part, Long>> rates;

    private Price(NavigableMap<Long, Map<Part, Long>> rates) {
        this.rates = rates;
    }

    /** What has a price of its own: its field, what it costs where that is missing, and how much of it a call used. */
    private enum Part {
        INPUT("input_cost_per_token", null),
        CACHE_READ("cache_read_input_token_cost", INPUT),
        CACHE_WRITE("cache_creation_input_token_cost", INPUT),
        CACHE_WRITE_LONG("cache_creation_input_token_cost_above_1hr", CACHE_WRITE),
        AUDIO_INPUT("input_cost_per_audio_token", INPUT),
        OUTPUT("output_cost_per_token", null),
        REASONING("output_cost_per_reasoning_token", OUTPUT),
        AUDIO_OUTPUT("output_cost_per_audio_token", OUTPUT),
        REQUEST("input_cost_per_request", null);

        final String field;
        final @Nullable Part otherwise;

        Part(String field, @Nullable Part otherwise) {
            this.field = field;
            this.otherwise = otherwise;
        }

        long of(Usage usage, long requests) {
            return switch (this) {
                case INPUT -> usage.input();
                case CACHE_READ -> usage.cacheRead();
                case CACHE_WRITE -> usage.cacheWrite();
                case CACHE_WRITE_LONG -> usage.cacheWriteLong();
                case AUDIO_INPUT -> usage.audioInput();
                case OUTPUT -> usage.output();
                case REASONING -> usage.reasoning();
                case AUDIO_OUTPUT -> usage.audioOutput();
                case REQUEST -> requests;
            };
        }
    }

    /** What this costs, in nano-dollars: exact, rounded up once, and the most that can be counted where it is more. */
    long nanoUsd(Usage usage, long requests) {
        Map<Part, Long> rate = rates.lowerEntry(Math.max(0, usage.allInput())).getValue();
        long pico = 0;
        for (Map.Entry<Part, Long> part : rate.entrySet()) {
            pico = sum(pico, times(part.getKey().of(usage, requests), part.getValue()));
        }
        long nano = pico / PICO_A_NANO + (pico % PICO_A_NANO == 0 ? 0 : 1);
        return Math.min(nano, Cost.MAX_AMOUNT);
    }

    // What does not fit a long is above the most that can be counted, which is what both stand for then.

    private static long times(long amount, long pico) {
        long product = amount * pico;
        return Math.multiplyHigh(amount, pico) == 0 && product >= 0 ? product : Long.MAX_VALUE;
    }

    private static long sum(long one, long other) {
        long sum = one + other;
        return sum >= 0 ? sum : Long.MAX_VALUE;
    }

    /** The fields of one model, as they are read. For one thread. */
    static final class Fields {
        private static final long ALL = -1;
        private static final Pattern TIER = Pattern.compile("(.+)_above_([0-9]{1,12})(k?)_tokens");
        private static final Map<String, Part> NAMES = new HashMap<>();

        static {
            for (Part part : Part.values()) {
                NAMES.put(part.field, part);
            }
            NAMES.put("input_cost_per_token_cache_hit", Part.CACHE_READ);
        }

        private final NavigableMap<Long, Map<Part, Long>> tiers = new TreeMap<>();
        private boolean reachesTiersAtTheirEdge;

        private record Name(Part part, long above, boolean isItsOwn) {}

        private static @Nullable Name name(String field) {
            Matcher tier = TIER.matcher(field);
            boolean isTier = field.endsWith("_tokens") && tier.matches();
            String name = isTier ? tier.group(1) : field;
            Part part = NAMES.get(name);
            if (part == null) {
                return null;
            }
            long above = isTier ? Long.parseLong(tier.group(2)) * (tier.group(3).isEmpty() ? 1 : 1_000) : ALL;
            return new Name(part, above, part.field.equals(name));
        }

        /** Whether a field is the price of something that a usage knows. */
        static boolean isPrice(String field) {
            return name(field) != null;
        }

        void put(String field, long pico) {
            put(ALL, field, pico);
        }

        private void put(long above, String field, long pico) {
            Name name = name(field);
            if (name != null) {
                Map<Part, Long> tier =
                        tiers.computeIfAbsent(Math.max(above, name.above), size -> new EnumMap<>(Part.class));
                if (name.isItsOwn || !tier.containsKey(name.part)) {
                    tier.put(name.part, pico);
                }
            }
        }

        /** A tier of a table: what it leaves out costs what input, or output, costs in it, and not what it costs below. */
        void put(long above, Map<String, Long> table) {
            long size = above == 0 ? ALL : above;
            table.forEach((field, pico) -> put(size, field, pico));
            Map<Part, Long> tier = tiers.getOrDefault(size, new EnumMap<>(Part.class));
            for (Part part : Part.values()) {
                Long otherwise = part.otherwise == null ? null : tier.get(part.otherwise);
                if (otherwise != null) {
                    tier.putIfAbsent(part, otherwise);
                }
            }
        }

        void provider(String name) {
            reachesTiersAtTheirEdge = name.equals("xai");
        }

        /** The price that these say; {@code null} where they do not say what input costs. */
        @Nullable Price price() {
            Map<Part, Long> base = tiers.getOrDefault(ALL, Map.of());
            if (!base.containsKey(Part.INPUT)) {
                return null;
            }
            NavigableMap<Long, Map<Part, Long>> rates = new TreeMap<>();
            tiers.forEach((above, tier) ->
                    rates.put(above > 0 && reachesTiersAtTheirEdge ? above - 1 : above, rates(tier, base)));
            return new Price(rates);
        }

        private static Map<Part, Long> rates(Map<Part, Long> tier, Map<Part, Long> base) {
            Map<Part, Long> rates = new EnumMap<>(Part.class);
            for (Part part : Part.values()) {
                Long rate = tier.getOrDefault(part, base.get(part));
                if (rate == null && part.otherwise != null) {
                    rate = rates.get(part.otherwise);
                }
                if (rate != null) {
                    rates.put(part, rate);
                }
            }
            return rates;
        }
    }
}
