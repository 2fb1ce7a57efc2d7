package io.costguard.redis;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The real script with a seam cut into its text: what is not touched here runs as it runs for users. */
final class TestScript {
    private String text;
    private @Nullable String timeKey;

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

    /** It takes its time, in microseconds, from {@code key}. */
    TestScript withTimeAt(String key) {
        timeKey = key;
        return this;
    }

    /**
     * It takes its time from its last key, an I7, and tells what it leaves of the keys before that, as many as stand there after the time, an H:
     * how long its reply is I4, its reply, and of each key the time to live that was set, in milliseconds, i8 (0 if it stays), how
     * long its value is i4 (-1 if there is none), and its value. It fails where one has no time to live.
     */
    TestScript watched() {
        replace("local time = redis.call('TIME')\nlocal now = time[1] * 1000000 + time[2]\n", "");
        String sets = "redis.call('SET', KEYS[i + 1], value, 'PX', string.format('%.0f', ttls[i]))";
        replace(sets, "lives[KEYS[i + 1]] = ttls[i]\n" + sets);
        text = WATCHED.replace("SCRIPT", text);
        return this;
    }

    private static final String WATCHED = """
            local now, watched = struct.unpack('>I7H', KEYS[#KEYS])
            local lives = {}
            local function decide()
            SCRIPT
            end
            local reply = decide()
            local told = { struct.pack('>I4', #reply), reply }
            for i = #KEYS - watched, #KEYS - 1 do
              local value = redis.call('GET', KEYS[i])
              told[#told + 1] = struct.pack('>i8i4', lives[KEYS[i]] or 0, value and #value or -1) .. (value or '')
              if value and redis.call('PTTL', KEYS[i]) < 0 then
                error('a key that lives for ever: ' .. KEYS[i])
              end
            end
            if redis.call('PTTL', KEYS[1]) == -1 then
              error('a lane that lives for ever')
            end
            return table.concat(told)
            """;

    /** It appends what it was asked and what it answered to the list at {@code key}, in the order in which it decided. */
    TestScript withAuditAt(String key) {
        replace(
                "  for i = 1, subjects do\n    local f = changed[i] and",
                push(key) + "  for i = 1, subjects do\n    local f = changed[i] and");
        return this;
    }

    /** What other processes are told it appends to the list at {@code key}, instead: channel, number, moment. */
    TestScript withMessagesAt(String key) {
        replace(
                "redis.pcall('PUBLISH', channel .. call.process, ",
                "redis.call('RPUSH', '" + key + "', channel .. call.process .. ' ' .. ");
        return this;
    }

    /** It appends each call that joins a line or is let go to the list at {@code key}, as {@link LineAudit} reads it. */
    TestScript withLineAuditAt(String key) {
        String joins = "        redis.call('ZADD', line.key, whole(place), call.member)\n";
        replace(joins, joins + "        redis.call('RPUSH', '" + key + "', 'J' .. call.member)\n");
        String leaves = "    if op then\n      lines.leave(op, head + 1, parts, states)\n";
        replace(leaves, GRANTS.replace("AUDIT", key) + leaves);
        return this;
    }

    /** It appends what each script leaves of its subjects to the list at {@code key}, as {@link LineAudit} reads it. */
    TestScript withStatesAuditedAt(String key) {
        String end = "return reply\n";
        if (!text.endsWith(end)) {
            throw new IllegalStateException("the script no longer ends with its reply");
        }
        text = text.substring(0, text.length() - end.length()) + STATES.replace("AUDIT", key) + end;
        return this;
    }

    /** It counts at {@code key} how often a call in line asks. */
    TestScript withAsksCountedAt(String key) {
        String asks = "local function waiterLacks(f, o, n, op)\n";
        replace(asks, asks + "redis.call('INCR', '" + key + "')\n");
        return this;
    }

    private static final String STATES = """
            for i = 2, subjects + 1 do
              local first = redis.call('ZRANGEBYSCORE', KEYS[i] .. ':line', '(0', '+inf', 'LIMIT', '0', '1')[1] or ''
              local value = redis.call('GET', KEYS[i]) or ''
              local head = 'S' .. pack('>I7H', now, #KEYS[i]) .. KEYS[i] .. pack('>H', #first) .. first
              redis.call('RPUSH', 'AUDIT', head .. value)
            end
            """;

    /** Of each part: the call, what there was before it was charged, what it takes, and who stands before it. */
    private static final String GRANTS = """
                local audited = head + 1
                for _ = 1, parts do
                  local i = calls[audited] % 32768
                  local f, o, key = states[i], q[i + 7], KEYS[i + 1]
                  local placed = op and op.kind == 2 and op.place > 0
                  local text = { 'G', withLines and q[subjects + 9] or '-no process-' }
                  text[3] = pack('>I6I7I7I7HB', op and op.number or 0, placed and op.place or 0, now, f.line and f.line.hold or 0, #key, q[o])
                  text[4] = key
                  for j = 1, q[o] do
                    local m, name = o + 2 + j * 3, unpack('>I3', q[o + 3], j * 7 - 5)
                    text[4 + j] = pack('>I3i8i8i8I4', name % 8 == 1 and name - 1 or name, f[j * 2 + 2], calls[audited + j], q[m], q[m + 2])
                  end
                  local before = placed and '(' .. string.format('%.0f', op.place) or '+inf'
                  for _, member in ipairs(f.line and redis.call('ZRANGEBYSCORE', f.line.key, '(0', before) or {}) do
                    text[#text + 1] = pack('>H', #member) .. member
                  end
                  redis.call('RPUSH', 'AUDIT', table.concat(text))
                  audited = audited + 1 + q[o]
                end
            """;

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

    /** Puts it where a JVM that has {@code classes} on its class path before the library takes it for the library's own. */
    void install(Path classes) {
        try {
            Path resources = classes.resolve(Script.class.getPackageName().replace('.', '/'));
            Files.createDirectories(resources);
            for (int i = 0; i < RedisLedger.SCRIPT.length; i++) {
                Files.writeString(resources.resolve(RedisLedger.SCRIPT[i]), i == 0 ? text : "");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String text() {
        return text;
    }

    Script build() {
        Script script = new Script(text.getBytes(StandardCharsets.UTF_8));
        return timeKey == null ? script : script.inTimeAt(timeKey);
    }
}
