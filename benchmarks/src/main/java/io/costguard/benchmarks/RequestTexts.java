package io.costguard.benchmarks;

import io.costguard.PriceList;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;

/** The estimator, given requests of one length, each with another text. They are made before anything is timed. */
final class RequestTexts implements Contender {
    static final String MODEL = "gpt-4o-mini";

    /** Of all requests together, so many that their words are forgotten before they come again. */
    private static final int BYTES = 20_000_000;

    private static final int FIRST_WORD = 7;

    /** A turn of a conversation is so much of all of it. */
    private static final int TURNS = 20;

    private static final Target TARGET = Target.of("POST", URI.create("https://api.openai.com/v1/chat/completions"));

    private final Estimator estimator = new Estimator(PriceList.bundled());
    private final Dialect dialect = Dialects.bundled().of(TARGET).orElseThrow();
    private final String name;
    private final List<byte[]> requests = new ArrayList<>();
    /** Where the text begins that is another each time. */
    private final int begin;

    private int estimated;

    /** @param repeated how many bytes of the text are the same in all requests */
    private RequestTexts(String name, int bytes, int repeated) {
        this.name = name;
        Random random = new Random(bytes + repeated);
        String same = words(random, repeated);
        String before = "{\"model\":\"" + MODEL + "\",\"messages\":[{\"role\":\"user\",\"content\":\"" + same
                + "\"},{\"role\":\"user\",\"content\":\"";
        begin = before.length();
        for (int i = 0; i < BYTES / bytes; i++) {
            requests.add((before + words(random, bytes - repeated) + "\"}]}").getBytes(StandardCharsets.UTF_8));
        }
    }

    static RequestTexts mostlyNew(int bytes) {
        return new RequestTexts(bytes / 1_000 + " KB of new text", bytes, 0);
    }

    static RequestTexts ofOneConversation(int bytes) {
        return new RequestTexts(bytes / 1_000 + " KB, another turn of a conversation", bytes, bytes - bytes / TURNS);
    }

    /** Words that no dictionary has, so that none is known before it comes. */
    private static String words(Random random, int bytes) {
        StringBuilder words = new StringBuilder(bytes);
        while (words.length() < bytes) {
            for (int letters = 2 + random.nextInt(8); letters > 0; letters--) {
                words.append((char) ('a' + random.nextInt(26)));
            }
            words.append(' ');
        }
        return words.toString();
    }

    int length() {
        return requests.get(0).length;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public int keys() {
        return 1;
    }

    @Override
    public void decide(int key) {
        byte[] request = requests.get(estimated % requests.size());
        renew(request, estimated++);
        RequestFacts facts = estimator.read(dialect, TARGET, request);
        if (estimator.estimate(facts, 1_000, OptionalLong.empty()).input() < request.length / 10) {
            throw new IllegalStateException("estimated at " + facts);
        }
    }

    /** Gives its text another first word: whole texts are known again for longer than their words. */
    private void renew(byte[] request, int number) {
        int rest = number;
        for (int i = begin; i < begin + FIRST_WORD; i++) {
            request[i] = (byte) ('a' + rest % 26);
            rest /= 26;
        }
    }

    @Override
    public long charged(int key) {
        return estimated;
    }

    @Override
    public void close() {}
}
