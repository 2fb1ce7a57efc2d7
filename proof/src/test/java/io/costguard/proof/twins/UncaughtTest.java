package io.costguard.proof.twins;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class UncaughtTest {
    private static final String GUARD = "io.costguard.okhttp.CostGuardInterceptor";
    private static final String CLIENT = "okhttp3.internal.http.RealInterceptorChain";

    private final Uncaught uncaught = new Uncaught();

    @Test
    void whatTheGuardThrowsIsOurs() {
        Throwable failure = thrown(GUARD, CLIENT);

        assertThat(ours(failure)).containsExactly(failure);
    }

    @Test
    void whatJavaThrowsAtTheGuardIsOursAlthoughItThrowsTheSameAtTheClient() {
        Throwable failure = thrown("java.lang.Integer", GUARD, CLIENT);

        assertThat(ours(failure, thrown("java.lang.Integer", CLIENT))).containsExactly(failure);
    }

    @Test
    void whatTheClientThrowsBelowTheGuardIsOursUnlessItThrowsThatWithoutOneToo() {
        Throwable failure = thrown("java.lang.Integer", "okhttp3.CacheControl", CLIENT, GUARD, CLIENT);

        assertThat(ours(failure)).containsExactly(failure);
        assertThat(ours(thrown("okhttp3.Headers", CLIENT))).containsExactly(failure);
        assertThat(ours(thrown("java.lang.Integer", "okhttp3.CacheControl", CLIENT, CLIENT)))
                .isEmpty();
    }

    @Test
    void whatTheClientOrTheProofThrowsIsNot() {
        assertThat(ours(thrown(CLIENT), thrown("io.costguard.proof.twins.Seen", CLIENT)))
                .isEmpty();
        assertThat(ours(thrown("java.net.SocketOutputStream", "io.costguard.proof.twins.Body", GUARD, CLIENT)))
                .isEmpty();
    }

    private Iterable<Throwable> ours(Throwable... failures) {
        for (Throwable failure : failures) {
            uncaught.uncaughtException(Thread.currentThread(), failure);
        }
        return uncaught.ours();
    }

    private static Throwable thrown(String... classes) {
        Throwable failure = new IllegalStateException();
        failure.setStackTrace(Stream.of(classes)
                .map(name -> new StackTraceElement(
                        null, name.startsWith("java.") ? "java.base" : null, null, name, "method", null, 1))
                .toArray(StackTraceElement[]::new));
        return failure;
    }
}
