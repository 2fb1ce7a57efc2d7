package io.costguard.describe;

import io.costguard.Cost;
import io.costguard.ModelNames;
import io.costguard.PriceList;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/** Says what a call may cost, before it is sent. */
public final class Estimator {
    /** Of a body that cannot be read: as many as the densest text has. */
    private static final long BYTES_A_TOKEN = 2;

    private final PriceList prices;

    public Estimator(PriceList prices) {
        this.prices = prices;
    }

    /** Reads a request. */
    public RequestFacts read(Dialect dialect, Target target, byte[] body) {
        Reader reader = new Reader();
        dialect.target(target, reader);
        boolean readable =
                JsonScan.read(body, 0, body.length, dialect.requestPaths(), field -> dialect.request(field, reader));
        String provider = dialect.provider(target);
        long input = readable ? reader.tokens + textTokens(provider, reader) : body.length / BYTES_A_TOKEN;
        return new RequestFacts(provider, List.copyOf(reader.models), input, reader.cap, reader.choices, readable);
    }

    private long textTokens(String provider, Reader reader) {
        Tokenizers.Counter counter = Tokenizers.of(ModelNames.canonical(dearest(provider, reader.models)));
        long tokens = 0;
        for (String text : reader.texts) {
            tokens += counter.count(text);
        }
        return tokens;
    }

    /** What is known of a request whose body was not read. */
    public static RequestFacts unread(long bytes) {
        return new RequestFacts("", List.of(), bytes / BYTES_A_TOKEN, OptionalLong.empty(), 1, false);
    }

    /** The model that a request is counted under: of several, the dearest. */
    public String model(RequestFacts facts) {
        return dearest(facts.provider(), facts.models());
    }

    /** One request, its input, and the output that it may have at most; with dollars, if its model has a price. */
    public Cost estimate(RequestFacts facts, long assumedOutput) {
        long most = Cost.MAX_AMOUNT / 2;
        long output = facts.outputCap().orElse(assumedOutput);
        boolean tooMany = facts.choices() > 0 && output > most / facts.choices();
        Cost cost = Cost.requests(1)
                .input(Math.min(most, facts.inputTokens()))
                .output(tooMany ? most : output * facts.choices());
        OptionalLong nanoUsd = prices.nanoUsd(facts.provider(), model(facts), cost);
        return nanoUsd.isPresent() ? cost.nanoUsd(nanoUsd.getAsLong()) : cost;
    }

    private String dearest(String provider, List<String> models) {
        if (models.size() == 1) {
            return models.get(0);
        }
        String dearest = "";
        long most = -1;
        for (String model : models) {
            // One without a price is the dearest: under a limit in dollars it is refused.
            long nanoUsd = prices.nanoUsd(
                            provider, model, Cost.requests(1).input(1_000_000).output(1_000_000))
                    .orElse(Long.MAX_VALUE);
            if (nanoUsd > most) {
                dearest = model;
                most = nanoUsd;
            }
        }
        return dearest;
    }

    private static final class Reader implements Dialect.RequestReader {
        private final List<String> models = new ArrayList<>(1);
        /** Their model, and so their tokenizer, is known once all of the request was read. */
        private final List<String> texts = new ArrayList<>();

        private final Set<String> kinds = new HashSet<>();
        private long tokens;
        private OptionalLong cap = OptionalLong.empty();
        private long choices = 1;

        @Override
        public void model(String name) {
            models.add(name);
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
        public void outputCap(OptionalLong given) {
            if (given.isPresent() && given.getAsLong() > 0) {
                cap = OptionalLong.of(Math.max(cap.orElse(0), given.getAsLong()));
            }
        }

        @Override
        public void choices(OptionalLong count) {
            choices = Math.max(choices, count.orElse(1));
        }
    }
}
