package io.costguard.proof;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.costguard.describe.Tokenizers;
import io.costguard.proof.twins.Twins;
import io.costguard.settle.Hostile;
import io.costguard.settle.LoggedHere;
import io.costguard.settle.MutatedTraffic;
import io.costguard.settle.Scrutiny;
import io.costguard.settle.Scrutiny.Fault;
import io.costguard.settle.Scrutiny.Reading;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;

/** A process that reads hostile inputs, and tells how many there were of each fault. */
final class FuzzWorker {
    private static final int THREADS = 2;
    private static final int WARM_UP = MutatedTraffic.WARM_UP;
    private static final int ONE_IN_IS_LONG = 100;

    /** Of so many inputs that fail, it is found out which of their parts they fail by. */
    private static final int SHORTENED = 3;

    private static final int TRIES = 400;
    private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** A call through a client gives up before that. */
    private static final long WITHOUT_END_NANOS = Twins.PATIENCE.multipliedBy(3).toNanos();

    private static final int LONGEST_SHOWN = 4_000;

    private final Map<String, Long> kinds = new TreeMap<>();
    private final Map<String, Long> outcomes = new TreeMap<>();
    private final Map<Fault, Long> faults = new EnumMap<>(Fault.class);
    private final HostileExchanges exchanges;
    private final Map<Thread, Begun> begun = new ConcurrentHashMap<>();
    private int shortened;

    private record Begun(Hostile<?> input, Thread thread, long nanos) {}

    private FuzzWorker(HostileExchanges exchanges) {
        this.exchanges = exchanges;
    }

    /** Arguments: the seed, how many inputs, one in how many of them goes over a socket, the URL of Redis, and a prefix for keys there. */
    public static void main(String[] args) throws Exception {
        ChildJvm.endWithParent();
        long seed = Long.parseLong(args[0]);
        int inputs = Integer.parseInt(args[1]);
        int oneIn = Integer.parseInt(args[2]);
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
        PrintStream err = System.err;
        LoggedHere.watch();
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try (HostileExchanges exchanges = new HostileExchanges(args[3], args[4])) {
            FuzzWorker worker = new FuzzWorker(exchanges);
            List<Future<?>> running = new ArrayList<>();
            for (int thread = 0; thread < THREADS; thread++) {
                Random random = new Random(seed * THREADS + thread);
                int count = inputs / THREADS + (thread < inputs % THREADS ? 1 : 0);
                running.add(threads.submit(() -> worker.read(random, count, oneIn)));
            }
            for (Future<?> each : running) {
                worker.await(each);
            }
            worker.tell();
        } finally {
            System.setErr(err);
            threads.shutdown();
        }
    }

    private void read(Random random, int count, int oneIn) {
        Scrutiny scrutiny = new Scrutiny();
        MutatedTraffic bodies = new MutatedTraffic(random);
        HostileUsages usages = new HostileUsages(random);
        HostileHeaders headers = new HostileHeaders(random);
        HostileModels models = new HostileModels(random);
        for (int i = -WARM_UP; i < count; i++) {
            if (i == 0) {
                scrutiny.isWarm();
            }
            int kind = random.nextInt(8);
            if (i < 0 && i % ONE_IN_IS_LONG == 0) {
                read("names", models.longest(), scrutiny);
            } else if (i >= 0 && i % oneIn == 0) {
                read("exchanges", exchanges.next(random, i / oneIn), scrutiny);
            } else if (kind < 3) {
                read("bodies", bodies.next(), scrutiny);
            } else if (kind < 5) {
                read("usages", usages.next(), scrutiny);
            } else if (kind < 7) {
                read("headers", headers.next(), scrutiny);
            } else {
                read("names", models.next(), scrutiny);
            }
        }
    }

    private void await(Future<?> thread) throws Exception {
        while (true) {
            try {
                thread.get(1, TimeUnit.SECONDS);
                return;
            } catch (TimeoutException e) {
                for (Begun each : begun.values()) {
                    if (System.nanoTime() - each.nanos > WITHOUT_END_NANOS) {
                        tellWithoutEnd(each);
                    }
                }
            }
        }
    }

