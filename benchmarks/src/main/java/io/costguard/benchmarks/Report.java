package io.costguard.benchmarks;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** One line a goal, printed as it is known; all of them as JSON at the end. */
final class Report {
    private static final String LINE = "%-58s %14s %14s %8s  %-8s %s%n";

    private final PrintStream out;
    private final List<Row> rows = new ArrayList<>();

    private record Row(String name, String ours, String peer, double ratio, String goal, boolean met) {}

    Report(PrintStream out) {
        this.out = out;
        out.printf(LINE, "name", "ours", "peer", "ratio", "goal", "");
    }

    /** A figure that should be small. */
    void atMost(String name, String ours, String peer, double ratio, double goal) {
        add(new Row(name, ours, peer, ratio, "<= " + number(goal), ratio <= goal));
    }

    /** A figure that should be large. */
    void atLeast(String name, String ours, String peer, double ratio, double goal) {
        add(new Row(name, ours, peer, ratio, ">= " + number(goal), ratio >= goal));
    }

    private void add(Row row) {
        rows.add(row);
        out.printf(LINE, row.name, row.ours, row.peer, number(row.ratio), row.goal, row.met ? "ok" : "short");
    }

    boolean allMet() {
        return rows.stream().allMatch(Row::met);
    }

    void write(Path file, String machine) throws IOException {
        Files.createDirectories(file.toAbsolutePath().getParent());
        try (JsonGenerator json = new JsonFactory().createGenerator(Files.newBufferedWriter(file))) {
            json.useDefaultPrettyPrinter();
            json.writeStartObject();
            json.writeStringField("machine", machine);
            json.writeArrayFieldStart("goals");
            for (Row row : rows) {
                json.writeStartObject();
                json.writeStringField("name", row.name);
                json.writeStringField("ours", row.ours);
                json.writeStringField("peer", row.peer);
                json.writeNumberField("ratio", row.ratio);
                json.writeStringField("goal", row.goal);
                json.writeBooleanField("met", row.met);
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
        }
    }

    static String number(double value) {
        return value >= 100
                ? String.format(Locale.ROOT, "%.0f", value)
                : String.format(Locale.ROOT, value >= 10 ? "%.1f" : value >= 0.1 ? "%.2f" : "%.4f", value);
    }

    static String micros(double nanos) {
        return String.format(Locale.ROOT, "%.2f us", nanos / 1_000);
    }

    static String perSecond(double rate) {
        return String.format(Locale.ROOT, "%,.0f/s", rate);
    }
}
