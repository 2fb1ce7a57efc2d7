package io.costguard.okhttp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.costguard.CostGuard;
import io.costguard.Denials;
import java.util.Map;
import okhttp3.Call;
import okhttp3.OkHttp;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.Test;

class CostGuardInterceptorIT extends OkHttpContract {

    @Override
    protected Call.Factory guarded(OkHttpClient client, CostGuard guard, Denials denials) {
        return client.newBuilder()
                .addInterceptor(new CostGuardInterceptor(guard, denials))
                .build();
    }

    /** Where a call was enqueued, the interceptor sees it on another thread. */
    @Override
    protected Map<String, String> told(Mode mode, Map<String, String> said) {
        return mode == Mode.SYNC ? said : Map.of();
    }

    @Test
    void asANetworkInterceptorItRefusesToWork() throws Exception {
        CostGuard guard = guard(roomy());
        OkHttpClient client = new OkHttpClient.Builder()
                .addNetworkInterceptor(new CostGuardInterceptor(guard))
                .build();

        assertThatIllegalStateException()
                .isThrownBy(() -> send(client, uri()))
                .withMessageContaining("use addInterceptor");
        assertThat(used(guard)).isZero();
    }

    @Test
    void theseTestsRunOnTheOkHttpThatTheBuildSays() throws ReflectiveOperationException {
        // Asked at run time: the compiler copies the constant of the version that it sees.
        assertThat(OkHttp.class.getField("VERSION").get(null)).isEqualTo(System.getProperty("okhttp.version"));
    }
}
