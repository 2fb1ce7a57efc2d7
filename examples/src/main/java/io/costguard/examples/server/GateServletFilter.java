package io.costguard.examples.server;

import io.costguard.Permit;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/**
 * A {@link Gate} before servlets. The {@code user} is whom the container knows, the {@code ip} the other end of the connection. A request is
 * in flight until the chain returns: a servlet that answers later, on another thread, is not counted meanwhile.
 */
public final class GateServletFilter implements Filter {
    private final Gate gate;

    public GateServletFilter(Gate gate) {
        this.gate = gate;
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        HttpServletResponse http = (HttpServletResponse) response;
        Gate.Answer answer = gate.ask(attributes((HttpServletRequest) request));
        if (answer instanceof Gate.Answer.Pass pass) {
            pass.fields().forEach(http::setHeader);
            Permit permit = pass.permit();
            try (permit) {
                chain.doFilter(request, response);
            }
        } else if (answer instanceof Gate.Answer.Stop stop) {
            http.setStatus(stop.status());
            stop.fields().forEach(http::setHeader);
            http.setContentType("application/problem+json");
            http.getOutputStream().write(stop.body().getBytes(StandardCharsets.UTF_8));
        }
    }

    private static Map<String, String> attributes(HttpServletRequest request) {
        Map<String, String> attributes = new TreeMap<>();
        attributes.put("ip", request.getRemoteAddr());
        if (request.getRemoteUser() != null) {
            attributes.put("user", request.getRemoteUser());
        }
        return attributes;
    }
}
