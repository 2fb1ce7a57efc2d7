package io.costguard.http.tck;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.GuardListener;
import io.costguard.testing.RedisForTests;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import redis.clients.jedis.Connection;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisMonitor;

/** Everything that leaves the guard by any other way than the guarded call itself: to Redis, the logs, listeners and exceptions. */
public final class Leaks implements GuardListener, AutoCloseable {
    private final Jedis jedis;
    private final PrintStream err = System.err;
    private final PrintStream out = System.out;
    private final ByteArrayOutputStream logged = new ByteArrayOutputStream();
    private final Queue<String> commands = new ConcurrentLinkedQueue<>();
    private final Queue<String> told = new ConcurrentLinkedQueue<>();
    private final RedisForTests redis;

    private Leaks(RedisForTests redis) {
        this.redis = redis;
        this.jedis = new Jedis(redis.url());
    }

    /** Watches from now on. */
    public static Leaks watch(RedisForTests redis) throws InterruptedException {
        Leaks leaks = new Leaks(redis);
        CountDownLatch monitoring = new CountDownLatch(1);
        Thread monitor = new Thread(() -> leaks.monitor(monitoring), "monitor");
        monitor.setDaemon(true);
        monitor.start();
        monitoring.await();
        System.setErr(leaks.tee(leaks.err));
        System.setOut(leaks.tee(leaks.out));
        return leaks;
    }

    private void monitor(CountDownLatch monitoring) {
        try {
            jedis.monitor(new JedisMonitor() {
                @Override
                public void proceed(Connection client) {
                    monitoring.countDown();
                    super.proceed(client);
                }

                @Override
                public void onCommand(String command) {
                    commands.add(command);
                }
            });
        } catch (RuntimeException e) {
            // It was closed.
        }
    }

    private PrintStream tee(PrintStream console) {
        return new PrintStream(
                new OutputStream() {
                    @Override
                    public void write(int b) {
                        console.write(b);
                        logged.write(b);
                    }

                    @Override
                    public void write(byte[] bytes, int offset, int length) {
                        console.write(bytes, offset, length);
                        logged.write(bytes, offset, length);
                    }
                },
                true,
                StandardCharsets.UTF_8);
    }

    void failed(Throwable e) {
        StringWriter text = new StringWriter();
        e.printStackTrace(new PrintWriter(text));
        told.add(text.toString());
    }

    @Override
    public void onGranted(Grant event) {
        told.add(event.toString());
    }

    @Override
    public void onDenied(Denied event) {
        told.add(event.toString());
    }

    @Override
    public void onSettled(Settlement event) {
        told.add(event.toString());
    }

    @Override
    public void onFailedOpen(FailedOpen event) {
        told.add(event.toString());
    }

    /** Fails where {@code value} was sent to Redis, or is kept there under {@code prefix}. */
    public void assertRedisKnowsNothingOf(String value, String prefix) {
        assertThat(kept(prefix)).contains(prefix).doesNotContain(value);
        assertThat(String.join("\n", commands)).contains(prefix).doesNotContain(value);
    }

    /** All that Redis keeps under {@code prefix}; after it, all that was sent is known. */
    private String kept(String prefix) {
        StringBuilder kept = new StringBuilder();
        try (Jedis other = new Jedis(redis.url())) {
            // A last command of our own: once the monitor has it, it has all before it.
            String last = "last-" + System.nanoTime();
            other.get(last);
            while (commands.stream().noneMatch(command -> command.contains(last))) {
                Thread.onSpinWait();
            }
            for (String key : other.keys(prefix + "*")) {
                byte[] value = other.get(key.getBytes(StandardCharsets.UTF_8));
                kept.append(key).append(new String(value, StandardCharsets.ISO_8859_1));
            }
        }
        return kept.toString();
    }

    /** Fails where one of {@code secrets} was told to anyone. All that Redis keeps under {@code prefix} counts too. */
    void assertNothingToldOf(List<String> secrets, String prefix) {
        String kept = kept(prefix);
        String said = String.join("\n", told);
        String sent = String.join("\n", commands);
        assertThat(said)
                .contains("Grant[")
                .contains("Denied[")
                .contains("Settlement[")
                .contains("Exception");
        assertThat(sent).containsIgnoringCase("\"EVALSHA\"").contains(prefix);
        assertThat(kept).contains(prefix);
        String log = logged.toString(StandardCharsets.UTF_8);
        assertThat(log).contains("io.costguard");
        for (String secret : secrets) {
            assertThat(said).doesNotContain(secret);
            assertThat(sent).doesNotContain(secret);
            assertThat(kept).doesNotContain(secret);
            assertThat(log).doesNotContain(secret);
        }
    }

    @Override
    public void close() {
        System.setErr(err);
        System.setOut(out);
        jedis.close();
    }
}
