package io.costguard.describe.dialects;

import io.costguard.describe.Target;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the URLs of Google's APIs tell: {@code …/projects/PROJECT/…/models/MODEL:method?key=KEY}. */
final class GoogleUrl {
    private static final Pattern PROJECT = Pattern.compile("/projects/([^/]+)/");
    private static final Pattern KEY = Pattern.compile("(?:^|&)key=([^&]*)");

    private GoogleUrl() {}

    /** The last part of the path, up to its method. */
    static String model(Target target) {
        String path = target.path();
        return path.substring(path.lastIndexOf('/') + 1, path.lastIndexOf(':'));
    }

    /** Empty if there is none. */
    static String project(Target target) {
        return first(PROJECT, target.path());
    }

    /** Empty if there is none. */
    static String key(Target target) {
        return URLDecoder.decode(first(KEY, target.query()), StandardCharsets.UTF_8);
    }

    private static String first(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        return matcher.find() ? matcher.group(1) : "";
    }
}
