package io.costguard.settle;

import io.costguard.Cost;
import io.costguard.ServiceTier;
import io.costguard.describe.Dialect;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.JsonScan;
import io.costguard.describe.JsonSequence;
import io.costguard.describe.Tokenizers;
import io.costguard.describe.Usage;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import java.util.zip.DataFormatException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds usage in a response while its bytes pass, and counts the text of the answer where there is none. A stream of events and a
 * plain JSON body are read alike: a body is a stream of one event. Keeps no more than one event, or the body while it is short, and the
 * latest of the text, which is counted when it is asked for, or when there is too much of it to keep.
 *
 * <p>It never throws and never changes what it is given: whatever goes wrong in here switches it off, and what it saw until then
 * counts. Fed by one thread at a time.
 */
public final class Meter implements Dialect.ResponseReader {
    private static final Logger log = LoggerFactory.getLogger(Meter.class);
    private static final int MOST_UNCOUNTED = 8_192;

    /** A longer document is read as it comes. */
    private static final int LONGEST_KEPT = 1 << 16;

    private final Dialect dialect;
    private final String model;
    private final @Nullable Decoder decoder;
    private final Events events;
    private final Decoder.Sink sink = this::decoded;
    private final Map<String, Long> counts = new HashMap<>();
    private final Map<String, Long> countsOfEvent = new HashMap<>();
    /** What was reported last as something that is no count. */
    private final Set<String> nonsense = new HashSet<>();

    /** Of the count that was told last in an object with kinds. */
    private String kind = "";

    private @Nullable Field ofKind;

    private final StringBuilder error = new StringBuilder();
    private @Nullable Framing framing;
    /** In UTF-8. */
    private byte[] uncounted = {};

    private int uncountedLength;
    private long outputCounted;
    private Optional<ServiceTier> tier = Optional.empty();
    private boolean off;
    private boolean ended;
    private boolean isLater;
    /** Whether the last event was one. */
    private boolean sense = true;
    /** Whether the dialect told anything of the last field. */
    private boolean heard;

    /**
     * @param contentType of the response; empty if it has none
     * @param contentEncoding of the response; empty if it has none
     */
    public Meter(Dialect dialect, String model, String contentType, String contentEncoding) {
        this.dialect = dialect;
        this.model = model;
        this.decoder = Decoder.of(contentEncoding).orElse(null);
        this.events = new Events(dialect.eventPaths());
        this.off = decoder == null;
        String type = contentType.toLowerCase(Locale.ROOT);
        if (type.startsWith("text/event-stream")) {
            framing = new EventStream(events);
        } else if (type.startsWith("application/vnd.amazon.eventstream")) {
            framing = new FrameStream(events, this::error);
        } else if (type.contains("ndjson")
                || type.contains("jsonl")
                || type.contains("json-seq")
                || type.contains("stream+json")) {
            framing = new LineStream(events);
        } else if (type.contains("json")) {
            framing = new Document();
        }
    }

    /** What the headers of the response tell; by name, whatever its case. */
    public void headers(Function<String, Optional<String>> headers) {
        try {
            dialect.responseHeaders(headers, this);
            eventEnds();
        } catch (RuntimeException e) {
            off = true;
            log.warn("the headers of a response could not be read, and it keeps its estimate", e);
        }
    }

    /** The next bytes of the body, as they came over the wire; the buffer is left as it is. */
    public void accept(ByteBuffer bytes) {
        if (off || decoder == null) {
            return;
        }
        try {
            decoder.decode(bytes, sink);
        } catch (DataFormatException e) {
            off = true;
            decoder.end();
        } catch (RuntimeException e) {
            off = true;
            log.warn("a response could not be metered, and keeps its estimate", e);
        }
    }

    /** What it saw so far. */
    public Metered result() {
        Optional<Usage> usage = Optional.empty();
        try {
            if (framing != null) {
                framing.readOn();
            }
            if (!counts.isEmpty() && nonsense.isEmpty()) {
                usage = Optional.of(dialect.usage(Collections.unmodifiableMap(counts)));
            }
        } catch (RuntimeException e) {
            off = true;
            log.warn("a response could not be metered, and keeps its estimate", e);
        }
        Metered.State state = Metered.State.PARTIAL;
        if (off || framing == null || !sense || !framing.isReadable()) {
            state = Metered.State.UNREADABLE;
        } else if (ended && !isLater) {
            state = Metered.State.COMPLETE;
        }
        long counted = outputCounted;
        String rest = uncounted();
        return new Metered(usage, () -> counted + count(rest), tier, error.toString(), state);
    }

    private void decoded(byte[] bytes, int offset, int length) {
        if (framing == null) {
            framing = sniffed(bytes, offset, length);
        }
        if (framing != null) {
            framing.accept(bytes, offset, length);
        }
    }

