package io.costguard.proof.twins;

import static java.util.concurrent.TimeUnit.SECONDS;

import io.costguard.CostGuard;
import io.costguard.okhttp.CostGuardInterceptor;
import io.costguard.okhttp.GuardedCallFactory;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.ConnectionPool;
import okhttp3.Dispatcher;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;

/** Synchronous with the interceptor, asynchronous with the factory of calls. */
final class OkHttpTwins extends Twins<Call.Factory> {
    private final boolean isAsync;

    private OkHttpTwins(OkHttpClient without, CostGuard guard, boolean isAsync) {
        super(
                isAsync ? "GuardedCallFactory" : "CostGuardInterceptor",
                without,
                isAsync
                        ? new GuardedCallFactory(without, guard)
                        : without.newBuilder()
                                .addInterceptor(new CostGuardInterceptor(guard))
                                .build(),
                // They share its threads.
                each -> without.dispatcher().executorService().shutdown());
        this.isAsync = isAsync;
    }

    static OkHttpTwins of(CostGuard guard, boolean isAsync) {
        OkHttpClient without = new OkHttpClient.Builder()
                .dispatcher(new Dispatcher(threads()))
                .connectionPool(new ConnectionPool(0, 1, SECONDS))
                .callTimeout(PATIENCE)
                .build();
        return new OkHttpTwins(without, guard, isAsync);
    }

    @Override
    void send(Call.Factory client, Sent sent, Seen seen) throws IOException {
        Request.Builder request =
                new Request.Builder().url(sent.uri().toString()).post(RequestBody.create(sent.body()));
        sent.headers().forEach(request::header);
        Call call = client.newCall(request.build());
        if (isAsync) {
            enqueue(call, seen);
        } else {
            read(call.execute(), seen);
        }
    }

    private static void enqueue(Call call, Seen seen) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        call.enqueue(new Callback() {
            @Override
            public void onResponse(Call same, Response response) {
                read(response, seen);
                done.complete(null);
            }

            @Override
            public void onFailure(Call same, IOException e) {
                seen.failed(e);
                done.complete(null);
            }
        });
        done.join();
    }

    private static void read(Response response, Seen seen) {
        try (response) {
            seen.head(response.protocol() + " " + response.code() + " " + response.message(), response.headers());
            seen.body(response.body().byteStream());
        }
    }
}
