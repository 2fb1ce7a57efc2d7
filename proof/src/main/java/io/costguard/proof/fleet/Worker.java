package io.costguard.proof.fleet;

import io.costguard.Attributes;
import io.costguard.Budget;
import io.costguard.BudgetExceededException;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Permit;
import io.costguard.PriceList;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.okhttp.CostGuardInterceptor;
import io.costguard.testing.FaultyLink;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;

/**
 * A process that makes guarded calls from some threads, and writes down what it asks and what it is answered, until it is killed, halts at
 * a named point of a call, or is told to end by a line on its input. It dies with the end of its input.
 */
public final class Worker {
    static final int HALTED = 42;
    static final long CALLS_IN_FLIGHT = 24;
    static final Duration LEASE = Duration.ofSeconds(1);
    /** So that a machine that stalls fails no call. */
    static final Duration PATIENT = Duration.ofSeconds(20);

    private static final Duration A_MONTH = Duration.ofDays(30);
    private static final long EVERYTHING = 1L << 50;
    private static final int CALLS_A_FLUSH = 8;
    private static final String MODEL = "a-model";

    /** What all share; what a call costs is never more than some of it, so that some are denied. The last is used up for good. */
    private static final Budget SHARED = Budget.named("shared")
            .per()
            .limit(Limit.requests(12_000).perMinute().burst(20))
            .limit(Limit.inputTokens(600_000).perMinute().burst(5_000))
            .limit(Limit.concurrentCalls(CALLS_IN_FLIGHT))
            .limit(Limit.usd("1000000").per(A_MONTH).fixedWindow());

    /** Tells calls apart: its limits are met by none, and what is used of the first is the call's number. */
    private static final Budget OF_EACH = Budget.named("each")
            .per("call")
            .limit(Limit.outputTokens(EVERYTHING).per(A_MONTH).fixedWindow())
            .limit(Limit.inputTokens(EVERYTHING).per(A_MONTH).fixedWindow())
            .limit(Limit.usd("1000000").per(A_MONTH).fixedWindow());

    /** Of one process: each is told apart. */
    private static final int MOST_CALLS = 10_000_000;

    static final int LIMITS_SHARED = SHARED.limits().size();
    static final int LIMITS_OF_EACH = OF_EACH.limits().size();

    /** Where the budgets have their limits: the shared one the calls in flight, and what is used up for good. */
    static final int IN_FLIGHT = 2;

    static final int FOR_GOOD = 3;
    static final int OUTPUT = 0;
    static final int INPUT = 1;
    static final int USD = 2;

    private static final int MOST_NANO_USD = 1_000_000;
    /** Of what is used, in nano-dollars. */
    static final int MOST_OVERRUN = 100_000;

    /** By what it makes its calls. */
    enum Client {
        GUARD,
        OKHTTP,
        JDK
    }

    /** Where it halts. */
    enum Point {
        BEFORE_THE_RESERVE,
        /** Redis never sees what was sent. */
        AS_THE_REQUEST_IS_SENT,
        /** Redis has decided. */
        AS_THE_REPLY_COMES,
        IN_THE_LISTENER_OF_THE_GRANT,
        AFTER_THE_GRANT,
        BETWEEN_RESPONSE_AND_SETTLE,
        AFTER_THE_SETTLE_IS_QUEUED,
        BEFORE_THE_FLUSH,
        NOWHERE
    }

    /** How it makes one call. */
    private interface Caller {
        void call(long number, Random random) throws IOException, InterruptedException;
    }

    private final Journal journal;
    private final FaultyLink link;
    private final CostGuard guard;
    private final String provider;
    private final Point point;
    private final long haltsAt;
    private final AtomicLong next;
    private final long betweenCallsNanos;
    private final Caller caller;
    private volatile boolean ends;

