package io.costguard.examples.fleet;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;

/** What a worker is told to do: a line of JSON each. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "order")
@JsonSubTypes({
    @JsonSubTypes.Type(value = Order.Call.class, name = "call"),
    @JsonSubTypes.Type(value = Order.Change.class, name = "change"),
    @JsonSubTypes.Type(value = Order.End.class, name = "end")
})
sealed interface Order {

    /**
     * Make a call.
     *
     * @param id what it is called in all that is told of it
     * @param exchange the folder of the recorded exchange
     * @param team whose key it has
     * @param run the agent run that it is a part of; empty for none
     * @param patienceMillis how long it may wait for its turn; 0 for not at all
     */
    record Call(String id, String exchange, String team, String run, long patienceMillis, Reading reading)
            implements Order {}

    /** Go by these budgets and this policy from now on. */
    record Change(Budgets budgets, RedisFails whenRedisFails) implements Order {}

    /** Make no more calls; leave once those that are under way are over. */
    record End() implements Order {}
}
