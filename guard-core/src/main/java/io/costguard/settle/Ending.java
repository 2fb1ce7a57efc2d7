package io.costguard.settle;

/** How a call ended. */
public sealed interface Ending {
    /** It never left: no connection was made, it was cancelled before, or a client-side cache answered. */
    record NeverSent() implements Ending {}

    /** It was sent, and no answer came. */
    record NoAnswer() implements Ending {}

    /** It was answered, and the whole answer passed. */
    record Answered(int status, Metered metered) implements Ending {}

    /** It was answered, and the answer was closed or cut half-way. */
    record Cut(int status, Metered metered) implements Ending {}
}
