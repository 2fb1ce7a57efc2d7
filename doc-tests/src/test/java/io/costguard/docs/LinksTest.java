package io.costguard.docs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class LinksTest {
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");
    private static final Pattern HEADING = Pattern.compile("(?m)^#+ +(.*?) *$");

    private final Documentation documentation = Documentation.ofThisCheckout();

    @Test
    void everyLinkLeadsToAFileAndAHeadingThatAreThere() throws IOException {
        List<String> dead = new ArrayList<>();
        int followed = 0;
        for (String page : documentation.pages()) {
            for (MatchResult link : LINK.matcher(Documentation.prose(documentation.text(page)))
                    .results()
                    .toList()) {
                String target = link.group(1);
                if (!target.startsWith("https://") && !target.startsWith("http://")) {
                    followed++;
                    if (!leadsSomewhere(page, target)) {
                        dead.add(page + ": " + target);
                    }
                }
            }
        }

        assertThat(followed).isGreaterThan(50);
        assertThat(dead).isEmpty();
    }

    @Test
    void everyPageIsInTheIndex() throws IOException {
        String index = documentation.text("docs/README.md");

        assertThat(documentation.pages())
                .filteredOn(page -> page.startsWith("docs/") && !page.equals("docs/README.md"))
                .isNotEmpty()
                .allSatisfy(page -> assertThat(index).contains("](" + page.substring("docs/".length()) + ")"));
    }

    private boolean leadsSomewhere(String page, String target) throws IOException {
        String[] parts = target.split("#", 2);
        String file = parts[0].isEmpty()
                ? page
                : Path.of(page).resolveSibling(parts[0]).normalize().toString().replace('\\', '/');
        return documentation.exists(file) && (parts.length == 1 || anchors(file).contains(parts[1]));
    }

    /** The anchors that GitHub gives the headings of a page. */
    private Set<String> anchors(String page) throws IOException {
        Set<String> anchors = new HashSet<>();
        String markdown = documentation.text(page).replaceAll("(?ms)^ *```.*?^ *```$", "");
        for (MatchResult heading : HEADING.matcher(markdown).results().toList()) {
            String anchor = heading.group(1)
                    .toLowerCase(Locale.ROOT)
                    .replaceAll("[^\\p{L}\\p{N} _-]", "")
                    .replace(' ', '-');
            String unique = anchor;
            for (int n = 1; !anchors.add(unique); n++) {
                unique = anchor + "-" + n;
            }
        }
        return anchors;
    }
}
