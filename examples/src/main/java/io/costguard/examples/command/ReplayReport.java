package io.costguard.examples.command;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.costguard.Denial;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * What would have become of recorded calls.
 *
 * @param waited those that went after they had waited, in the order in which they went
 * @param denied those that did not go, in the order in which that was said
 * @param limits of all budgets, in their order
 */
record ReplayReport(
        List<RecordedCall> calls,
        int wentAtOnce,
        List<Waited> waited,
        List<Denied> denied,
        List<LimitTally> limits,
        OutputCurve curve) {
    private static final int SHOWN = 3;

    /** @param expected what kept it from going at once */
    record Waited(RecordedCall call, Duration waited, Denial expected) {}

    /** @param waited how long it had waited in vain; zero if it was denied at once */
    record Denied(RecordedCall call, Duration waited, Denial denial) {}

    /** For people. */
    String text() {
        StringBuilder out = new StringBuilder();
        line(
                out,
                "%s from %s to %s",
                calls(calls.size()),
                calls.get(0).at(),
                calls.get(calls.size() - 1).at());
        line(out, "  %6d went at once", wentAtOnce);
        line(out, "  %6d waited and went%s", waited.size(), waits());
        long inVain = denied.stream().filter(each -> !each.waited().isZero()).count();
        line(out, "  %6d were denied%s", denied.size(), inVain == 0 ? "" : ", " + inVain + " after waiting in vain");
        for (Denied each : denied.subList(0, Math.min(SHOWN, denied.size()))) {
            line(out, "         %s at %s: %s", each.call().where(), each.call().at(), each.denial());
        }
        if (denied.size() > SHOWN) {
            line(out, "         and %d more, which --json lists", denied.size() - SHOWN);
        }
        for (LimitTally each : limits) {
            line(out, "");
            line(
                    out,
                    "%s: %s, capacity %s",
                    each.budget().name(),
                    each.limit().name(),
                    shown(each, each.limit().capacity()));
            line(out, "  denied       %s%s", calls(each.deniedCalls()), dryRun(each));
            line(out, "  waited       %s%s", calls(each.waitedCalls()), longest(each));
            line(
                    out,
                    "  overspent    %s used more than they had reserved, %s in all; %s",
                    calls(each.overspentCalls()),
                    shown(each, each.overspent()),
                    worst(each));
            line(
                    out,
                    "  unused       %s of %s that were reserved, given back; %s",
                    shown(each, each.givenBack()),
                    shown(each, each.reserved()),
                    spare(each));
        }
        line(out, "");
        line(out, "Output tokens to reserve, if learned from the calls before:");
        line(
                out,
                "  %-12s %22s %27s %13s",
                "enough for",
                "above their reservation",
                "in vain, at the median",
                "of the cap");
        for (OutputCurve.Point point : curve.points()) {
            line(out, point.percent() + " %", point);
        }
        line(out, "the cap", curve.capped());
        return out.toString();
    }

    private void line(StringBuilder out, String name, OutputCurve.Point point) {
        line(
                out,
                "  %-12s %21.1f %% %20d tokens %13.2f",
                name,
                100 * point.aboveShare(),
                point.spareAtMedian(),
                curve.spareOfCapped(point));
    }

    private static String calls(int count) {
        return count + (count == 1 ? " call" : " calls");
    }

    private static void line(StringBuilder out, String format, Object... values) {
        out.append(String.format(Locale.ROOT, format, values).stripTrailing()).append('\n');
    }

    private String waits() {
        if (waited.isEmpty()) {
            return "";
        }
        List<Duration> waits = waited.stream().map(Waited::waited).sorted().toList();
        return ", for " + seconds(waits.get(waits.size() / 2)) + " at the median and "
                + seconds(waits.get(waits.size() - 1)) + " at most";
    }

    private static String dryRun(LimitTally tally) {
        return tally.budget().isDryRun() ? ", and would have denied " + tally.deniedCallsInDryRun() : "";
    }

    private static String longest(LimitTally tally) {
        return tally.waitedCalls() == 0 ? "" : ", for " + seconds(tally.longestWait()) + " at most";
    }

    private static String worst(LimitTally tally) {
        return tally.leastLeft() < 0
                ? "at worst " + shown(tally, -tally.leastLeft()) + " of debt, at " + tally.leastAt() + whose(tally)
                : "never in debt";
    }

    private static String spare(LimitTally tally) {
        if (tally.leastLeft() == tally.limit().capacity()) {
            return "nothing was ever charged";
        }
        return tally.leastLeft() > 0
                ? "nobody ever used " + shown(tally, tally.leastLeft()) + " of the capacity (least left at "
                        + tally.leastAt() + whose(tally) + ")"
                : "the capacity was used up";
    }

    private static String whose(LimitTally tally) {
        return tally.leastOf().isEmpty() ? "" : ", " + tally.leastOf();
    }

    private static String shown(LimitTally tally, long amount) {
        return tally.limit().unit().format(amount);
    }

    private static String seconds(Duration duration) {
        return String.format(Locale.ROOT, "%.1f s", duration.toMillis() / 1_000.0);
    }

    /** For scripts: amounts in the limit's unit, dollars in nano-dollars, durations in seconds. */
    String json() {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = new JsonFactory().createGenerator(text).useDefaultPrettyPrinter()) {
            json.writeStartObject();
            json.writeNumberField("calls", calls.size());
            json.writeNumberField("wentAtOnce", wentAtOnce);
            json.writeArrayFieldStart("waited");
            for (Waited each : waited) {
                write(json, each.call(), each.waited(), each.expected());
            }
            json.writeEndArray();
            json.writeArrayFieldStart("denied");
            for (Denied each : denied) {
                write(json, each.call(), each.waited(), each.denial());
            }
            json.writeEndArray();
            json.writeArrayFieldStart("limits");
            for (LimitTally each : limits) {
                write(json, each);
            }
            json.writeEndArray();
            json.writeArrayFieldStart("learnedOutput");
            for (OutputCurve.Point point : curve.points()) {
                write(json, point);
            }
            json.writeEndArray();
            json.writeFieldName("cappedOutput");
            write(json, curve.capped());
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text + "\n";
    }

    private static void write(JsonGenerator json, RecordedCall call, Duration wait, Denial why) throws IOException {
        json.writeStartObject();
        json.writeStringField("call", call.where());
        json.writeStringField("at", call.at().toString());
        json.writeStringField("model", call.call().model());
        json.writeNumberField("waitedSeconds", seconds(wait.toNanos()));
        json.writeStringField("budget", why.budget());
        json.writeStringField("limit", why.limit());
        json.writeNumberField("requested", why.requested());
        json.writeNumberField("available", why.available());
        if (!why.retryAfter().equals(Denial.NEVER)) {
            json.writeNumberField("retryAfterSeconds", seconds(why.retryAfter().toNanos()));
        }
        json.writeEndObject();
    }

    private static void write(JsonGenerator json, LimitTally tally) throws IOException {
        json.writeStartObject();
        json.writeStringField("budget", tally.budget().name());
        json.writeStringField("limit", tally.limit().name());
        json.writeNumberField("capacity", tally.limit().capacity());
        json.writeNumberField("denied", tally.deniedCalls());
        json.writeNumberField("deniedInDryRun", tally.deniedCallsInDryRun());
        json.writeNumberField("waited", tally.waitedCalls());
        json.writeNumberField("longestWaitSeconds", seconds(tally.longestWait().toNanos()));
        json.writeNumberField("reserved", tally.reserved());
        json.writeNumberField("used", tally.used());
        json.writeNumberField("givenBack", tally.givenBack());
        json.writeNumberField("overspentCalls", tally.overspentCalls());
        json.writeNumberField("overspent", tally.overspent());
        json.writeNumberField("leastLeft", tally.leastLeft());
        if (tally.leastLeft() < tally.limit().capacity()) {
            json.writeStringField("leastLeftAt", tally.leastAt().toString());
            json.writeStringField("leastLeftOf", tally.leastOf());
        }
        json.writeEndObject();
    }

    private static void write(JsonGenerator json, OutputCurve.Point point) throws IOException {
        json.writeStartObject();
        if (point.percent() > 0) {
            json.writeNumberField("enoughForPercent", point.percent());
        }
        json.writeNumberField("aboveTheirReservationPercent", 100 * point.aboveShare());
        json.writeNumberField("inVainAtTheMedian", point.spareAtMedian());
        json.writeEndObject();
    }

    private static double seconds(long nanos) {
        return nanos / 1e9;
    }
}
