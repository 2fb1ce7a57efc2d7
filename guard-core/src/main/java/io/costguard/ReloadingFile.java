package io.costguard;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file of prices that is looked at again while they are asked for. Who asks starts that at most, and does not wait for it. What the file
 * has is compared, and not its time, which a copy may keep and two writes may share. Safe for use by many threads.
 */
final class ReloadingFile implements PriceList.Layer {
    static final Duration EVERY = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(PriceList.class);

    private final Path file;
    private final LongSupplier nanoTime;
    private final Executor background;
    private final AtomicLong lookedAt;
    private volatile Read read;
    /** Touched in the background alone, where one look follows another. */
    private byte[] seen;

    private String complaint = "";

    private record Read(Map<String, Price> prices, long edition) {}

    ReloadingFile(Path file, LongSupplier nanoTime, Executor background) throws IOException {
        this.file = file;
        this.nanoTime = nanoTime;
        this.background = background;
        this.lookedAt = new AtomicLong(nanoTime.getAsLong());
        this.seen = Files.readAllBytes(file);
        try {
            this.read = new Read(PriceReader.read(file.toString(), new ByteArrayInputStream(seen)), 0);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    static ReloadingFile of(Path file) throws IOException {
        return new ReloadingFile(file, System::nanoTime, ForkJoinPool.commonPool());
    }

    @Override
    public Map<String, Price> prices() {
        return current().prices;
    }

    @Override
    public long edition() {
        return current().edition;
    }

    private Read current() {
        long now = nanoTime.getAsLong();
        long last = lookedAt.get();
        if (now - last >= EVERY.toNanos() && lookedAt.compareAndSet(last, now)) {
            background.execute(this::look);
        }
        return read;
    }

    private synchronized void look() {
        try {
            byte[] bytes = Files.readAllBytes(file);
            if (Arrays.equals(bytes, seen)) {
                complaint = "";
                return;
            }
            seen = bytes;
            Map<String, Price> prices = PriceReader.read(file.toString(), new ByteArrayInputStream(bytes));
            read = new Read(prices, read.edition + 1);
            complaint = "";
            log.info("{} has changed: {} prices", file, prices.size());
        } catch (IOException | RuntimeException e) {
            if (!complaint.equals(e.toString())) {
                complaint = e.toString();
                log.warn("{} cannot be read, and its prices stay as they were: {}", file, complaint);
            }
        }
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
