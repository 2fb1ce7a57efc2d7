package io.costguard.examples.command;

import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;

/**
 * Calls of one day, as lines of a file for {@code costguard replay}: the same for the same seed. Three teams call three models, most of
 * them around 10:30 and 15:00, and at 11:15 many at once. Their answers have heavy tails, each of another shape; those of the first team
 * are three times as long from noon on, as after a change of its prompt. Among them are the usages that real providers reported, of the
 * {@link Recordings}, by team {@code qa}.
 */
final class SampleCalls {
    private static final Instant DAY = Instant.parse("2026-03-02T00:00:00Z");
    private static final double HOUR = 3_600;
    private static final long CAP = 4_096;

    private final Random random;
    private final List<Line> lines = new ArrayList<>();

    private record Line(Instant at, String text) {}

    private SampleCalls(long seed) {
        this.random = new Random(seed);
    }

    /** @param calls how many, beside those that were recorded */
    static List<String> of(long seed, int calls) {
        SampleCalls sample = new SampleCalls(seed);
        for (int i = 0; i < calls; i++) {
            sample.addOne();
        }
        Recordings.all().forEach(sample::add);
        return sample.lines.stream()
                .sorted(Comparator.comparing(Line::at))
                .map(Line::text)
                .toList();
    }

    private void addOne() {
        double hours = anyTime();
        int of100 = random.nextInt(100);
        if (of100 < 45) {
            long longer = hours >= 12 ? 3 : 1;
            add(
                    hours,
                    "openai",
                    "gpt-4o-mini",
                    "/v1/chat/completions",
                    "support",
                    logNormal(600, 0.7),
                    0,
                    longer * logNormal(120, 0.9),
                    0);
        } else if (of100 < 75) {
            long input = logNormal(3_000, 0.5);
            long pareto = Math.round(80 / StrictMath.sqrt(1 - random.nextDouble()));
            add(hours, "anthropic", "claude-sonnet-4-5", "/v1/messages", "search", input, input * 7 / 10, pareto, 0);
        } else {
            boolean thinks = random.nextInt(10) == 0;
            long answer = thinks ? 700 + random.nextInt(200) : 40 + random.nextInt(60);
            add(
                    hours,
                    "gemini",
                    "gemini-2.5-flash",
                    "/v1beta/models/gemini-2.5-flash:generateContent",
                    "reports",
                    logNormal(1_500, 0.6),
                    0,
                    answer,
                    thinks ? 600 : 0);
        }
    }

    private double anyTime() {
        int of100 = random.nextInt(100);
        if (of100 < 8) {
            return 11.25 + random.nextDouble() * 2 / 60;
        }
        double middle = of100 < 54 ? 10.5 : 15;
        return Math.max(0, Math.min(23.9, middle + 1.5 * random.nextGaussian()));
    }

    private long logNormal(double median, double sigma) {
        return Math.round(median * StrictMath.exp(sigma * random.nextGaussian()));
    }

    private void add(
            double hours,
            String provider,
            String model,
            String path,
            String team,
            long input,
            long cacheRead,
            long output,
            long reasoning) {
        long used = Math.max(1, Math.min(CAP, output));
        Instant at = DAY.plusMillis((long) (hours * HOUR * 1_000));
        String more = part("cacheRead", cacheRead) + part("reasoning", reasoning) + part("maxOutput", CAP);
        String user = team.charAt(0) + String.valueOf(1 + random.nextInt(12));
        add(at, provider, model, path, team, ",\"user\":\"" + user + "\"", input, used, more);
    }

    /** One that a provider answered with its usage. */
    private void add(Exchange recorded) {
        if (!recorded.isUsageReported()
                || recorded.reportedInput().isEmpty()
                || recorded.model().isEmpty()) {
            return;
        }
        long input = recorded.reportedInput().getAsLong();
        long output = recorded.reportedOutput().orElse(0);
        String more = part(
                        "cacheRead",
                        Math.min(input, recorded.number("cached_input_tokens").orElse(0)))
                + part(
                        "reasoning",
                        Math.min(output, recorded.number("reasoning_tokens").orElse(0)))
                + part("maxOutput", recorded.number("request_max_tokens").orElse(0));
        Instant at = DAY.plusMillis((long) (anyTime() * HOUR * 1_000));
        String recording = ",\"recording\":\"" + recorded.folder() + "\"";
        add(at, recorded.provider(), recorded.model(), "", "qa", recording, input, output, more);
    }

    private void add(
            Instant at,
            String provider,
            String model,
            String path,
            String team,
            String attributes,
            long input,
            long output,
            String more) {
        Duration duration = Duration.ofMillis(400 + 12 * output);
        lines.add(new Line(
                at,
                "{\"at\":\"" + at + "\",\"provider\":\"" + provider + "\",\"model\":\"" + model + "\""
                        + (path.isEmpty() ? "" : ",\"path\":\"" + path + "\"") + ",\"team\":\"" + team + "\""
                        + attributes
                        + part("input", input) + part("output", output) + more + ",\"duration\":\"" + duration
                        + "\"}"));
    }

    private static String part(String name, long tokens) {
        return tokens == 0 && !name.equals("input") && !name.equals("output") ? "" : ",\"" + name + "\":" + tokens;
    }
}
