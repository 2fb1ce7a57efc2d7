package io.costguard.redis;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The real script with a seam cut into its text: what is not touched here runs as it runs for users. */
final class TestScript {
    private String text;

    private TestScript(String text) {
        this.text = text;
    }

    static TestScript ofTheRealOne() {
        StringBuilder text = new StringBuilder();
        for (String resource : RedisLedger.SCRIPT) {
            try (InputStream in = Script.class.getResourceAsStream(resource)) {
                text.append(new String(in.readAllBytes(), StandardCharsets.UTF_8));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return new TestScript(text.toString());
    }

    /** It takes its time, in microseconds, from {@code key}; keys live for an hour of the server's own, whatever that says. */
    TestScript withTimeAt(String key) {
        replace(
                "local time = redis.call('TIME')",
                "local micros = tonumber(redis.call('GET', '" + key + "'))\n"
                        + "local time = { math.floor(micros / 1000000), math.fmod(micros, 1000000) }");
        replace("string.format('%.0f', ttls[i]))", "3600000)");
        return this;
    }

    /** It appends what it was asked and what it answered to the list at {@code key}, in the order in which it decided. */
    TestScript withAuditAt(String key) {
        replace(
                "  for i = 1, subjects do\n    local f = changed[i] and",
                push(key) + "  for i = 1, subjects do\n    local f = changed[i] and");
        return this;
    }

    private static String push(String key) {
        return "  redis.call('RPUSH', '" + key
                + "', pack('>I4', #request) .. request .. pack('>I4', #reply) .. reply .. "
                + "table.concat(KEYS, '\\n'))\n";
    }

    TestScript replace(String code, String with) {
        if (!text.contains(code)) {
            throw new IllegalStateException("the script no longer has: " + code);
        }
        text = text.replace(code, with);
        return this;
    }

    Script build() {
        return new Script(text.getBytes(StandardCharsets.UTF_8));
    }
}
