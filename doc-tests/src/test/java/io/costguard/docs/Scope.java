package io.costguard.docs;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Decision;
import io.costguard.GuardedCall;
import io.costguard.testing.RedisForTests;
import io.micrometer.core.instrument.MeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.LongAdder;
import okhttp3.Callback;
import okhttp3.OkHttpClient;
import okhttp3.Request;

/** What code in the documentation may name that it does not declare. Nothing here is run. */
@SuppressWarnings({"NullAway", "unused"})
abstract class Scope {
    CostGuard guard;
    CostGuard.Builder builder;
    GuardedCall call;
    Budget budget;
    Decision.Denied denied;
    RedisForTests redis;
    String url;
    String key;
    String userId;
    String runId;
    String user;
    String ip;
    String question;
    String task;
    Path path;
    Duration duration;
    List<String> texts;
    List<Budget> budgets;
    long used;
    LongAdder denials;
    LongAdder nanoUsd;
    ExecutorService executor;
    Agent agent;
    MeterRegistry registry;
    OpenTelemetry openTelemetry;
    HttpClient costGuardHttpClient;

    /** Makes calls in a loop, which may not end. */
    interface Agent {
        String run(String task) throws java.io.IOException;
    }

    /** What a server does. */
    abstract void answer(int status, Map<String, String> headers);

    abstract List<float[]> embed(List<String> texts);

    /** Of code that is about OkHttp. */
    abstract static class OkHttp extends Scope {
        OkHttpClient client;
        Request request;
        Callback callback;
    }

    /** Of any other code. */
    abstract static class Jdk extends Scope {
        HttpClient client;
        HttpRequest request;
        HttpResponse.BodyHandler<String> handler;
    }
}
