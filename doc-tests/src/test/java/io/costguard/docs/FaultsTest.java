package io.costguard.docs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The table of faults in docs/proof.md names the tests that carry their tags. {@code -Dcostguard.write=true} writes it anew. */
class FaultsTest {
    private static final String PAGE = "docs/proof.md";
    private static final Pattern ROW = Pattern.compile("(?m)^(\\| `([a-z]+-\\d+)` \\|[^|]*\\|[^|]*\\|)(.*)\\|$");
    private static final Pattern TAGGED =
            Pattern.compile("(?m)^ *@(?:[a-z.]+\\.)?Tag\\(\"((?:fault|threat|invariant)-\\d+)\"\\)$");
    private static final Pattern METHOD = Pattern.compile("(?m)^ +(?:public )?void (\\w+)\\(|^(?:\\w+ )*class (\\w+)");

    private final Documentation documentation = Documentation.ofThisCheckout();

    @Test
    void everyFaultNamesTheTestsThatMakeItHappen() throws IOException {
        Map<String, Set<String>> tests = tests();
        String page = documentation.text(PAGE);
        String expected = ROW.matcher(page).replaceAll(row -> {
            Set<String> named = tests.getOrDefault(row.group(2), Set.of());
            return row.group(1) + " " + String.join("<br>", named) + (named.isEmpty() ? "|" : " |");
        });
        if (Boolean.getBoolean("costguard.write")) {
            documentation.write(PAGE, expected);
        } else {
            assertThat(page).isEqualTo(expected);
        }
    }

    @Test
    void noFaultIsWithoutATestAndNoTagWithoutAFault() throws IOException {
        List<String> rows = ROW.matcher(documentation.text(PAGE))
                .results()
                .map(row -> row.group(2))
                .toList();

        assertThat(rows).hasSizeGreaterThan(50).doesNotHaveDuplicates();
        assertThat(tests().keySet()).containsExactlyInAnyOrderElementsOf(rows);
    }

    /** Of each tag, the tests that carry it. */
    private Map<String, Set<String>> tests() throws IOException {
        Map<String, Set<String>> tests = new TreeMap<>();
        for (String file : documentation.sources()) {
            String text = documentation.text(file);
            String type = file.replaceAll(".*/|\\.java$", "");
            List<MatchResult> declared =
                    new ArrayList<>(METHOD.matcher(text).results().toList());
            TAGGED.matcher(text).results().forEach(tag -> {
                MatchResult next = declared.stream()
                        .filter(each -> each.start() > tag.start())
                        .findFirst()
                        .orElseThrow();
                String test = next.group(1) == null ? type : type + "." + next.group(1);
                tests.computeIfAbsent(tag.group(1), unused -> new TreeSet<>()).add("`" + test + "`");
            });
        }
        return tests;
    }
}
