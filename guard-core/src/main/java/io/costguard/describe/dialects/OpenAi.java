package io.costguard.describe.dialects;

import io.costguard.Unit;
import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Remaining;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * What all endpoints have in common that OpenAI has and many hosts offer: errors, rate-limit headers, and usage in each of its spellings.
 * The shapes are those of OpenAI's API reference, and of the pages that are named below for others.
 */
abstract class OpenAi implements Dialect {
    private static final String TOOLS = "tools";

    /** How a schema is presented to the model is not public; this covers what was seen of gpt-4, gpt-4o and gpt-5. */
    private static final long TOKENS_OF_TOOLS = 60;

    private static final long TOKENS_OF_PUNCTUATION = 2;

    /** Around each message, its role included (OpenAI's cookbook, "How to count tokens with tiktoken"). */
    private static final long TOKENS_A_MESSAGE = 4;

    /** What leads over to the answer (likewise). */
    private static final long TOKENS_OF_THE_LEAD = 3;

    /** Of a request and of what answers it (API reference, "Create chat completion"); Mistral's, as recorded, is in the usage. */
    static final String TIER = "service_tier";

    private static final String INPUT = "input";
    private static final String CACHE_READ = "cacheRead";
    private static final String CACHE_WRITE = "cacheWrite";
    private static final String AUDIO_INPUT = "audioInput";
    private static final String IMAGE_INPUT = "imageInput";
    private static final String OUTPUT = "output";
    private static final String REASONING = "reasoning";
    static final String AUDIO_OUTPUT = "audioOutput";
    static final String IMAGE_OUTPUT = "imageOutput";
    private static final String TOTAL = "total";
    private static final String NANO_USD = "nanoUsd";
    private static final String UPSTREAM_NANO_USD = "upstreamNanoUsd";
    private static final String OWN_KEY = "ownKey";

    /** What each count in a usage is, by its place there. */
    private static final Map<String, String> COUNTS = Map.ofEntries(
            Map.entry("prompt_tokens", INPUT),
            Map.entry("input_tokens", INPUT),
            Map.entry("completion_tokens", OUTPUT),
            Map.entry("output_tokens", OUTPUT),
            Map.entry("total_tokens", TOTAL),
            Map.entry("prompt_tokens_details.cached_tokens", CACHE_READ),
            Map.entry("input_tokens_details.cached_tokens", CACHE_READ),
            Map.entry("prompt_cache_hit_tokens", CACHE_READ), // DeepSeek ("Context Caching")
            Map.entry("cached_tokens", CACHE_READ), // Together, as recorded
            Map.entry("prompt_tokens_details.cache_write_tokens", CACHE_WRITE),
            Map.entry("input_tokens_details.cache_write_tokens", CACHE_WRITE),
            Map.entry("prompt_tokens_details.audio_tokens", AUDIO_INPUT),
            Map.entry("input_tokens_details.audio_tokens", AUDIO_INPUT),
            Map.entry("input_token_details.audio_tokens", AUDIO_INPUT), // of a transcription
            Map.entry("prompt_tokens_details.image_tokens", IMAGE_INPUT),
            Map.entry("input_tokens_details.image_tokens", IMAGE_INPUT),
            Map.entry("completion_tokens_details.reasoning_tokens", REASONING),
            Map.entry("output_tokens_details.reasoning_tokens", REASONING),
            Map.entry("reasoning_tokens", REASONING), // Perplexity ("Pricing", deep research)
            Map.entry("completion_tokens_details.audio_tokens", AUDIO_OUTPUT),
            Map.entry("output_tokens_details.audio_tokens", AUDIO_OUTPUT),
            Map.entry("completion_tokens_details.image_tokens", IMAGE_OUTPUT),
            Map.entry("output_tokens_details.image_tokens", IMAGE_OUTPUT));

    /** OpenRouter's ("Usage Accounting"), Perplexity's as recorded, and xAI's ("Cost Tracking"). */
    private static final List<String> MONEY =
            List.of("cost", "cost_details.upstream_inference_cost", "is_byok", "cost.total_cost", "cost_in_usd_ticks");

    private static final long XAI_TICKS_A_DOLLAR = 10_000_000_000L;

    /**
     * What models are given besides the request, by a part of their name, as recorded, rather more: a prompt of xAI's own, today's date
     * ("Llama 3.1 model card and prompt formats"), instructions on tools (Anthropic's "Tool use", pricing), channels ("OpenAI harmony response
     * format").
     */
    private static final List<Template> TEMPLATES = List.of(
            new Template("grok", 190, 0),
            new Template("llama-3.", 28, 0),
            new Template("llama3", 3, 0),
            new Template("mistral", 12, 0),
            new Template("claude", 4, 470),
            new Template("deepseek", 0, 100),
            new Template("gpt-oss", 70, 0));