    private @Nullable Framing sniffed(byte[] bytes, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            if (bytes[i] > ' ') {
                return bytes[i] == '{' || bytes[i] == '[' ? new Document() : new EventStream(events);
            }
        }
        return null;
    }

    private void field(Field field) {
        if (field.kind() == Field.Kind.TEXT) {
            text(field.text());
        } else {
            dialect.response(field, this);
        }
    }

    private void eventEnds() {
        if (!countsOfEvent.isEmpty()) {
            counts.putAll(countsOfEvent);
            countsOfEvent.clear();
        }
    }

    @Override
    public void document(byte[] json) {
        heard = true;
        JsonScan.read(json, 0, json.length, dialect.responsePaths(), this::field);
    }

    @Override
    public void reported(String name, OptionalLong count) {
        heard = true;
        if (count.isPresent()) {
            nonsense.remove(name);
            // Of two in one document, the larger; of two in a stream, the later.
            countsOfEvent.merge(name, count.getAsLong(), Math::max);
        } else {
            nonsense.add(name);
        }
    }

    @Override
    public void part(String name, Field value) {
        heard = true;
        OptionalLong count = value.isNull() ? OptionalLong.of(0) : value.count();
        if (count.isPresent()) {
            countsOfEvent.merge(name, count.getAsLong(), (sum, more) -> Math.min(Cost.MAX_AMOUNT, sum + more));
        } else {
            nonsense.add(name);
        }
    }

    @Override
    public void kind(String name) {
        heard = true;
        kind = name;
    }

    @Override
    public void ofKind(Field value) {
        heard = true;
        ofKind = value;
    }

    @Override
    public void kindEnds(String name) {
        heard = true;
        if (ofKind != null) {
            part(name + "." + kind, ofKind);
        }
        kind = "";
        ofKind = null;
    }

    @Override
    public void tier(String name) {
        heard = true;
        tier = ServiceTier.served(name).or(() -> tier);
    }

    @Override
    public void text(String text) {
        heard = true;
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        text(bytes, 0, bytes.length);
    }

    private void text(byte[] utf8, int begin, int end) {
        int length = end - begin;
        if (uncountedLength > 0 && uncountedLength + length > MOST_UNCOUNTED) {
            outputCounted += count(uncounted());
            uncountedLength = 0;
        }
        if (length > MOST_UNCOUNTED) {
            outputCounted += count(new String(utf8, begin, length, StandardCharsets.UTF_8));
            return;
        }
        if (uncountedLength + length > uncounted.length) {
            uncounted = Arrays.copyOf(uncounted, Math.max(2 * uncounted.length, uncountedLength + length));
        }
        System.arraycopy(utf8, begin, uncounted, uncountedLength, length);
        uncountedLength += length;
    }

    private String uncounted() {
        return new String(uncounted, 0, uncountedLength, StandardCharsets.UTF_8);
    }

    @Override
    public void wholeText(String text) {
        heard = true;
        if (outputCounted == 0 && uncountedLength == 0) {
            text(text);
        }
    }

    @Override
    public void error(String typeOrCode) {
        heard = true;
        if (!typeOrCode.equals("null") && error.length() < 200) {
            error.append(error.isEmpty() ? "" : " ").append(typeOrCode);
        }
    }

    @Override
    public void end() {
        heard = true;
        ended = true;
    }

    @Override
    public void later() {
        heard = true;
        isLater = true;
    }

    private long count(String text) {
        return Tokenizers.of(model).count(text);
    }

    /** The documents of a stream. */
    private final class Events implements Framing.Listener {
        private final JsonSequence documents;
        private final JsonSequence.Reader reader = new JsonSequence.Reader() {
            @Override
            public boolean read(Field field) {
                heard = false;
                field(field);
                return heard;
            }

            @Override
            public void text(String path, byte[] document, int begin, int end) {
                Meter.this.text(document, begin, end);
            }
        };

        Events(JsonPaths paths) {
            documents = new JsonSequence(paths);
        }

        @Override
        public void event(byte[] data, int offset, int length) {
            if (length == 6 && new String(data, offset, length, StandardCharsets.US_ASCII).equals("[DONE]")) {
                ended = true;
                return;
            }
            sense = documents.read(data, offset, length, reader);
            if (!sense) {
                countsOfEvent.clear();
            }
            eventEnds();
        }

        @Override
        public int anotherEvent(byte[] data, int from, int to, byte[] end) {
            int length = documents.readAnother(data, from, to, end, reader);
            if (length > 0) {
                sense = true;
                eventEnds();
            }
            return length;
        }
    }

    /**
     * A body that is one JSON document. A short one is kept and read at once, by the parser that also reads requests and events: that
     * takes half the time, and Java need not compile another one. One that is long, or turns out not to be whole, is read in pieces,
     * which tells what there is before the place where it breaks off.
     */
    private final class Document implements Framing {
        private final ByteArrayOutputStream kept = new ByteArrayOutputStream(1_024);
        private @Nullable JsonScan pieces;
        private boolean readAtOnce;

        @Override
        public void accept(byte[] bytes, int offset, int length) {
            if (readAtOnce) {
                return;
            }
            if (pieces == null && kept.size() + length <= LONGEST_KEPT) {
                kept.write(bytes, offset, length);
            } else {
                feed(bytes, offset, length);
            }
        }

        @Override
        public void readOn() {
            if (pieces != null || readAtOnce) {
                return;
            }
            byte[] all = kept.toByteArray();
            List<Runnable> found = new ArrayList<>();
            readAtOnce = JsonScan.read(
                    all,
                    0,
                    all.length,
                    dialect.responsePaths(),
                    field -> found.add(() -> field(field)),
                    () -> found.add(Meter.this::eventEnds));
            if (readAtOnce) {
                found.forEach(Runnable::run);
                eventEnds();
                ended = true;
            } else {
                feed(all, 0, 0);
            }
        }

        private void feed(byte[] bytes, int offset, int length) {
            if (pieces == null) {
                pieces = JsonScan.incremental(dialect.responsePaths(), Meter.this::field, Meter.this::eventEnds);
                pieces.feed(kept.toByteArray(), 0, kept.size());
            }
            pieces.feed(bytes, offset, length);
            // What came so far counts, and what is still to come of the same document counts with it.
            counts.putAll(countsOfEvent);
            if (!pieces.isReadable()) {
                counts.clear();
            }
            ended = pieces.isComplete();
        }

        @Override
        public boolean isReadable() {
            return pieces == null || pieces.isReadable();
        }
    }
}
