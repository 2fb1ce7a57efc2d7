package io.costguard.proof;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.HostileNames;
import io.costguard.Limit;
import io.costguard.PriceList;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.Forgetting;
import io.costguard.describe.Providers;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import io.costguard.limit.Cardinality;
import io.costguard.limit.Fingerprint;
import io.costguard.limit.Subject;
import io.costguard.limit.Subjects;
import io.costguard.settle.Hostile;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Names of models that somebody chose to do harm with, in the body of a request or in its URL: they are read, priced, printed and counted, and
 * the key in Redis has its shape, whatever they are. For one thread.
 */
final class HostileModels {
    /** What servers take at most of a URL or a header, and more. */
    private static final int LONGEST_IN_URL = 10_000;

    private static final int LONGEST_SHOWN = 1_000;
    private static final Pattern KEY = Pattern.compile("costguard:\\{[0-9a-f]{4}}:[0-9A-Za-z_-]{13}");
    private static final Estimator ESTIMATOR = new Estimator(PriceList.bundled());

    /** Of so many names each has a subject of its own, and a guard would tell of more. */
    private static final int NAMES = 5_000;

    private static final Fingerprint FINGERPRINT = new Fingerprint("a key of sixteen".getBytes(UTF_8));

    private final Random random;
    private Subjects subjects = subjects();
    private int names;

    HostileModels(Random random) {
        this.random = random;
    }

    /** {@code %s} is where the name stands. */
    private enum Place {
        CHAT("/v1/chat/completions", "{\"model\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"),
        MESSAGES(
                "/v1/messages",
                "{\"max_tokens\":5,\"model\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"),
        AZURE("/openai/deployments/%s/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"),
        GEMINI("/v1beta/models/%s:generateContent", "{\"contents\":[{\"parts\":[{\"text\":\"Hello\"}]}]}"),
        VERTEX(
                "/v1/projects/p/locations/l/publishers/anthropic/models/%s:rawPredict",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"),
        BEDROCK("/model/%s/converse", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hello\"}]}]}");

        final String path;
        final String body;

        Place(String path, String body) {
            this.path = path;
            this.body = body;
        }

        boolean isInUrl() {
            return path.contains("%s");
        }
    }

    Hostile<?> next() {
        Place place = Place.values()[random.nextInt(Place.values().length)];
        String any = HostileNames.next(random);
        String name = place.isInUrl() ? any.substring(0, Math.min(any.length(), LONGEST_IN_URL)) : any;
        if (++names % NAMES == 0) {
            subjects = subjects();
        }
        return new Named(place, name, ESTIMATOR, subjects);
    }

    /** {@return one of a megabyte, which is rarely drawn: Java is to have compiled what reads it} */
    Hostile<?> longest() {
        return new Named(Place.CHAT, HostileNames.next(random) + "y".repeat(1 << 20), ESTIMATOR, subjects);
    }

    private static Subjects subjects() {
        return new Subjects(
                List.of(Budget.named("{b}").limit(Limit.requests(1).perDay())),
                "costguard",
                "apiKey",
                FINGERPRINT,
                new Cardinality(2 * NAMES, System::nanoTime));
    }

    private static String quoted(String name) {
        StringBuilder quoted = new StringBuilder(name.length() + 2).append('"');
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (c < ' ' || c == '"' || c == '\\') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }

    private static final class Named implements Hostile<Character> {
        private final Place place;
        private final String name;
        private final Estimator estimator;
        private final Subjects subjects;
        private final byte[] bytes;

        Named(Place place, String name, Estimator estimator, Subjects subjects) {
            this(
                    place,
                    name,
                    estimator,
                    subjects,
                    place.body.replace("%s", quoted(name)).getBytes(UTF_8));
        }

        private Named(Place place, String name, Estimator estimator, Subjects subjects, byte[] bytes) {
            this.place = place;
            this.name = name;
            this.estimator = estimator;
            this.subjects = subjects;
            this.bytes = bytes;
        }

        @Override
        public List<Character> parts() {
            return name.chars().mapToObj(c -> (char) c).toList();
        }

        @Override
        public Named of(List<Character> parts) {
            return new Named(
                    place, parts.stream().map(String::valueOf).collect(Collectors.joining()), estimator, subjects);
        }

        @Override
        public Named afresh() {
            return new Named(place, name, Forgetting.estimator(), subjects(), bytes);
        }

        @Override
        public byte[] bytes() {
            return bytes;
        }

        /** {@return whether a dialect knew the request} */
        @Override
        public Object read() {
            Target target =
                    Target.of("POST", "https", "host", -1, place.path.replace("%s", name), "", Providers.bundled());
            Dialect dialect = Dialects.bundled().of(target).orElse(null);
            if (dialect == null) {
                return false;
            }
            RequestFacts facts = estimator.read(dialect, target, bytes);
            Cost cost = estimator.estimate(facts, 1_000, OptionalLong.empty());
            assertThat(cost.input()).isBetween(1L, 1_000L);
            GuardedCall call = GuardedCall.of(estimator.model(facts))
                    .with("apiKey", FINGERPRINT.of(name.substring(0, Math.min(name.length(), LONGEST_IN_URL))));
            assertThat(call.model())
                    .hasSizeLessThanOrEqualTo(128)
                    .isEqualTo(GuardedCall.of(call.model()).model());
            assertThat(call.toString())
                    .hasSizeLessThan(LONGEST_SHOWN)
                    .matches(text -> text.chars().noneMatch(Character::isISOControl));
            for (Subject subject : subjects.of(call.attributes())) {
                assertThat(subject.key()).matches(KEY);
            }
            return true;
        }

        @Override
        public String toString() {
            return "a name of a model, in a request like " + place.path;
        }
    }
}
