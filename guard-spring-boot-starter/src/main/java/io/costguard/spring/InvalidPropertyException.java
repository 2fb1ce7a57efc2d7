package io.costguard.spring;

import java.io.Serial;

/** A property of the guard that makes no sense; the message begins with its name, and says what to do. */
public final class InvalidPropertyException extends IllegalArgumentException {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Its name. */
    private final String property;

    InvalidPropertyException(String property, String what, Throwable cause) {
        super(property + ": " + what, cause);
        this.property = property;
    }

    InvalidPropertyException(String property, String what) {
        super(property + ": " + what);
        this.property = property;
    }

    /** {@return its name, like {@code costguard.budgets[0].limits[1]}} */
    public String property() {
        return property;
    }
}
