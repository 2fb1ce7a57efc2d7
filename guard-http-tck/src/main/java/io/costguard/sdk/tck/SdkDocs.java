package io.costguard.sdk.tck;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** {@code docs/sdks.md}: a table with a row for each SDK, and a section that shows the code of its program. */
final class SdkDocs {
    private static final String HEAD = "| SDK | version |";

    private final Path file;
    private final Path module;

    private SdkDocs(Path file, Path module) {
        this.file = file;
        this.module = module;
    }

    /** That of the checkout in which the tests of a module run. */
    static SdkDocs ofThisCheckout() {
        Path module = Path.of("").toAbsolutePath();
        return Stream.iterate(module, path -> path != null, Path::getParent)
                .map(path -> path.resolve("docs/sdks.md"))
                .filter(Files::exists)
                .findFirst()
                .map(file -> new SdkDocs(file, module))
                .orElseThrow(() -> new IllegalStateException("no docs/sdks.md above " + module));
    }

    /** The row of the SDK of this name, as it is written there. */
    Optional<String> row(String name) throws IOException {
        return Files.readAllLines(file).stream()
                .filter(line -> isRowOf(name, line))
                .findFirst();
    }

    /** Puts a row in the place of the one of that SDK, or after the last. */
    void write(String name, String row) throws IOException {
        List<String> lines = new ArrayList<>(Files.readAllLines(file));
        int at = 0;
        while (!lines.get(at).startsWith(HEAD)) {
            at++;
        }
        while (at < lines.size() && lines.get(at).startsWith("|") && !isRowOf(name, lines.get(at))) {
            at++;
        }
        if (at < lines.size() && isRowOf(name, lines.get(at))) {
            lines.set(at, row);
        } else {
            lines.add(at, row);
        }
        Files.writeString(file, String.join("\n", lines) + "\n");
    }

    private static boolean isRowOf(String name, String line) {
        return line.startsWith("| " + name + " |");
    }

    /** The Java of the section whose heading is this name: each block without comments and spaces. */
    List<String> javaOf(String name) throws IOException {
        String text = Files.readString(file);
        Matcher section = Pattern.compile(
                        "^## " + Pattern.quote(name) + "$(.*?)(?=^## |\\z)", Pattern.MULTILINE | Pattern.DOTALL)
                .matcher(text);
        return section.find()
                ? Pattern.compile("^```java$(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL)
                        .matcher(section.group(1))
                        .results()
                        .map(block -> bare(block.group(1)))
                        .toList()
                : List.of();
    }

    /** The source of a class of this module's main code, without comments and spaces. */
    String source(Class<?> program) throws IOException {
        return bare(Files.readString(
                module.resolve("src/main/java").resolve(program.getName().replace('.', '/') + ".java")));
    }

    private static String bare(String java) {
        return java.replaceAll("(?m) //.*$", "").replaceAll("\\s", "");
    }
}
