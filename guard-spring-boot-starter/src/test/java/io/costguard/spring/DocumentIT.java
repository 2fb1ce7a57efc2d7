package io.costguard.spring;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.CostGuard;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.boot.json.JsonParserFactory;
import org.springframework.context.ConfigurableApplicationContext;

/** What docs/spring-boot.md shows of properties, and what editors do. */
class DocumentIT {
    private static final Path DOCS = Path.of("..", "docs", "spring-boot.md");
    private static final Pattern BLOCK = Pattern.compile("(?s)```(yaml|properties)\n(.*?)```");

    @TempDir
    Path folder;

    static List<MatchResult> blocks() throws IOException {
        return BLOCK.matcher(Files.readString(DOCS)).results().toList();
    }

    @ParameterizedTest
    @MethodSource("blocks")
    void anApplicationStartsWithWhatTheDocumentShows(MatchResult block) throws IOException {
        Path prices = Files.writeString(folder.resolve("prices.json"), "{\"m\": {\"input_cost_per_token\": 1}}");
        Path budgets = Files.writeString(
                folder.resolve("budgets.yaml"), "budgets: [{name: b, limits: [{requests: 1, per: day}]}]");
        String text = block.group(2)
                .replace("file:prices.json", prices.toUri().toString())
                .replace("budgets.yaml", budgets.toString())
                .replace("redis.example.com", "localhost");
        boolean isComplete = text.contains("budgets");
        String name = "application." + block.group(1);
        try (ConfigurableApplicationContext application =
                Applications.small(folder, name, isComplete ? text : text + "costguard.redis=redis://localhost:1\n")) {
            assertThat(application.getBean(CostGuard.class).budgets().isEmpty()).isEqualTo(!isComplete);
        }
    }

    @Test
    @SuppressWarnings("unchecked") // JSON
    void editorsAndTheDocumentKnowAllProperties() throws IOException {
        String document = Files.readString(DOCS);
        List<String> names = new ArrayList<>();
        for (Map<String, Object> property :
                (List<Map<String, Object>>) Objects.requireNonNull(metadata().get("properties"))) {
            String name = String.valueOf(property.get("name"));
            if (name.startsWith("costguard.")) {
                names.add(name);
                assertThat(property).as(name).containsKey("description");
                assertThat(document).contains("`" + name.replaceFirst("costguard\\.", ""));
            }
        }
        assertThat(names).hasSizeGreaterThan(20);
    }

    @Test
    void theDocumentShowsEachPropertyOfABudget() throws IOException {
        String all = blocks().stream()
                .map(block -> block.group(2))
                .max((a, b) -> a.length() - b.length())
                .orElseThrow();

        Stream.of(CostGuardProperties.Budget.class, CostGuardProperties.Limit.class, CostGuardProperties.Weights.class)
                .flatMap(type -> Stream.of(type.getRecordComponents()))
                .map(component ->
                        component.getName().replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT))
                .filter(name -> !name.equals("of-provider"))
                .forEach(name -> assertThat(all).contains(name + ":"));
    }

    private static Map<String, Object> metadata() throws IOException {
        try (InputStream in = DocumentIT.class.getResourceAsStream("/META-INF/spring-configuration-metadata.json")) {
            assertThat(in).as("what the annotation processor writes").isNotNull();
            return JsonParserFactory.getJsonParser().parseMap(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        }
    }
}
