package io.costguard.examples.command;

import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.PriceList;
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
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * A call that was made once, and what it used.
 *
 * @param where its file and line
 * @param call its attributes
 * @param path which distinguishes kinds of calls of one model; empty if it is not known
 * @param input what its input was estimated to be
 * @param maxOutput the output that it allowed at most; empty if it set no cap
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
        OptionalLong nanoUsd,
        Duration duration) {
    /** A year before a virtual time ends: by then the call has ended too. */
    private static final Instant LATEST = Instant.parse("2199-01-01T00:00:00Z");

    private static final List<String> MEMBERS = List.of(
            "at",
            "model",
            "provider",
            "path",
            "input",
            "output",
            "cacheRead",
            "cacheWrite",
            "reasoning",
            "estimatedInput",
            "maxOutput",
            "usd",
            "duration");

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
                    calls.add(of(LocatedJson.read(file.toString(), i + 1, lines.get(i))));
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

    private static RecordedCall of(LocatedJson json) {
        Map<String, LocatedJson> members = json.members("a call");
        Instant at = required(members, json, "at").parsed("'at'", "2026-03-02T08:00:00Z", Instant::parse);
        if (at.isBefore(Instant.EPOCH) || !at.isBefore(LATEST)) {
            throw json.bad("'at' must be from 1970 to 2198, not " + at);
        }
        GuardedCall call = GuardedCall.of(required(members, json, "model").text("'model'"));
        long input = required(members, json, "input").count("'input'");
        long output = required(members, json, "output").count("'output'");
        long cacheRead = 0;
        long cacheWrite = 0;
        long reasoning = 0;
        long estimated = input;
        OptionalLong maxOutput = OptionalLong.empty();
        OptionalLong nanoUsd = OptionalLong.empty();
        Duration duration = Duration.ZERO;
        String path = "";
        try {
            for (Map.Entry<String, LocatedJson> member : members.entrySet()) {
                LocatedJson value = member.getValue();
                String name = "'" + member.getKey() + "'";
                switch (member.getKey()) {
                    case "at", "model", "input", "output" -> {}
                    case "cacheRead" -> cacheRead = value.count(name);
                    case "cacheWrite" -> cacheWrite = value.count(name);
                    case "reasoning" -> reasoning = value.count(name);
                    case "estimatedInput" -> estimated = value.count(name);
                    case "maxOutput" -> maxOutput = OptionalLong.of(value.count(name));
                    case "usd" -> nanoUsd = OptionalLong.of(nanoUsd(value, name));
                    case "duration" -> duration = value.duration(name);
                    case "path" -> path = value.text(name);
                    case "provider" -> call = call.with("provider", value.text(name));
                    default -> {
                        if (!(value.value() instanceof String text)) {
                            throw value.bad("unknown member " + name + "; an attribute must be a text");
                        }
                        for (String known : MEMBERS) {
                            if (known.equalsIgnoreCase(member.getKey())) {
                                throw value.bad("unknown member " + name + "; write '" + known + "'");
                            }
                        }
                        call = call.with(member.getKey(), text);
                    }
                }
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
            return new RecordedCall(
                    json.where(), at, call, path, estimated, maxOutput, usage, nanoUsd, checked(duration, json));
        } catch (LocatedJson.BadValueException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw json.bad(String.valueOf(e.getMessage()));
        }
    }

    private static LocatedJson required(Map<String, LocatedJson> members, LocatedJson json, String name) {
        LocatedJson member = members.get(name);
        if (member == null) {
            throw json.bad("a call needs '" + name + "'");
        }
        return member;
    }

    private static long nanoUsd(LocatedJson value, String name) {
        return Cost.requests(0).usd(value.decimal(name)).nanoUsd();
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
        Cost cost = usage.cost(1);
        OptionalLong dollars = nanoUsd.isPresent() ? nanoUsd : prices.nanoUsd(provider(), call.model(), usage);
        return dollars.isPresent() ? cost.nanoUsd(dollars.getAsLong()) : cost;
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
