package io.costguard;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * A file of prices that is looked at again while they are asked for. Who asks starts that at most, and does not wait for it. Safe for use by
 * many threads.
 */
final class ReloadingFile implements PriceList.Layer {
    static final Duration EVERY = ChangingFile.EVERY;

    private final ChangingFile<Map<String, Price>> file;
    private final LongSupplier nanoTime;
    private final Executor background;
    private final AtomicLong lookedAt;
    private volatile Read read;

    private record Read(Map<String, Price> prices, long edition) {}

    ReloadingFile(Path file, LongSupplier nanoTime, Executor background) throws IOException {
        this.file = new ChangingFile<>(file, ReloadingFile::models);
        this.nanoTime = nanoTime;
        this.background = background;
        this.lookedAt = new AtomicLong(nanoTime.getAsLong());
        this.read = new Read(this.file.first(), 0);
    }

    static ReloadingFile of(Path file) throws IOException {
        return new ReloadingFile(file, System::nanoTime, ForkJoinPool.commonPool());
    }

    private static Map<String, Price> models(Path file, byte[] content) throws IOException {
        try {
            return PriceReader.read(file.toString(), new ByteArrayInputStream(content));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
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
        file.look(prices -> read = new Read(prices, read.edition + 1));
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
