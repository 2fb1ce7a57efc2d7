package io.costguard.docs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What people read in this checkout: its pages in Markdown, the Javadoc of its modules, and the code in both. */
final class Documentation {
    private static final Pattern FENCED = Pattern.compile("(?ms)^( *)```(\\w*)[^\n]*\n(.*?)^ *```$");
    private static final Pattern IN_JAVADOC = Pattern.compile("(?s)<pre>\\{@code\n(.*?)\n[ *]*\\}</pre>");

    private final Path root;

    private Documentation(Path root) {
        this.root = root;
    }

    static Documentation ofThisCheckout() {
        return new Documentation(Path.of(Files.exists(Path.of("CONTRIBUTING.md")) ? "." : ".."));
    }

    /** Code, as it stands in a file. */
    record Block(String file, int line, String language, String text) {
        @Override
        public String toString() {
            return file + ":" + line;
        }
    }

    /** The pages, by their paths from the root of the checkout. */
    List<String> pages() throws IOException {
        List<String> pages = new ArrayList<>(List.of("README.md", "CONTRIBUTING.md", "CHANGELOG.md"));
        try (Stream<Path> files = Files.list(root.resolve("docs"))) {
            files.map(file -> "docs/" + file.getFileName())
                    .filter(page -> page.endsWith(".md"))
                    .sorted()
                    .forEach(pages::add);
        }
        return pages;
    }

    String text(String file) throws IOException {
        return Files.readString(root.resolve(file)).replace("\r\n", "\n");
    }

    void write(String file, String text) throws IOException {
        Files.writeString(root.resolve(file), text);
    }

    boolean exists(String file) {
        return Files.exists(root.resolve(file));
    }

    /** The blocks of all pages that say that they are in such a language. */
    List<Block> blocks(String language) throws IOException {
        List<Block> blocks = new ArrayList<>();
        for (String page : pages()) {
            blocks(page, text(page)).stream()
                    .filter(block -> block.language().equals(language))
                    .forEach(blocks::add);
        }
        return blocks;
    }

    static List<Block> blocks(String page, String markdown) {
        return FENCED.matcher(markdown)
                .results()
                .map(found -> new Block(
                        page,
                        lineAt(markdown, found.start(3)),
                        found.group(2),
                        found.group(3).stripIndent()))
                .toList();
    }

    /** Whether a block stands in a source file of the examples, whose module has the SDK that it is about, and compiles it. */
    boolean isExcerptOfSource(Block block) throws IOException {
        String excerpt = words(block.text());
        for (Path source : sources("examples(/[^/]*)?/src/.*")) {
            if (words(Files.readString(source)).contains(excerpt)) {
                return true;
            }
        }
        return false;
    }

    /** Without comments and spaces. */
    private static String words(String java) {
        return java.replaceAll("(?m)(^|\\s)//.*$", "").replaceAll("\\s", "");
    }

    private List<Path> sources(String path) throws IOException {
        try (Stream<Path> files =
                Files.find(root, 20, (file, is) -> file.toString().endsWith(".java"))) {
            return files.filter(file ->
                            root.relativize(file).toString().replace('\\', '/').matches(path))
                    .sorted()
                    .toList();
        }
    }

    /** All source files of all modules. */
    List<String> sources() throws IOException {
        return sources("[^/]+(/sdk-[^/]+)?/src/.*").stream()
                .map(source -> root.relativize(source).toString())
                .toList();
    }

    /** The blocks in the Javadoc of all modules. */
    List<Block> blocksOfJavadoc() throws IOException {
        List<Block> blocks = new ArrayList<>();
        for (Path source : sources("guard-[^/]*/src/main/java/.*")) {
            String file = root.relativize(source).toString();
            String java = text(file);
            for (MatchResult found : IN_JAVADOC.matcher(java).results().toList()) {
                String code = found.group(1).replaceAll("(?m)^ *\\* ?", "");
                blocks.add(new Block(file, lineAt(java, found.start(1)), "java", code));
            }
        }
        return blocks;
    }

    /** Markdown without code, in which nothing is a link or a heading. */
    static String prose(String markdown) {
        Matcher fenced = FENCED.matcher(markdown);
        return fenced.replaceAll(code -> "\n".repeat((int) code.group().lines().count() - 1))
                .replaceAll("`[^`\n]*`", "``");
    }

    private static int lineAt(String text, int position) {
        return 1
                + (int) text.substring(0, position)
                        .chars()
                        .filter(c -> c == '\n')
                        .count();
    }
}
