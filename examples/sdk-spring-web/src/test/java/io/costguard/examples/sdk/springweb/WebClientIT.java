package io.costguard.examples.sdk.springweb;

import io.costguard.CostGuard;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import java.net.URI;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.client.WebClient;
import org.springframework.web.reactive.function.client.WebClientRequestException;
import org.springframework.web.reactive.function.client.WebClientResponseException;
import reactor.core.Disposable;

class WebClientIT extends SpringContract {
    @Override
    protected String name() {
        return "Spring WebClient";
    }

    @Override
    protected Class<?> anchor() {
        return WebClient.class;
    }

    @Override
    protected String entry() {
        return "`clientConnector(new JdkClientHttpConnector(..))`";
    }

    @Override
    protected Set<Mode> modes() {
        return EnumSet.of(Mode.ASYNC);
    }

    /** Spring's connector tells java.net.http of no cancel. */
    @Override
    protected Set<Mode> cancellingModes() {
        return EnumSet.noneOf(Mode.class);
    }

    @Override
    protected Program program() {
        return new Program(WebClientProgram.class, WebClientProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return switch (refusal) {
            case PASSING, WAITED_IN_VAIN -> WebClientResponseException.TooManyRequests.class;
            case LASTING -> WebClientResponseException.class;
            case UNAVAILABLE -> WebClientResponseException.ServiceUnavailable.class;
            case THROWN -> WebClientRequestException.class;
        };
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        return new Chat(WebClientProgram.client(provider.toString(), apiKey, guard));
    }

    private record Chat(WebClient client) implements SdkClient {
        private WebClient.ResponseSpec asked(String body) {
            return client.post()
                    .uri("/v1/chat/completions")
                    .contentType(MediaType.APPLICATION_JSON)
                    .bodyValue(body)
                    .retrieve();
        }

        @Override
        public String call(String model) throws Exception {
            return asked(question(model)).bodyToMono(String.class).toFuture().get();
        }

        @Override
        public Events stream(String model) {
            CompletableFuture<Disposable> subscription = new CompletableFuture<>();
            ToldEvents events = new ToldEvents(() -> subscription.join().dispose());
            subscription.complete(asked(streamingQuestion(model))
                    .bodyToFlux(String.class)
                    .subscribe(event -> events.event(), events::failed, events::end));
            return events;
        }
    }
}
