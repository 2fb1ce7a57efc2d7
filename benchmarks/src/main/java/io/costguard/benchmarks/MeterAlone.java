package io.costguard.benchmarks;

import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import io.costguard.settle.Meter;
import io.costguard.settle.Metered;
import java.nio.ByteBuffer;
import java.util.List;

/** The meter, fed with an answer of the provider piece by piece, as it is sent. */
final class MeterAlone implements Contender {
    private final Dialect dialect;
    private final String model;
    private final String contentType;
    private final List<byte[]> pieces;
    private final long reportedTokens;
    private long metered;

    MeterAlone(LocalProvider provider) {
        dialect = Dialects.bundled().of(Target.of("POST", provider.url())).orElseThrow();
        model = provider.model();
        contentType = provider.contentType();
        pieces = provider.pieces();
        reportedTokens = provider.reportedTokens();
    }

    @Override
    public String name() {
        return "the meter alone";
    }

    @Override
    public int keys() {
        return 1;
    }

    @Override
    public void decide(int key) {
        Meter meter = new Meter(dialect, model, contentType, "");
        pieces.forEach(piece -> meter.accept(ByteBuffer.wrap(piece)));
        Metered result = meter.result();
        long tokens = result.usage()
                .map(usage -> usage.allInput() + usage.allOutput())
                .orElse(0L);
        if (result.state() != Metered.State.COMPLETE || tokens != reportedTokens) {
            throw new IllegalStateException("metered " + result);
        }
        metered++;
    }

    @Override
    public long charged(int key) {
        return metered;
    }

    @Override
    public void close() {}
}
