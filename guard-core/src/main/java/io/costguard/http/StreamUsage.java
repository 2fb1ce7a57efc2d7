package io.costguard.http;

import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/** Whether providers are asked for usage in their streams. */
public enum StreamUsage {
    /** Only by requests that do so themselves: every request is sent as it is. */
    AS_REQUESTED {
        @Override
        byte[] sent(Dialect dialect, Target target, Function<String, Optional<String>> headers, byte[] body) {
            return body;
        }
    },
    /** By the guard too, where the dialect knows how, and nothing in the request's headers speaks for its body as it is. */
    ASKED_FOR {
        @Override
        byte[] sent(Dialect dialect, Target target, Function<String, Optional<String>> headers, byte[] body) {
            return isBound(headers) ? body : dialect.askForUsage(target, body).orElse(body);
        }
    };

    /**
     * Of a body that is encoded, or has a digest (RFC 1864, RFC 3230, RFC 9530; of AWS, Azure and Oracle) or a signature over that (RFC 9421).
     */
    private static final Set<String> BINDING = Set.of(
            "content-encoding",
            "content-md5",
            "digest",
            "content-digest",
            "repr-digest",
            "x-amz-content-sha256",
            "x-ms-content-sha256",
            "x-content-sha256",
            "signature");

    /** What is sent of a request with this body. */
    abstract byte[] sent(Dialect dialect, Target target, Function<String, Optional<String>> headers, byte[] body);

    private static boolean isBound(Function<String, Optional<String>> headers) {
        return BINDING.stream().anyMatch(name -> headers.apply(name).isPresent())
                || headers.apply("authorization").filter(StreamUsage::maySign).isPresent();
    }

    /** Any scheme but those that show a key as it is may sign the body, as AWS4-HMAC-SHA256 does. */
    private static boolean maySign(String authorization) {
        String value = authorization.strip();
        return value.indexOf(' ') >= 0
                && Stream.of("Bearer ", "Basic ")
                        .noneMatch(scheme -> value.regionMatches(true, 0, scheme, 0, scheme.length()));
    }
}
