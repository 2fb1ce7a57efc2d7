package io.costguard.examples.sdk.azure;

import com.azure.core.http.HttpClient;
import io.costguard.CostGuard;
import java.util.EnumSet;
import java.util.Set;

class AzureOnJdkIT extends AzureContract {
    @Override
    protected String name() {
        return "azure-ai-openai on java.net.http";
    }

    @Override
    protected String entry() {
        return "`new JdkHttpClientBuilder(..)`";
    }

    /** The SDK reads asynchronous streams by what the buffers of java.net.http do not have, an array. */
    @Override
    protected Set<Mode> streamingModes() {
        return EnumSet.of(Mode.SYNC);
    }

    @Override
    HttpClient http(CostGuard guard) {
        return AzureProgram.onJdk(guard);
    }
}
