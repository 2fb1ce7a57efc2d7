package io.costguard.jdk;

import io.costguard.CostGuard;
import io.costguard.Denials;
import java.net.Authenticator;
import java.net.CookieHandler;
import java.net.InetAddress;
import java.net.ProxySelector;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.concurrent.Executor;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;

/** Builds clients as another builder does, and guards their calls. */
final class GuardedBuilder implements HttpClient.Builder {
    private final HttpClient.Builder builder;
    private final CostGuard guard;
    private final Denials denials;

    GuardedBuilder(HttpClient.Builder builder, CostGuard guard, Denials denials) {
        this.builder = builder;
        this.guard = guard;
        this.denials = denials;
    }

    @Override
    public HttpClient.Builder cookieHandler(CookieHandler cookieHandler) {
        builder.cookieHandler(cookieHandler);
        return this;
    }

    @Override
    public HttpClient.Builder connectTimeout(Duration duration) {
        builder.connectTimeout(duration);
        return this;
    }

    @Override
    public HttpClient.Builder sslContext(SSLContext sslContext) {
        builder.sslContext(sslContext);
        return this;
    }

    @Override
    public HttpClient.Builder sslParameters(SSLParameters sslParameters) {
        builder.sslParameters(sslParameters);
        return this;
    }

    @Override
    public HttpClient.Builder executor(Executor executor) {
        builder.executor(executor);
        return this;
    }

    @Override
    public HttpClient.Builder followRedirects(HttpClient.Redirect policy) {
        builder.followRedirects(policy);
        return this;
    }

    @Override
    public HttpClient.Builder version(HttpClient.Version version) {
        builder.version(version);
        return this;
    }

    @Override
    public HttpClient.Builder priority(int priority) {
        builder.priority(priority);
        return this;
    }

    @Override
    public HttpClient.Builder proxy(ProxySelector proxySelector) {
        builder.proxy(proxySelector);
        return this;
    }

    @Override
    public HttpClient.Builder authenticator(Authenticator authenticator) {
        builder.authenticator(authenticator);
        return this;
    }

    /** Java 19 and newer; not an override on 17. */
    public HttpClient.Builder localAddress(InetAddress localAddress) {
        Newer.LOCAL_ADDRESS.call(builder, localAddress);
        return this;
    }

    @Override
    public HttpClient build() {
        return GuardedHttpClient.wrap(builder.build(), guard, denials);
    }
}