    private record Template(String name, long tokens, long tokensWithTools) {}

    private final List<String> endings;

    /** @param endings of the paths of the requests that it speaks for */
    OpenAi(String... endings) {
        this.endings = List.of(endings);
    }

    /** {@code others}, errors, and all of a usage at each of {@code usages}, with the service tier that is told in it or beside it. */
    static JsonPaths paths(List<String> usages, String... others) {
        List<String> paths = new ArrayList<>(List.of(others));
        paths.addAll(List.of("error", "error.type", "error.code"));
        for (String usage : usages) {
            paths.add(usage + "." + TIER);
            paths.add(usage.replaceFirst("usage$", TIER));
            Stream.concat(COUNTS.keySet().stream(), MONEY.stream()).forEach(name -> paths.add(usage + "." + name));
        }
        return JsonPaths.of(paths.toArray(String[]::new));
    }

    @Override
    public boolean speaksFor(Target target) {
        return target.method().equals("POST") && endings.stream().anyMatch(target.path()::endsWith);
    }

    @Override
    public String provider(Target target) {
        return target.provider().isEmpty() ? "openai" : target.provider();
    }

    @Override
    public long templateTokens(String model, Set<String> kinds) {
        for (Template template : TEMPLATES) {
            if (model.contains(template.name)) {
                return template.tokens + (kinds.contains(TOOLS) ? template.tokensWithTools : 0);
            }
        }
        return 0;
    }

    /** Azure has the name of a deployment in the URL, and needs no model in the body ("Azure OpenAI REST API reference"). */
    @Override
    public void target(Target target, RequestReader request) {
        String before = "/deployments/";
        int from = target.path().indexOf(before) + before.length();
        int to = target.path().indexOf('/', from);
        if (from >= before.length() && to > from) {
            request.modelUnlessGiven(target.path().substring(from, to));
        }
    }

    @Override
    public String apiKey(Target target, Function<String, Optional<String>> headers) {
        return AccountKey.of(Dialect.super.apiKey(target, headers), target);
    }

    static void message(RequestReader request) {
        request.tokens(TOKENS_A_MESSAGE);
        request.tokensOnce("lead", TOKENS_OF_THE_LEAD);
    }

    /** A name or a value in the schema of a tool, or of the answer. */
    static void schema(Field field, RequestReader request) {
        request.tokensOnce(TOOLS, TOKENS_OF_TOOLS);
        request.text(field.text());
        request.tokens(TOKENS_OF_PUNCTUATION);
    }

    @Override
    public final void response(Field field, ResponseReader response) {
        String usage = "usage.";
        int at = field.path().lastIndexOf(usage);
        if (field.path().endsWith(TIER)) {
            response.tier(field.text());
        } else if (at >= 0) {
            used(field.path().substring(at + usage.length()), field, response);
        } else if (field.path().equals("error.type") || field.path().equals("error.code")) {
            response.error(field.text());
        } else if (!field.path().equals("error")) {
            answer(field, response);
        } else if (field.isString()) {
            response.error(field.text());
        }
    }

    /** What of a response is neither text, nor usage, nor an error. */
    void answer(Field field, ResponseReader response) {}

    private static void used(String name, Field field, ResponseReader response) {
        switch (name) {
            case "cost" -> money(NANO_USD, field.nanoUsd(1), response);
            case "cost_details.upstream_inference_cost" -> money(UPSTREAM_NANO_USD, field.nanoUsd(1), response);
            // 0 before the last event of a stream, and always at Azure, which sends its own bill.
            case "cost.total_cost" -> money(NANO_USD, positive(field.nanoUsd(1)), response);
            case "cost_in_usd_ticks" -> money(NANO_USD, positive(field.nanoUsd(XAI_TICKS_A_DOLLAR)), response);
            case "is_byok" ->
                response.reported(OWN_KEY, OptionalLong.of(field.text().equals("true") ? 1 : 0));
            default -> {
                String count = COUNTS.get(name);
                if (count != null) {
                    response.reported(count, field);
                }
            }
        }
    }

    private static void money(String name, OptionalLong nanoUsd, ResponseReader response) {
        if (nanoUsd.isPresent()) {
            response.reported(name, nanoUsd);
        }
    }

    private static OptionalLong positive(OptionalLong nanoUsd) {
        return nanoUsd.orElse(0) > 0 ? nanoUsd : OptionalLong.empty();
    }

