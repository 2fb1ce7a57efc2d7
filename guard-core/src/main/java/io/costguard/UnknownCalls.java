package io.costguard;

/**
 * What becomes of an HTTP call that no dialect knows, by its path: one to another provider, or to another API of a known one. Under either,
 * a limit of tokens or dollars never stops it.
 */
public enum UnknownCalls {
    /** It is charged one request, no tokens and no dollars, under the host as its model. */
    GUARD_REQUESTS,
    /** It is sent as if there were no guard. */
    PASS_THROUGH;

    /**
     * It is charged one request, no tokens and no dollars, under the host as its model. The default.
     *
     * @return that policy
     */
    public static UnknownCalls guardRequests() {
        return GUARD_REQUESTS;
    }

    /**
     * It is sent as if there were no guard.
     *
     * @return that policy
     */
    public static UnknownCalls passThrough() {
        return PASS_THROUGH;
    }
}
