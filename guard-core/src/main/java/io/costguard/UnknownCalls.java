package io.costguard;

/** What becomes of an HTTP call whose provider no dialect knows. */
public enum UnknownCalls {
    /** It is charged one request, under the host as its model. */
    GUARD_REQUESTS,
    /** It is sent as if there were no guard. */
    PASS_THROUGH;

    /** It is charged one request, under the host as its model. The default. */
    public static UnknownCalls guardRequests() {
        return GUARD_REQUESTS;
    }

    /** It is sent as if there were no guard. */
    public static UnknownCalls passThrough() {
        return PASS_THROUGH;
    }
}
