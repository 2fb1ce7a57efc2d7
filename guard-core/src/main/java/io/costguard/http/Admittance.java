package io.costguard.http;

/** What an adapter does with a call that asked to go. */
public sealed interface Admittance {
    /** It sends it, and tells the exchange how it ended. */
    record Admitted(Exchange exchange) implements Admittance {}

    /** It does not send it, and gives this answer in the provider's place. */
    record Answered(LocalAnswer answer) implements Admittance {}
}
