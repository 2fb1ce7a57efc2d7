package io.costguard.describe;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Objects;

/**
 * Where a request goes: all that is known of it before its headers and its body are looked at. Immutable.
 *
 * @param method such as {@code POST}
 * @param host in lower case, with its port unless that is the scheme's own: {@code api.openai.com}, {@code localhost:11434}
 * @param path of the URL, decoded
 * @param query of the URL, as it stands there; empty if it has none
 * @param provider whose host it is, as {@link Providers} know it; empty if they do not
 */
public record Target(String method, String host, String path, String query, String provider) {

    /**
     * {@return a request to a host that is looked up among those that come with this library}
     *
     * @param method of HTTP
     * @param url where Redis is
     */
    public static Target of(String method, URI url) {
        return of(
                method,
                Objects.requireNonNullElse(url.getScheme(), ""),
                Objects.requireNonNullElse(url.getHost(), ""),
                url.getPort(),
                Objects.requireNonNullElse(url.getPath(), ""),
                Objects.requireNonNullElse(url.getRawQuery(), ""),
                Providers.bundled());
    }

    /**
     * {@return a request to a host that is looked up among {@code providers}}
     *
     * @param method of HTTP
     * @param scheme {@code http} or {@code https}
     * @param host of the server
     * @param port -1 for the scheme's own
     * @param path decoded
     * @param query as it stands in the URL; empty if there is none
     * @param providers whose a host is
     */
    public static Target of(
            String method, String scheme, String host, int port, String path, String query, Providers providers) {
        int own = scheme.equalsIgnoreCase("http") ? 80 : 443;
        String name = host.toLowerCase(Locale.ROOT);
        String full = port == -1 || port == own ? name : name + ":" + port;
        return new Target(method, full, path, query, providers.of(full));
    }

    /**
     * {@return the first value of a parameter of the query, decoded if it can be; empty if there is none}
     *
     * @param name of a parameter
     */
    public String parameter(String name) {
        for (String pair : query.split("&", -1)) {
            if (pair.startsWith(name) && pair.startsWith("=", name.length())) {
                String value = pair.substring(name.length() + 1);
                try {
                    return URLDecoder.decode(value, StandardCharsets.UTF_8);
                } catch (IllegalArgumentException e) {
                    return value;
                }
            }
        }
        return "";
    }

    /** {@return the host without its port} */
    public String hostName() {
        int colon = host.lastIndexOf(':');
        return colon > host.lastIndexOf(']') ? host.substring(0, colon) : host;
    }
}
