package io.costguard.examples.command;

/** What was given makes no sense; the message says what, where, and what to do. */
final class BadInputException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BadInputException(String message) {
        super(message);
    }
}
