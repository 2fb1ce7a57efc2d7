package io.costguard.proof.twins;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/** All that there is to see of an answer: its status and headers, as far as they came, what came of its body, and the failure. */
final class Seen {
    private final ByteArrayOutputStream body = new ByteArrayOutputStream();
    private final StringBuilder failure = new StringBuilder();
    private String head = "";

    void head(Object line, Object headers) {
        head = line + "\n" + headers;
    }

    void body(byte[] piece) {
        body.writeBytes(piece);
    }

    /** To its end, or as far as it can be read. */
    void body(InputStream in) {
        try (in) {
            byte[] piece = new byte[777];
            for (int read = in.read(piece); read >= 0; read = in.read(piece)) {
                body.write(piece, 0, read);
            }
        } catch (IOException e) {
            failed(e);
        }
    }

    void failed(@Nullable Throwable e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            failure.append(cause.getClass().getName()).append(' ');
        }
    }

    /** Ends with a line break where nothing failed. */
    @Override
    public String toString() {
        return head + "\n" + body.toString(ISO_8859_1) + "\n" + failure;
    }
}
