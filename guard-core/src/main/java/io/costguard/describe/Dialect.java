package io.costguard.describe;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;

/**
 * The wire format of one provider: what its requests, responses and errors look like, and which of them are billed. Pure: it holds
 * nothing of a call. Safe for use by many threads.
 */
public interface Dialect {

    /** Whether a request is one of its own. */
    boolean speaksFor(Target target);

    /** The {@code provider} attribute of such a request. */
    String provider(Target target);

    /** The headers that may hold the API key, in lower case, in the order in which they are looked at. */
    default List<String> keyHeaders() {
        return List.of("authorization", "x-api-key", "api-key", "x-goog-api-key");
    }

    /** What the URL of a request tells. */
    default void target(Target target, RequestReader request) {}

    /**
     * What the headers of a request tell, besides its key.
     *
     * @param headers by name, whatever its case
     */
    default void requestHeaders(Function<String, Optional<String>> headers, RequestReader request) {}

    /** The places in the body of a request that {@link #request} wants to see. */
    JsonPaths requestPaths();

    /** A value of the body of a request. */
    void request(Field field, RequestReader request);

    /**
     * The body of a request as it is to be sent so that the provider reports usage in its stream: {@code body} with what asks for it put in,
     * and every other byte as it is. Empty where there is nothing to ask for: no stream, a request that says itself whether it wants usage, a
     * provider that reports it unasked or is not known to take the question, a body that is not understood.
     */
    default Optional<byte[]> askForUsage(Target target, byte[] body) {
        return Optional.empty();
    }

    /** The fields that {@link #request} wants to see of a body that is no JSON but a form ({@code multipart/form-data}), under their names. */
    default List<String> formFields() {
        return List.of();
    }

    /**
     * About how many tokens a prompt has that is in no JSON, such as in a form with files; more rather than less.
     *
     * @param bytes of the body
     */
    default long unreadTokens(long bytes) {
        return Estimator.densestTokens(bytes);
    }

    /**
     * Tokens that a model's own template adds to the prompt, once all of the request was read.
     *
     * @param model its canonical name
     * @param kinds those of which {@link RequestReader#tokensOnce} was told
     */
    default long templateTokens(String model, Set<String> kinds) {
        return 0;
    }

    /** The places in a response that {@link #response} wants to see. */
    JsonPaths responsePaths();

    /** The places in an event of a stream that {@link #response} wants to see. */
    default JsonPaths eventPaths() {
        return responsePaths();
    }

    /** A value of a response, or of an event of a stream, that is not a {@link Field.Kind#TEXT}. */
    void response(Field field, ResponseReader response);

    /**
     * What the headers of a response tell.
     *
     * @param headers by name, whatever its case
     */
    default void responseHeaders(Function<String, Optional<String>> headers, ResponseReader response) {}

    /** The usage that a response reported, by the names under which {@link #response} kept its counts. */
    Usage usage(Map<String, Long> counts);

    /**
     * Whether the provider may have billed a call that failed with this status and error. Asked only where the status alone does
     * not say: for a 4xx that is not plainly a refusal, and for a 5xx.
     *
     * @param error the error's type or code, as the response gives it; empty if it gave none
     */
    default boolean billable(int status, String error) {
        return true;
    }

    /** The body of an error as this provider writes it, for an answer that the guard gives in its place. */
    default byte[] errorBody(int status, String message) {
        return ErrorBody.plain(message);
    }

    /**
     * What the provider's own limits have left, by the headers of an answer.
     *
     * @param headers the response's, by name, whatever its case
     * @param sent when the call was sent, by this process's clock
     * @param now by the same
     */
    default List<Remaining> remaining(Function<String, Optional<String>> headers, Instant sent, Instant now) {
        return List.of();
    }

    /**
     * The raw API key of a request: what the first of its {@link #keyHeaders} holds that is not blank, without {@code Bearer}, else the
     * parameter {@code key} of its query; empty if there is none. Where a key changes while the account stays, as tokens of an hour do, whatever
     * of the request names the account.
     */
    default String apiKey(Target target, Function<String, Optional<String>> headers) {
        for (String name : keyHeaders()) {
            String value = headers.apply(name).orElse("").strip();
            if (!value.isEmpty()) {
                return value.regionMatches(true, 0, "Bearer ", 0, 7)
                        ? value.substring(7).strip()
                        : value;
            }
        }
        return target.parameter("key");
    }

    /** What a dialect tells of a request. */
    interface RequestReader {
        void model(String name);

        /** The model of a request that names none itself. */
        void modelUnlessGiven(String name);

        /** The service tier that it asks for, by the provider's name for it; without one it is the standard tier. */
        void tier(String name);

        /** {@link #tier(String)} of a value that is text, and nothing of one that is not. */
        default void tier(Field value) {
            if (value.isString()) {
                tier(value.text());
            }
        }

        /** A text of the prompt, counted by the model's tokenizer. */
        void text(String text);

        /** Tokens of the prompt that are not text. */
        void tokens(long count);

        /** A picture, document, sound or film of the prompt, counted by the rule of the model. */
        void media(Media file);

        /** How closely the model is to look at what is in this part of the prompt, before it or after; what is not known means nothing. */
        void detail(String written);

        /** What is told from here on is of another part. */
        void partEnds();

        /** {@link #detail} of the parts that have none. */
        void detailOfAll(String written);

        /** Tokens that come with the first of its kind, and not again with the next. */
        void tokensOnce(String kind, long count);

        void outputCap(OptionalLong tokens);

        /** There is no output that has tokens. */
        void noOutput();

        void choices(OptionalLong count);

        /** The answer may be of this kind, which may have a price of its own, besides text. */
        void outputKind(Media.Kind kind);

        /** One of several prompts, each of which gets its own choices. */
        void prompt();
    }

    /** What a dialect tells of a response. */
    interface ResponseReader {
        /**
         * A reported count, under a name of the dialect's own: of two in one document the larger counts, of two in a stream the later.
         *
         * @param count empty for what is not one: then usage counts as not reported
         */
        void reported(String name, OptionalLong count);

        /** {@link #reported(String, OptionalLong)} of a value that should be a count; {@code null} reports nothing. */
        default void reported(String name, Field value) {
            if (!value.isNull()) {
                reported(name, value.count());
            }
        }

        /** A reported count of which one document has several, for parts of the request: they add up. */
        void part(String name, Field value);

        /** Of what kind the count is that is told in the same object, before this or after. */
        void kind(String name);

        /** A reported count in an object that tells its {@link #kind}. */
        void ofKind(Field value);

        /** Such an object ends: its count is a {@link #part} under {@code name} and its kind, as {@code name.kind}. */
        void kindEnds(String name);

        /** The service tier in which it was served, by the provider's name for it; the last that is known counts. */
        void tier(String name);

        /** A text of the answer that is at none of {@link JsonPaths#andTexts}. */
        void text(String text);

        /** All of the text of the answer, which may have come in pieces before: then it is not counted again. */
        void wholeText(String text);

        /** A document within this one, whose values are told as those of this one. */
        void document(byte[] json);

        /** An error's type or code. */
        void error(String typeOrCode);

        /** The last event of a stream. */
        void end();

        /** The answer is still to come, and not here: the call keeps its estimate. */
        void later();
    }
}
