package io.costguard.bedrock;

import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.http.Exchange;
import io.costguard.http.HttpCall;
import io.costguard.http.LocalAnswer;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLHandshakeException;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.SdkHttpResponse;

/** What a guard sees of a request of the SDK, and what is sent of it. Immutable. */
record GuardedRequest(SdkHttpRequest request, CostGuard guard) {
    private static final String CONTENT_LENGTH = "Content-Length";
    private static final Pattern SIGNED_HEADERS = Pattern.compile("SignedHeaders=([^,\\s]+)");

    /** Empty if it is to be sent without the guard's doing. By the thread that makes the call. */
    Optional<HttpCall> begin() {
        URI uri = request.getUri();
        return guard.http()
                .begin(
                        request.method().name(),
                        request.protocol(),
                        request.host(),
                        request.port(),
                        Objects.requireNonNullElse(uri.getPath(), ""),
                        Objects.requireNonNullElse(uri.getRawQuery(), ""),
                        request::matchingHeaders,
                        CallAttributes.current());
    }

    /** How long its body is, as far as its headers say it; 0 if they do not. */
    long contentLength() {
        return request.firstMatchingHeader(CONTENT_LENGTH)
                .filter(value -> value.matches("[0-9]{1,18}"))
                .map(Long::parseLong)
                .orElse(0L);
    }

    /**
     * The request as its provider gets it, without the headers that are for the guard; but for one that is signed, which AWS must find.
     *
     * @param added by how much its body is longer than it was
     */
    SdkHttpRequest sent(int added) {
        List<String> own = guard.http().ownHeaders().stream()
                .filter(name -> request.firstMatchingHeader(name).isPresent() && !isSigned(name))
                .toList();
        if (own.isEmpty() && added == 0) {
            return request;
        }
        SdkHttpRequest.Builder sent = request.toBuilder();
        request.forEachHeader((name, values) -> {
            if (own.stream().anyMatch(name::equalsIgnoreCase)) {
                sent.removeHeader(name);
            } else if (added != 0 && name.equalsIgnoreCase(CONTENT_LENGTH)) {
                sent.putHeader(name, String.valueOf(contentLength() + added));
            }
        });
        return sent.build();
    }

    private boolean isSigned(String header) {
        Matcher signed = SIGNED_HEADERS.matcher(
                request.firstMatchingHeader("Authorization").orElse(""));
        return signed.find() && List.of(signed.group(1).split(";")).contains(header);
    }

    /** Without a body: the guard's own answer, to a call that is not sent. */
    static SdkHttpResponse answered(LocalAnswer answer) {
        SdkHttpResponse.Builder response = SdkHttpResponse.builder().statusCode(answer.status());
        answer.headers().forEach(response::putHeader);
        return response.build();
    }

    static void told(Exchange exchange, SdkHttpResponse response) {
        exchange.answered(response.statusCode(), response::firstMatchingHeader);
    }

    /** Whether a failure tells by itself that no connection was made. */
    static boolean neverConnected(Throwable failure) {
        Throwable cause = failure.getCause();
        return isBeforeSending(failure) || (cause != null && neverConnected(cause));
    }

    private static boolean isBeforeSending(Throwable failure) {
        return failure instanceof ConnectException
                || failure instanceof UnknownHostException
                || failure instanceof NoRouteToHostException
                || failure instanceof SSLHandshakeException;
    }
}
