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
final class OkHttpTwins implements Twins {
    private final OkHttpClient without;
    private final Call.Factory with;
    private final boolean isAsync;

    OkHttpTwins(CostGuard guard, boolean isAsync) {
        this.without = new OkHttpClient.Builder()
                .dispatcher(new Dispatcher(Twins.threads()))
                .connectionPool(new ConnectionPool(0, 1, SECONDS))
                .callTimeout(PATIENCE)
                .build();
        this.with = isAsync
                ? new GuardedCallFactory(without, guard)
                : without.newBuilder()
                        .addInterceptor(new CostGuardInterceptor(guard))
                        .build();
        this.isAsync = isAsync;
    }

    @Override
    public String send(Sent sent, boolean isGuarded) {
        Request.Builder request =
                new Request.Builder().url(sent.uri().toString()).post(RequestBody.create(sent.body()));
        sent.headers().forEach(request::header);
        Call call = (isGuarded ? with : without).newCall(request.build());
        Seen seen = new Seen();
        if (isAsync) {
            enqueue(call, seen);
        } else {
            execute(call, seen);
        }
        return seen.toString();
    }

    private static void execute(Call call, Seen seen) {
        try {
            read(call.execute(), seen);
        } catch (IOException | RuntimeException e) {
            seen.failed(e);
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

    @Override
    public void close() {
        without.dispatcher().executorService().shutdown();
    }

    @Override
    public String toString() {
        return isAsync ? "GuardedCallFactory" : "CostGuardInterceptor";
    }
}
