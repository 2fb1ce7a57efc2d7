package io.costguard.describe.dialects;

import io.costguard.describe.Target;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the URLs of Google's APIs tell: {@code …/projects/PROJECT/…/models/MODEL:method}. */
final class GoogleUrl {
    private static final Pattern PROJECT = Pattern.compile("/projects/([^/]+)/");

    private GoogleUrl() {}

    /** The last part of the path, up to its method. */
    static String model(Target target) {
        String path = target.path();
        return path.substring(path.lastIndexOf('/') + 1, path.lastIndexOf(':'));
    }

    /** Empty if there is none. */
    static String project(Target target) {
        Matcher project = PROJECT.matcher(target.path());
        return project.find() ? project.group(1) : "";
    }
}
