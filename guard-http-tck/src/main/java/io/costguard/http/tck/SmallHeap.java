package io.costguard.http.tck;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.Limit;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.net.URI;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;

/** A process that sends one call through an adapter, reads its answer as it comes, and tells its digest and what was settled. */
final class SmallHeap {
    private static final int PIECE = 1 << 16;

    private SmallHeap() {}

    /** Arguments: the adapter's tests, which make its client; the mode; the recording of the request; the provider; the prefix of keys. */
    public static void main(String[] args) throws Exception {
        Constructor<?> tests = Class.forName(args[0]).getDeclaredConstructor();
        tests.setAccessible(true);
        AdapterContract adapter = (AdapterContract) tests.newInstance();
        Exchange exchange = Recordings.of(args[2]);
        URI provider = URI.create(args[3]);
        GuardListener tell = new GuardListener() {
            @Override
            public void onSettled(Settlement event) {
                Cost actual = event.actual();
                System.out.println(
                        event.outcome() + ": " + actual.input() + " input and " + actual.output() + " output tokens");
            }
        };
        try (CostGuard guard = CostGuard.builder()
                .redis(System.getProperty("guard.redis.url"))
                .keyPrefix(args[4])
                .decisionTimeout(Duration.ofSeconds(10))
                .provider(provider.getAuthority(), exchange.provider())
                .budget(Budget.named("roomy").per().limit(Limit.requests(1_000).perDay()))
                .listener(tell)
                .build()) {
            Client client = adapter.client(guard, Denials.answer(), AdapterContract.Mode.valueOf(args[1]));
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            Client.Sent request =
                    new Client.Sent("POST", provider, AdapterContract.headers(), exchange.request(), Client.Body.BYTES);
            try (InputStream body = client.send(request).body()) {
                byte[] piece = new byte[PIECE];
                for (int count = body.read(piece); count >= 0; count = body.read(piece)) {
                    digest.update(piece, 0, count);
                }
            }
            System.out.println(HexFormat.of().formatHex(digest.digest()));
        }
        // A client's threads may outlive it by a minute.
        System.exit(0);
    }
}
