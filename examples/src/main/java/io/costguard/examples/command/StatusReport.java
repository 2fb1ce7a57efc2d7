package io.costguard.examples.command;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.costguard.GuardedCall;
import io.costguard.LimitStatus;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** How the limits of calls like one stood at a moment. */
record StatusReport(GuardedCall call, Instant at, List<LimitStatus> limits) {
    private static final int NUMBERS_FROM = 2;

    /** What is said of a call, without its key. */
    static String named(GuardedCall call) {
        Map<String, String> attributes = new TreeMap<>(call.attributes());
        boolean hasKey = attributes.keySet().removeAll(Set.of("apiKey", "apiKeyFingerprint"));
        List<String> said = new ArrayList<>();
        attributes.forEach((name, value) -> {
            if (!value.isEmpty()) {
                said.add(name + " " + value);
            }
        });
        said.add(hasKey ? "that key" : "no key");
        return "calls with " + String.join(", ", said);
    }

    /** For people: a table. */
    String text() {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("budget", "limit", "balance", "capacity", "waiting", "full in", "a call waits"));
        for (LimitStatus each : limits) {
            rows.add(List.of(
                    each.budget(),
                    each.limit(),
                    (each.balance() < 0 ? "-" : "") + each.unit().format(Math.abs(each.balance())),
                    each.unit().format(each.capacity()),
                    String.valueOf(each.waiting()),
                    clock(each.timeToFull()),
                    clock(each.newcomerWait())));
        }
        StringBuilder out = new StringBuilder(named(call) + ", at " + at.truncatedTo(ChronoUnit.SECONDS) + "\n");
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.size(); i++) {
                int column = i;
                int width = rows.stream()
                        .mapToInt(each -> each.get(column).length())
                        .max()
                        .orElseThrow();
                String gap = " ".repeat(width - row.get(i).length());
                line.append(i < NUMBERS_FROM ? row.get(i) + gap : gap + row.get(i))
                        .append("  ");
            }
            out.append(line.toString().stripTrailing()).append('\n');
        }
        return out.toString();
    }

    /** Rounded up to seconds: {@code 7:41:18}. */
    private static String clock(Duration duration) {
        long seconds = duration.plusNanos(999_999_999).toSeconds();
        return String.format(Locale.ROOT, "%d:%02d:%02d", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }

    /** For scripts: one line; amounts in the limit's unit, dollars in nano-dollars. */
    String json() {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
            json.writeStartObject();
            json.writeStringField("at", at.toString());
            json.writeArrayFieldStart("limits");
            for (LimitStatus each : limits) {
                json.writeStartObject();
                json.writeStringField("budget", each.budget());
                json.writeStringField("limit", each.limit());
                json.writeStringField("unit", each.unit().label());
                json.writeNumberField("balance", each.balance());
                json.writeNumberField("capacity", each.capacity());
                json.writeNumberField("waiting", each.waiting());
                json.writeNumberField("timeToFullSeconds", each.timeToFull().toNanos() / 1e9);
                json.writeNumberField("newcomerWaitSeconds", each.newcomerWait().toNanos() / 1e9);
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text + "\n";
    }
}
