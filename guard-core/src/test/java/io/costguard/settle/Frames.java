package io.costguard.settle;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.zip.CRC32;

/** Writes AWS event-stream messages. */
public final class Frames {
    private Frames() {}

    public static byte[] event(String type, String payload) {
        return frame(
                Map.of(":message-type", "event", ":event-type", type, ":content-type", "application/json"),
                payload.getBytes(StandardCharsets.UTF_8));
    }

    public static byte[] exception(String type, String payload) {
        return frame(
                Map.of(":message-type", "exception", ":exception-type", type, ":content-type", "application/json"),
                payload.getBytes(StandardCharsets.UTF_8));
    }

    static byte[] frame(Map<String, String> headers, byte[] payload) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        headers.forEach((name, value) -> {
            header(out, name, 7);
            byte[] text = value.getBytes(StandardCharsets.UTF_8);
            out.write(text.length >> 8);
            out.write(text.length);
            out.writeBytes(text);
        });
        return frame(out.toByteArray(), payload);
    }

    /** The name of a header and the type of its value, which follows. */
    static void header(ByteArrayOutputStream out, String name, int type) {
        out.write(name.length());
        out.writeBytes(name.getBytes(StandardCharsets.US_ASCII));
        out.write(type);
    }

    static byte[] frame(byte[] headers, byte[] payload) {
        byte[] frame = new byte[16 + headers.length + payload.length];
        ByteBuffer parts = ByteBuffer.wrap(frame).putInt(frame.length).putInt(headers.length);
        parts.putInt(checksum(frame, parts.position())).put(headers).put(payload);
        parts.putInt(checksum(frame, parts.position()));
        return frame;
    }

    private static int checksum(byte[] frame, int length) {
        CRC32 crc = new CRC32();
        crc.update(frame, 0, length);
        return (int) crc.getValue();
    }

    public static byte[] joined(byte[]... frames) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] frame : frames) {
            out.writeBytes(frame);
        }
        return out.toByteArray();
    }
}
