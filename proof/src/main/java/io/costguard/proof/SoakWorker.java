package io.costguard.proof;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.costguard.Attributes;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardStats;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.WhenExhausted;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.okhttp.GuardedCallFactory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Flow;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.ConnectionPool;
import okhttp3.Dispatcher;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okio.BufferedSource;
import org.jspecify.annotations.Nullable;

/** A process that makes so many calls a second, and tells from time to time what it holds, and in the end what Redis says that they cost. */
final class SoakWorker {
    /** A call that is of this tenant; each has a balance of its own. */
    enum Tenant {
        /** Answered to its end, at once or in a stream. */
        WHOLE,
        /** A stream that is left half-way. */
        CUT,
        /** Of a budget that is spent. */
        DENIED,
        /** Of a budget that has room for one at a time. */
        WAITING;

        String label() {
            return name().toLowerCase(Locale.ROOT);
        }

        static Tenant of(Random random) {
            int of = random.nextInt(100);
            return of < 5 ? CUT : of < 10 ? DENIED : of < 15 ? WAITING : WHOLE;
        }
    }

    static final String TENANT = "x-account";
    static final String HALF = ": half of it\n\n";

    private static final int MOST_IN_FLIGHT = 400;
    private static final int WARM_UP = 2_000;
    private static final int OKHTTP_THREADS = 24;
    private static final int JDK_THREADS = 6;
    private static final int DENIED = 429;
    private static final int PAYMENT_REQUIRED = 402;
    private static final Duration MONTH = Duration.ofDays(30);
    private static final long ROOM = 1L << 50;

    private final URI provider;
    private final int callsASecond;
    private final Random random;
    private final CostGuard guard;
    private final Call.Factory okHttp;
    private final HttpClient jdk;
    private final Semaphore places = new Semaphore(MOST_IN_FLIGHT);
    private final Map<String, AtomicLong> counts = new ConcurrentSkipListMap<>();

