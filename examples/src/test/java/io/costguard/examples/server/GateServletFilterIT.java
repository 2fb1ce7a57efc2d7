package io.costguard.examples.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.testing.RedisForTests;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The filter before a servlet, in a container of which there is only what it asks. */
@Timeout(120)
class GateServletFilterIT {
    private final RedisForTests redis = RedisForTests.shared();
    private final CostGuard guard = CostGuard.builder()
            .redis(redis.url())
            .keyPrefix(redis.keyPrefix())
            .decisionTimeout(Duration.ofMinutes(1))
            .budget(Budget.named("users")
                    .per("user", "ip")
                    .limit(Limit.requests(1).per(Duration.ofDays(1)).slidingWindow()))
            .build();
    private final GateServletFilter filter = new GateServletFilter(new Gate(guard, "api"));
    private final AtomicInteger served = new AtomicInteger();
    private final FilterChain servlet = (request, response) -> served.incrementAndGet();

    @AfterEach
    void end() {
        guard.close();
    }

    @Test
    void aRequestWithinItsLimitReachesTheServletAndOneBeyondItDoesNot() throws Exception {
        Answered first = new Answered();
        Answered second = new Answered();

        filter.doFilter(from("ann", "10.0.0.1"), first.response(), servlet);
        filter.doFilter(from("ann", "10.0.0.1"), second.response(), servlet);

        assertThat(served).hasValue(1);
        assertThat(first.status).isEqualTo(200);
        assertThat(first.headers).containsOnlyKeys("RateLimit-Policy", "RateLimit");
        assertThat(second.status).isEqualTo(429);
        assertThat(second.headers).containsOnlyKeys("Retry-After", "RateLimit", "Content-Type");
        assertThat(second.body.toString(StandardCharsets.UTF_8))
                .contains("\"violated-policies\":[\"users: requests per day (sliding window)\"]");
    }

    @Test
    void anotherUserOrAnotherAddressIsAnotherCaller() throws Exception {
        filter.doFilter(from("ann", "10.0.0.1"), new Answered().response(), servlet);
        filter.doFilter(from("bob", "10.0.0.1"), new Answered().response(), servlet);
        filter.doFilter(from("ann", "10.0.0.2"), new Answered().response(), servlet);

        assertThat(served).hasValue(3);
    }

    private static HttpServletRequest from(String user, String address) {
        return (HttpServletRequest) Proxy.newProxyInstance(
                GateServletFilterIT.class.getClassLoader(),
                new Class<?>[] {HttpServletRequest.class},
                (proxy, method, arguments) -> switch (method.getName()) {
                    case "getRemoteUser" -> user;
                    case "getRemoteAddr" -> address;
                    default -> throw new UnsupportedOperationException(method.toString());
                });
    }

    /** What a container would send. */
    private static final class Answered {
        final Map<String, String> headers = new HashMap<>();
        final ByteArrayOutputStream body = new ByteArrayOutputStream();
        int status = 200;

        HttpServletResponse response() {
            return (HttpServletResponse) Proxy.newProxyInstance(
                    GateServletFilterIT.class.getClassLoader(),
                    new Class<?>[] {HttpServletResponse.class},
                    (proxy, method, arguments) -> {
                        switch (method.getName()) {
                            case "setHeader" -> headers.put((String) arguments[0], (String) arguments[1]);
                            case "setContentType" -> headers.put("Content-Type", (String) arguments[0]);
                            case "setStatus" -> status = (int) arguments[0];
                            case "getOutputStream" -> {
                                return stream();
                            }
                            default -> throw new UnsupportedOperationException(method.toString());
                        }
                        return null;
                    });
        }

        private ServletOutputStream stream() {
            return new ServletOutputStream() {
                @Override
                public void write(int value) {
                    body.write(value);
                }

                @Override
                public boolean isReady() {
                    return true;
                }

                @Override
                public void setWriteListener(WriteListener listener) {
                    throw new UnsupportedOperationException();
                }
            };
        }
    }
}
