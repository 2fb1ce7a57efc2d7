package io.costguard.examples.sdk.azure;

import com.azure.core.http.HttpClient;
import io.costguard.CostGuard;

class AzureOnOkHttpIT extends AzureContract {
    @Override
    protected String name() {
        return "azure-ai-openai on OkHttp";
    }

    @Override
    protected String entry() {
        return "`new OkHttpAsyncHttpClientBuilder(..)`";
    }

    @Override
    HttpClient http(CostGuard guard) {
        return AzureProgram.onOkHttp(guard);
    }
}
