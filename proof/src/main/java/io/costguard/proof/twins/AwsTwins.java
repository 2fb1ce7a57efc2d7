package io.costguard.proof.twins;

import io.costguard.CostGuard;
import io.costguard.bedrock.GuardedSdkHttpClient;
import java.io.IOException;
import java.util.TreeMap;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpFullRequest;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;

/** As the AWS SDK calls Bedrock, below what makes requests and reads answers. */
final class AwsTwins implements Twins {
    private final SdkHttpClient without = Apache5HttpClient.create();
    private final SdkHttpClient with;

    AwsTwins(CostGuard guard) {
        this.with = GuardedSdkHttpClient.wrap(Apache5HttpClient.create(), guard);
    }

    static SdkHttpFullRequest request(Sent sent) {
        SdkHttpFullRequest.Builder request = SdkHttpFullRequest.builder()
                .method(SdkHttpMethod.POST)
                .uri(sent.uri())
                .putHeader("content-length", String.valueOf(sent.body().length));
        sent.headers().forEach(request::putHeader);
        return request.build();
    }

    static void head(SdkHttpResponse response, Seen seen) {
        seen.head(response.statusCode() + " " + response.statusText().orElse(""), new TreeMap<>(response.headers()));
    }

    @Override
    public String send(Sent sent, boolean isGuarded) {
        HttpExecuteRequest request = HttpExecuteRequest.builder()
                .request(request(sent))
                .contentStreamProvider(ContentStreamProvider.fromByteArray(sent.body()))
                .build();
        Seen seen = new Seen();
        try {
            HttpExecuteResponse response =
                    (isGuarded ? with : without).prepareRequest(request).call();
            head(response.httpResponse(), seen);
            response.responseBody().ifPresent(seen::body);
        } catch (IOException | RuntimeException e) {
            seen.failed(e);
        }
        return seen.toString();
    }

    @Override
    public void close() {
        with.close();
        without.close();
    }

    @Override
    public String toString() {
        return "GuardedSdkHttpClient";
    }
}
