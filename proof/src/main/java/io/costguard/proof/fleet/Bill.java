package io.costguard.proof.fleet;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.costguard.proof.Provider;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a provider of chat completions answers, and its bill: what each call used, however its client ended. A call's number is the output that it
 * asks for at most. Safe for use by many threads.
 */
final class Bill implements Provider.Script {
    /** In nano-dollars for each token. */
    static final long INPUT_PRICE = 1_000;

    static final long OUTPUT_PRICE = 1;

    private static final int MOST_WORDS = 40;
    private static final int WORDS_AT_ONCE = 8;
    private static final Pattern NUMBER = Pattern.compile("\"max_tokens\":(\\d+)");
    private static final Pattern PROMPT = Pattern.compile("\"content\":\"([^\"]*)\"");

    private final Map<Long, Billed> calls = new ConcurrentHashMap<>();

    /** What a call used, as the provider sees it. */
    record Billed(long input, long output) {
        long nanoUsd() {
            return input * INPUT_PRICE + output * OUTPUT_PRICE;
        }
    }

    /** {@return what was billed, by the call's number} */
    Map<Long, Billed> calls() {
        return calls;
    }

    @Override
    public boolean answer(Provider.Asked asked, OutputStream connection) throws IOException {
        String request = new String(asked.body(), UTF_8);
        long number = Long.parseLong(found(NUMBER, request));
        long words = found(PROMPT, request).split(" ").length;
        Billed billed = new Billed(words, 1 + number % MOST_WORDS);
        calls.merge(number, billed, (one, more) -> new Billed(one.input + more.input, one.output + more.output));
        if (request.contains("\"stream\":true")) {
            write(
                    connection,
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
            for (long word = 0; word < billed.output; word += WORDS_AT_ONCE) {
                String event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n";
                writeChunk(connection, event.repeat((int) Math.min(WORDS_AT_ONCE, billed.output - word)));
            }
            writeChunk(connection, "data: {\"choices\":[]," + usage(billed) + "}\n\ndata: [DONE]\n\n");
            writeChunk(connection, "");
        } else {
            String body =
                    "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\""
                            + "word ".repeat((int) billed.output) + "\"}}]," + usage(billed) + "}";
            write(
                    connection,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " + body.length() + "\r\n\r\n"
                            + body);
        }
        return true;
    }

    private static void writeChunk(OutputStream connection, String text) throws IOException {
        write(connection, Integer.toHexString(text.length()) + "\r\n" + text + "\r\n");
    }

    private static String usage(Billed billed) {
        return "\"usage\":{\"prompt_tokens\":" + billed.input + ",\"completion_tokens\":" + billed.output
                + ",\"total_tokens\":" + (billed.input + billed.output) + "}";
    }

    private static void write(OutputStream connection, String text) throws IOException {
        connection.write(text.getBytes(UTF_8));
    }

    private static String found(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        if (!matcher.find()) {
            throw new IllegalArgumentException("no " + pattern + " in " + text);
        }
        return matcher.group(1);
    }
}
