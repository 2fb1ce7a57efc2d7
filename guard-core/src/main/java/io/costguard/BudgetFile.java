package io.costguard;

import io.costguard.describe.LocatedJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Budgets in a file in JSON, or in YAML if its name ends with {@code .yaml} or {@code .yml}: its members are called as the steps of
 * {@link Budget} and {@link Limit} are; the guide shows one, and says all. YAML needs
 * {@code com.fasterxml.jackson.dataformat:jackson-dataformat-yaml} on the class path. Without state.
 */
public final class BudgetFile {
    private static final List<String> UNITS = List.of("requests", "tokens", "inputTokens", "outputTokens", "usd");
    private static final Set<String> OF_A_LIMIT = Stream.concat(
                    UNITS.stream(),
                    Stream.of("per", "algorithm", "zone", "burst", "weights", "coolDown", "correctedByProvider"))
            .collect(Collectors.toUnmodifiableSet());

    private BudgetFile() {}

    /**
     * {@return the budgets in a file in UTF-8, as it is now}
     *
     * @param file where it is
     * @throws IllegalArgumentException that says in which line and column what is wrong, and what to do
     * @throws IOException if it cannot be read, or makes no sense
     */
    public static List<Budget> read(Path file) throws IOException {
        return parse(file, Files.readAllBytes(file));
    }

    static List<Budget> parse(Path file, byte[] content) {
        String name = file.toString();
        String text = new String(content, StandardCharsets.UTF_8);
        LocatedJson read = name.toLowerCase(Locale.ROOT).matches("(?s).*\\.ya?ml")
                ? LocatedJson.readYaml(name, text)
                : LocatedJson.read(name, 1, text);
        List<Budget> budgets = new ArrayList<>();
        if (!(read.value() instanceof Map)) {
            throw read.bad("a file of budgets must be an object, {\"budgets\": [..]}");
        }
        read.members("a file of budgets").forEach((member, value) -> {
            if (!member.equals("budgets")) {
                throw value.bad("unknown member '" + member + "'; there is 'budgets'");
            }
            budgets.addAll(budgets(value));
        });
        if (budgets.isEmpty()) {
            throw new IllegalArgumentException(file + ": there are no budgets in it");
        }
        return budgets;
    }

    /**
     * The budgets of what was read: the value of {@code budgets}, wherever it comes from.
     *
     * @param read a list, which knows where each of its values stands
     * @return the budgets, in their order
     * @throws IllegalArgumentException that says at which place what is wrong, and what to do
     */
    public static List<Budget> budgets(LocatedJson read) {
        List<Budget> budgets = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (LocatedJson each : read.elements("'budgets'")) {
            Budget budget = budget(each);
            if (!names.add(budget.name())) {
                throw each.bad("two budgets have the name '" + budget.name() + "'");
            }
            if (budget.limits().isEmpty()) {
                throw each.bad("budget '" + budget.name() + "' has no limit; add one to its 'limits'");
            }
            budgets.add(made(each, budget::checked));
        }
        return budgets;
    }

    private static Budget budget(LocatedJson json) {
        Map<String, LocatedJson> members = json.members("a budget");
        LocatedJson named = members.get("name");
        if (named == null) {
            throw json.bad("a budget needs a 'name'");
        }
        Budget budget = made(named, () -> Budget.named(named.text("'name'")));
        for (Map.Entry<String, LocatedJson> member : members.entrySet()) {
            Budget before = budget;
            budget = made(member.getValue(), () -> with(before, member.getKey(), member.getValue()));
        }
        return budget;
    }

    private static Budget with(Budget budget, String name, LocatedJson value) {
        String what = "'" + name + "'";
        return switch (name) {
            case "name" -> budget;
            case "models" -> budget.models(value.texts(what));
            case "providers" -> budget.providers(value.texts(what));
            case "where" -> {
                Budget narrowed = budget;
                for (Map.Entry<String, LocatedJson> each : value.members(what).entrySet()) {
                    narrowed = narrowed.where(each.getKey(), each.getValue().texts(what));
                }
                yield narrowed;
            }
            case "per" -> budget.per(value.texts(what));
            case "assumedOutput" -> budget.assumedOutput(value.count(what));
            case "clampToCapacity" -> value.flag(what) ? budget.clampToCapacity() : budget;
            case "dryRun" -> value.flag(what) ? budget.dryRun() : budget;
            case "limits" -> {
                Budget limited = budget;
                Set<String> names = new HashSet<>();
                for (LocatedJson each : value.elements(what)) {
                    Limit limit = made(each, () -> limit(each).checked());
                    if (!names.add(limit.name())) {
                        throw each.bad("the budget has two limits of " + limit.name() + "; keep the smaller one");
                    }
                    limited = limited.limit(limit);
                }
                yield limited;
            }
            default ->
                throw value.bad(
                        "unknown member " + what + " of a budget; there are name, models, providers, where, per,"
                                + " assumedOutput, clampToCapacity, dryRun and limits");
        };
    }

