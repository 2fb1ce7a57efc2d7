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
final class AwsTwins extends Twins<SdkHttpClient> {
    AwsTwins(CostGuard guard) {
        super(
                "GuardedSdkHttpClient",
                Apache5HttpClient.create(),
                GuardedSdkHttpClient.wrap(Apache5HttpClient.create(), guard),
                SdkHttpClient::close);
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
    void send(SdkHttpClient client, Sent sent, Seen seen) throws IOException {
        HttpExecuteRequest request = HttpExecuteRequest.builder()
                .request(request(sent))
                .contentStreamProvider(ContentStreamProvider.fromByteArray(sent.body()))
                .build();
        HttpExecuteResponse response = client.prepareRequest(request).call();
        head(response.httpResponse(), seen);
        response.responseBody().ifPresent(seen::body);
    }
}
