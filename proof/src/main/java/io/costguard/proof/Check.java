package io.costguard.proof;

/** One promise that is put to the test. */
public interface Check {
    /** Tells all its figures, and all that it started it ends; throws only where it could not be tried. */
    void run(Trial trial) throws Exception;
}
