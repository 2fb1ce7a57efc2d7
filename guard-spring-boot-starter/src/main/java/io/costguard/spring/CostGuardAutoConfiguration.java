package io.costguard.spring;

import io.costguard.Attributes;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.PriceList;
import io.costguard.Share;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Lazy;
import org.springframework.core.env.Environment;
import org.springframework.core.io.Resource;
import redis.clients.jedis.UnifiedJedis;

/** A guard by the properties of the application, and what its HTTP clients need of it. */
@AutoConfiguration
@EnableConfigurationProperties(CostGuardProperties.class)
public class CostGuardAutoConfiguration {
    /** The name of a {@link HttpClient} that is guarded. It is injected by that name alone. */
    public static final String HTTP_CLIENT = "costGuardHttpClient";

    /** Made by Spring. */
    public CostGuardAutoConfiguration() {}

    /** Not lazily, so that a bad budget keeps the application from starting. */
    @Bean(destroyMethod = "close")
    @Lazy(false)
    @ConditionalOnMissingBean
    CostGuard costGuard(
            CostGuardProperties properties,
            Environment environment,
            ObjectProvider<UnifiedJedis> clients,
            ObjectProvider<GuardListener> listeners,
            ObjectProvider<CostGuardBuilderCustomizer> customizers) {
        KnownProperties.check(environment);
        CostGuard.Builder builder = CostGuard.builder();
        whereRedisIs(builder, properties, environment, clients);
        settings(builder, properties);
        policies(builder, properties);
        budgets(builder, properties);
        listeners.orderedStream().forEach(builder::listener);
        customizers.orderedStream().forEach(customizer -> customizer.customize(builder));
        return built(builder, properties.budgets());
    }

    private static void whereRedisIs(
            CostGuard.Builder builder,
            CostGuardProperties properties,
            Environment environment,
            ObjectProvider<UnifiedJedis> clients) {
        if (!properties.enabled()) {
            builder.switchedOff().redis("redis://nowhere");
            return;
        }
        UnifiedJedis client = clients.getIfUnique();
        if (properties.redis() != null) {
            builder.redis(properties.redis());
        } else if (client != null) {
            builder.redis(client);
        } else {
            builder.redis(
                    SpringRedis.url(environment)
                            .orElseThrow(
                                    () -> new InvalidPropertyException(
                                            name("redis"),
                                            "nothing says where Redis is; set it, like redis://localhost:6379, or spring.data.redis.host,"
                                                    + " or define one bean of type UnifiedJedis; with costguard.enabled=false none is needed")));
        }
    }

    private static void settings(CostGuard.Builder builder, CostGuardProperties properties) {
        set("key-prefix", properties.keyPrefix(), builder::keyPrefix);
        set("partition-by", properties.partitionBy(), builder::partitionBy);
        set(
                "fingerprint-key",
                properties.fingerprintKey(),
                key -> builder.fingerprintKey(key.getBytes(StandardCharsets.UTF_8)));
        set("denials", properties.denials(), builder::denials);
        set("unknown-calls", properties.unknownCalls(), builder::unknownCalls);
        set("decision-timeout", properties.decisionTimeout(), builder::decisionTimeout);
        set("pre-check", properties.preCheck(), builder::preCheck);
        set("lease", properties.lease(), builder::lease);
        set("near-limit", properties.nearLimit(), builder::nearLimit);
        set("cardinality-limit", properties.cardinalityLimit(), builder::cardinalityLimit);
        set(
                "prices",
                properties.prices(),
                file -> builder.prices(PriceList.bundled().plus(prices(file))));
        properties
                .attributes()
                .header()
                .forEach((attribute, header) -> set(
                        "attributes.header." + attribute,
                        attribute,
                        said -> builder.attributes(Attributes.header(header).as(said))));
        if (properties.streamUsage()) {
            builder.streamUsage();
        }
    }

