package io.costguard.proof;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.costguard.Attributes;
import io.costguard.Budget;
import io.costguard.CallAttributes;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Decision;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Outputs;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.micrometer.CostGuardMetrics;
import io.costguard.okhttp.CostGuardInterceptor;
import io.costguard.okhttp.GuardedCallFactory;
import io.costguard.opentelemetry.CostGuardTelemetry;
import io.costguard.proof.Canaries.Place;
import io.costguard.proof.Canaries.Secret;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.context.Scope;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.testing.exporter.InMemoryMetricReader;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.Logger;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/**
 * A process whose calls are full of secrets, and go well and wrong in every way; it logs all that there is to log, and prints all that guards
 * tell, by the place in which they do.
 */
final class SecretsWorker {
    /** What answers, by path; the guard's own are told by its header. */
    static final List<String> ANSWERS =
            List.of("/ok", "/stream", "/cut", "/garbage", "/401", "/429", "/500", "/302", "/reset");

    /** Referred to, so that its level is kept. */
    private static final Logger OKHTTP = Logger.getLogger("okhttp3");

    private static final Duration PATIENT = Duration.ofSeconds(30);
    private static final String NOWHERE = "redis://127.0.0.1:1";
    private static final Duration SHORT = Duration.ofMillis(40);
    private static final Duration LONG = Duration.ofDays(30);
    private static final String OWN_ANSWER = "x-cost-guard";
    private static final String CHAT = "/v1/chat/completions";

    private final Canaries canaries;
    private final String marker;
    private final String provider;
    private final String prefix;
    private final Random random;
    private final Map<Place, StringBuilder> told = new EnumMap<>(Place.class);
    private final Map<String, Integer> seen = new TreeMap<>();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final InMemorySpanExporter spans = InMemorySpanExporter.create();
    private final InMemoryMetricReader metrics = InMemoryMetricReader.create();
    private final OpenTelemetrySdk telemetry = OpenTelemetrySdk.builder()
            .setTracerProvider(SdkTracerProvider.builder()
                    .addSpanProcessor(SimpleSpanProcessor.create(spans))
                    .build())
            .setMeterProvider(
                    SdkMeterProvider.builder().registerMetricReader(metrics).build())
            .build();

    private final List<CostGuard> guards = new ArrayList<>();
    private final List<Sending> sendings = new ArrayList<>();
    private final OkHttpClient okHttp =
            new OkHttpClient.Builder().callTimeout(Duration.ofSeconds(10)).build();
    private final HttpClient jdk =
            HttpClient.newBuilder().followRedirects(HttpClient.Redirect.ALWAYS).build();

    /** A client with a guard. */
    private interface Sending {
        /** Reads the answer, and tells of it if it is the guard's own. */
        void send(Sent sent) throws Exception;
    }

    private record Sent(String url, Map<String, String> headers, byte[] body) {}

    private SecretsWorker(String[] args) {
        canaries = Canaries.told(args[0]);
        marker = args[1];
        provider = args[2];
        prefix = args[3];
        random = new Random(Long.parseLong(args[4]));
    }

    /** Arguments: canaries, a marker that is to be found, the provider, a prefix for keys, a seed, how many calls, Redis, Redis for a user of few rights. */
    public static void main(String[] args) throws Exception {
        // The JDK's client is not asked: what it logs for its own debugging has whole URLs in it, with or without a
        // guard.
        OKHTTP.setLevel(Level.ALL);
        for (Handler handler : Logger.getLogger("").getHandlers()) {
            handler.setLevel(Level.ALL);
        }
        SecretsWorker worker = new SecretsWorker(args);
        try {
            worker.build(args[6], args[7]);
            worker.run(Integer.parseInt(args[5]));
            worker.guards.forEach(CostGuard::close);
            worker.tell();
        } catch (Exception | AssertionError e) {
            e.printStackTrace();
            // Threads of a client that does not end would go on.
            System.exit(1);
        }
        System.exit(0);
    }

    // ----------------------------------------------------------------------------------------------------- guards