    private static Limit limit(LocatedJson json) {
        Map<String, LocatedJson> members = json.members("a limit");
        LocatedJson calls = members.remove("concurrentCalls");
        if (calls != null) {
            for (LocatedJson other : members.values()) {
                throw other.bad("a limit of concurrentCalls has no other member");
            }
            return Limit.concurrentCalls(calls.count("'concurrentCalls'"));
        }
        for (Map.Entry<String, LocatedJson> member : members.entrySet()) {
            if (!OF_A_LIMIT.contains(member.getKey())) {
                throw member.getValue()
                        .bad("unknown member '" + member.getKey() + "' of a limit; there are requests, tokens,"
                                + " inputTokens, outputTokens or usd, and per, algorithm, zone, burst, weights, coolDown and"
                                + " correctedByProvider; or concurrentCalls alone");
            }
        }
        Limit limit = per(amount(json, members), json, members.get("per"));
        LocatedJson zone = members.get("zone");
        LocatedJson algorithm = members.get("algorithm");
        LocatedJson burst = members.get("burst");
        LocatedJson weights = members.get("weights");
        LocatedJson coolDown = members.get("coolDown");
        LocatedJson corrected = members.get("correctedByProvider");
        if (algorithm != null) {
            String text = algorithm.text("'algorithm'");
            limit = switch (text) {
                case "tokenBucket" -> limit.tokenBucket();
                case "fixedWindow" -> limit.fixedWindow();
                case "slidingWindow" -> limit.slidingWindow();
                default ->
                    throw algorithm.bad(
                            "unknown algorithm '" + text + "'; there are tokenBucket, fixedWindow and slidingWindow");
            };
        }
        if (zone != null && algorithm != null && !algorithm.value().equals("fixedWindow")) {
            throw zone.bad("a 'zone' is for the algorithm fixedWindow");
        }
        if (zone != null) {
            limit = limit.fixedWindow(zone.parsed("'zone'", "Europe/Berlin", ZoneId::of));
        }
        if (burst != null) {
            limit = limit.unit() == Unit.USD
                    ? limit.burst(burst.decimal("'burst'"))
                    : limit.burst(burst.count("'burst'"));
        }
        if (weights != null) {
            limit = limit.weighing(weights(weights));
        }
        if (coolDown != null) {
            limit = limit.coolDown(coolDown.parsed("'coolDown'", "PT10M", Duration::parse));
        }
        if (corrected != null && corrected.flag("'correctedByProvider'")) {
            limit = limit.correctedByProvider();
        }
        return limit;
    }

    private static Limit.Amount amount(LocatedJson json, Map<String, LocatedJson> members) {
        Limit.Amount amount = null;
        for (String unit : UNITS) {
            LocatedJson value = members.get(unit);
            if (value != null && amount != null) {
                throw value.bad("a limit counts one unit; make '" + unit + "' a limit of its own");
            }
            if (value != null) {
                String what = "'" + unit + "'";
                amount = switch (unit) {
                    case "requests" -> Limit.requests(value.count(what));
                    case "tokens" -> Limit.tokens(value.count(what));
                    case "inputTokens" -> Limit.inputTokens(value.count(what));
                    case "outputTokens" -> Limit.outputTokens(value.count(what));
                    default -> Limit.usd(value.decimal(what));
                };
            }
        }
        if (amount == null) {
            throw json.bad("a limit needs requests, tokens, inputTokens, outputTokens, usd or concurrentCalls");
        }
        return amount;
    }

    private static Limit per(Limit.Amount amount, LocatedJson json, @Nullable LocatedJson per) {
        if (per == null) {
            throw json.bad("a limit needs 'per': second, minute, hour, day, week, month, or a duration like PT5M");
        }
        return switch (per.text("'per'")) {
            case "second" -> amount.perSecond();
            case "minute" -> amount.perMinute();
            case "hour" -> amount.perHour();
            case "day" -> amount.perDay();
            case "week" -> amount.perWeek();
            case "month" -> amount.perMonth();
            default ->
                amount.per(per.parsed("'per'", "second, minute, hour, day, week, month or PT5M", Duration::parse));
        };
    }

    private static Weights weights(LocatedJson json) {
        if (json.value() instanceof String provider) {
            return switch (provider) {
                case "anthropic" -> Weights.anthropic();
                case "openAi" -> Weights.openAi();
                case "gemini" -> Weights.gemini();
                default -> throw json.bad("unknown weights '" + provider + "'; there are anthropic, openAi and gemini");
            };
        }
        Weights weights = Weights.none();
        for (Map.Entry<String, LocatedJson> member : json.members("'weights'").entrySet()) {
            String weight = member.getValue().decimal("'" + member.getKey() + "'");
            weights = switch (member.getKey()) {
                case "cacheRead" -> weights.cacheRead(weight);
                case "cacheWrite" -> weights.cacheWrite(weight);
                case "output" -> weights.output(weight);
                case "reasoning" -> weights.reasoning(weight);
                default ->
                    throw member.getValue()
                            .bad("unknown weight '" + member.getKey()
                                    + "'; there are cacheRead, cacheWrite, output and reasoning");
            };
        }
        return weights;
    }

    /** What the library says of it, with its place. */
    private static <T> T made(LocatedJson place, Supplier<T> step) {
        try {
            return step.get();
        } catch (LocatedJson.BadValueException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw place.bad(String.valueOf(e.getMessage()));
        }
    }
}
