package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Standing;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A process of another build of this library, over the same balances: the text of its script is another, and so are its budgets; or it
 * is of a later one, of which this build does not know the format. It does what it is told on its input, a line an order: {@code go},
 * {@code wait}, {@code settle} (the first), {@code storm N}, {@code spend} (all of its tokens) and {@code balances}; and ends with its input.
 */
final class OtherBuild {
    static final Duration PATIENT = Duration.ofMinutes(1);
    static final int REQUESTS = 1_000;
    static final int TOKENS = 5_000;
    /** In the place of the line of the script that it begins with. */
    static final String OF_LATER_VALUES = """
            local withLines, withCoolDowns = false, false
            for i = 1, subjects do
              local at = q[i + 7] + 3
              if string.byte(q[at]) < 64 then
                q[at] = string.char(string.byte(q[at]) + 32) .. string.sub(q[at], 2)
              end
            end
            """;

    private static final Duration LONG = Duration.ofDays(30);

    private OtherBuild() {}

    static Limit requests(long amount) {
        return Limit.requests(amount).per(LONG).tokenBucket();
    }

    static Subject subject(String prefix, Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return new Subject(prefix + ":{x}:s", budget);
    }

    /** Arguments: where Redis is, the key prefix, whether it is of a later format. */
    public static void main(String[] args) throws IOException {
        Subject subject = subject(
                args[1],
                Limit.tokens(TOKENS).per(LONG).fixedWindow().coolDown(Duration.ofHours(1)),
                requests(REQUESTS));
        Script script = Boolean.parseBoolean(args[2]) ? later() : ofOtherText();
        BufferedReader told = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (RedisLedger ledger = new RedisLedger(Redis.at(args[0], PATIENT), script, args[1], PATIENT)) {
            List<Charge> charged = new ArrayList<>();
            for (String line = told.readLine(); line != null; line = told.readLine()) {
                String[] words = line.split(" ", -1);
                try {
                    switch (words[0]) {
                        case "go", "wait" -> {
                            Verdict verdict =
                                    reserve(ledger, subject, words[0].equals("go") ? 0 : LONG.toNanos() / 1_000);
                            if (verdict instanceof Verdict.Waiting waiting) {
                                say("waits");
                                verdict = waiting.place().end().join();
                            }
                            if (verdict instanceof Verdict.Granted granted) {
                                charged.addAll(granted.charges());
                            }
                            say(verdict instanceof Verdict.Granted ? "went" : "denied");
                        }
                        case "settle" -> {
                            ledger.settle(List.of(new Settled(charged.get(0), new long[] {0, 0})), () -> {});
                            ledger.flush(System.nanoTime() + PATIENT.toNanos());
                            say("settled");
                        }
                        case "spend" -> {
                            Claim all = new Claim(subject, new long[] {TOKENS, 0});
                            ledger.change(Ledger.Change.CHARGE, List.of(all)).join();
                            say("spent");
                        }
                        case "storm" -> say("went " + storm(ledger, subject, Integer.parseInt(words[1])));
                        default -> say(balances(ledger, subject).toString());
                    }
                } catch (GuardUnavailableException e) {
                    say("refused: " + e.getMessage());
                }
            }
        }
    }

    static Verdict reserve(RedisLedger ledger, Subject subject, long waitMicros) throws GuardUnavailableException {
        long[] amounts = subject.limits().stream().mapToLong(limit -> 1).toArray();
        return ledger.reserve(
                List.of(new Claim(subject, amounts)),
                new Patience(waitMicros, 0),
                System.nanoTime() + PATIENT.toNanos());
    }

    static int storm(RedisLedger ledger, Subject subject, int calls) throws GuardUnavailableException {
        int went = 0;
        for (int i = 0; i < calls; i++) {
            went += reserve(ledger, subject, 0) instanceof Verdict.Granted ? 1 : 0;
        }
        return went;
    }

    static List<Long> balances(RedisLedger ledger, Subject subject) throws GuardUnavailableException {
        long[] one = subject.limits().stream().mapToLong(limit -> 1).toArray();
        return ledger.look(List.of(new Claim(subject, one)), System.nanoTime() + PATIENT.toNanos()).get(0).stream()
                .map(Standing::balance)
                .toList();
    }

    private static Script ofOtherText() {
        return Script.load(RedisLedger.SCRIPT)
                .replace("local VERSION = 1\n", "local VERSION = 1 -- of another build\n");
    }

    /** Values begin with another number, and are else as ever: who read them all the same would not know that it was wrong. */
    private static Script later() {
        return Script.load(RedisLedger.SCRIPT)
                .replace("local VERSION = 1\n", "local VERSION = 2\n")
                .replace("      if version ~= 1 then\n", "      if version ~= 2 then\n")
                .replace("local withLines, withCoolDowns = false, false\n", OF_LATER_VALUES);
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
