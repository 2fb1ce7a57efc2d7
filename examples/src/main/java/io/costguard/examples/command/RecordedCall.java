package io.costguard.examples.command;

import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.describe.LocatedJson;
import io.costguard.describe.OutputHistory;
import io.costguard.describe.Usage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * A call that was made once, and what it used.
 *
 * @param where its file and line
 * @param call its attributes
 * @param path which distinguishes kinds of calls of one model; empty if it is not known
 * @param input what its input was estimated to be
 * @param maxOutput the output that it allowed at most; empty if it set no cap
 * @param tier in which it was served, and which it asked for
 * @param nanoUsd what it cost; empty where that is for the price list to say
 */
record RecordedCall(
        String where,
        Instant at,
        GuardedCall call,
        String path,
        long input,
        OptionalLong maxOutput,
        Usage usage,
        ServiceTier tier,
        OptionalLong nanoUsd,
        Duration duration) {
    /** A year before a virtual time ends: by then the call has ended too. */
    private static final Instant LATEST = Instant.parse("2199-01-01T00:00:00Z");

    /**
     * The calls in a file of JSON lines, in the order of their time.
     *
     * @throws BadInputException that says in which line what is wrong
     */
    static List<RecordedCall> read(Path file) {
        List<RecordedCall> calls = new ArrayList<>();
        List<String> lines = text(file).lines().toList();
        for (int i = 0; i < lines.size(); i++) {
            if (!lines.get(i).isBlank()) {
                try {
                    calls.add(of(file + ":" + (i + 1), LocatedJson.read(file.toString(), i + 1, lines.get(i))));
                } catch (LocatedJson.BadValueException e) {
                    throw new BadInputException(String.valueOf(e.getMessage()));
                }
            }
        }
        if (calls.isEmpty()) {
            throw new BadInputException(file + ": there are no calls in it");
        }
        calls.sort(Comparator.comparing(RecordedCall::at));
        return calls;
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (NoSuchFileException e) {
            throw new BadInputException(file + ": there is no such file");
        } catch (IOException e) {
            throw new BadInputException(file + ": cannot be read as UTF-8 text: " + e);
        }
    }

    private static RecordedCall of(String where, LocatedJson json) {
        Members members = new Members(json);
        Instant at = members.required("at").parsed("'at'", "2026-03-02T08:00:00Z", Instant::parse);
        if (at.isBefore(Instant.EPOCH) || !at.isBefore(LATEST)) {
            throw json.bad("'at' must be from 1970 to 2198, not " + at);
        }
        GuardedCall call = GuardedCall.of(members.required("model").text("'model'"));
        long input = members.required("input").count("'input'");
        long output = members.required("output").count("'output'");
        long cacheRead = members.count("cacheRead").orElse(0);
        long cacheWrite = members.count("cacheWrite").orElse(0);
        long reasoning = members.count("reasoning").orElse(0);
        long estimated = members.count("estimatedInput").orElse(input);
        OptionalLong maxOutput = members.count("maxOutput");
        Optional<String> provider = members.text("provider");
        String path = members.text("path").orElse("");
        ServiceTier tier = members.take("serviceTier").map(RecordedCall::tier).orElse(ServiceTier.STANDARD);
        Duration duration = members.take("duration")
                .map(value -> checked(value.duration("'duration'"), json))
                .orElse(Duration.ZERO);
        try {
            OptionalLong nanoUsd = members.take("usd")
                    .map(value -> OptionalLong.of(
                            Cost.requests(0).usd(value.decimal("'usd'")).nanoUsd()))
                    .orElse(OptionalLong.empty());
            if (provider.isPresent()) {
                call = call.with("provider", provider.get());
            }
            for (Map.Entry<String, String> attribute : members.attributes().entrySet()) {
                call = call.with(attribute.getKey(), attribute.getValue());
            }
            // Which refuses what cannot be.
            Cost used = Cost.requests(1)
                    .input(input)
                    .cacheRead(cacheRead)
                    .cacheWrite(cacheWrite)
                    .output(output)
                    .reasoning(reasoning);
            Usage usage = Usage.of(used.input() - cacheRead - cacheWrite, used.output() - reasoning)
                    .withCacheRead(cacheRead)
                    .withCacheWrite(cacheWrite)
                    .withReasoning(reasoning);
            Cost unused = Cost.requests(1).input(estimated).output(maxOutput.orElse(0));
            return new RecordedCall(where, at, call, path, estimated, maxOutput, usage, tier, nanoUsd, duration);
        } catch (LocatedJson.BadValueException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw json.bad(String.valueOf(e.getMessage()));
        }
    }

    private static ServiceTier tier(LocatedJson value) {
        String name = value.text("'serviceTier'");
        return ServiceTier.served(name)
                .orElseThrow(() -> value.bad("unknown service tier '" + name
                        + "'; there are standard, flex, batch, priority and ultrafast, and what providers call them"));
    }

    /** The members of a call. What nobody asked for is an attribute. */
    private static final class Members {
        private final LocatedJson json;
        private final Map<String, LocatedJson> left;
        private final List<String> known = new ArrayList<>();

        Members(LocatedJson json) {
            this.json = json;
            this.left = json.members("a call");
        }

        Optional<LocatedJson> take(String name) {
            known.add(name);
            return Optional.ofNullable(left.remove(name));
        }

        LocatedJson required(String name) {
            return take(name).orElseThrow(() -> json.bad("a call needs '" + name + "'"));
        }

        OptionalLong count(String name) {
            Optional<LocatedJson> value = take(name);
            return value.isPresent() ? OptionalLong.of(value.get().count("'" + name + "'")) : OptionalLong.empty();
        }

        Optional<String> text(String name) {
            return take(name).map(value -> value.text("'" + name + "'"));
        }

        Map<String, String> attributes() {
            Map<String, String> attributes = new LinkedHashMap<>();
            left.forEach((name, value) -> {
                if (!(value.value() instanceof String text)) {
                    throw value.bad("unknown member '" + name + "'; an attribute must be a text");
                }
                known.stream().filter(name::equalsIgnoreCase).findFirst().ifPresent(meant -> {
                    throw value.bad("unknown member '" + name + "'; write '" + meant + "'");
                });
                attributes.put(name, text);
            });
            return attributes;
        }
    }

    private static Duration checked(Duration duration, LocatedJson json) {
        if (duration.isNegative() || duration.compareTo(Duration.ofDays(1)) > 0) {
            throw json.bad("'duration' must be from 0 to a day, not " + duration);
        }
        return duration;
    }

    String provider() {
        return call.attributes().getOrDefault("provider", "");
    }

    /** What it used, with the dollars that it cost, as far as they are known. */
    Cost used(PriceList prices) {
        return with(nanoUsd.isPresent() ? nanoUsd : price(prices, usage), usage.cost(1));
    }

    /**
     * What is reserved for it, with the dollars that it may cost, as far as they are known.
     *
     * @throws BadInputException where it is more than can be counted
     */
    Cost estimate(PriceList prices, long output) {
        try {
            return with(
                    price(prices, Usage.of(input, output)),
                    Cost.requests(1).input(input).output(output));
        } catch (IllegalArgumentException e) {
            throw new BadInputException(where + ": with the output that is assumed for it, " + e.getMessage());
        }
    }

    private OptionalLong price(PriceList prices, Usage usage) {
        return prices.nanoUsd(provider(), call.model(), Set.of(tier), usage);
    }

    private static Cost with(OptionalLong nanoUsd, Cost cost) {
        return nanoUsd.isPresent() ? cost.nanoUsd(nanoUsd.getAsLong()) : cost;
    }

    OutputHistory.Kind kind() {
        return new OutputHistory.Kind(provider(), call.model(), path);
    }

    /**
     * The output that is reserved for it.
     *
     * @param learned what is likely to be enough, as far as that was learned
     * @param assumed where neither that is known nor a cap
     */
    long reserved(OptionalLong learned, long assumed) {
        return learned.isPresent()
                ? Math.min(learned.getAsLong(), maxOutput.orElse(Long.MAX_VALUE))
                : maxOutput.orElse(assumed);
    }
}
