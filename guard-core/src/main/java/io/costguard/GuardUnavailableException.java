package io.costguard;

import java.io.IOException;

/** Redis could not decide within the guard's deadline, and the guard fails closed: the call was not sent. */
public final class GuardUnavailableException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * Nobody decided.
     *
     * @param message why
     */
    public GuardUnavailableException(String message) {
        super(message);
    }

    /**
     * Nobody decided.
     *
     * @param message why
     * @param cause what came in between
     */
    public GuardUnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
