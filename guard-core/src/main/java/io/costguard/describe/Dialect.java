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

    /**
     * {@return whether a request is one of its own}
     *
     * @param target what is asked of whom
     */
    boolean speaksFor(Target target);

    /**
     * {@return the {@code provider} attribute of such a request}
     *
     * @param target what is asked of whom
     */
    String provider(Target target);

    /** {@return the headers that may hold the API key, in lower case, in the order in which they are looked at} */
    default List<String> keyHeaders() {
        return List.of("authorization", "x-api-key", "api-key", "x-goog-api-key");
    }

    /**
     * What the URL of a request tells.
     *
     * @param target what is asked of whom
     * @param request takes what is found
     */
    default void target(Target target, RequestReader request) {}

    /**
     * What the headers of a request tell, besides its key.
     *
     * @param headers by name, whatever its case
     * @param request takes what is found
     */
    default void requestHeaders(Function<String, Optional<String>> headers, RequestReader request) {}

    /** {@return the places in the body of a request that {@link #request} wants to see} */
    JsonPaths requestPaths();

    /**
     * A value of the body of a request.
     *
     * @param field what was found
     * @param request takes what is found
     */
    void request(Field field, RequestReader request);

    /**
     * The body of a request as it is to be sent so that the provider reports usage in its stream: {@code body} with what asks for it put in,
     * and every other byte as it is. Empty where there is nothing to ask for: no stream, a request that says itself whether it wants usage, a
     * provider that reports it unasked or is not known to take the question, a body that is not understood.
     *
     * @param target what is asked of whom
     * @param body what would be sent
     * @return the body that asks; empty where it is sent as it is
     */
    default Optional<byte[]> askForUsage(Target target, byte[] body) {
        return Optional.empty();
    }

    /** {@return the fields that {@link #request} wants to see of a body that is no JSON but a form ({@code multipart/form-data}), under their names} */
    default List<String> formFields() {
        return List.of();
    }

    /**
     * {@return about how many tokens a prompt has that is in no JSON, such as in a form with files; more rather than less}
     *
     * @param bytes of the body
     */
    default long unreadTokens(long bytes) {
        return Estimator.densestTokens(bytes);
    }

    /**
     * {@return tokens that a model's own template adds to the prompt, once all of the request was read}
     *
     * @param model its canonical name
     * @param kinds those of which {@link RequestReader#tokensOnce} was told
     */
    default long templateTokens(String model, Set<String> kinds) {
        return 0;
    }

    /** {@return the places in a response that {@link #response} wants to see} */
    JsonPaths responsePaths();

    /** {@return the places in an event of a stream that {@link #response} wants to see} */
    default JsonPaths eventPaths() {
        return responsePaths();
    }

    /**
     * A value of a response, or of an event of a stream, that is not a {@link Field.Kind#TEXT}.
     *
     * @param field what was found
     * @param response takes what is found
     */
    void response(Field field, ResponseReader response);

    /**
     * What the headers of a response tell.
     *
     * @param headers by name, whatever its case
     * @param response takes what is found
     */
    default void responseHeaders(Function<String, Optional<String>> headers, ResponseReader response) {}

    /**
     * {@return the usage that a response reported, by the names under which {@link #response} kept its counts}
     *
     * @param counts what was reported, by name
     */
    Usage usage(Map<String, Long> counts);

    /**
     * {@return whether the provider may have billed a call that failed with this status and error} Asked only where the status alone does
     * not say: for a 4xx that is not plainly a refusal, and for a 5xx.
     *
     * @param status that of the response
     * @param error the error's type or code, as the response gives it; empty if it gave none
     */
    default boolean billable(int status, String error) {
        return true;
    }

    /**
     * {@return the body of an error as this provider writes it, for an answer that the guard gives in its place}
     *
     * @param status that of the response
     * @param message what people read
     */
    default byte[] errorBody(int status, String message) {
        return ErrorBody.plain(message);
    }

    /**
     * {@return what the provider's own limits have left, by the headers of an answer}
     *
     * @param headers the response's, by name, whatever its case
     * @param sent when the call was sent, by this process's clock
     * @param now by the same
     */
    default List<Remaining> remaining(Function<String, Optional<String>> headers, Instant sent, Instant now) {
        return List.of();
    }

    /**
     * {@return the raw API key of a request: what the first of its {@link #keyHeaders} holds that is not blank, without {@code Bearer}, else the
     * parameter {@code key} of its query; empty if there is none} Where a key changes while the account stays, as tokens of an hour do, whatever
     * of the request names the account.
     *
     * @param target what is asked of whom
     * @param headers by their names, in any case
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
        /**
         * The model that it is for.
         *
         * @param name as the provider has it
         */
        void model(String name);

        /**
         * The model of a request that names none itself.
         *
         * @param name as the provider has it
         */
        void modelUnlessGiven(String name);

        /**
         * The service tier that it asks for, by the provider's name for it; without one it is the standard tier.
         *
         * @param name as the provider has it
         */
        void tier(String name);

        /**
         * {@link #tier(String)} of a value that is text, and nothing of one that is not.
         *
         * @param value as it stands there
         */
        default void tier(Field value) {
            if (value.isString()) {
                tier(value.text());
            }
        }

        /**
         * A text of the prompt, counted by the model's tokenizer.
         *
         * @param text what was read
         */
        void text(String text);

        /**
         * Tokens of the prompt that are not text.
         *
         * @param count how many
         */
        void tokens(long count);

        /**
         * A picture, document, sound or film of the prompt, counted by the rule of the model.
         *
         * @param file what is known of it
         */
        void media(Media file);

        /**
         * How closely the model is to look at what is in this part of the prompt, before it or after; what is not known means nothing.
         *
         * @param written as the request has it
         */
        void detail(String written);

        /** What is told from here on is of another part. */
        void partEnds();

        /**
         * {@link #detail} of the parts that have none.
         *
         * @param written as the request has it
         */
        void detailOfAll(String written);

        /**
         * Tokens that come with the first of its kind, and not again with the next.
         *
         * @param kind of which kind
         * @param count how many
         */
        void tokensOnce(String kind, long count);

        /**
         * The most output that it allows, if it says so.
         *
         * @param tokens how many
         */
        void outputCap(OptionalLong tokens);

        /** There is no output that has tokens. */
        void noOutput();

        /**
         * How many answers it asks for, if it says so.
         *
         * @param count how many
         */
        void choices(OptionalLong count);

        /**
         * The answer may be of this kind, which may have a price of its own, besides text.
         *
         * @param kind of which kind
         */
        void outputKind(Media.Kind kind);

        /** One of several prompts, each of which gets its own choices. */
        void prompt();
    }

    /** What a dialect tells of a response. */
    interface ResponseReader {
        /**
         * A reported count, under a name of the dialect's own: of two in one document the larger counts, of two in a stream the later.
         *
         * @param name as the provider has it
         * @param count empty for what is not one: then usage counts as not reported
         */
        void reported(String name, OptionalLong count);

        /**
         * {@link #reported(String, OptionalLong)} of a value that should be a count; {@code null} reports nothing.
         *
         * @param name as the provider has it
         * @param value as it stands there
         */
        default void reported(String name, Field value) {
            if (!value.isNull()) {
                reported(name, value.count());
            }
        }

        /**
         * A reported count of which one document has several, for parts of the request: they add up.
         *
         * @param name as the provider has it
         * @param value as it stands there
         */
        void part(String name, Field value);

        /**
         * Of what kind the count is that is told in the same object, before this or after.
         *
         * @param name as the provider has it
         */
        void kind(String name);

        /**
         * A reported count in an object that tells its {@link #kind}.
         *
         * @param value as it stands there
         */
        void ofKind(Field value);

        /**
         * Such an object ends: its count is a {@link #part} under {@code name} and its kind, as {@code name.kind}.
         *
         * @param name as the provider has it
         */
        void kindEnds(String name);

        /**
         * The service tier in which it was served, by the provider's name for it; the last that is known counts.
         *
         * @param name as the provider has it
         */
        void tier(String name);

        /**
         * A text of the answer that is at none of {@link JsonPaths#andTexts}.
         *
         * @param text what was read
         */
        void text(String text);

        /**
         * All of the text of the answer, which may have come in pieces before: then it is not counted again.
         *
         * @param text what was read
         */
        void wholeText(String text);

        /**
         * A document within this one, whose values are told as those of this one.
         *
         * @param json a whole document
         */
        void document(byte[] json);

        /**
         * An error's type or code.
         *
         * @param typeOrCode as the provider calls it
         */
        void error(String typeOrCode);

        /** The last event of a stream. */
        void end();

        /** The answer is still to come, and not here: the call keeps its estimate. */
        void later();
    }
}
