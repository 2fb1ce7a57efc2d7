package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BudgetFileTest {
    @TempDir
    Path folder;

    @Test
    void aBudgetSaysWhatItsStepsSay() throws IOException {
        Budget budget = BudgetFile.read(file("""
                {"budgets": [{
                  "name": "team", "models": ["gpt-4o*"], "providers": ["openai"], "where": {"user": ["a*", "b*"]},
                  "per": ["user"], "assumedOutput": 500, "clampToCapacity": true, "dryRun": true,
                  "limits": [{"requests": 5, "per": "second"}]
                }]}
                """)).get(0);

        assertThat(budget.name()).isEqualTo("team");
        assertThat(budget.countedPer()).containsExactly("user");
        assertThat(budget.assumedOutput()).isEqualTo(500);
        assertThat(budget.isClampedToCapacity()).isTrue();
        assertThat(budget.isDryRun()).isTrue();
        assertThat(budget.appliesTo(Map.of("model", "gpt-4o-mini", "provider", "openai", "user", "bob")))
                .isTrue();
        for (Map<String, String> other : List.of(
                Map.of("model", "claude", "provider", "openai", "user", "bob"),
                Map.of("model", "gpt-4o-mini", "provider", "azure", "user", "bob"),
                Map.of("model", "gpt-4o-mini", "provider", "openai", "user", "carl"))) {
            assertThat(budget.appliesTo(other)).isFalse();
        }
    }

    @Test
    void limitsSayWhatTheirStepsSay() throws IOException {
        List<Limit> limits = BudgetFile.read(file("""
                {"budgets": [{"name": "b", "limits": [
                  {"requests": 5, "per": "second"},
                  {"tokens": 10, "per": "minute", "burst": 20, "coolDown": "PT10M"},
                  {"tokens": 10, "per": "hour", "correctedByProvider": true},
                  {"requests": 10, "per": "hour", "correctedByProvider": false},
                  {"inputTokens": 10, "per": "PT5M", "weights": "anthropic"},
                  {"outputTokens": 10, "per": "hour", "algorithm": "fixedWindow"},
                  {"usd": "2.50", "per": "day", "zone": "Europe/Berlin"},
                  {"usd": 2.5, "per": "week", "algorithm": "tokenBucket", "burst": "1.25"},
                  {"tokens": 10, "per": "month", "weights": {"cacheRead": 0.1, "output": "5"}},
                  {"concurrentCalls": 7}
                ]}]}
                """)).get(0).limits();

        assertThat(limits)
                .extracting(Limit::toString)
                .containsExactlyElementsOf(List.of(
                                Limit.requests(5).perSecond(),
                                Limit.tokens(10).perMinute().burst(20).coolDown(Duration.ofMinutes(10)),
                                Limit.tokens(10).perHour().correctedByProvider(),
                                Limit.requests(10).perHour(),
                                Limit.inputTokens(10).per(Duration.ofMinutes(5)).weighing(Weights.anthropic()),
                                Limit.outputTokens(10).perHour().fixedWindow(),
                                Limit.usd("2.50").perDay().fixedWindow(ZoneId.of("Europe/Berlin")),
                                Limit.usd("2.50").perWeek().tokenBucket().burst("1.25"),
                                Limit.tokens(10)
                                        .perMonth()
                                        .weighing(
                                                Weights.none().cacheRead("0.1").output(5)),
                                Limit.concurrentCalls(7))
                        .stream()
                        .map(Limit::toString)
                        .toList());
        assertThat(limits)
                .extracting(Limit::isCorrectedByProvider)
                .containsExactly(false, false, true, false, false, false, false, false, false, false);
        assertThat(limits)
                .extracting(Limit::capacity)
                .containsExactly(5L, 20L, 10L, 10L, 10L, 10L, 2_500_000_000L, 1_250_000_000L, 10L, 7L);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "'limits': []                                                         | a budget needs a 'name'",
                "'name': 'b', 'limit': []                                             | unknown member 'limit' of a budget",
                "'name': ' ', 'limits': []                                            | a budget's name must be",
                "'name': 'b', 'per': 'model'                                          | 'per' must be an array",
                "'name': 'b', 'dryRun': 'yes'                                         | 'dryRun' must be true or false",
                "'name': 'b'                                                          | budget 'b' has no limit",
                "'name': 'b', 'limits': []                                            | budget 'b' has no limit",
                "'name': 'b', 'limits': [{'per': 'day'}]                              | a limit needs requests, tokens,",
                "'name': 'b', 'limits': [{'request': 5, 'per': 'day'}]                | unknown member 'request' of a limit",
                "'name': 'b', 'limits': [{'tokens': 5}]                               | a limit needs 'per'",
                "'name': 'b', 'limits': [{'tokens': 0, 'per': 'day'}]                 | must be above 0",
                "'name': 'b', 'limits': [{'tokens': 5, 'usd': 1, 'per': 'day'}]       | a limit counts one unit",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'fortnight'}]           | 'per' must be like",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'zone': 'Mars'}] | 'zone' must be like Europe/Berlin",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'algorithm': 'x'}] | unknown algorithm 'x'",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'weights': 'x'}] | unknown weights 'x'",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'weights': {'x': 1}}] | unknown weight 'x'",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'algorithm': 'slidingWindow', 'zone': 'Europe/Berlin'}] | a 'zone' is for the algorithm fixedWindow",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'algorithm': 'tokenBucket', 'zone': 'Europe/Berlin'}] | a 'zone' is for the algorithm fixedWindow",
                "'name': 'b', 'limits': [{'usd': 1e2147483648, 'per': 'day'}]         | 1e2147483648 is too large",
                "'name': 'b', 'limits': [{'usd': 1e-2147483647, 'per': 'day'}]        | 1e-2147483647 is too large, or too small",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'P99999999999D'}]       | a limit's window must be",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day'}, {'tokens': 6, 'per': 'day'}] | two limits of tokens per day; keep the smaller one",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day'}]}, {'name': 'b' | two budgets have the name 'b'",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'coolDown': '5m'}] | 'coolDown' must be like PT10M, not '5m'",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'coolDown': 'PT0S'}] | a cool-down must be from a millisecond",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'burst': 9}]     | 5 tokens per day: a burst needs a token bucket",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'hour', 'burst': '9'}]  | 'burst' must be a whole number from 0, not '9'",
                "'name': 'b', 'per': [], 'limits': [{'tokens': 5, 'per': 'hour', 'correctedByProvider': true}] | a provider tells what is left for a model and a key",
                "'name': 'b', 'limits': [{'tokens': 5, 'per': 'day', 'bursts': 5}]    | unknown member 'bursts' of a limit"
            })
    void whatIsWrongIsSaidWithItsLineAndColumn(String budget, String said) throws IOException {
        Path file = file("{\"budgets\":\n[\n{" + budget.replace('\'', '"') + "}]}");

        assertThatIllegalArgumentException()
                .isThrownBy(() -> BudgetFile.read(file))
                .withMessageMatching("(?s).*" + Pattern.quote("budgets.json:3:") + "[0-9]+: .*")
                .withMessageContaining(said);
    }

    @Test
    void aBurstOfDollarsMayBeANumber() throws IOException {
        Path file = file(
                "{\"budgets\": [{\"name\": \"b\", \"limits\": [{\"usd\": 2.5, \"per\": \"hour\", \"burst\": 1.25}]}]}");

        assertThat(BudgetFile.read(file).get(0).limits().get(0).capacity()).isEqualTo(1_250_000_000L);
    }

    @Test
    void aFileThatIsNoObjectIsToldWhatItMustBe() throws IOException {
        Path file = file("[{\"name\": \"b\", \"limits\": [{\"tokens\": 5, \"per\": \"day\"}]}]");

        assertThatIllegalArgumentException()
                .isThrownBy(() -> BudgetFile.read(file))
                .withMessageEndingWith("budgets.json:1:1: a file of budgets must be an object, {\"budgets\": [..]}");
    }

    @Test
    void aFileWithoutBudgetsIsRefused() throws IOException {
        Path file = file("{\"budgets\": []}");

        assertThatIllegalArgumentException()
                .isThrownBy(() -> BudgetFile.read(file))
                .withMessageContaining("there are no budgets in it");
    }

    @ParameterizedTest
    @ValueSource(strings = {"budgets.yaml", "Budgets.YML"})
    void aBudgetInYamlIsTheOneInJson(String name) throws IOException {
        Path yaml = Files.writeString(folder.resolve(name), """
                # of one team
                budgets:
                  - name: team
                    models: [gpt-4o*, "*-mini"]
                    where:
                      user: [a*]
                    per: [user]
                    dryRun: true
                    limits:
                      - {requests: 500, per: minute}
                      - tokens: 200_000
                        per: minute
                        weights: {cacheRead: 0.1}
                      - usd: 25.00
                        per: day
                        zone: Europe/Berlin
                """);
        Path json = file("""
                {"budgets": [{"name": "team", "models": ["gpt-4o*", "*-mini"], "where": {"user": ["a*"]}, "per": ["user"],
                  "dryRun": true, "limits": [
                    {"requests": 500, "per": "minute"},
                    {"tokens": 200000, "per": "minute", "weights": {"cacheRead": 0.1}},
                    {"usd": "25.00", "per": "day", "zone": "Europe/Berlin"}]}]}
                """);

        Budget read = BudgetFile.read(yaml).get(0);

        Budget same = BudgetFile.read(json).get(0);
        assertThat(read.limits()).isEqualTo(same.limits());
        assertThat(read.countedPer()).isEqualTo(same.countedPer());
        assertThat(read.isDryRun()).isTrue();
        assertThat(read.appliesTo(Map.of("model", "o3-mini", "user", "ann"))).isTrue();
        assertThat(read.appliesTo(Map.of("model", "o3", "user", "ann"))).isFalse();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "tokens: 5, per: fortnight | 4:24: 'per' must be like",
                "tokens: 5, per:           | 4:23: 'per' must be like second, minute,",
                "tokens: 5, per: *day      | 4:24: not YAML: an alias means nothing here; quote a text that begins with *",
                "tokens: 5, tokens: 6      | not YAML: Duplicate field 'tokens'",
                "tokens: 5: 6              | 4:17: not YAML: expected ',' or '}', but got :",
                "tokens: @5                | 4:16: not YAML: found character '@' that cannot start any token"
            })
    void whatIsWrongInYamlIsSaidWithItsLineAndColumn(String limit, String said) throws IOException {
        Path file = Files.writeString(
                folder.resolve("budgets.yaml"), "budgets:\n- name: b\n  limits:\n    - {" + limit + "}\n");

        assertThatIllegalArgumentException()
                .isThrownBy(() -> BudgetFile.read(file))
                .withMessageStartingWith(file + ":")
                .withMessageContaining(said)
                .matches(e -> String.valueOf(e.getMessage()).lines().count() == 1, "one line");
    }

    @Test
    void withoutAParserForYamlTheOneToAddIsNamed() throws Exception {
        Path file = Files.writeString(folder.resolve("budgets.yaml"), "budgets: []");
        URL[] without = Pattern.compile(File.pathSeparator, Pattern.LITERAL)
                .splitAsStream(System.getProperty("java.class.path"))
                .filter(entry -> !entry.contains("yaml"))
                .map(BudgetFileTest::url)
                .toArray(URL[]::new);

        try (URLClassLoader apart = new URLClassLoader(without, ClassLoader.getPlatformClassLoader())) {
            Method read = apart.loadClass(BudgetFile.class.getName()).getMethod("read", Path.class);

            assertThatExceptionOfType(InvocationTargetException.class)
                    .isThrownBy(() -> read.invoke(null, file))
                    .havingCause()
                    .isInstanceOf(IllegalArgumentException.class)
                    .withMessageContaining("com.fasterxml.jackson.dataformat:jackson-dataformat-yaml");
        }
    }

    private static URL url(String entry) {
        try {
            return Path.of(entry).toUri().toURL();
        } catch (MalformedURLException e) {
            throw new AssertionError(e);
        }
    }

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("budgets.json"), text);
    }
}
