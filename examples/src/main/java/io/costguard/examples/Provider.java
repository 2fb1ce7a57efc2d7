package io.costguard.examples;

import static com.github.tomakehurst.wiremock.client.WireMock.aResponse;
import static com.github.tomakehurst.wiremock.client.WireMock.binaryEqualTo;
import static com.github.tomakehurst.wiremock.client.WireMock.post;
import static com.github.tomakehurst.wiremock.client.WireMock.urlPathEqualTo;
import static com.github.tomakehurst.wiremock.core.WireMockConfiguration.options;

import com.github.tomakehurst.wiremock.WireMockServer;
import com.github.tomakehurst.wiremock.client.ResponseDefinitionBuilder;
import io.costguard.Cost;
import io.costguard.PriceList;
import io.costguard.describe.Usage;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A provider that answers as real ones were recorded, streams as streams, and keeps its own account: of each answer the usage that it
 * reports, at list price. It knows nothing of the guard.
 */
final class Provider implements AutoCloseable {
    private final WireMockServer server =
            new WireMockServer(options().bindAddress("127.0.0.1").dynamicPort().disableRequestJournal());
    private final Map<ByteBuffer, Exchange> known = new HashMap<>();
    private final List<Exchange> served = new ArrayList<>();

    private Provider() {}

    static Provider start() {
        Provider provider = new Provider();
        for (Exchange exchange : exchanges()) {
            provider.replay(exchange);
        }
        provider.server.addMockServiceRequestListener((request, response) -> provider.account(request.getBody()));
        provider.server.start();
        return provider;
    }

    private static final Set<String> PROVIDERS = Set.of("openai", "anthropic");
    private static final Set<String> PATHS = Set.of("/v1/chat/completions", "/v1/messages");

    /** Chats of which it reports the usage, no two with the same request. */
    static List<Exchange> exchanges() {
        Map<ByteBuffer, Exchange> byRequest = new HashMap<>();
        return Recordings.all().stream()
                .filter(exchange -> PROVIDERS.contains(exchange.provider()))
                .filter(exchange -> PATHS.contains(exchange.url().getPath()))
                .filter(exchange -> exchange.reportedInput().isPresent())
                // Audio has a price of its own, and what was recorded does not say apart how much there was.
                .filter(exchange -> !exchange.folder().contains("audio"))
                .filter(exchange -> byRequest.putIfAbsent(ByteBuffer.wrap(exchange.request()), exchange) == null)
                .toList();
    }

    private void replay(Exchange exchange) {
        known.put(ByteBuffer.wrap(exchange.request()), exchange);
        ResponseDefinitionBuilder answer = aResponse()
                .withStatus(exchange.status())
                .withHeader("content-type", exchange.contentType())
                .withBody(exchange.response());
        if (exchange.isStream()) {
            answer.withChunkedDribbleDelay(8, 200);
        }
        server.stubFor(post(urlPathEqualTo(exchange.url().getPath()))
                .withRequestBody(binaryEqualTo(exchange.request()))
                .willReturn(answer));
    }

    private synchronized void account(byte[] request) {
        Exchange exchange = known.get(ByteBuffer.wrap(request));
        if (exchange != null) {
            served.add(exchange);
        }
    }

    URI uri() {
        return URI.create(server.baseUrl());
    }

    /** What it charges for all that it answered. */
    synchronized Cost bill() {
        Cost bill = Cost.requests(served.size()).nanoUsd(0);
        for (Exchange exchange : served) {
            Usage usage = usage(exchange);
            long price = PriceList.bundled()
                    .nanoUsd(exchange.provider(), exchange.model(), usage)
                    .orElseThrow(() -> new IllegalStateException("no price for " + exchange.model()));
            bill = bill.input(bill.input() + usage.allInput())
                    .output(bill.output() + usage.allOutput())
                    .nanoUsd(bill.nanoUsd() + price);
        }
        return bill;
    }

    private static Usage usage(Exchange exchange) {
        long read = exchange.number("cached_input_tokens").orElse(0);
        long written = exchange.number("cache_write_tokens").orElse(0);
        long fresh = exchange.reportedInput().orElseThrow() - read - written;
        return Usage.of(fresh, exchange.reportedOutput().orElseThrow())
                .withCacheRead(read)
                .withCacheWrite(written);
    }

    @Override
    public void close() {
        server.stop();
    }
}