    private SoakWorker(String redis, String prefix, URI provider, int callsASecond, Random random) {
        this.provider = provider;
        this.callsASecond = callsASecond;
        this.random = random;
        Budget bill = Budget.named("bill")
                .per("account")
                .limit(Limit.requests(ROOM).per(MONTH).slidingWindow())
                .limit(Limit.tokens(ROOM).per(MONTH).slidingWindow())
                .limit(Limit.concurrentCalls(1_000_000));
        // Of those that wait there come nine tenths as many as there is room for.
        int waiting = Math.max(1, callsASecond / 18);
        this.guard = CostGuard.builder()
                .redis(redis)
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofMinutes(1))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(1)))
                .attributes(Attributes.header(TENANT).as("account"))
                .budget(bill)
                .budget(Budget.named("spent")
                        .where("account", Tenant.DENIED.label())
                        .per("account")
                        .limit(Limit.requests(1).per(MONTH)))
                .budget(Budget.named("narrow")
                        .where("account", Tenant.WAITING.label())
                        .per("account")
                        .limit(Limit.requests(waiting).perSecond().burst(1)))
                .listener(new GuardListener() {
                    @Override
                    public void onWaiting(Waiting event) {
                        count("waited");
                    }
                })
                .build();
        Dispatcher dispatcher = new Dispatcher(threads(OKHTTP_THREADS, "okhttp"));
        dispatcher.setMaxRequests(MOST_IN_FLIGHT);
        dispatcher.setMaxRequestsPerHost(OKHTTP_THREADS);
        this.okHttp = new GuardedCallFactory(
                new OkHttpClient.Builder()
                        .dispatcher(dispatcher)
                        .connectionPool(new ConnectionPool(OKHTTP_THREADS, 1, TimeUnit.HOURS))
                        .build(),
                guard);
        this.jdk = GuardedHttpClient.wrap(
                HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .executor(threads(JDK_THREADS, "jdk"))
                        .build(),
                guard);
    }

    private static ExecutorService threads(int count, String name) {
        return Executors.newFixedThreadPool(count, task -> {
            Thread thread = new Thread(task, name);
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Arguments: Redis, a prefix for keys, the provider, seconds, calls a second, samples, a seed. */
    public static void main(String[] args) throws Exception {
        ChildJvm.endWithParent();
        SoakWorker worker = new SoakWorker(
                args[0], args[1], URI.create(args[2]), Integer.parseInt(args[4]), new Random(Long.parseLong(args[6])));
        worker.warmUp();
        worker.run(Long.parseLong(args[3]), Integer.parseInt(args[5]));
        worker.tell();
        worker.guard.close();
        System.exit(0);
    }

    /** Until Java has compiled what runs, it is not looked at how many calls there are. */
    private void warmUp() throws InterruptedException {
        for (int i = 0; i < WARM_UP; i++) {
            places.acquire();
            call(i);
        }
        awaitEnds();
        counts.clear();
    }

    private void awaitEnds() throws InterruptedException {
        places.acquire(MOST_IN_FLIGHT);
        places.release(MOST_IN_FLIGHT);
    }

    private void run(long seconds, int samples) throws InterruptedException {
        long start = System.nanoTime();
        long all = seconds * callsASecond;
        long made = 0;
        int sampled = 0;
        long time = TimeUnit.SECONDS.toNanos(seconds);
        for (long passed = 0; passed < time; passed = System.nanoTime() - start) {
            long due = Math.min(all, passed / 1_000 * callsASecond / 1_000_000);
            while (made < due && places.tryAcquire()) {
                call(made++);
            }
            if (passed > time / samples * (sampled + 1)) {
                sampled++;
                sample();
            }
            LockSupport.parkNanos(500_000);
        }
        awaitEnds();
    }

    private static void sample() {
        System.gc();
        System.out.println("sample\t"
                + ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() + "\t"
                + ManagementFactory.getThreadMXBean().getThreadCount());
    }

    private void count(String what) {
        counts.computeIfAbsent(what, first -> new AtomicLong()).incrementAndGet();
    }

    // ------------------------------------------------------------------------------------------------------- calls

    private void call(long number) {
        Tenant tenant = Tenant.of(random);
        boolean isStream = tenant == Tenant.CUT || random.nextInt(100) < 30;
        if (isStream) {
            count("streams");
        }
        byte[] body = ("{\"model\":\"a-model\",\"max_tokens\":40,\"stream\":" + isStream
                        + ",\"messages\":[{\"role\":\"user\",\"content\":\"How do you do?\"}]}")
                .getBytes(UTF_8);
        if (number % 2 == 0) {
            Request request = new Request.Builder()
                    .url(provider.toString())
                    .header(TENANT, tenant.label())
                    .header("x-tenant", tenant.label())
                    .post(RequestBody.create(body))
                    .build();
            okHttp.newCall(request).enqueue(new Ending(tenant));
        } else {
            HttpRequest request = HttpRequest.newBuilder(provider)
                    .header(TENANT, tenant.label())
                    .header("x-tenant", tenant.label())
                    .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                    .build();
            CompletableFuture<?> unused = jdk.sendAsync(request, head -> new UntilHalf(tenant))
                    .whenComplete((response, failure) -> ended(tenant, failure == null ? response.statusCode() : 0));
        }
    }

    private void ended(Tenant tenant, int status) {
        count("ended");
        if (status == DENIED || status == PAYMENT_REQUIRED) {
            count(tenant == Tenant.DENIED ? "denied" : "failed");
        } else if (status != 200) {
            count("failed");
        } else if (tenant == Tenant.CUT) {
            count("cut");
        }
        places.release();
    }

    private final class Ending implements Callback {
        private final Tenant tenant;

        Ending(Tenant tenant) {
            this.tenant = tenant;
        }

        @Override
        public void onResponse(Call call, Response response) {
            int status = response.code();
            try (response) {
                BufferedSource body = response.body().source();
                if (tenant == Tenant.CUT) {
                    while (!body.readUtf8LineStrict().equals(HALF.strip())) {
                        // What comes before is not looked at.
                    }
                } else {
                    body.readByteArray();
                }
            } catch (IOException e) {
                status = 0;
            }
            ended(tenant, status);
        }

        @Override
        public void onFailure(Call call, IOException e) {
            ended(tenant, 0);
        }
    }

    /** Takes a body whole, or leaves it where it says that it is half of it. */
    private static final class UntilHalf implements BodySubscriber<Boolean> {
        private final CompletableFuture<Boolean> whole = new CompletableFuture<>();
        private final ByteArrayOutputStream seen = new ByteArrayOutputStream();
        private final Tenant tenant;
        private Flow.@Nullable Subscription subscription;

        UntilHalf(Tenant tenant) {
            this.tenant = tenant;
        }

        @Override
        public CompletionStage<Boolean> getBody() {
            return whole;
        }

        @Override
        public void onSubscribe(Flow.Subscription begun) {
            subscription = begun;
            begun.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(List<ByteBuffer> pieces) {
            for (ByteBuffer piece : pieces) {
                byte[] bytes = new byte[piece.remaining()];
                piece.get(bytes);
                seen.writeBytes(bytes);
            }
            if (tenant == Tenant.CUT && seen.toString(ISO_8859_1).contains(HALF)) {
                if (subscription != null) {
                    subscription.cancel();
                }
                whole.complete(false);
            }
        }

        @Override
        public void onError(Throwable failure) {
            whole.completeExceptionally(failure);
        }

        @Override
        public void onComplete() {
            whole.complete(true);
        }
    }

    // --------------------------------------------------------------------------------------------------------- ends

    private void tell() throws IOException {
        guard.flush();
        counts.forEach((name, count) -> System.out.println("count\t" + name + "\t" + count));
        GuardStats stats = guard.stats();
        System.out.println("count\topen\t" + stats.openReservations());
        System.out.println("count\twaiting\t" + stats.waitingCalls());
        System.out.println("count\tqueued\t" + stats.queuedSettles());
        System.out.println("count\tdropped\t" + stats.droppedSettles());
        for (Tenant tenant : Tenant.values()) {
            List<LimitStatus> all = guard.status(GuardedCall.of("a-model").with("account", tenant.label()));
            System.out.println("ledger\t" + tenant + "\t" + used(all.get(0)) + "\t" + used(all.get(1)) + "\t"
                    + used(all.get(2)) + "\t"
                    + all.stream().mapToLong(LimitStatus::waiting).sum());
        }
    }

    private static long used(LimitStatus status) {
        return status.capacity() - status.balance();
    }
}
