package io.costguard.describe;

import io.costguard.Cost;
import io.costguard.ModelNames;
import io.costguard.PriceList;
import io.costguard.ServiceTier;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Says what a call may cost, before it is sent. */
public final class Estimator {
    /** Of a body that cannot be read: as many as the densest text has. */
    private static final long BYTES_A_TOKEN = 2;

    private static final int LONGEST_MODEL = 1_024;

    private static final Set<ServiceTier> STANDARD = Set.of(ServiceTier.STANDARD);

    private final PriceList prices;
    private final Function<String, Tokenizers.Counter> tokenizers;

    /**
     * With these prices.
     *
     * @param prices what tokens cost
     */
    public Estimator(PriceList prices) {
        this(prices, Tokenizers::of);
    }

    /** With {@code tokenizers} by the names of models. */
    Estimator(PriceList prices, Function<String, Tokenizers.Counter> tokenizers) {
        this.prices = prices;
        this.tokenizers = tokenizers;
    }

    /**
     * {@link #read(Dialect, Target, Function, byte[])} of a request that has no headers.
     *
     * @param dialect a provider's wire format
     * @param target what is asked of whom
     * @param body what is sent
     * @return what is known of it
     */
    public RequestFacts read(Dialect dialect, Target target, byte[] body) {
        return read(dialect, target, name -> Optional.empty(), body);
    }

    /**
     * Reads a request.
     *
     * @param dialect a provider's wire format
     * @param target what is asked of whom
     * @param headers by name, whatever its case
     * @param body what is sent
     * @return what is known of it
     */
    public RequestFacts read(Dialect dialect, Target target, Function<String, Optional<String>> headers, byte[] body) {
        Reader reader = new Reader();
        dialect.target(target, reader);
        dialect.requestHeaders(headers, reader);
        boolean readable =
                JsonScan.read(body, 0, body.length, dialect.requestPaths(), field -> dialect.request(field, reader));
        if (!readable && !dialect.formFields().isEmpty()) {
            Form.read(body, dialect.formFields(), field -> dialect.request(field, reader));
        }
        String provider = dialect.provider(target);
        List<String> models = reader.models();
        Set<ServiceTier> tiers = reader.tiers();
        Map<Media.Kind, Long> fileTokens = Map.of();
        long input = dialect.unreadTokens(body.length);
        if (readable) {
            String model = ModelNames.canonical(dearest(provider, models, tiers));
            fileTokens = reader.fileTokens(model);
            input = tokens(dialect, model, reader);
            for (long tokens : fileTokens.values()) {
                input += tokens;
            }
        }
        return new RequestFacts(
                provider,
                models,
                tiers,
                input,
                fileTokens,
                reader.cap,
                reader.choices(),
                Set.copyOf(reader.outputKinds),
                readable);
    }

    private long tokens(Dialect dialect, String model, Reader reader) {
        Tokenizers.Counter counter = tokenizers.apply(model);
        long tokens = reader.tokens + dialect.templateTokens(model, reader.kinds);
        for (String text : reader.texts) {
            tokens += counter.count(text);
        }
        return tokens;
    }

    /**
     * What is known of a request whose body was not read.
     *
     * @param bytes how many
     * @return what is known of it
     */
    public static RequestFacts unread(long bytes) {
        return ofTokens(densestTokens(bytes));
    }

    /**
     * {@link #unread(long)} of a request of this dialect.
     *
     * @param dialect a provider's wire format
     * @param bytes how many
     * @return what is known of it
     */
    public static RequestFacts unread(Dialect dialect, long bytes) {
        return ofTokens(dialect.unreadTokens(bytes));
    }

    private static RequestFacts ofTokens(long tokens) {
        return new RequestFacts("", List.of(), STANDARD, tokens, Map.of(), OptionalLong.empty(), 1, Set.of(), false);
    }

    static long densestTokens(long bytes) {
        return bytes / BYTES_A_TOKEN;
    }

    /**
     * {@return the model that a request is counted under: of several, the dearest}
     *
     * @param facts what was read of the request
     */
    public String model(RequestFacts facts) {
        return dearest(facts.provider(), facts.models(), facts.tiers());
    }

    /**
     * {@return one request, its input, and the output that it may have at most, or is likely to have; with dollars, in the dearest tier that
     * it allows, if its model has a price}
     *
     * @param facts what was read of the request
     * @param assumedOutput for each choice, where neither is known
     * @param likelyOutput what each choice needs at most, as far as was learned
     */
    public Cost estimate(RequestFacts facts, long assumedOutput, OptionalLong likelyOutput) {
        long most = Cost.MAX_AMOUNT / 2;
        long output = likelyOutput.isPresent()
                ? Math.min(likelyOutput.getAsLong(), facts.outputCap().orElse(most))
                : facts.outputCap().orElse(assumedOutput);
        boolean tooMany = facts.choices() > 0 && output > most / facts.choices();
        Cost cost = Cost.requests(1)
                .input(Math.min(most, facts.inputTokens()))
                .output(tooMany ? most : output * facts.choices());
        // Without tokens there is nothing that needs a price.
        OptionalLong nanoUsd =
                cost.input() + cost.output() == 0 ? OptionalLong.of(0) : nanoUsd(facts, cost.input(), cost.output());
        return nanoUsd.isPresent() ? cost.nanoUsd(nanoUsd.getAsLong()) : cost;
    }