    private static PriceList prices(Resource file) {
        try {
            if (file.isFile()) {
                return PriceList.reloading(file.getFile().toPath());
            }
            try (InputStream in = file.getInputStream()) {
                return PriceList.parse(in);
            }
        } catch (IOException e) {
            throw new InvalidPropertyException(name("prices"), cannotBeRead(e), e);
        }
    }

    private static void policies(CostGuard.Builder builder, CostGuardProperties properties) {
        CostGuardProperties.WhenExhausted exhausted = properties.whenExhausted();
        if (exhausted != null) {
            set(
                    "when-exhausted.wait-up-to",
                    exhausted.waitUpTo(),
                    wait -> builder.whenExhausted(WhenExhausted.waitUpTo(wait)));
            set("when-exhausted.leaving", exhausted.leaving(), leaving -> {
                if (exhausted.waitUpTo() == null) {
                    throw new IllegalArgumentException("is for calls that wait; set when-exhausted.wait-up-to too");
                }
                builder.whenExhausted(
                        WhenExhausted.waitUpTo(exhausted.waitUpTo()).leaving(Share.percent(leaving)));
            });
        }
        Integer share = properties.leasedShare();
        boolean leases = properties.whenRedisFails() == CostGuardProperties.WhenRedisFails.SPEND_LEASED;
        if (leases && share == null) {
            throw new InvalidPropertyException(
                    name("when-redis-fails"),
                    "spend-leased needs a share of each limit; set costguard.leased-share too");
        }
        if (!leases && share != null) {
            throw new InvalidPropertyException(
                    name("leased-share"), "is for costguard.when-redis-fails=spend-leased; set that too, or drop it");
        }
        switch (properties.whenRedisFails()) {
            case FAIL_CLOSED -> builder.whenRedisFails(WhenRedisFails.failClosed());
            case FAIL_OPEN -> builder.whenRedisFails(WhenRedisFails.failOpen());
            case SPEND_LEASED ->
                set(
                        "leased-share",
                        share,
                        percent -> builder.whenRedisFails(WhenRedisFails.spendLeased(Share.percent(percent))));
        }
    }

    private static void budgets(CostGuard.Builder builder, CostGuardProperties properties) {
        if (properties.budgetsFile() != null && !properties.budgets().isEmpty()) {
            throw new InvalidPropertyException(
                    name("budgets-file"),
                    "budgets come from a file, or from costguard.budgets, and not from both; drop one");
        }
        BudgetsOfProperties.read(properties.budgets()).forEach(builder::budget);
        set("budgets-file", properties.budgetsFile(), file -> {
            try {
                builder.budgets(file);
            } catch (IOException e) {
                throw new InvalidPropertyException(name("budgets-file"), cannotBeRead(e), e);
            }
        });
    }

    /** What is found out only when all is known has no property with it: the budget's name tells which, and the rest is of Redis. */
    private static CostGuard built(CostGuard.Builder builder, List<CostGuardProperties.Budget> budgets) {
        try {
            return builder.build();
        } catch (IllegalArgumentException e) {
            String what = String.valueOf(e.getMessage());
            for (int i = 0; i < budgets.size(); i++) {
                if (what.contains("budget '" + budgets.get(i).name() + "'")) {
                    throw new InvalidPropertyException(BudgetsOfProperties.PROPERTY + "[" + i + "]", what, e);
                }
            }
            throw new InvalidPropertyException(
                    what.contains("Redis URL") ? name("redis") : CostGuardProperties.PREFIX, what, e);
        }
    }

    private static <T> void set(String property, @Nullable T value, Consumer<T> step) {
        if (value != null) {
            try {
                step.accept(value);
            } catch (InvalidPropertyException e) {
                throw e;
            } catch (IllegalArgumentException e) {
                throw new InvalidPropertyException(name(property), String.valueOf(e.getMessage()), e);
            }
        }
    }

    private static String name(String property) {
        return CostGuardProperties.PREFIX + "." + property;
    }

    private static String cannotBeRead(IOException e) {
        return "cannot be read (" + e + "); correct the path, or drop the property";
    }
}
