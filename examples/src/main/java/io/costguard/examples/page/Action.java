package io.costguard.examples.page;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import io.costguard.examples.fleet.Budgets;
import io.costguard.examples.fleet.Provider;
import io.costguard.examples.fleet.RedisFails;

/** What the page asks for, as it posts it. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "action")
@JsonSubTypes({
    @JsonSubTypes.Type(value = Action.Call.class, name = "call"),
    @JsonSubTypes.Type(value = Action.Burst.class, name = "burst"),
    @JsonSubTypes.Type(value = Action.Stream.class, name = "stream"),
    @JsonSubTypes.Type(value = Action.CutStream.class, name = "cut"),
    @JsonSubTypes.Type(value = Action.Agent.class, name = "agent"),
    @JsonSubTypes.Type(value = Action.Traffic.class, name = "traffic"),
    @JsonSubTypes.Type(value = Action.Wait.class, name = "wait"),
    @JsonSubTypes.Type(value = Action.SetBudgets.class, name = "budgets"),
    @JsonSubTypes.Type(value = Action.SetProvider.class, name = "provider"),
    @JsonSubTypes.Type(value = Action.RunRedis.class, name = "redis"),
    @JsonSubTypes.Type(value = Action.WhenRedisFails.class, name = "whenRedisFails"),
    @JsonSubTypes.Type(value = Action.AddProcess.class, name = "add"),
    @JsonSubTypes.Type(value = Action.KillProcess.class, name = "kill")
})
sealed interface Action {

    record Call(String model, String team) implements Action {}

    record Burst(String model, String team) implements Action {}

    record Stream(String model, String team) implements Action {}

    record CutStream(String model, String team) implements Action {}

    /** A loop that makes calls until its run's budget stops it. */
    record Agent(String team) implements Action {}

    /** Whether calls are made that nobody asked for. */
    record Traffic(boolean on) implements Action {}

    /** Whether a call whose budget is spent waits, or is denied at once. */
    record Wait(boolean on) implements Action {}

    record SetBudgets(Budgets budgets) implements Action {}

    record SetProvider(Provider.Manner manner) implements Action {}

    record RunRedis(boolean on) implements Action {}

    record WhenRedisFails(RedisFails policy) implements Action {}

    record AddProcess() implements Action {}

    record KillProcess(String name) implements Action {}
}
