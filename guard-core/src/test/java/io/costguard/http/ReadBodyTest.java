package io.costguard.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A body's publisher, and who takes what was read of it, as they may be at any moment. */
class ReadBodyTest {
    private static final ByteBuffer TOO_LONG =
            ByteBuffer.allocate(HttpCall.MOST_READ + 1).asReadOnlyBuffer();

    private final CostGuard guard =
            CostGuard.builder().redis("redis://localhost:1").build();
    private final HttpCall call = guard.http()
            .begin(
                    "POST",
                    "https",
                    "api.openai.com",
                    443,
                    "/v1/chat/completions",
                    "",
                    name -> List.of(),
                    CallAttributes.none())
            .orElseThrow();
    private final Source source = new Source();

    @AfterEach
    void close() {
        guard.close();
    }

    /** A publisher that does what the test says, when it says so. */
    private static final class Source implements Flow.Publisher<ByteBuffer>, Flow.Subscription {
        private final List<Long> asked = new ArrayList<>();
        private boolean cancelled;
        private Flow.@Nullable Subscriber<? super ByteBuffer> subscriber;

        Flow.Subscriber<? super ByteBuffer> subscriber() {
            return Objects.requireNonNull(subscriber);
        }

        @Override
        public void subscribe(Flow.Subscriber<? super ByteBuffer> taker) {
            subscriber = taker;
            taker.onSubscribe(this);
        }

        @Override
        public void request(long count) {
            asked.add(count);
        }

        @Override
        public void cancel() {
            cancelled = true;
        }
    }

    /** Notes what it is told. */
    private static class Taker implements Flow.Subscriber<ByteBuffer> {
        final List<String> told = new ArrayList<>();
        private Flow.@Nullable Subscription subscription;

        Flow.Subscription subscription() {
            return Objects.requireNonNull(subscription);
        }

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
        }

        @Override
        public void onNext(ByteBuffer buffer) {
            told.add("next " + buffer.remaining());
        }

        @Override
        public void onError(Throwable failure) {
            told.add("error");
        }

        @Override
        public void onComplete() {
            told.add("complete");
        }
    }

    private ReadBody begun() {
        CompletableFuture<ReadBody> read = ReadBody.of(source, call);
        source.subscriber().onNext(TOO_LONG.duplicate());
        return read.join();
    }

    @Test
    void aBodyThatEndsWhileItsBeginningIsTakenEndsOnceAndAfterThat() {
        Taker taker = new Taker() {
            @Override
            public void onNext(ByteBuffer buffer) {
                source.subscriber().onComplete();
                super.onNext(buffer);
            }
        };
        begun().subscribe(taker);

        taker.subscription().request(1);

        assertThat(taker.told).containsExactly("next " + TOO_LONG.remaining(), "complete");
    }

    @Test
    void whatIsAskedForWhileTheBeginningIsTakenIsAskedOfTheSourceAfterwards() {
        List<Integer> askedBefore = new ArrayList<>();
        Taker taker = new Taker() {
            @Override
            public void onNext(ByteBuffer buffer) {
                subscription().request(2);
                askedBefore.add(source.asked.size());
            }
        };
        begun().subscribe(taker);
        source.asked.clear();

        taker.subscription().request(2);

        assertThat(askedBefore).containsExactly(0);
        assertThat(source.asked).containsExactly(3L);
    }

    @Test
    void whoHasCancelledIsGivenNothing() {
        Taker taker = new Taker();
        begun().subscribe(taker);

        taker.subscription().cancel();
        taker.subscription().request(1);

        assertThat(taker.told).isEmpty();
        assertThat(source.cancelled).isTrue();
    }

    @Test
    void aBodyThatIsWithdrawnIsNoLongerWaitedFor() {
        ReadBody body = begun();
        assertThat(source.cancelled).isFalse();

        assertThat(body.withdraw()).isTrue();

        assertThat(source.cancelled).isTrue();
    }

    @Test
    void aBodyIsNoLongerWaitedForThatWasCancelledWhileItWasRead() {
        CompletableFuture<ReadBody> read = ReadBody.of(source, call);

        read.cancel(true);

        assertThat(source.cancelled).isTrue();
    }
}
