package io.costguard.limit;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Budget;
import io.costguard.GuardListener;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What an operator must not miss of denials: the first of a subject in a minute. */
public final class LoggingListener implements GuardListener {
    private static final Logger log = LoggerFactory.getLogger("io.costguard.CostGuard");

    private final Cache<Subject, Boolean> told = Caffeine.newBuilder()
            .maximumSize(10_000)
            .expireAfterWrite(Duration.ofMinutes(1))
            .build();
    private final Map<String, List<String>> countedPer;

    private record Subject(String budget, List<@Nullable String> values, Denied.By by) {}

    public LoggingListener(List<Budget> budgets) {
        this.countedPer = budgets.stream().collect(Collectors.toMap(Budget::name, Budget::countedPer));
    }

    @Override
    public void onDenied(Denied event) {
        if (event.by() == Denied.By.PRE_CHECK) {
            return; // it repeats a denial that was told a moment ago
        }
        String budget = event.denial().budget();
        List<@Nullable String> values = new ArrayList<>();
        for (String attribute : countedPer.getOrDefault(budget, List.of())) {
            values.add(event.call().attributes().get(attribute));
        }
        if (told.asMap().putIfAbsent(new Subject(budget, values, event.by()), true) == null) {
            String verb = event.by() == Denied.By.DRY_RUN ? "would have been denied (dry run)" : "denied";
            String why = new Admission.Refused(event.denial(), event.by(), event.waited())
                    .exception()
                    .getMessage();
            log.warn("{} {}: {}; not repeated for a minute", event.call(), verb, why);
        }
    }
}