    private void build(String redis, String redisOfFewRights) throws IOException {
        URI at = URI.create(redis);
        String password = URLEncoder.encode(canaries.of(Secret.REDIS_PASSWORD), UTF_8);
        ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        guard(
                redis,
                builder -> builder.budget(roomy()).outputs(Outputs.learned()).streamUsage());
        guard(redis, builder -> builder.budget(tight()).denials(Denials.answer()));
        guard(redis, builder -> builder.budget(tight()).denials(Denials.throwException()));
        guard(redis, builder -> builder.budget(tight()).whenExhausted(WhenExhausted.waitUpTo(SHORT)));
        guard(redis, builder -> builder.budget(slow()).whenExhausted(WhenExhausted.waitUpTo(SHORT)));
        guard(redis, builder -> builder.budget(priced()).denials(Denials.throwException()));
        guard(redis, builder -> builder.budget(roomy()).listener(failing(GuardListener.class, "on", null)));
        for (String stage : List.of("request", "response", "usage", "apiKey", "provider")) {
            Dialect chat = Dialects.bundled()
                    .of(Target.of("POST", URI.create("http://any" + CHAT)))
                    .orElseThrow();
            guard(redis, builder -> builder.budget(roomy()).dialect(failing(Dialect.class, stage, chat)));
        }
        for (Denials denials : List.of(Denials.answer(), Denials.throwException())) {
            for (String away : List.of(
                    NOWHERE,
                    "redis://127.0.0.1:" + silent.getLocalPort(),
                    "redis://:" + password + "@" + at.getHost() + ":" + at.getPort(),
                    "redis://nobody:" + password + "@" + at.getHost() + ":" + at.getPort(),
                    redisOfFewRights)) {
                guard(
                        away,
                        builder ->
                                builder.budget(roomy()).decisionTimeout(SHORT).denials(denials));
            }
        }
        guard(
                NOWHERE,
                builder -> builder.budget(roomy()).decisionTimeout(SHORT).whenRedisFails(WhenRedisFails.failOpen()));
        try {
            CostGuard.builder()
                    .redis("redis://user:" + canaries.of(Secret.REDIS_PASSWORD) + "@{host}:port")
                    .budget(roomy())
                    .build()
                    .close();
        } catch (RuntimeException e) {
            failed(e);
        }
    }

    private Budget roomy() {
        return Budget.named(marker)
                .per("tenant", "apiKey")
                .limit(Limit.requests(1_000_000).per(LONG))
                .limit(Limit.concurrentCalls(1_000));
    }

    private Budget tight() {
        return Budget.named(marker)
                .per("tenant", "apiKey", "model")
                .limit(Limit.requests(2).per(LONG))
                .limit(Limit.tokens(500).per(LONG));
    }

    /** Calls of it wait, and most of them in vain. */
    private Budget slow() {
        return Budget.named(marker)
                .per("tenant")
                .limit(Limit.requests(50).perSecond().burst(1));
    }

    /** Of a model that has no price. */
    private Budget priced() {
        return Budget.named(marker).per("tenant").limit(Limit.usd("5").perDay());
    }

    private void guard(String redis, UnaryOperator<CostGuard.Builder> more) {
        CostGuard.Builder builder = CostGuard.builder()
                .redis(redis)
                .keyPrefix(prefix)
                .decisionTimeout(PATIENT)
                .attributes(Attributes.header("x-tenant").as("tenant"))
                .listener(recording())
                .listener(new CostGuardMetrics(meters))
                .listener(new CostGuardTelemetry(telemetry));
        CostGuard guard = more.apply(builder).build();
        object(builder, guard, guard.budgets());
        guards.add(guard);
        CostGuardMetrics.gauges(guard, Tag.of("guard", "" + guards.size())).bindTo(meters);
        sendings.add(okHttp(okHttp.newBuilder()
                .addInterceptor(new CostGuardInterceptor(guard))
                .build()));
        sendings.add(enqueued(new GuardedCallFactory(okHttp, guard)));
        HttpClient client = GuardedHttpClient.wrap(jdk, guard);
        object(client);
        sendings.add(sent -> own(client.send(request(sent), HttpResponse.BodyHandlers.ofByteArray())));
        sendings.add(sent -> own(Waiting.of(
                client.sendAsync(request(sent), HttpResponse.BodyHandlers.ofByteArray()),
                "an answer of java.net.http to " + sent.url)));
    }

