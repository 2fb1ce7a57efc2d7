package io.costguard.examples.server;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import io.costguard.Permit;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Function;

/** A {@link Gate} before a handler of the JDK's own HTTP server: {@code context.getFilters().add(new GateFilter(gate, attributes))}. */
public final class GateFilter extends Filter {
    private final Gate gate;
    private final Function<HttpExchange, Map<String, String>> attributes;

    /** @param attributes who sent a request, as the server knows it; its authenticators know it later, as they run behind all filters */
    public GateFilter(Gate gate, Function<HttpExchange, Map<String, String>> attributes) {
        this.gate = gate;
        this.attributes = attributes;
    }

    /** The other end of the connection: behind a proxy, that. */
    public static Map<String, String> ip(HttpExchange exchange) {
        return Map.of("ip", exchange.getRemoteAddress().getAddress().getHostAddress());
    }

    @Override
    public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
        Gate.Answer answer = gate.ask(attributes.apply(exchange));
        Headers headers = exchange.getResponseHeaders();
        if (answer instanceof Gate.Answer.Pass pass) {
            pass.fields().forEach(headers::set);
            Permit permit = pass.permit();
            try (permit) {
                chain.doFilter(exchange);
            }
        } else if (answer instanceof Gate.Answer.Stop stop) {
            stop.fields().forEach(headers::set);
            headers.set("Content-Type", "application/problem+json");
            byte[] body = stop.body().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(stop.status(), body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        }
    }

    @Override
    public String description() {
        return "keeps callers inside their budgets";
    }
}
