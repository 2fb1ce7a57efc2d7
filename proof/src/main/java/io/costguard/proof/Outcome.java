package io.costguard.proof;

/** What checks came to; of several, the last of these counts. */
enum Outcome {
    MET(0, "ok"),
    SHORT(1, "short"),
    /** Something failed that says nothing of the promise. */
    NOT_TRIED(3, "not tried");

    final int status;
    final String said;

    /**
     * @param status that their process ends with
     * @param said in the end
     */
    Outcome(int status, String said) {
        this.status = status;
        this.said = said;
    }

    Outcome and(Outcome other) {
        return compareTo(other) < 0 ? other : this;
    }

    static Outcome ofStatus(int status) {
        return status == MET.status ? MET : status == SHORT.status ? SHORT : NOT_TRIED;
    }
}
