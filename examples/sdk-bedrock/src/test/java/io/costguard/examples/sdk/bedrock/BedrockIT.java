package io.costguard.examples.sdk.bedrock;

import io.costguard.CostGuard;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import io.costguard.sdk.tck.SdkContract;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.net.URI;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseResponse;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamResponseHandler;
import software.amazon.awssdk.services.bedrockruntime.model.ServiceQuotaExceededException;
import software.amazon.awssdk.services.bedrockruntime.model.ServiceUnavailableException;
import software.amazon.awssdk.services.bedrockruntime.model.ThrottlingException;

class BedrockIT extends SdkContract {
    @Override
    protected String name() {
        return "AWS bedrockruntime";
    }

    @Override
    protected Class<?> anchor() {
        return BedrockRuntimeClient.class;
    }

    @Override
    protected String entry() {
        return "`httpClientBuilder(GuardedSdkHttpClient.newBuilder(..))`, of `guard-bedrock`";
    }

    @Override
    protected Set<Mode> modes() {
        return EnumSet.allOf(Mode.class);
    }

    /** The synchronous client has no streams. */
    @Override
    protected Set<Mode> streamingModes() {
        return EnumSet.of(Mode.ASYNC);
    }

    @Override
    protected Retries retries() {
        return Retries.ABOVE_THE_GUARD;
    }

    @Override
    protected Exchange answer() {
        return Recordings.of("bedrock-converse-nova");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("bedrock-converse-stream-titan");
    }

    @Override
    protected Program program() {
        return new Program(BedrockProgram.class, BedrockProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return switch (refusal) {
            case PASSING, WAITED_IN_VAIN -> ThrottlingException.class;
            case LASTING -> ServiceQuotaExceededException.class;
            case UNAVAILABLE -> ServiceUnavailableException.class;
            case THROWN -> SdkClientException.class;
        };
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        return mode == Mode.SYNC
                ? new Sync(BedrockProgram.client(provider.toString(), apiKey, Apache5HttpClient.builder(), guard))
                : new Async(BedrockProgram.asyncClient(
                        provider.toString(),
                        apiKey,
                        // The provider of the tests speaks nothing newer.
                        NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1),
                        guard));
    }

    private static String text(ConverseResponse answer) {
        return answer.output().message().content().get(0).text();
    }

    private record Sync(BedrockRuntimeClient client) implements SdkClient {
        @Override
        public String call(String model) {
            return text(client.converse(call -> call.modelId(model).messages(BedrockProgram.user("Say hello."))));
        }

        @Override
        public Events stream(String model) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {
            client.close();
        }
    }

    private record Async(BedrockRuntimeAsyncClient client) implements SdkClient {
        @Override
        public String call(String model) throws Exception {
            return text(client.converse(call -> call.modelId(model).messages(BedrockProgram.user("Say hello.")))
                    .get());
        }

        @Override
        public Events stream(String model) {
            CompletableFuture<CompletableFuture<Void>> started = new CompletableFuture<>();
            ToldEvents events = new ToldEvents(() -> started.join().cancel(true));
            CompletableFuture<Void> call = client.converseStream(
                    stream -> stream.modelId(model).messages(BedrockProgram.user("Say hello.")),
                    ConverseStreamResponseHandler.builder()
                            .subscriber(event -> events.event())
                            .build());
            started.complete(call);
            CompletableFuture<Void> unused = call.whenComplete((done, failure) -> {
                if (failure == null) {
                    events.end();
                } else {
                    events.failed(failure);
                }
            });
            return events;
        }

        @Override
        public void close() {
            client.close();
        }
    }
}
