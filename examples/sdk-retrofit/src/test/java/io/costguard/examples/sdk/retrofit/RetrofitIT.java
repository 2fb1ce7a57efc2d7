package io.costguard.examples.sdk.retrofit;

import io.costguard.BudgetExceededException;
import io.costguard.CostGuard;
import io.costguard.examples.sdk.retrofit.RetrofitProgram.Chat;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import io.costguard.sdk.tck.SdkContract;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.util.EnumSet;
import java.util.Set;
import okhttp3.ResponseBody;
import retrofit2.HttpException;
import retrofit2.Retrofit;

class RetrofitIT extends SdkContract {
    @Override
    protected String name() {
        return "Retrofit";
    }

    @Override
    protected Class<?> anchor() {
        return Retrofit.class;
    }

    @Override
    protected String entry() {
        return "`Retrofit.Builder().callFactory(..)`";
    }

    @Override
    protected Set<Mode> modes() {
        return EnumSet.allOf(Mode.class);
    }

    @Override
    protected Retries retries() {
        return Retries.NONE;
    }

    @Override
    protected Exchange answer() {
        return Recordings.of("openai-chat-n2");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("openai-chat-stream-include-usage");
    }

    @Override
    protected Program program() {
        return new Program(RetrofitProgram.class, RetrofitProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return refusal == Refusal.THROWN ? BudgetExceededException.class : HttpException.class;
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        Chat chat = RetrofitProgram.chat(provider.toString(), guard);
        return mode == Mode.SYNC ? new Sync(chat, "Bearer " + apiKey) : new Async(chat, "Bearer " + apiKey);
    }

    private static SdkClient.Events events(ResponseBody body) {
        BufferedReader lines = new BufferedReader(body.charStream());
        return SdkClient.Events.of(
                lines.lines().filter(line -> line.startsWith("data:")).iterator(), body);
    }

    private record Sync(Chat chat, String key) implements SdkClient {
        @Override
        public String call(String model) throws IOException {
            return RetrofitProgram.text(RetrofitProgram.body(
                    chat.ask(key, RetrofitProgram.question(model, false)).execute()));
        }

        @Override
        public Events stream(String model) throws IOException {
            return events(RetrofitProgram.body(
                    chat.stream(key, RetrofitProgram.question(model, true)).execute()));
        }
    }

    private record Async(Chat chat, String key) implements SdkClient {
        @Override
        public String call(String model) throws Exception {
            return RetrofitProgram.text(
                    chat.askAsync(key, RetrofitProgram.question(model, false)).get());
        }

        @Override
        public Events stream(String model) throws Exception {
            return events(
                    chat.streamAsync(key, RetrofitProgram.question(model, true)).get());
        }
    }
}
