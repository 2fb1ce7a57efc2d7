package io.costguard;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file that is looked at again from time to time. What it has is compared, and not its time, which a copy may keep and two writes may
 * share. What is wrong with it is logged once. Safe for use by many threads.
 */
final class ChangingFile<T> {
    static final Duration EVERY = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(CostGuard.class);

    private final Path file;
    private final Reader<T> reader;
    private final T first;
    private byte[] seen;
    private String complaint = "";

    /** Makes something of the bytes of a file. */
    interface Reader<T> {
        /**
         * What they mean.
         *
         * @throws IllegalArgumentException where they mean nothing; it names the file
         */
        T read(Path file, byte[] content) throws IOException;
    }

    ChangingFile(Path file, Reader<T> reader) throws IOException {
        this.file = file;
        this.reader = reader;
        this.seen = Files.readAllBytes(file);
        this.first = reader.read(file, seen);
    }

    /** What it was when this was made. */
    T first() {
        return first;
    }

    /**
     * Tells what it has become since the last look, if it has. Where it is gone or broken, or {@code taker} refuses it, it stays what it was;
     * the next look tries again, as what it is refused for may not lie in it.
     */
    synchronized void look(Consumer<T> taker) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            if (!Arrays.equals(bytes, seen)) {
                taker.accept(reader.read(file, bytes));
                seen = bytes;
                log.info("{} has changed", file);
            }
            complaint = "";
        } catch (IOException | RuntimeException e) {
            String why = e instanceof IllegalArgumentException ? String.valueOf(e.getMessage()) : e.toString();
            if (!complaint.equals(why)) {
                complaint = why;
                log.warn("a file cannot be taken, and what it said before stays: {}", complaint);
            }
        }
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
