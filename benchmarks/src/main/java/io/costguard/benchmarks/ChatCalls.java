package io.costguard.benchmarks;

import io.costguard.CostGuard;
import io.costguard.GuardedCall;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.okhttp.CostGuardInterceptor;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;

/** Chat completions, sent through an HTTP client to the provider and read to their end. */
final class ChatCalls implements Contender {
    private static final String AUTHORIZATION = "Authorization";
    private static final String API_KEY = "sk-benchmarks";

    private final String name;
    private final LocalProvider provider;
    private final Client client;
    private final Ledger ledger;
    private final int answerLength;
    private final AtomicInteger sent = new AtomicInteger();

    /** Sends a request's body and returns that of its answer, which is 200. */
    private interface Client {
        byte[] post(byte[] body) throws IOException, InterruptedException;
    }

    /** Who knows how many calls there have been. */
    private interface Ledger {
        long calls() throws IOException;

        void flush() throws IOException;

        void close();
    }

    /** The provider counts what it answers. */
    private record Answers(LocalProvider provider) implements Ledger {
        @Override
        public long calls() {
            return provider.answered();
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }

    /** Redis counts tokens, which tell whether each call was settled by what its answer reports. */
    private record Tokens(LocalProvider provider, CostGuard guard) implements Ledger {
        @Override
        public long calls() throws IOException {
            GuardedCall like = GuardedCall.of(provider.model()).with("apiKey", API_KEY);
            return Work.used(guard.status(like).get(Work.TOKENS_LIMIT)) / provider.reportedTokens();
        }

        @Override
        public void flush() throws IOException {
            guard.flush();
        }

        @Override
        public void close() {
            guard.close();
        }
    }

    private ChatCalls(String name, LocalProvider provider, Client client, Ledger ledger) {
        this.name = name;
        this.provider = provider;
        this.client = client;
        this.ledger = ledger;
        this.answerLength = provider.answerLength();
    }

    static ChatCalls okHttp(LocalProvider provider) {
        return okHttp("OkHttp", provider);
    }

    static ChatCalls okHttp(String name, LocalProvider provider) {
        return new ChatCalls(name, provider, okHttp(provider, new OkHttpClient()), new Answers(provider));
    }

    static ChatCalls guardedOkHttp(LocalProvider provider, String redisUrl) {
        CostGuard guard = guard("okhttp", redisUrl);
        OkHttpClient client = new OkHttpClient.Builder()
                .addInterceptor(new CostGuardInterceptor(guard))
                .build();
        return new ChatCalls("guarded OkHttp", provider, okHttp(provider, client), new Tokens(provider, guard));
    }

    static ChatCalls jdk(LocalProvider provider) {
        return new ChatCalls("JDK client", provider, jdk(provider, HttpClient.newHttpClient()), new Answers(provider));
    }

    static ChatCalls guardedJdk(LocalProvider provider, String redisUrl) {
        CostGuard guard = guard("jdk", redisUrl);
        HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
        return new ChatCalls("guarded JDK client", provider, jdk(provider, client), new Tokens(provider, guard));
    }

    private static CostGuard guard(String budget, String redisUrl) {
        return Work.guard(redisUrl).budget(Work.budget(budget, 1)).build();
    }

    private static Client okHttp(LocalProvider provider, OkHttpClient client) {
        MediaType json = MediaType.get("application/json");
        String url = provider.url().toString();
        return body -> {
            Request request = new Request.Builder()
                    .url(url)
                    .header(AUTHORIZATION, "Bearer " + API_KEY)
                    .post(RequestBody.create(body, json))
                    .build();
            try (Response response = client.newCall(request).execute()) {
                check(response.code());
                return Objects.requireNonNull(response.body()).bytes();
            }
        };
    }

    private static Client jdk(LocalProvider provider, HttpClient client) {
        return body -> {
            HttpRequest request = HttpRequest.newBuilder(provider.url())
                    .version(HttpClient.Version.HTTP_1_1)
                    .header(AUTHORIZATION, "Bearer " + API_KEY)
                    .header("Content-Type", "application/json")
                    .POST(BodyPublishers.ofByteArray(body))
                    .build();
            HttpResponse<byte[]> response = client.send(request, BodyHandlers.ofByteArray());
            check(response.statusCode());
            return response.body();
        };
    }

    private static void check(int status) {
        if (status != 200) {
            throw new IllegalStateException("answered with " + status);
        }
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
    public void decide(int key) throws IOException, InterruptedException {
        byte[] answer = client.post(provider.request(sent.incrementAndGet()));
        if (answer.length != answerLength) {
            throw new IllegalStateException("an answer of " + answer.length + " bytes");
        }
    }

    @Override
    public long charged(int key) throws IOException {
        return ledger.calls();
    }

    @Override
    public void flush() throws IOException {
        ledger.flush();
    }

    @Override
    public void close() {
        ledger.close();
    }
}
