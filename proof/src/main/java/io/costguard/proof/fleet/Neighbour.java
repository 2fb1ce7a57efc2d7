package io.costguard.proof.fleet;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.proof.ChildJvm;
import io.costguard.redis.ScriptedClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A process of other builds of this library beside this one: one loads the same budget, and another one writes values of a format to come for
 * tenants. For one thread.
 */
final class Neighbour implements AutoCloseable {
    /** What a tenant may make. */
    static final int TENANTS_CALLS = 10;

    static final String WENT = "went";

    private final ChildJvm jvm;
    private final Wrongs wrongs;

    /** What calls there were, and what they used. */
    record Made(int calls, long nanoUsd) {}

    private Neighbour(ChildJvm jvm, Wrongs wrongs) {
        this.jvm = jvm;
        this.wrongs = wrongs;
    }

    static Neighbour start(String url, Wrongs wrongs) throws IOException {
        return new Neighbour(
                ChildJvm.start(Neighbour.class, List.of("-Xmx64m", "-XX:TieredStopAtLevel=1"), url), wrongs);
    }

    /** Its load goes on; returns once so many calls more were let go. */
    void go(int calls) throws IOException {
        jvm.tell("go " + calls);
        jvm.hear();
    }

    /** Its load stops; {@return what that made since it began or was stopped} */
    Made pause() throws IOException {
        jvm.tell("pause");
        String line = jvm.hear();
        for (; line.startsWith("wrong "); line = jvm.hear()) {
            wrongs.add(line);
        }
        String[] words = line.split(" ", -1);
        return new Made(Integer.parseInt(words[0]), Long.parseLong(words[1]));
    }

    /** A tenant's call, by the build of a format to come; {@return {@link #WENT}, or why not} */
    String acquire(String tenant) throws IOException {
        jvm.tell("acquire " + tenant);
        return jvm.hear();
    }

    /** {@return what that build says that a tenant has left} */
    long left(String tenant) throws IOException {
        jvm.tell("left " + tenant);
        return Long.parseLong(jvm.hear());
    }

    // ----------------------------------------------------------------------------------- what any build does

    /** A guard on tenants. */
    static CostGuard.Builder tenants() {
        return CostGuard.builder()
                .keyPrefix("tenants")
                .decisionTimeout(Bench.PATIENT)
                .budget(Budget.named("tenants")
                        .per("tenant")
                        .limit(Limit.requests(TENANTS_CALLS)
                                .per(Duration.ofDays(30))
                                .fixedWindow()));
    }

    static String acquire(CostGuard guard, String tenant) throws IOException {
        try {
            guard.acquire(call(tenant)).close();
            guard.flush();
            return WENT;
        } catch (GuardUnavailableException e) {
            return String.valueOf(e.getMessage());
        }
    }

    static long left(CostGuard guard, String tenant) throws GuardUnavailableException {
        return guard.status(call(tenant)).get(0).balance();
    }

    private static GuardedCall call(String tenant) {
        return GuardedCall.of("a-model").with("tenant", tenant);
    }

    // ----------------------------------------------------------------------------------------------- the process

    /** Argument: where Redis is. Does what it is told, a line an order, and ends with its input. */
    public static void main(String[] args) throws Exception {
        String url = args[0];
        List<String> wrong = new ArrayList<>();
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Bench bench = new Bench(new Wrongs(wrong::add, "in another build"), new Random(url.hashCode()))) {
            Load load = bench.load(guard -> guard.redis(bench.opened(ScriptedClient.ofAnotherBuild(url))));
            CostGuard later = bench.opened(tenants()
                    .redis(bench.opened(ScriptedClient.ofALaterFormat(url)))
                    .build());
            for (String line = orders.readLine(); line != null; line = orders.readLine()) {
                String[] words = line.split(" ", -1);
                switch (words[0]) {
                    case "go" -> {
                        load.go();
                        load.awaitGrants(Integer.parseInt(words[1]));
                        say("goes");
                    }
                    case "pause" -> {
                        load.pause();
                        int calls = load.made();
                        long used = load.pauseAndForget();
                        wrong.forEach(each -> say("wrong " + each));
                        wrong.clear();
                        say(calls + " " + used);
                    }
                    case "acquire" -> say(acquire(later, words[1]));
                    default -> say(String.valueOf(left(later, words[1])));
                }
            }
        }
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    @Override
    public void close() throws IOException {
        jvm.close();
    }
}
