package io.costguard.docs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import io.costguard.BudgetFile;
import io.costguard.PriceList;
import io.costguard.docs.Documentation.Block;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;

class CodeInDocumentationTest {
    private static final Documentation documentation = Documentation.ofThisCheckout();
    /** What code says that must not be compiled, and why, for the reader to see. */
    private static final String NOT_COMPILED = "// not compiled: ";

    @TempDir
    Path folder;

    @Test
    void codeOnPagesCompiles() throws IOException {
        List<Block> blocks = new ArrayList<>();
        for (Block block : documentation.blocks("java")) {
            if (!block.text().startsWith(NOT_COMPILED) && !documentation.isExcerptOfSource(block)) {
                blocks.add(block);
            }
        }

        assertThat(blocks).hasSizeGreaterThan(20);
        assertThat(Snippet.mistakes(blocks)).isEmpty();
    }

    @Test
    void codeInJavadocCompiles() throws IOException {
        List<Block> blocks = documentation.blocksOfJavadoc();

        assertThat(blocks).hasSizeGreaterThan(15);
        assertThat(Snippet.mistakes(blocks)).isEmpty();
    }

    @Test
    void whatStandsInAnExampleIsCompiledThere() throws IOException {
        List<Block> there = Documentation.blocks("page.md", """
                ```java
                public String provider(Target target) { } private int more;
                ```
                ```java
                @Override // whatever
                public String provider(Target target) {
                    return "translator";
                }
                ```
                """);

        assertThat(documentation.isExcerptOfSource(there.get(0))).isFalse();
        assertThat(documentation.isExcerptOfSource(there.get(1))).isTrue();
    }

    @Test
    void nextToNothingIsLeftUncompiled() throws IOException {
        assertThat(documentation.blocks("java"))
                .filteredOn(block -> block.text().startsWith(NOT_COMPILED))
                .hasSizeLessThan(3);
    }

    @Test
    void aMistakeIsToldWithItsLine() throws IOException {
        List<Block> statements =
                Documentation.blocks("page.md", "Text\n```java\nlong n = 1;\nguard.acquire(cal);\n```\n");
        List<Block> expressions =
                Documentation.blocks("page.md", "```java\nShare.percent(1)   // good\n\nShare.percnt(1)\n```\n");
        List<Block> continued =
                Documentation.blocks("page.md", "```java\n.preCheck(Duration.ZERO)\n.preChek(Duration.ZERO)\n```\n");
        List<Block> member =
                Documentation.blocks("page.md", "```java\n@Deprecated\nlong n() {\n    return m;\n}\n```\n");
        List<Block> file = Documentation.blocks("page.md", "```java\npublic class A {\n    B b;\n}\n```\n");

        assertThat(Snippet.mistakes(statements)).singleElement().asString().startsWith("page.md:4: ");
        assertThat(Snippet.mistakes(expressions)).singleElement().asString().startsWith("page.md:4: ");
        assertThat(Snippet.mistakes(continued)).singleElement().asString().startsWith("page.md:3: ");
        assertThat(Snippet.mistakes(member)).singleElement().asString().startsWith("page.md:4: ");
        assertThat(Snippet.mistakes(file)).singleElement().asString().startsWith("page.md:3: ");
    }

    @Test
    void samplesOfBudgetsAreFilesOfBudgets() throws IOException {
        List<Block> samples = new ArrayList<>(documentation.blocks("yaml"));
        samples.addAll(documentation.blocks("json"));
        samples.removeIf(block -> !Pattern.compile("(?m)^budgets:|^\\{ *\"budgets\"")
                .matcher(block.text())
                .find());

        assertThat(samples).isNotEmpty();
        for (Block sample : samples) {
            Path file = Files.writeString(folder.resolve("budgets." + sample.language()), sample.text());
            assertThatCode(() -> BudgetFile.read(file)).as(sample.toString()).doesNotThrowAnyException();
        }
    }

    @Test
    void samplesOfPricesAreListsOfPrices() throws IOException {
        List<Block> samples = documentation.blocks("json").stream()
                .filter(block -> block.text().contains("_cost_per_token"))
                .toList();

        assertThat(samples).isNotEmpty();
        for (Block sample : samples) {
            Path file = Files.writeString(folder.resolve("prices.json"), sample.text());
            assertThatCode(() -> PriceList.read(file)).as(sample.toString()).doesNotThrowAnyException();
        }
    }

    @Test
    void samplesOfJsonAreJson() throws IOException {
        for (Block sample : documentation.blocks("json")) {
            assertThatCode(() -> {
                        try (JsonParser parser = new JsonFactory().createParser(sample.text())) {
                            while (parser.nextToken() != null) {}
                        }
                    })
                    .as(sample.toString())
                    .doesNotThrowAnyException();
        }
    }

    @Test
    void samplesOfPomsNameWhatIsPublishedInItsVersion() throws Exception {
        String bom = documentation.text("guard-bom/pom.xml");
        String version = first("<version>(.*?)</version>", bom);
        List<Block> samples = documentation.blocks("xml");

        assertThat(samples).isNotEmpty();
        for (Block sample : samples) {
            DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(new InputSource(new StringReader("<pom>" + sample.text() + "</pom>")));
            for (MatchResult own : Pattern.compile(
                            "<groupId>io\\.costguard</groupId>\\s*<artifactId>(.*?)</artifactId>(?:\\s*<version>(.*?)</version>)?")
                    .matcher(sample.text())
                    .results()
                    .toList()) {
                assertThat(bom).as(sample.toString()).contains("<artifactId>" + own.group(1) + "</artifactId>");
                assertThat(own.group(2)).as(sample.toString()).isIn(null, version);
            }
        }
    }

    private static String first(String pattern, String text) {
        return Pattern.compile(pattern)
                .matcher(text)
                .results()
                .findFirst()
                .orElseThrow()
                .group(1);
    }
}
