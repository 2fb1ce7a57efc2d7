package io.costguard.describe;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which provider a host belongs to. Many offer the same paths as OpenAI: the host is all that tells them apart. Immutable.
 */
public final class Providers {
    /** A server that its paths tell, whatever its host. */
    public static final String LLAMA_CPP = "llamacpp";

    private static final Providers BUNDLED = new Providers(List.of(
            Map.entry("api.openai.com", "openai"),
            Map.entry("*.api.openai.com", "openai"),
            Map.entry("*.openai.azure.com", "azure"),
            Map.entry("*.cognitiveservices.azure.com", "azure"),
            Map.entry("*.services.ai.azure.com", "azure"),
            Map.entry("api.anthropic.com", "anthropic"),
            Map.entry("generativelanguage.googleapis.com", "gemini"),
            Map.entry("aiplatform.googleapis.com", "vertex"),
            Map.entry("*-aiplatform.googleapis.com", "vertex"),
            Map.entry("bedrock-runtime.*", "bedrock"),
            Map.entry("bedrock-runtime-fips.*", "bedrock"),
            Map.entry("bedrock-mantle.*", "bedrock"),
            Map.entry("api.mistral.ai", "mistral"),
            Map.entry("codestral.mistral.ai", "mistral"),
            Map.entry("api.groq.com", "groq"),
            Map.entry("api.cohere.com", "cohere"),
            Map.entry("api.cohere.ai", "cohere"),
            Map.entry("api.deepseek.com", "deepseek"),
            Map.entry("openrouter.ai", "openrouter"),
            Map.entry("api.x.ai", "xai"),
            Map.entry("*.api.x.ai", "xai"),
            Map.entry("api.perplexity.ai", "perplexity"),
            Map.entry("api.together.xyz", "together"),
            Map.entry("api.together.ai", "together"),
            Map.entry("api.fireworks.ai", "fireworks"),
            Map.entry("router.huggingface.co", "huggingface"),
            Map.entry("api-inference.huggingface.co", "huggingface"),
            Map.entry("*.endpoints.huggingface.cloud", "huggingface"),
            Map.entry("ollama.com", "ollama"),
            Map.entry("*:11434", "ollama")));

    private final List<Map.Entry<String, String>> hosts;

    private Providers(List<Map.Entry<String, String>> hosts) {
        this.hosts = hosts;
    }

    /** {@return those that come with this library} */
    public static Providers bundled() {
        return BUNDLED;
    }

    /**
     * {@return these, and {@code host} of {@code provider}, which wins}
     *
     * @param host as in a URL, with its port unless that is the scheme's own; a {@code *} stands for anything, at the beginning or at
     *     the end: {@code llm.example.com:8000}, {@code *.example.com}
     * @param provider the provider's name
     */
    public Providers with(String host, String provider) {
        String pattern = host.strip().toLowerCase(Locale.ROOT);
        int star = pattern.indexOf('*');
        boolean inside = star > 0 && star < pattern.length() - 1;
        if (pattern.isEmpty()
                || pattern.equals("*")
                || inside
                || star != pattern.lastIndexOf('*')
                || pattern.contains("/")) {
            throw new IllegalArgumentException(
                    "a host is like 'llm.example.com:8000' or '*.example.com', not '" + host + "'");
        }
        if (provider.isBlank()) {
            throw new IllegalArgumentException("a provider's name must not be blank");
        }
        List<Map.Entry<String, String>> more = new ArrayList<>(hosts.size() + 1);
        more.add(Map.entry(pattern, provider.strip().toLowerCase(Locale.ROOT)));
        more.addAll(hosts);
        return new Providers(List.copyOf(more));
    }

    /** {@return all that a call may be to, in the order of the alphabet} */
    public Set<String> names() {
        Set<String> names = new TreeSet<>(Set.of(LLAMA_CPP));
        hosts.forEach(host -> names.add(host.getValue()));
        return names;
    }

    /** The provider of a host, in lower case; empty if it is not known. */
    String of(String host) {
        for (Map.Entry<String, String> known : hosts) {
            if (matches(known.getKey(), host)) {
                return known.getValue();
            }
        }
        return "";
    }

    private static boolean matches(String pattern, String host) {
        int last = pattern.length() - 1;
        if (pattern.charAt(0) == '*') {
            return host.length() > last && host.endsWith(pattern.substring(1));
        } else if (pattern.charAt(last) == '*') {
            return host.length() > last && host.startsWith(pattern.substring(0, last));
        }
        return host.equals(pattern);
    }
}