    /** As nothing else can end its thread, nothing more is read. */
    private void tellWithoutEnd(Begun reading) throws Exception {
        history(Fault.HANG + " without an end of " + reading.input + ":\n" + escaped(reading.input.bytes()) + "\n"
                + Arrays.stream(reading.thread.getStackTrace())
                        .map(frame -> "\tat " + frame)
                        .collect(Collectors.joining("\n")));
        synchronized (this) {
            faults.merge(Fault.HANG, 1L, Long::sum);
        }
        tell();
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private <T> void read(String kind, Hostile<T> input, Scrutiny scrutiny) {
        Thread thread = Thread.currentThread();
        begun.put(thread, new Begun(input, thread, System.nanoTime()));
        Reading reading = scrutiny.of(input);
        begun.remove(thread);
        synchronized (this) {
            kinds.merge(kind, 1L, Long::sum);
            reading.outcome().ifPresent(outcome -> outcomes.merge(kind + " " + outcome, 1L, Long::sum));
            reading.fault().ifPresent(fault -> faults.merge(fault, 1L, Long::sum));
            if (reading.fault().isEmpty() || ++shortened > SHORTENED) {
                return;
            }
        }
        Fault fault = reading.fault().get();
        long until = System.nanoTime() + LONGEST_NANOS;
        Hostile<T> left = input.of(Shortened.of(
                input.parts(),
                parts -> System.nanoTime() - until < 0
                        && scrutiny.of(input.of(parts).afresh())
                                .fault()
                                .filter(fault::equals)
                                .isPresent(),
                TRIES));
        String why = scrutiny.of(left.afresh()).why();
        // Of a long input the beginning, so that it is said what was wrong.
        String shown = begin(escaped(left.bytes()), LONGEST_SHOWN / 2);
        history(fault + " of " + left + ":\n" + shown + "\n" + (why.isEmpty() ? reading.why() : why));
    }

    private synchronized void tell() throws Exception {
        String elsewhere = LoggedHere.elsewhere();
        if (!elsewhere.isEmpty()) {
            faults.merge(
                    Fault.EXCEPTION,
                    elsewhere.lines().filter(line -> !line.startsWith("\t")).count(),
                    Long::sum);
            history("logged by threads of the guard or its clients:\n" + elsewhere);
        }
        List<Throwable> thrown = Twins.thrown();
        if (!thrown.isEmpty()) {
            faults.merge(Fault.EXCEPTION, (long) thrown.size(), Long::sum);
            history("thrown on threads of OkHttp, and caught by nobody:\n" + Scrutiny.text(thrown.get(0)));
        }
        kinds.forEach((kind, count) -> System.out.println("kind\t" + kind + "\t" + count));
        outcomes.forEach((outcome, count) -> System.out.println("outcome\t" + outcome + "\t" + count));
        faults.forEach((fault, count) -> System.out.println("fault\t" + fault + "\t" + count));
        exchanges.letGo().forEach((client, count) -> System.out.println("client\t" + client + "\t" + count));
        System.out.println("unsettled\tcalls\t" + exchanges.unsettled());
        System.out.println("unsteady\tinputs\t" + exchanges.unsteady());
    }

    private static synchronized void history(String text) {
        String shown = begin(text, LONGEST_SHOWN);
        System.out.println("history\t" + Base64.getEncoder().encodeToString(shown.getBytes(UTF_8)) + "\t0");
    }

    private static String begin(String text, int most) {
        return text.length() > most ? text.substring(0, most) + "..." : text;
    }

    /** As it can be put into a source: all but printable ASCII by number. */
    private static String escaped(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (char c : new String(bytes, ISO_8859_1).toCharArray()) {
            if (c == '\\') {
                text.append("\\\\");
            } else if (c >= ' ' && c <= '~') {
                text.append(c);
            } else {
                text.append(c == '\n' ? "\\n" : c == '\r' ? "\\r" : String.format("\\x%02x", (int) c));
            }
        }
        return text.toString();
    }
}
