package io.costguard.limit;

/** A call that no budget can judge; the message says what to do. */
public final class MisfitException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    MisfitException(String message) {
        super(message);
    }
}
