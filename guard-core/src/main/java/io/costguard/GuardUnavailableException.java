package io.costguard;

import java.io.IOException;

/** Redis could not decide within the guard's deadline, and the guard fails closed: the call was not sent. */
public final class GuardUnavailableException extends IOException {
    private static final long serialVersionUID = 1L;

    public GuardUnavailableException(String message) {
        super(message);
    }

    public GuardUnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
