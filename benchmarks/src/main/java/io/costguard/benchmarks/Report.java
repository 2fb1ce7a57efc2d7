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

/** One line a goal, under a heading, printed as it is known; all of them as JSON at the end. */
final class Report {
    private static final String LINE = "%-46s %12s %12s %8s  %-16s %-8s %s%n";

    private final PrintStream out;
    private final List<Row> rows = new ArrayList<>();
    private String heading = "";

    private record Row(String name, String ours, String peer, Sample ratio, String goal, boolean met) {}

    Report(PrintStream out) {
        this.out = out;
        out.printf(LINE, "", "ours", "peer", "ratio", "quartiles", "goal", "");
    }

    /** What the next goals are about. */
    void heading(String name) {
        heading = name;
        out.println(name);
    }

    /** Something worth knowing that is no goal. */
    void note(String text) {
        out.println("    " + text);
    }

    /** A figure that should be small. */
    void atMost(String name, String ours, String peer, Sample ratio, double goal) {
        add(name, new Row(heading + ": " + name, ours, peer, ratio, "<= " + number(goal), ratio.median() <= goal));
    }

    /** A time in nanoseconds that should be short, for which there is no peer. */
    void atMostMillis(String name, Sample nanos, double goal) {
        Sample millis = nanos.dividedBy(1e6);
        add(
                name,
                new Row(
                        heading + ": " + name,
                        time(nanos.median()),
                        "",
                        millis,
                        "<= " + number(goal) + " ms",
                        millis.median() <= goal));
    }

    /** A figure that should be large. */
    void atLeast(String name, String ours, String peer, Sample ratio, double goal) {
        add(name, new Row(heading + ": " + name, ours, peer, ratio, ">= " + number(goal), ratio.median() >= goal));
    }

    private void add(String name, Row row) {
        rows.add(row);
        String ratio = number(row.ratio.median());
        String met = row.met ? "ok" : "short";
        out.printf(LINE, "  " + name, row.ours, row.peer, ratio, row.ratio.quartiles(), row.goal, met);
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
                json.writeNumberField("ratio", row.ratio.median());
                json.writeNumberField("lowerQuartile", row.ratio.at(0.25));
                json.writeNumberField("upperQuartile", row.ratio.at(0.75));
                json.writeStringField("goal", row.goal);
                json.writeBooleanField("met", row.met);
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
        }
    }

    static String number(double value) {
        double size = Math.abs(value);
        return String.format(
                Locale.ROOT, size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : size >= 0.1 ? "%.2f" : "%.4f", value);
    }

    static String time(double nanos) {
        return nanos < 1_000_000
                ? String.format(Locale.ROOT, "%.2f us", nanos / 1_000)
                : String.format(Locale.ROOT, "%.2f ms", nanos / 1_000_000);
    }

    static String perSecond(double rate) {
        return String.format(Locale.ROOT, "%,.0f/s", rate);
    }

    static String bytes(double bytes) {
        return number(bytes) + " B";
    }
}
