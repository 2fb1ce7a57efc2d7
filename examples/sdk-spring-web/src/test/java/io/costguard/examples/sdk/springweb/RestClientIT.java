package io.costguard.examples.sdk.springweb;

import io.costguard.CostGuard;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.Objects;
import java.util.Set;
import org.springframework.http.MediaType;
import org.springframework.web.client.HttpClientErrorException;
import org.springframework.web.client.HttpServerErrorException;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;

class RestClientIT extends SpringContract {
    @Override
    protected String name() {
        return "Spring RestClient";
    }

    @Override
    protected Class<?> anchor() {
        return RestClient.class;
    }

    @Override
    protected String entry() {
        return "`requestFactory(new JdkClientHttpRequestFactory(..))`";
    }

    @Override
    protected Set<Mode> modes() {
        return EnumSet.of(Mode.SYNC);
    }

    @Override
    protected Program program() {
        return new Program(RestClientProgram.class, RestClientProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return switch (refusal) {
            case PASSING, WAITED_IN_VAIN -> HttpClientErrorException.TooManyRequests.class;
            case LASTING -> HttpClientErrorException.class;
            case UNAVAILABLE -> HttpServerErrorException.ServiceUnavailable.class;
            case THROWN -> ResourceAccessException.class;
        };
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        return new Chat(RestClientProgram.client(provider.toString(), apiKey, guard));
    }

    private record Chat(RestClient client) implements SdkClient {
        private RestClient.RequestHeadersSpec<?> asking(String body) {
            return client.post()
                    .uri("/v1/chat/completions")
                    .contentType(MediaType.APPLICATION_JSON)
                    .body(body);
        }

        @Override
        public String call(String model) {
            return Objects.requireNonNull(asking(question(model)).retrieve().body(String.class));
        }

        @Override
        public Events stream(String model) {
            InputStream body = Objects.requireNonNull(
                    asking(streamingQuestion(model)).exchange((request, response) -> response.getBody(), false));
            return Events.of(
                    new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8))
                            .lines()
                            .iterator(),
                    body);
        }
    }
}