    /**
     * Details are parts of a figure, unless they come to more than it: Azure AI Foundry's cached tokens are not in that of the prompt, as
     * recorded; or unless the total shows that they are not: xAI's reasoning is not in that of the answer, in chat ("Consumption and Rate Limits").
     * What a total has beyond all that is told was thought: Gemini tells nothing else of it on OpenAI's path (Clarifai/clarifai-python#978). Where
     * there is nothing but a total, it is the prompt's: of Voyage AI's embeddings ("Text embedding models").
     */
    @Override
    public Usage usage(Map<String, Long> counts) {
        long total = counts.getOrDefault(TOTAL, 0L);
        boolean isOnlyTotal = !counts.containsKey(INPUT) && !counts.containsKey(OUTPUT);
        long input = isOnlyTotal ? total : counts.getOrDefault(INPUT, 0L);
        long cacheRead = counts.getOrDefault(CACHE_READ, 0L);
        long cacheWrite = counts.getOrDefault(CACHE_WRITE, 0L);
        long uncached = cacheRead + cacheWrite > input ? input : input - cacheRead - cacheWrite;
        long audioInput = Math.min(uncached, counts.getOrDefault(AUDIO_INPUT, 0L));
        long imageInput = Math.min(uncached - audioInput, counts.getOrDefault(IMAGE_INPUT, 0L));

        long output = counts.getOrDefault(OUTPUT, 0L);
        long told = counts.getOrDefault(REASONING, 0L);
        long answer = told > output || total - input - output >= told ? output : output - told;
        long audioOutput = Math.min(answer, counts.getOrDefault(AUDIO_OUTPUT, 0L));
        long imageOutput = Math.min(answer - audioOutput, counts.getOrDefault(IMAGE_OUTPUT, 0L));
        long reasoning = Math.max(told, total - uncached - cacheRead - cacheWrite - answer);

        return Usage.of(uncached - audioInput - imageInput, answer - audioOutput - imageOutput)
                .withCacheRead(cacheRead)
                .withCacheWrite(cacheWrite)
                .withAudioInput(audioInput)
                .withImageInput(imageInput)
                .withReasoning(reasoning)
                .withAudioOutput(audioOutput)
                .withImageOutput(imageOutput)
                .withNanoUsd(nanoUsd(counts));
    }

    /** With a key of the user's own at the provider behind OpenRouter, that one's bill comes on top of OpenRouter's. */
    private static OptionalLong nanoUsd(Map<String, Long> counts) {
        Long charged = counts.get(NANO_USD);
        if (charged == null) {
            return OptionalLong.empty();
        }
        boolean ownKey = counts.getOrDefault(OWN_KEY, 0L) == 1;
        return OptionalLong.of(charged + (ownKey ? counts.getOrDefault(UPSTREAM_NANO_USD, 0L) : 0));
    }

    @Override
    public boolean billable(int status, String error) {
        return switch (status) {
            // Of the content filter, after the prompt was read; all other 400s refuse the request as it is.
            case 400 -> error.contains("content_filter") || error.contains("content_policy");
            // "The engine is currently overloaded", "Slow down" (API guide, "Error codes").
            case 503 -> false;
            default -> true;
        };
    }

    @Override
    public List<Remaining> remaining(Function<String, Optional<String>> headers, Instant sent, Instant now) {
        return Stream.of(
                        left(Unit.REQUESTS, "requests", headers, sent, now)
                                // Mistral's, as recorded.
                                .or(() -> left(Unit.REQUESTS, "req-minute", headers, sent, now)),
                        left(Unit.TOKENS, "tokens", headers, sent, now)
                                .or(() -> left(Unit.TOKENS, "tokens-minute", headers, sent, now)))
                .flatMap(Optional::stream)
                .toList();
    }

    private static Optional<Remaining> left(
            Unit unit, String name, Function<String, Optional<String>> headers, Instant sent, Instant now) {
        return Remaining.of(unit, "x-ratelimit-remaining-" + name, "x-ratelimit-reset-" + name, headers, sent, now);
    }

    @Override
    public byte[] errorBody(int status, String message) {
        String type = switch (status) {
            case 429 -> "rate_limit_error";
            case 402 -> "insufficient_quota";
            default -> "server_error";
        };
        String code = switch (status) {
            case 429 -> "rate_limit_exceeded";
            case 402 -> "insufficient_quota";
            default -> "service_unavailable";
        };
        return ErrorBody.of(json -> {
            json.writeStartObject();
            json.writeObjectFieldStart("error");
            json.writeStringField("message", message);
            json.writeStringField("type", type);
            json.writeNullField("param");
            json.writeStringField("code", code);
            json.writeEndObject();
            json.writeEndObject();
        });
    }
}
