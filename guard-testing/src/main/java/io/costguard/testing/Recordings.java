package io.costguard.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Exchanges between real clients and real LLM providers, recorded by open-source projects: what a request looks like on the wire, what
 * comes back, and what usage it reports. Sources, licences and the meaning of each figure are in {@code wire/README.md} beside this
 * class.
 */
public final class Recordings {
    private Recordings() {}

    /** {@return all that are here} */
    public static List<Exchange> all() {
        List<List<String>> rows = csv(new String(resource("MANIFEST.csv"), StandardCharsets.UTF_8));
        List<String> names = rows.get(0);
        List<Exchange> exchanges = new ArrayList<>();
        for (List<String> row : rows.subList(1, rows.size())) {
            Map<String, String> values = new HashMap<>();
            for (int i = 0; i < names.size(); i++) {
                values.put(names.get(i), row.get(i));
            }
            Exchange exchange = new Exchange(Map.copyOf(values));
            if (Recordings.class.getResource("wire/" + exchange.folder() + "/request.json") != null) {
                exchanges.add(exchange);
            }
        }
        return List.copyOf(exchanges);
    }

    /**
     * {@return the one in this folder}
     *
     * @param folder where the recording is
     */
    public static Exchange of(String folder) {
        return all().stream()
                .filter(exchange -> exchange.folder().equals(folder))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no recording '" + folder + "'"));
    }

    /**
     * One request and its response, with the row of the manifest that tells of it.
     *
     * @param manifest that row
     */
    public record Exchange(Map<String, String> manifest) {
        /** {@return where it is} */
        public String folder() {
            return value("folder");
        }

        /** {@return whose it is} */
        public String provider() {
            return value("provider");
        }

        /** {@return what was asked} */
        public URI url() {
            return URI.create(value("url"));
        }

        /** {@return the status} */
        public int status() {
            return Integer.parseInt(value("status"));
        }

        /**
         * As recorded; where it was not, what the recording's form says.
         *
         * @return that type
         */
        public String contentType() {
            String recorded = value("content_type");
            if (!recorded.isEmpty()) {
                return recorded;
            }
            String file = value("response_file");
            return switch (file.substring(file.lastIndexOf('.') + 1)) {
                case "sse" -> "text/event-stream";
                case "ndjson" -> "application/x-ndjson";
                case "eventstream" -> "application/vnd.amazon.eventstream";
                default -> "application/json";
            };
        }

        /** {@return whether it came in events} */
        public boolean isStream() {
            return value("streaming").equals("true");
        }

        /** {@return the model as requested} */
        public String model() {
            return value("model");
        }

        /** {@return all tokens of the prompt, those of a prompt cache included; empty where none were reported} */
        public OptionalLong reportedInput() {
            OptionalLong input = number("expected_input_tokens");
            if (input.isEmpty() || !value("input_includes_cache").equals("false")) {
                return input;
            }
            return OptionalLong.of(input.getAsLong()
                    + number("cached_input_tokens").orElse(0)
                    + number("cache_write_tokens").orElse(0));
        }

        /** {@return whether the provider reported what was used} */
        public boolean isUsageReported() {
            return value("usage_present").equals("true");
        }

        /** {@return all tokens of the answer, reasoning included; empty where none were reported} */
        public OptionalLong reportedOutput() {
            OptionalLong output = number("expected_output_tokens");
            if (output.isEmpty() || !value("output_includes_reasoning").equals("false")) {
                return output;
            }
            return OptionalLong.of(
                    output.getAsLong() + number("reasoning_tokens").orElse(0));
        }

        /**
         * {@return a figure of the manifest; empty where it has none}
         *
         * @param column of the table of recordings
         */
        public OptionalLong number(String column) {
            String text = value(column);
            return text.isEmpty() ? OptionalLong.empty() : OptionalLong.of(Long.parseLong(text));
        }

        /** {@return the request's body} */
        public byte[] request() {
            return resource(folder() + "/request.json");
        }

        /** {@return the body of the response, decoded} */
        public byte[] response() {
            return resource(folder() + "/" + value("response_file"));
        }

        /** {@return those of its response's headers that were recorded, by name in lower case} */
        public Map<String, String> headers() {
            if (Recordings.class.getResource("wire/" + folder() + "/headers.txt") == null) {
                return Map.of();
            }
            Map<String, String> headers = new HashMap<>();
            new String(resource(folder() + "/headers.txt"), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> line.contains(":"))
                    .forEach(line -> headers.put(
                            line.substring(0, line.indexOf(':')).strip(),
                            line.substring(line.indexOf(':') + 1).strip()));
            return Map.copyOf(headers);
        }

        private String value(String column) {
            String value = manifest.get(column);
            if (value == null) {
                throw new IllegalArgumentException("the manifest has no column '" + column + "'");
            }
            return value;
        }

        @Override
        public String toString() {
            return folder();
        }
    }

    private static byte[] resource(String name) {
        try (InputStream in = Recordings.class.getResourceAsStream("wire/" + name)) {
            if (in == null) {
                throw new IllegalArgumentException("no recording " + name);
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<List<String>> csv(String text) {
        List<List<String>> rows = new ArrayList<>();
        List<String> row = new ArrayList<>();
        StringBuilder value = new StringBuilder();
        boolean quoted = false;
        for (char c : text.replace("\r\n", "\n").toCharArray()) {
            if (c == '"') {
                // Of a doubled quote, the first ends the quoting and the second begins it anew.
                if (!quoted && !value.isEmpty()) {
                    value.append(c);
                }
                quoted = !quoted;
            } else if (quoted || (c != ',' && c != '\n')) {
                value.append(c);
            } else {
                row.add(value.toString());
                value.setLength(0);
                if (c == '\n') {
                    rows.add(row);
                    row = new ArrayList<>();
                }
            }
        }
        return rows;
    }

    /**
     * {@return a body cut into pieces of 1 to {@code longest} bytes, by turns}
     *
     * @param body what is cut
     * @param longest bytes in a piece at most
     */
    public static List<byte[]> pieces(byte[] body, int longest) {
        List<byte[]> pieces = new ArrayList<>();
        for (int from = 0, length = 1; from < body.length; from += length, length = length % longest + 1) {
            pieces.add(Arrays.copyOfRange(body, from, Math.min(body.length, from + length)));
        }
        return pieces;
    }
}
