package io.costguard.proof.fleet;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A provider of chat completions on the loopback interface, which keeps its own bill: what each call used, however its client ended. A call's
 * number is the output that it asks for at most. Safe for use by many threads.
 */
final class Provider implements AutoCloseable {
    /** In nano-dollars for each token. */
    static final long INPUT_PRICE = 1_000;

    static final long OUTPUT_PRICE = 1;

    private static final int THREADS = 16;
    private static final int MOST_WORDS = 40;
    private static final Pattern NUMBER = Pattern.compile("\"max_tokens\":(\\d+)");
    private static final Pattern PROMPT = Pattern.compile("\"content\":\"([^\"]*)\"");

    private final HttpServer server;
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    private final Map<Long, Billed> bill = new ConcurrentHashMap<>();

    /** What a call used, as the provider sees it. */
    record Billed(long input, long output) {
        long nanoUsd() {
            return input * INPUT_PRICE + output * OUTPUT_PRICE;
        }
    }

    Provider() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/v1/chat/completions", this::answer);
        server.setExecutor(threads);
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/v1/chat/completions";
    }

    /** {@return what was billed, by the call's number} */
    Map<Long, Billed> bill() {
        return bill;
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String request = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            long number = Long.parseLong(found(NUMBER, request));
            long words = found(PROMPT, request).split(" ").length;
            Billed billed = new Billed(words, 1 + number % MOST_WORDS);
            bill.merge(number, billed, (one, more) -> new Billed(one.input + more.input, one.output + more.output));
            boolean isStream = request.contains("\"stream\":true");
            exchange.getResponseHeaders().set("Content-Type", isStream ? "text/event-stream" : "application/json");
            exchange.sendResponseHeaders(200, 0);
            OutputStream body = exchange.getResponseBody();
            if (isStream) {
                for (int word = 0; word < billed.output; word++) {
                    write(body, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n");
                    if (word % 8 == 0) {
                        body.flush();
                    }
                }
                write(body, "data: {\"choices\":[]," + usage(billed) + "}\n\ndata: [DONE]\n\n");
            } else {
                write(
                        body,
                        "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\""
                                + "word ".repeat((int) billed.output) + "\"}}]," + usage(billed) + "}");
            }
        }
    }

    private static String usage(Billed billed) {
        return "\"usage\":{\"prompt_tokens\":" + billed.input + ",\"completion_tokens\":" + billed.output
                + ",\"total_tokens\":" + (billed.input + billed.output) + "}";
    }

    private static void write(OutputStream body, String text) throws IOException {
        body.write(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String found(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        if (!matcher.find()) {
            throw new IllegalArgumentException("no " + pattern + " in " + text);
        }
        return matcher.group(1);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
