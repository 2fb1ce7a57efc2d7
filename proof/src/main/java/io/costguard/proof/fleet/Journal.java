package io.costguard.proof.fleet;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** What one process did, a line each as it did it, in a file that outlives it. Safe for use by many threads. */
final class Journal implements AutoCloseable {
    /** What happened. */
    enum Event {
        /** It is about to ask. */
        ASKS,
        LET_GO,
        DENIED,
        /** The guard could not decide. */
        FAILED,
        /** The answer was read to its end. */
        ENDED,
        /** It is settled, or about to be by what ended; what it used. */
        SETTLED,
        /** It was given back. */
        RELEASED,
        /** It was closed without a word: the estimate stays. */
        KEPT,
        /** All that was settled up to the entry of that number is in Redis. */
        FLUSHED,
        /** The guard is closed. */
        CLOSED
    }

    /**
     * @param call its number; of what was flushed the entry's
     * @param nanos of the machine's clock that all processes share
     * @param input tokens that were used, where it is settled; output and nano-dollars likewise
     */
    record Entry(long number, Event event, long call, long nanos, long input, long output, long nanoUsd) {
        static Entry of(String line) {
            String[] words = line.split(" ", -1);
            return new Entry(
                    Long.parseLong(words[0]),
                    Event.valueOf(words[1]),
                    Long.parseLong(words[2]),
                    Long.parseLong(words[3]),
                    Long.parseLong(words[4]),
                    Long.parseLong(words[5]),
                    Long.parseLong(words[6]));
        }
    }

    private final FileChannel file;
    private long entries;

    Journal(Path path) throws IOException {
        file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    void note(Event event, long call) {
        note(event, call, 0, 0, 0);
    }

    /** Written once this returns, whatever becomes of the process. */
    synchronized void note(Event event, long call, long input, long output, long nanoUsd) {
        entries++;
        String line = entries + " " + event + " " + call + " " + System.nanoTime() + " " + input + " " + output + " "
                + nanoUsd + "\n";
        ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.US_ASCII));
        try {
            while (bytes.hasRemaining()) {
                file.write(bytes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@return the number of the last entry} */
    synchronized long entries() {
        return entries;
    }

    /** {@return all that was written whole; of a process that died before its first entry, nothing} */
    static List<Entry> read(Path path) throws IOException {
        List<Entry> entries = new ArrayList<>();
        if (Files.exists(path)) {
            String text = Files.readString(path);
            for (String line :
                    text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
                entries.add(Entry.of(line));
            }
        }
        return entries;
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
