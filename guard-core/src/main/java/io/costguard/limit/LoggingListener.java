package io.costguard.limit;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Budget;
import io.costguard.GuardListener;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What an operator must not miss: the first denial of a subject in a minute, and the first loss. */
public final class LoggingListener implements GuardListener {
    private static final Logger log = LoggerFactory.getLogger("io.costguard.CostGuard");

    private final Cache<Object, Boolean> told = Caffeine.newBuilder()
            .maximumSize(10_000)
            .expireAfterWrite(Duration.ofMinutes(1))
            .build();
    private final Supplier<List<Budget>> budgets;

    private record Subject(String budget, List<@Nullable String> values, Denied.By by) {}

    /** @param budgets those that there are when it is asked */
    public LoggingListener(Supplier<List<Budget>> budgets) {
        this.budgets = budgets;
    }

    @Override
    public void onDenied(Denied event) {
        if (event.by() == Denied.By.PRE_CHECK) {
            return; // it repeats a denial that was told a moment ago
        }
        String budget = event.denial().budget();
        List<@Nullable String> values = new ArrayList<>();
        budgets.get().stream()
                .filter(each -> each.name().equals(budget))
                .flatMap(each -> each.countedPer().stream())
                .forEach(attribute -> values.add(event.call().attributes().get(attribute)));
        if (told.asMap().putIfAbsent(new Subject(budget, values, event.by()), true) == null) {
            String verb = event.by() == Denied.By.DRY_RUN ? "would have been denied (dry run)" : "denied";
            String why = new Admission.Refused(event.denial(), event.by(), event.waited())
                    .exception()
                    .getMessage();
            log.warn("{} {}: {}; not repeated for a minute", event.call(), verb, why);
        }
    }

    @Override
    public void onRegressed(Regression event) {
        if (event.lost() == Regression.Lost.BALANCES && told.asMap().putIfAbsent(event.lost(), true) == null) {
            log.warn(
                    "Redis lost what it had written last, as in a failover, a restart or a flush: more goes than the budgets say, by as"
                            + " much as was lost ({} found out); not repeated for a minute",
                    event.call());
        }
    }
}
