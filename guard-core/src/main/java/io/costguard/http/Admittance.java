package io.costguard.http;

/** What an adapter does with a call that asked to go. */
public sealed interface Admittance {
    /**
     * It sends it, and tells the exchange how it ended.
     *
     * @param exchange which wants to be told
     */
    record Admitted(Exchange exchange) implements Admittance {}

    /**
     * It does not send it, and gives this answer in the provider's place.
     *
     * @param answer what the client reads
     */
    record Answered(LocalAnswer answer) implements Admittance {}
}