    /** Every event, and all that is said of its call. */
    private GuardListener recording() {
        return (GuardListener) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {GuardListener.class}, (proxy, method, arguments) -> {
                    if (arguments == null || !method.getName().startsWith("on")) {
                        return method.getName().equals("hashCode") ? (Object) 1 : "a listener";
                    }
                    say(Place.EVENTS, arguments[0].toString());
                    synchronized (seen) {
                        seen.merge(method.getName(), 1, Integer::sum);
                    }
                    for (Method accessor : arguments[0].getClass().getMethods()) {
                        if (accessor.getName().equals("call")) {
                            GuardedCall call = (GuardedCall) accessor.invoke(arguments[0]);
                            say(Place.EVENTS, call.attributes() + " " + call.cost());
                        } else if (accessor.getName().equals("cause")) {
                            failed((Throwable) accessor.invoke(arguments[0]));
                        }
                    }
                    return null;
                });
    }

    /** One whose methods of that name throw, as if they had a bug. */
    private static <T> T failing(Class<T> type, String stage, @Nullable T otherwise) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    if (method.getName().equals(stage)
                            || (stage.equals("on") && method.getName().startsWith(stage))) {
                        throw new IllegalStateException("a bug in " + method.getName());
                    }
                    try {
                        return otherwise == null ? null : method.invoke(otherwise, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }));
    }

    // ------------------------------------------------------------------------------------------------------ calls

    private void run(int calls) throws Exception {
        Thread named = new Thread(() -> threads(), marker);
        named.start();
        named.join();
        for (int i = 0; i < calls; i++) {
            Sending sending = sendings.get(i % sendings.size());
            Span span = telemetry.getTracer("proof").spanBuilder("a call").startSpan();
            Scope scope = span.makeCurrent();
            try {
                sending.send(sent());
            } catch (Exception e) {
                failed(e);
            } finally {
                scope.close();
                span.end();
            }
            if (i % 8 == 0) {
                byHand(guards.get(i / 8 % guards.size()));
            }
            if (i % Math.max(1, calls / 8) == 0) {
                threads();
                // While calls may wait and permits are open.
                System.out.println("look");
                if (System.in.read() < 0) {
                    throw new IOException("nobody looks");
                }
            }
        }
        for (CostGuard guard : guards) {
            try {
                guard.flush();
                object(guard.stats());
            } catch (IOException e) {
                failed(e);
            }
        }
    }

    private Sent sent() {
        Map<String, String> headers = new LinkedHashMap<>();
        String host = provider;
        String query = "";
        switch (random.nextInt(7)) {
            case 0 -> headers.put("authorization", "Bearer " + canaries.of(Secret.BEARER));
            case 1 -> {
                byte[] pair = ("user:" + canaries.of(Secret.BASIC_PASSWORD)).getBytes(UTF_8);
                headers.put("authorization", "Basic " + Base64.getEncoder().encodeToString(pair));
            }
            case 2 -> headers.put("x-api-key", canaries.of(Secret.X_API_KEY));
            case 3 -> headers.put("api-key", canaries.of(Secret.API_KEY));
            case 4 -> headers.put("x-goog-api-key", canaries.of(Secret.GOOG_API_KEY));
            case 5 -> query = "?key=" + URLEncoder.encode(canaries.of(Secret.QUERY), UTF_8);
            default -> host = "user:" + URLEncoder.encode(canaries.of(Secret.USER_INFO), UTF_8) + "@" + provider;
        }
        headers.put("x-tenant", canaries.of(Secret.TENANT));
        String path = ANSWERS.get(random.nextInt(ANSWERS.size()));
        String end = random.nextInt(8) == 0 ? "/elsewhere" : CHAT;
        String body = "{\"model\":\"" + model() + "\",\"max_tokens\":20,\"stream\":" + path.equals("/stream")
                + ",\"user\":\"" + canaries.of(Secret.PROMPT) + "\",\"messages\":[{\"role\":\"user\",\"content\":\""
                + canaries.of(Secret.PROMPT) + "\"}]}";
        return new Sent("http://" + host + path + end + query, headers, body.getBytes(UTF_8));
    }

    /** Found wherever a model is told; some have a price. */
    private String model() {
        return random.nextInt(4) == 0 ? "gpt-4o" : marker + (random.nextBoolean() ? "" : random.nextInt(50));
    }

    private void byHand(CostGuard guard) {
        GuardedCall call = GuardedCall.of(model())
                .with("apiKey", canaries.of(Secret.ACQUIRED_KEY))
                .with("tenant", canaries.of(Secret.TENANT))
                .cost(Cost.requests(1).input(10).usd("0.01"));
        object(call);
        CallAttributes attributes = CallAttributes.of("user", "somebody").whenExhausted(WhenExhausted.reject());
        object(attributes, call.with(attributes));
        attempt(() -> {
            try (Permit permit = guard.acquire(call)) {
                object(permit, permit.id(), permit.estimate());
                permit.settle(Cost.requests(1).input(5).output(5).usd("0.001"));
            }
        });
        attempt(() -> {
            CompletableFuture<Permit> asked = guard.acquireAsync(call);
            try (Permit permit = Waiting.of(asked, "a permit that was asked for asynchronously")) {
                object(permit, asked);
                permit.release();
            }
        });
        attempt(() -> guard.tryAcquire(call).ifPresent(permit -> {
            object(permit);
            permit.close();
        }));
        attempt(() -> {
            Decision decision = guard.decide(call);
            object(decision);
            if (decision instanceof Decision.Granted granted) {
                granted.permit().close();
            }
        });
        attempt(() -> {
            try (Permit permit = guard.acquireUpTo(call, 3)) {
                object(permit, permit.pieces());
            }
        });
        attempt(() -> object(guard.status(call)));
        attempt(() -> guard.hold(call, SHORT));
        attempt(() -> guard.charge(call, Cost.requests(1).input(3)));
        attempt(() -> guard.refund(call, Cost.requests(1).input(3)));
        attempt(() -> object(guard.lackingRights(), guard.leased(call)));
        if (random.nextInt(4) == 0) {
            attempt(() -> guard.reset(call));
        }
    }

    private interface Attempt {
        void run() throws Exception;
    }

    private void attempt(Attempt attempt) {
        try {
            attempt.run();
        } catch (Exception e) {
            failed(e);
        }
    }

    private HttpRequest request(Sent sent) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(sent.url))
                .timeout(Duration.ofSeconds(10))
                .POST(HttpRequest.BodyPublishers.ofByteArray(sent.body));
        sent.headers.forEach(request::header);
        return request.build();
    }

    private void own(HttpResponse<byte[]> response) {
        if (response.headers().firstValue(OWN_ANSWER).isPresent()) {
            say(
                    Place.DENIALS,
                    response.statusCode() + " " + response.headers().map() + new String(response.body(), UTF_8));
        }
    }

    private Sending okHttp(OkHttpClient client) {
        return sent -> {
            try (Response response = client.newCall(okRequest(sent)).execute()) {
                own(response);
            }
        };
    }

    private static Request okRequest(Sent sent) {
        Request.Builder request = new Request.Builder().url(sent.url).post(RequestBody.create(sent.body));
        sent.headers.forEach(request::header);
        return request.build();
    }

    private void own(Response response) throws IOException {
        String body = response.body().string();
        if (response.header(OWN_ANSWER) != null) {
            say(Place.DENIALS, response.code() + " " + response.headers() + body);
        }
    }

    private Sending enqueued(Call.Factory calls) {
        object(calls);
        return sent -> {
            CompletableFuture<Void> done = new CompletableFuture<>();
            calls.newCall(okRequest(sent)).enqueue(new Callback() {
                @Override
                public void onResponse(Call call, Response response) {
                    try (response) {
                        own(response);
                        done.complete(null);
                    } catch (IOException e) {
                        done.completeExceptionally(e);
                    }
                }

                @Override
                public void onFailure(Call call, IOException e) {
                    done.completeExceptionally(e);
                }
            });
            Waiting.of(done, "an answer of OkHttp to " + sent.url);
        };
    }

    // ------------------------------------------------------------------------------------------------- what is told

    private void object(Object... objects) {
        for (Object object : objects) {
            say(Place.OBJECTS, String.valueOf(object));
        }
    }

    private void failed(Throwable failure) {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        say(Place.EXCEPTIONS, text.toString());
    }

    private void threads() {
        Thread.getAllStackTraces().keySet().forEach(thread -> say(Place.THREADS, thread.toString()));
    }

    private synchronized void say(Place place, String text) {
        told.computeIfAbsent(place, first -> new StringBuilder()).append(text).append('\n');
    }

    private synchronized void tell() {
        threads();
        meters.getMeters().forEach(meter -> say(Place.METERS, meter.getId() + " " + meter.measure()));
        spans.getFinishedSpanItems().forEach(span -> say(Place.TELEMETRY, span.toString()));
        metrics.collectAllMetrics().forEach(metric -> say(Place.TELEMETRY, metric.toString()));
        told.forEach((place, text) -> System.out.println("told\t" + place + "\t"
                + Base64.getEncoder().encodeToString(text.toString().getBytes(UTF_8))));
        synchronized (seen) {
            seen.forEach((event, count) -> System.out.println("event\t" + event + "\t" + count));
        }
    }
}
