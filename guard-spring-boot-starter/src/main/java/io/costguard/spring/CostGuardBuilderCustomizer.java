package io.costguard.spring;

import io.costguard.CostGuard;

/** A bean that says more of the guard than properties can. It is called after they were, in the order of such beans. */
@FunctionalInterface
public interface CostGuardBuilderCustomizer {

    /**
     * Says it.
     *
     * @param builder to which it is said
     */
    void customize(CostGuard.Builder builder);
}
