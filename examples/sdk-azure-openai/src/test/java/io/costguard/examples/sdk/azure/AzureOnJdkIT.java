package io.costguard.examples.sdk.azure;

import com.azure.core.http.HttpClient;
import io.costguard.CostGuard;

class AzureOnJdkIT extends AzureContract {
    @Override
    protected String name() {
        return "azure-ai-openai on java.net.http";
    }

    @Override
    protected String entry() {
        return "`new JdkHttpClientBuilder(..)`";
    }

    @Override
    HttpClient http(CostGuard guard) {
        return AzureProgram.onJdk(guard);
    }
}
