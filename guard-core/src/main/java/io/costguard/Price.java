package io.costguard;

import io.costguard.describe.Usage;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What one model costs in each service tier, in billionths of a thousandth of a dollar. Immutable. */
final class Price {
    private static final long PICO_A_NANO = 1_000;

    /** In the standard tier; by part, under the size of the prompt above which they hold. */
    private final NavigableMap<Long, Map<Part, Long>> standard;

    /** In those of the other tiers of which something is said; likewise. */
    private final Map<ServiceTier, NavigableMap<Long, Map<Part, Long>>> others;

    private Price(
            NavigableMap<Long, Map<Part, Long>> standard,
            Map<ServiceTier, NavigableMap<Long, Map<Part, Long>>> others) {
        this.standard = standard;
        this.others = others;
    }

    /** What has a price of its own: its field, what it costs where that is missing, and how much of it a call used. */
    private enum Part {
        INPUT("input_cost_per_token", null),
        CACHE_READ("cache_read_input_token_cost", INPUT),
        CACHE_WRITE("cache_creation_input_token_cost", INPUT),
        CACHE_WRITE_LONG("cache_creation_input_token_cost_above_1hr", CACHE_WRITE),
        AUDIO_INPUT("input_cost_per_audio_token", INPUT),
        IMAGE_INPUT("input_cost_per_image_token", INPUT),
        OUTPUT("output_cost_per_token", null),
        REASONING("output_cost_per_reasoning_token", OUTPUT),
        AUDIO_OUTPUT("output_cost_per_audio_token", OUTPUT),
        IMAGE_OUTPUT("output_cost_per_image_token", OUTPUT),
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
                case IMAGE_INPUT -> usage.imageInput();
                case OUTPUT -> usage.output();
                case REASONING -> usage.reasoning();
                case AUDIO_OUTPUT -> usage.audioOutput();
                case IMAGE_OUTPUT -> usage.imageOutput();
                case REQUEST -> requests;
            };
        }
    }

    /** What this costs, in nano-dollars: exact, rounded up once, and the most that can be counted where it is more. */
    long nanoUsd(ServiceTier tier, Usage usage, long requests) {
        Map<Part, Long> rate = others.getOrDefault(tier, standard)
                .lowerEntry(Math.max(0, usage.allInput()))
                .getValue();
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
        private static final Pattern ABOVE = Pattern.compile("(.+)_above_([0-9]{1,12})(k?)_tokens");
        private static final Map<String, Part> NAMES = new HashMap<>();

        static {
            for (Part part : Part.values()) {
                NAMES.put(part.field, part);
            }
            NAMES.put("input_cost_per_token_cache_hit", Part.CACHE_READ);
        }

        private final Map<ServiceTier, NavigableMap<Long, Map<Part, Long>>> said = new EnumMap<>(ServiceTier.class);
        private boolean reachesSizesAtTheirEdge;

        private record Name(Part part, ServiceTier tier, long above, boolean isItsOwn) {}

        private static @Nullable Name name(String field) {
            ServiceTier tier = ServiceTier.STANDARD;
            for (ServiceTier other : ServiceTier.values()) {
                tier = field.endsWith(other.suffix()) ? other : tier;
            }
            String tierless = field.substring(0, field.length() - tier.suffix().length());
            Matcher above = ABOVE.matcher(tierless);
            boolean isAbove = tierless.endsWith("_tokens") && above.matches();
            String name = isAbove ? above.group(1) : tierless;
            Part part = NAMES.get(name);
            if (part == null) {
                return null;
            }
            long size =
                    isAbove ? Long.parseLong(above.group(2)) * (above.group(3).isEmpty() ? 1 : 1_000) : ALL;
            return new Name(part, tier, size, part.field.equals(name));
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
                Map<Part, Long> prices = said(name.tier, Math.max(above, name.above));
                if (name.isItsOwn || !prices.containsKey(name.part)) {
                    prices.put(name.part, pico);
                }
            }
        }

        private Map<Part, Long> said(ServiceTier tier, long above) {
            return said.computeIfAbsent(tier, key -> new TreeMap<>())
                    .computeIfAbsent(above, size -> new EnumMap<>(Part.class));
        }

        /** A row of a table: what it leaves out costs what input, or output, costs in it, and not what it costs below. */
        void put(long above, Map<String, Long> row) {
            long size = above == 0 ? ALL : above;
            row.forEach((field, pico) -> put(size, field, pico));
            Map<Part, Long> prices = sizes(ServiceTier.STANDARD).getOrDefault(size, new EnumMap<>(Part.class));
            for (Part part : Part.values()) {
                Long otherwise = part.otherwise == null ? null : prices.get(part.otherwise);
                if (otherwise != null) {
                    prices.putIfAbsent(part, otherwise);
                }
            }
        }

        void provider(String name) {
            reachesSizesAtTheirEdge = name.equals("xai");
        }

        /** The price that these say; {@code null} where they do not say what input costs. */
        @Nullable Price price() {
            if (said(ServiceTier.STANDARD, ALL, Part.INPUT) == null) {
                return null;
            }
            Map<ServiceTier, NavigableMap<Long, Map<Part, Long>>> others = new EnumMap<>(ServiceTier.class);
            said.keySet().forEach(tier -> others.put(tier, rates(tier)));
            others.remove(ServiceTier.STANDARD);
            return new Price(rates(ServiceTier.STANDARD), others);
        }

        private NavigableMap<Long, Map<Part, Long>> rates(ServiceTier tier) {
            NavigableMap<Long, Map<Part, Long>> rates = new TreeMap<>();
            Stream.of(ServiceTier.STANDARD, tier)
                    .flatMap(known -> sizes(known).keySet().stream())
                    .forEach(above ->
                            rates.put(above > 0 && reachesSizesAtTheirEdge ? above - 1 : above, rates(tier, above)));
            return rates;
        }

        private Map<Part, Long> rates(ServiceTier tier, long above) {
            Map<Part, Long> rates = new EnumMap<>(Part.class);
            for (Part part : Part.values()) {
                Long rate = rate(part, tier, above);
                if (rate == null && part.otherwise != null) {
                    rate = rates.get(part.otherwise);
                }
                if (rate != null) {
                    rates.put(part, rate);
                }
            }
            return rates;
        }

        /** Where the tier does not say what a part of a long prompt costs, nobody knows whether its size or its tier is dearer. */
        private @Nullable Long rate(Part part, ServiceTier tier, long above) {
            Long own = said(tier, above, part);
            if (own != null) {
                return own;
            }
            Long standard = said(ServiceTier.STANDARD, above, part);
            Long ofShort = said(tier, ALL, part);
            if (standard != null && ofShort != null) {
                return Math.max(standard, ofShort);
            }
            Long either = standard == null ? ofShort : standard;
            return either == null ? said(ServiceTier.STANDARD, ALL, part) : either;
        }

        private @Nullable Long said(ServiceTier tier, long above, Part part) {
            return sizes(tier).getOrDefault(above, Map.of()).get(part);
        }

        private NavigableMap<Long, Map<Part, Long>> sizes(ServiceTier tier) {
            return said.getOrDefault(tier, Collections.emptyNavigableMap());
        }
    }
}
