package io.costguard.examples.fleet;

/** How much of an answer is read before it is closed. */
public enum Reading {
    TO_THE_END,
    /** As somebody does who closes the window while the answer is still being written. */
    HALF
}