    /** With all of the output as what is dearest of what it may be. */
    private OptionalLong nanoUsd(RequestFacts facts, long input, long output) {
        long sound = Math.min(input, facts.fileTokens().getOrDefault(Media.Kind.SOUND, 0L));
        long pictures = Math.min(input - sound, facts.fileTokens().getOrDefault(Media.Kind.PICTURE, 0L));
        Usage prompt =
                Usage.of(input - sound - pictures, 0).withAudioInput(sound).withImageInput(pictures);
        OptionalLong most = nanoUsd(facts, prompt.withOutput(output));
        for (Media.Kind kind : facts.outputKinds()) {
            OptionalLong other = nanoUsd(
                    facts, kind == Media.Kind.SOUND ? prompt.withAudioOutput(output) : prompt.withImageOutput(output));
            most = other.orElse(-1) > most.orElse(-1) ? other : most;
        }
        return most;
    }

    private OptionalLong nanoUsd(RequestFacts facts, Usage usage) {
        return prices.nanoUsd(facts.provider(), model(facts), facts.tiers(), usage);
    }

    private String dearest(String provider, List<String> models, Set<ServiceTier> tiers) {
        if (models.size() == 1) {
            return models.get(0);
        }
        String dearest = "";
        long most = -1;
        for (String model : models) {
            // One without a price is the dearest: under a limit in dollars it is refused.
            long nanoUsd = prices.nanoUsd(provider, model, tiers, Usage.of(1_000_000, 1_000_000))
                    .orElse(Long.MAX_VALUE);
            if (nanoUsd > most) {
                dearest = model;
                most = nanoUsd;
            }
        }
        return dearest;
    }

    private record Seen(Media file, Set<MediaTokens.Detail> details) {}

    private static final class Reader implements Dialect.RequestReader {
        private final List<String> models = new ArrayList<>(1);
        /** Their model, and so their tokenizer, is known once all of the request was read. */
        private final List<String> texts = new ArrayList<>();

        /** Likewise. */
        private final List<Seen> media = new ArrayList<>(0);

        /** Of the part of the request that is being read; one may be told after the file that it is of. */
        private Set<MediaTokens.Detail> partDetails = EnumSet.noneOf(MediaTokens.Detail.class);

        private final Set<MediaTokens.Detail> details = EnumSet.noneOf(MediaTokens.Detail.class);

        private final Set<Media.Kind> outputKinds = EnumSet.noneOf(Media.Kind.class);

        private final Set<String> kinds = new HashSet<>();
        private final Set<ServiceTier> tiers = EnumSet.noneOf(ServiceTier.class);
        private long tokens;
        private OptionalLong cap = OptionalLong.empty();
        private long choices = 1;
        private long prompts;
        private @Nullable String otherwise;

        List<String> models() {
            return models.isEmpty() && otherwise != null ? List.of(otherwise) : List.copyOf(models);
        }

        Set<ServiceTier> tiers() {
            return tiers.isEmpty() ? STANDARD : Set.copyOf(tiers);
        }

        /** All of them, of all prompts. */
        long choices() {
            return prompts > 1 && choices > Cost.MAX_AMOUNT / prompts
                    ? Cost.MAX_AMOUNT
                    : choices * Math.max(1, prompts);
        }

        @Override
        public void model(String name) {
            models.add(kept(name));
        }

        /** What is longer than any model's name is cut at once, to that under which it is counted: it is looked at several times. */
        private static String kept(String name) {
            return name.length() > LONGEST_MODEL ? ModelNames.canonical(name) : name;
        }

        @Override
        public void modelUnlessGiven(String name) {
            otherwise = kept(name);
        }

        @Override
        public void tier(String name) {
            tiers.addAll(ServiceTier.allowed(name));
        }

        @Override
        public void text(String text) {
            texts.add(text);
        }

        @Override
        public void tokens(long count) {
            tokens += count;
        }

        @Override
        public void tokensOnce(String kind, long count) {
            if (kinds.add(kind)) {
                tokens += count;
            }
        }

        @Override
        public void media(Media file) {
            media.add(new Seen(file, partDetails));
        }

        @Override
        public void detail(String written) {
            partDetails.add(MediaTokens.Detail.of(written));
        }

        @Override
        public void partEnds() {
            partDetails = EnumSet.noneOf(MediaTokens.Detail.class);
        }

        @Override
        public void detailOfAll(String written) {
            details.add(MediaTokens.Detail.of(written));
        }

        Map<Media.Kind, Long> fileTokens(String model) {
            if (media.isEmpty()) {
                return Map.of();
            }
            MediaTokens.Rule rule = MediaTokens.of(model);
            Set<MediaTokens.Detail> otherwise = details.isEmpty() ? EnumSet.of(MediaTokens.Detail.AUTO) : details;
            Map<Media.Kind, Long> sums = new EnumMap<>(Media.Kind.class);
            for (Seen seen : media) {
                // Of two details that one part has, the one that costs more counts.
                long tokens = (seen.details.isEmpty() ? otherwise : seen.details)
                        .stream()
                                .mapToLong(detail -> rule.tokens(seen.file, detail))
                                .max()
                                .orElseThrow();
                sums.merge(seen.file.kind(), tokens, Long::sum);
            }
            return Collections.unmodifiableMap(sums);
        }

        @Override
        public void outputCap(OptionalLong given) {
            if (given.isPresent() && given.getAsLong() > 0) {
                cap = OptionalLong.of(Math.max(cap.orElse(0), given.getAsLong()));
            }
        }

        @Override
        public void noOutput() {
            cap = OptionalLong.of(0);
        }

        @Override
        public void prompt() {
            prompts++;
        }

        @Override
        public void outputKind(Media.Kind kind) {
            outputKinds.add(kind);
        }

        @Override
        public void choices(OptionalLong count) {
            choices = Math.max(choices, count.orElse(1));
        }
    }
}
