package io.costguard.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What keeps an application from starting, and what Spring Boot then prints. */
class RefusedPropertiesIT {
    private static final String LIMITED = "limits: [{requests: 5, per: minute}]";

    @TempDir
    Path folder;

    private String printedAfter(String yaml) {
        assertThatThrownBy(() -> Applications.small(folder, yaml).close()).isInstanceOf(RuntimeException.class);
        return Failure.last();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{limits: [{requests: 5, per: minute}]}                   | costguard.budgets[0]: a budget needs a 'name'",
                "{name: ' ', LIMITED}                                     | costguard.budgets[0].name: a budget's name must be",
                "{name: b}                                                | costguard.budgets[0]: budget 'b' has no limit; add one",
                "{name: b, LIMITED}, {name: b, LIMITED}                   | costguard.budgets[1]: two budgets have the name 'b'",
                "{name: b, assumed-output: -1, LIMITED}                   | costguard.budgets[0].assumed-output: 'assumedOutput' must be a whole number from 0, not -1",
                "{name: b, limits: [{requests: 5, per: minute}, {per: day}]} | costguard.budgets[0].limits[1]: a limit needs requests, tokens,",
                "{name: b, limits: [{tokens: 5}]}                         | costguard.budgets[0].limits[0]: a limit needs 'per': second, minute,",
                "{name: b, limits: [{tokens: 0, per: day}]}               | costguard.budgets[0].limits[0]: a limit of tokens must be above 0",
                "{name: b, limits: [{tokens: 5, usd: 1, per: day}]}       | costguard.budgets[0].limits[0].usd: a limit counts one unit",
                "{name: b, limits: [{tokens: 5, per: fortnight}]}         | costguard.budgets[0].limits[0].per: 'per' must be like second,",
                "{name: b, limits: [{tokens: 5, per: day, zone: Mars}]}   | costguard.budgets[0].limits[0].zone: 'zone' must be like Europe/Berlin",
                "{name: b, limits: [{tokens: 5, per: day, burst: 9}]}     | costguard.budgets[0].limits[0]: 5 tokens per day: a burst needs a token bucket",
                "{name: b, limits: [{tokens: 5, per: hour, burst: 1.5}]}  | costguard.budgets[0].limits[0].burst: 'burst' must be a whole number from 0, not 1.5",
                "{name: b, limits: [{tokens: 5, per: day, weights: mine}]} | costguard.budgets[0].limits[0].weights: unknown weights 'mine'; there are anthropic",
                "{name: b, limits: [{tokens: 5, per: day, weights: {output: -1}}]} | costguard.budgets[0].limits[0]: a weight must be from 0 to 1000",
                "{name: b, limits: [{requests: 5, per: day, weights: openAi}]} | costguard.budgets[0].limits[0]: 5 requests per day (output as reserved): weights are for tokens",
                "{name: b, limits: [{concurrent-calls: 5, per: day}]}     | costguard.budgets[0].limits[0].per: a limit of concurrentCalls has no other member",
                "{name: b, models: [my-own], limits: [{usd: 1, per: day}]} | costguard.budgets[0]: budget 'b' limits dollars, and its model 'my-own' has no price",
                "{name: b, per: [], limits: [{tokens: 5, per: minute, corrected-by-provider: true}]} | costguard.budgets[0]: budget 'b': a provider tells what is left for a model and a key",
                "{name: b, limit: [{requests: 5, per: day}]}              | costguard.budgets[0].limit[0].requests: unknown property; below costguard.budgets[0] there are name, models, providers, where, per,",
                "{name: b, limits: [{tokens: 5, per: day, bursts: 9}]}    | costguard.budgets[0].limits[0].bursts: unknown property; below costguard.budgets[0].limits[0] there are requests, tokens,",
                "{name: b, limits: [{tokens: 5, per: day, weights: {outputs: 9}}]} | costguard.budgets[0].limits[0].weights.outputs: unknown property; below costguard.budgets[0].limits[0].weights there are",
                "{name: b, name.first: c, LIMITED}                        | costguard.budgets[0].name.first: unknown property; nothing is below costguard.budgets[0].name",
                "{name: b, limits: [{tokens: many, per: day}]}            | costguard.budgets[0].limits[0].tokens",
                "{name: b, limits: [{tokens: 5, per: day, algorithm: x}]} | costguard.budgets[0].limits[0].algorithm",
            })
    void aBudgetThatMakesNoSenseIsRefusedByTheNameOfItsProperty(String budgets, String said) {
        assertThat(printedAfter("costguard: {redis: 'redis://localhost:1', budgets: ["
                        + budgets.replace("LIMITED", LIMITED) + "]}"))
                .contains(said)
                .contains("application.yaml");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "key-prefix: 'a b'                            | costguard.key-prefix: keyPrefix must be 1 to 100 letters",
                "fingerprint-key: short                       | costguard.fingerprint-key: fingerprintKey must be at least 16 bytes, not 5",
                "decision-timeout: 1ms                        | costguard.decision-timeout: decisionTimeout must be from",
                "pre-check: 2m                                | costguard.pre-check: preCheck must be from",
                "lease: 1ms                                   | costguard.lease: lease must be from",
                "near-limit: 80                               | costguard.near-limit: nearLimit must be a share",
                "cardinality-limit: 0                         | costguard.cardinality-limit: cardinalityLimit must be from 1",
                "when-exhausted: {wait-up-to: 0s}             | costguard.when-exhausted.wait-up-to: waitUpTo needs a time above 0",
                "when-exhausted: {leaving: 20}                | costguard.when-exhausted.leaving: is for calls that wait; set",
                "when-exhausted: {wait-up-to: 1s, leaving: 0} | costguard.when-exhausted.leaving: ",
                "when-redis-fails: spend-leased               | costguard.when-redis-fails: spend-leased needs a share of each limit",
                "leased-share: 10                             | costguard.leased-share: is for costguard.when-redis-fails=spend-leased",
                "{when-redis-fails: spend-leased, leased-share: 60} | costguard.leased-share: a slice must be at most 50 %",
                "prices: 'file:/no/such/prices.json'          | costguard.prices: cannot be read (java.nio.file.NoSuchFileException: /no/such/prices.json)",
                "prices: 'classpath:META-INF/spring.factories' | costguard.prices: ",
                "budgets-file: /no/such/budgets.json          | costguard.budgets-file: cannot be read (java.nio.file.NoSuchFileException: /no/such/budgets.json)",
                "attributes.header.model: X-Model             | costguard.attributes.header.model: ",
                "redis: 'http://localhost'                    | costguard.redis: not a Redis URL; write redis://host:6379",
                "redys: 'redis://localhost'                   | costguard.redys: unknown property; below costguard there are enabled, redis, key-prefix,",
                "attributes.headers.tenant: X-Tenant          | costguard.attributes.headers.tenant: unknown property; below costguard.attributes there are header",
            })
    void aSettingThatMakesNoSenseIsRefusedByTheNameOfItsProperty(String setting, String said) {
        String redis = setting.startsWith("redis:") ? "" : "costguard.redis: 'redis://localhost:1'\n";
        String settings = setting.startsWith("{") ? setting : "{" + setting + "}";

        assertThat(printedAfter(redis + "costguard: " + settings))
                .contains(said)
                .contains("application.yaml", "docs/budgets.md");
    }

    @Test
    void whereNothingSaysWhereRedisIsTheWaysToSayItAreNamed() {
        assertThat(printedAfter("costguard: {budgets: [{name: b, " + LIMITED + "}]}"))
                .startsWith("costguard.redis: nothing says where Redis is; set it, like redis://localhost:6379")
                .contains("spring.data.redis.host", "UnifiedJedis", "costguard.enabled=false");
    }

    @Test
    void aClusterOfSpringsThatTheGuardsOwnClientDoesNotKnowIsRefused() {
        assertThat(printedAfter("spring.data.redis.cluster.nodes: 'localhost:1,localhost:2'"))
                .startsWith("costguard.redis: spring.data.redis has a cluster")
                .contains("define a bean of type UnifiedJedis");
    }

    @Test
    void budgetsComeFromOnePlace() {
        assertThat(printedAfter(
                        "costguard: {redis: 'redis://localhost:1', budgets-file: budgets.json, budgets: [{name: b, "
                                + LIMITED + "}]}"))
                .startsWith("costguard.budgets-file: budgets come from a file, or from costguard.budgets");
    }

    @Test
    void anApplicationThatIsLazyIsRefusedAtItsStartToo() {
        assertThat(printedAfter("""
                        spring.main.lazy-initialization: true
                        costguard: {redis: 'redis://localhost:1', budgets: [{name: b}]}
                        """)).contains("costguard.budgets[0]: budget 'b' has no limit");
    }

    @Test
    void theLineIsNamedAndWhatToDo() {
        assertThat(printedAfter("""
                        costguard:
                          redis: redis://localhost:1
                          budgets:
                            - name: b
                              limits:
                                - requests: 5
                                  per: fortnight
                        """))
                .contains("costguard.budgets[0].limits[0].per: 'per' must be like second, minute,")
                .contains("Action: Correct costguard.budgets[0].limits[0].per (")
                .contains("application.yaml] - 7:");
    }
}