    /**
     * Arguments: where Redis is, the key prefix, its journal, where the provider is, by what it calls, where it halts, in which of its calls, the
     * number of its first call, how many threads, milliseconds between the calls of each, seed.
     */
    public static void main(String[] args) throws Exception {
        Worker worker = new Worker(args);
        int threads = Integer.parseInt(args[8]);
        Random seeds = new Random(Long.parseLong(args[10]));
        List<Thread> calling = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            Random random = new Random(seeds.nextLong());
            Thread thread = new Thread(() -> worker.work(random));
            thread.setUncaughtExceptionHandler((dead, failure) -> {
                failure.printStackTrace();
                Runtime.getRuntime().halt(1);
            });
            calling.add(thread);
        }
        System.out.println("ready");
        calling.forEach(Thread::start);
        if (System.in.read() < 0) {
            Runtime.getRuntime().halt(0);
        }
        worker.ends = true;
        for (Thread thread : calling) {
            thread.join();
        }
        worker.close();
        System.exit(0);
    }

    private Worker(String[] args) throws IOException {
        URI redis = URI.create(args[0]);
        link = FaultyLink.to(redis.getHost(), redis.getPort());
        journal = new Journal(Path.of(args[2]));
        provider = args[3];
        Client client = Client.valueOf(args[4]);
        point = Point.valueOf(args[5]);
        long first = Long.parseLong(args[7]);
        haltsAt = first + Long.parseLong(args[6]);
        next = new AtomicLong(first);
        betweenCallsNanos = TimeUnit.MILLISECONDS.toNanos(Long.parseLong(args[9]));
        boolean needsLink = point == Point.AS_THE_REQUEST_IS_SENT || point == Point.AS_THE_REPLY_COMES;
        guard = guard(needsLink ? link.url() : args[0], args[1])
                .listener(new GuardListener() {
                    @Override
                    public void onGranted(Grant event) {
                        haltAt(
                                Point.IN_THE_LISTENER_OF_THE_GRANT,
                                Long.parseLong(event.call().attributes().getOrDefault("call", "0")));
                    }
                })
                .build();
        caller = switch (client) {
            case GUARD -> this::callByHand;
            case OKHTTP -> callerByOkHttp();
            case JDK -> callerByJdk();
        };
    }

    /** As all processes of the fleet have it. */
    static CostGuard.Builder guard(String redis, String prefix) throws IOException {
        return CostGuard.builder()
                .redis(redis)
                .keyPrefix(prefix)
                .decisionTimeout(PATIENT)
                .lease(LEASE)
                .preCheck(Duration.ZERO)
                .cardinalityLimit(MOST_CALLS)
                .attributes(Attributes.header("X-Call").as("call"))
                .prices(PriceList.parse(new ByteArrayInputStream(("{\"" + MODEL + "\":{\"input_cost_per_token\":1e-6,"
                                + "\"output_cost_per_token\":1e-9,\"litellm_provider\":\"p\",\"mode\":\"chat\"}}")
                        .getBytes(StandardCharsets.UTF_8))))
                .budget(SHARED)
                .budget(OF_EACH);
    }

    /** A call of that number. */
    static GuardedCall call(long number) {
        return GuardedCall.of(MODEL).with("call", String.valueOf(number));
    }

    private void close() throws IOException {
        guard.close();
        journal.note(Journal.Event.CLOSED, 0);
        journal.close();
    }

    private void haltAt(Point here, long call) {
        if (here == point && call >= haltsAt) {
            Runtime.getRuntime().halt(HALTED);
        }
    }

    private void work(Random random) {
        while (!ends) {
            long number = next.getAndIncrement();
            haltAt(Point.BEFORE_THE_RESERVE, number);
            if (number == haltsAt) {
                haltOnTheWay();
            }
            try {
                caller.call(number, random);
                if (number % CALLS_A_FLUSH == 0) {
                    haltAt(Point.BEFORE_THE_FLUSH, number);
                    long settled = journal.entries();
                    guard.flush();
                    journal.note(Journal.Event.FLUSHED, settled);
                }
            } catch (GuardUnavailableException e) {
                e.printStackTrace();
                journal.note(Journal.Event.FAILED, number);
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException("call " + number, e);
            }
            LockSupport.parkNanos(betweenCallsNanos);
        }
    }

    /** The next that is asked, of whichever thread, is on its way when it halts. */
    private void haltOnTheWay() {
        FaultyLink.Direction way = point == Point.AS_THE_REQUEST_IS_SENT ? link.requests() : link.replies();
        if (point == Point.AS_THE_REQUEST_IS_SENT || point == Point.AS_THE_REPLY_COMES) {
            way.holdNext("EVALSHA");
            Thread halts = new Thread(() -> {
                try {
                    way.awaitWithheld(1);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                Runtime.getRuntime().halt(HALTED);
            });
            halts.start();
        }
    }

    private void callByHand(long number, Random random) throws IOException {
        long input = random.nextInt(10) == 0 ? 4_000 : 50 + random.nextInt(200);
        GuardedCall call =
                call(number).cost(Cost.requests(1).input(input).output(number).nanoUsd(random.nextInt(MOST_NANO_USD)));
        journal.note(Journal.Event.ASKS, number);
        Permit permit;
        try {
            permit = guard.acquire(call);
        } catch (BudgetExceededException e) {
            journal.note(Journal.Event.DENIED, number);
            return;
        }
        haltAt(Point.AFTER_THE_GRANT, number);
        journal.note(Journal.Event.LET_GO, number);
        haltAt(Point.BETWEEN_RESPONSE_AND_SETTLE, number);
        int end = random.nextInt(20);
        if (end == 0) {
            journal.note(Journal.Event.RELEASED, number);
            permit.release();
        } else if (end == 1) {
            journal.note(Journal.Event.KEPT, number);
            permit.close();
        } else {
            Cost used = Cost.requests(1)
                    .input(end == 2 ? input + random.nextInt(50) : random.nextLong(input + 1))
                    .output(random.nextInt(100))
                    .nanoUsd(random.nextInt((int) call.cost().nanoUsd() + MOST_OVERRUN));
            settled(number, used.input(), used.output(), used.nanoUsd(), () -> permit.settle(used));
        }
        haltAt(Point.AFTER_THE_SETTLE_IS_QUEUED, number);
    }

    /** What is flushed later is what was settled before it was noted. */
    private void settled(long number, long input, long output, long nanoUsd, Runnable settle) {
        settle.run();
        journal.note(Journal.Event.SETTLED, number, input, output, nanoUsd);
    }

    private Caller callerByOkHttp() {
        OkHttpClient okHttp = new OkHttpClient.Builder()
                .addInterceptor(new CostGuardInterceptor(guard))
                .addInterceptor(chain -> {
                    haltAt(
                            Point.AFTER_THE_GRANT,
                            Long.parseLong(
                                    Objects.requireNonNull(chain.request().header("X-Sent"))));
                    return chain.proceed(chain.request());
                })
                .build();
        return (number, random) -> {
            Request request = new Request.Builder()
                    .url(provider)
                    .header("X-Call", String.valueOf(number))
                    .header("X-Sent", String.valueOf(number))
                    .post(RequestBody.create(body(number, random), MediaType.get("application/json")))
                    .build();
            journal.note(Journal.Event.ASKS, number);
            try (Response response = okHttp.newCall(request).execute()) {
                if (isLetGo(number, response.code())) {
                    read(number, Objects.requireNonNull(response.body()).byteStream());
                }
            }
        };
    }

    private Caller callerByJdk() {
        HttpClient jdk = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
        return (number, random) -> {
            HttpRequest request = HttpRequest.newBuilder(URI.create(provider))
                    .header("X-Call", String.valueOf(number))
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString(body(number, random)))
                    .build();
            journal.note(Journal.Event.ASKS, number);
            HttpResponse<InputStream> response = jdk.send(request, HttpResponse.BodyHandlers.ofInputStream());
            try (InputStream in = response.body()) {
                if (isLetGo(number, response.statusCode())) {
                    read(number, in);
                }
            }
        };
    }

    private static String body(long number, Random random) {
        return "{\"model\":\"" + MODEL + "\",\"max_tokens\":" + number + ",\"stream\":" + random.nextBoolean()
                + ",\"messages\":[{\"role\":\"user\",\"content\":\""
                + "word ".repeat(1 + random.nextInt(60)).strip() + "\"}]}";
    }

    private boolean isLetGo(long number, int status) {
        journal.note(
                status == 200 ? Journal.Event.LET_GO : status == 503 ? Journal.Event.FAILED : Journal.Event.DENIED,
                number);
        return status == 200;
    }

    private void read(long number, InputStream body) throws IOException {
        haltAt(Point.BETWEEN_RESPONSE_AND_SETTLE, number);
        body.readAllBytes();
        body.close();
        journal.note(Journal.Event.ENDED, number);
        haltAt(Point.AFTER_THE_SETTLE_IS_QUEUED, number);
    }
}
