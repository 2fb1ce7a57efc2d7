package io.costguard.docs;

import io.costguard.docs.Documentation.Block;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * A block of code of the documentation as a file that a compiler takes, in which each line has the number that it has on its page. Code that
 * declares a class at its left edge is a whole file, which must have all that it needs. Other code is put into a method: statements as
 * they are, members that begin with an annotation or are a method beside it; expressions, which have no semicolon, each as an argument; and what begins with a dot is said of a builder. A line that is
 * {@code ...} stands for code of the reader's.
 */
final class Snippet extends SimpleJavaFileObject {
    private static final Pattern WHOLE_FILE =
            Pattern.compile("(?m)^(public |final |abstract )*(class|record|interface|enum) ");
    private static final Pattern MEMBERS = Pattern.compile("\\A\\s*(@\\w|\\w+ \\w+\\([^)]*\\)( throws \\w+)? \\{)");
    private static final Pattern IMPORT = Pattern.compile("(?m)^import .*;$");
    private static final Pattern OKHTTP =
            Pattern.compile("OkHttp|CostGuardInterceptor|GuardedCallFactory|Retrofit|Request\\.Builder");
    /** At the left edge, and no more of what was begun above. */
    private static final Pattern EXPRESSION = Pattern.compile("(?m)^(?=[\\w(])");

    private static final String KNOWN = Stream.of(
                    "io.costguard.*",
                    "io.costguard.describe.*",
                    "io.costguard.examples.*",
                    "io.costguard.jdk.*",
                    "io.costguard.micrometer.*",
                    "io.costguard.okhttp.*",
                    "io.costguard.opentelemetry.*",
                    "io.costguard.spring.*",
                    "io.costguard.testing.*",
                    "java.io.IOException",
                    "java.net.URI",
                    "java.net.http.*",
                    "java.nio.file.*",
                    "java.time.*",
                    "java.util.*",
                    "java.util.concurrent.*",
                    "okhttp3.*",
                    "org.springframework.context.annotation.Bean",
                    "org.springframework.http.client.JdkClientHttpRequestFactory",
                    "org.springframework.web.client.RestClient",
                    "retrofit2.Retrofit")
            .map(name -> "import " + name + "; ")
            .collect(Collectors.joining());

    private final Block block;
    private final String source;

    Snippet(Block block) {
        super(URI.create("string:///" + name(block) + ".java"), Kind.SOURCE);
        this.block = block;
        this.source = source(block);
    }

    private static String source(Block block) {
        String text = block.text().stripTrailing() + "\n";
        String lines = "\n".repeat(block.line() - 1);
        if (WHOLE_FILE.matcher(text).find()) {
            return "package " + name(block) + "; " + lines + text;
        }
        String code = IMPORT.matcher(text).replaceAll("").replaceAll("(?m)^( *)\\.\\.\\.( *//.*)?$", "$1");
        String imports = IMPORT.matcher(text).results().map(MatchResult::group).collect(Collectors.joining(" "));
        String scope = OKHTTP.matcher(text).find() ? "OkHttp" : "Jdk";
        String body = MEMBERS.matcher(code).find()
                ? lines + code
                : "void code() throws Exception { " + lines + statements(code) + "}";
        return "package io.costguard.docs; " + imports + KNOWN + "abstract class " + name(block) + " extends Scope."
                + scope + " { static void take(Object value) {} " + body + "}";
    }

    private static String statements(String code) {
        if (bare(code).stripLeading().startsWith(".")) {
            return "take(CostGuard.builder() " + code + ");";
        }
        if (bare(code).contains(";")) {
            return code;
        }
        return EXPRESSION
                .splitAsStream(code)
                .map(expression -> bare(expression).isBlank() ? expression : "take(" + expression + ");")
                .collect(Collectors.joining());
    }

    /** Without comments. */
    private static String bare(String java) {
        return java.replaceAll("(?m)(^|\\s)//.*$", "");
    }

    private static String name(Block block) {
        return block.file().replaceAll(".*/src/main/java/", "").replaceAll("\\W", "_") + "_" + block.line();
    }

    /** A public class has the name of its file on the reader's machine, not here. */
    @Override
    public boolean isNameCompatible(String simpleName, Kind kind) {
        return kind == Kind.SOURCE;
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
        return source;
    }

    /** What is wrong with these blocks, each with its page and line; empty if all of them compile. */
    static List<String> mistakes(List<Block> blocks) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        List<Snippet> snippets = blocks.stream().map(Snippet::new).toList();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null);
                JavaFileManager nowhere = new KeepingNothing(files)) {
            List<String> options = List.of(
                    "--release",
                    "17",
                    "-proc:none",
                    "-implicit:none",
                    "-Xmaxerrs",
                    "1000",
                    "-classpath",
                    System.getProperty("java.class.path"));
            compiler.getTask(null, nowhere, found, options, null, snippets).call();
        }
        return found.getDiagnostics().stream()
                .filter(diagnostic -> diagnostic.getKind() == Diagnostic.Kind.ERROR)
                .map(Snippet::told)
                .toList();
    }

    private static String told(Diagnostic<? extends JavaFileObject> mistake) {
        String where = mistake.getSource() instanceof Snippet snippet
                ? snippet.block.file() + ":" + mistake.getLineNumber()
                : "somewhere";
        return where + ": " + mistake.getMessage(Locale.ROOT);
    }

    /** Writes classes nowhere. */
    private static final class KeepingNothing extends ForwardingJavaFileManager<StandardJavaFileManager> {
        KeepingNothing(StandardJavaFileManager files) {
            super(files);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(
                Location location, String className, JavaFileObject.Kind kind, FileObject sibling) {
            return new SimpleJavaFileObject(URI.create("mem:///" + className.replace('.', '/') + ".class"), kind) {
                @Override
                public OutputStream openOutputStream() {
                    return OutputStream.nullOutputStream();
                }
            };
        }
    }
}
