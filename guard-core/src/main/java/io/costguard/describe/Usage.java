package io.costguard.describe;

import io.costguard.Cost;
import java.util.OptionalLong;

/**
 * What one call used, as its provider counts it: no token in two of these. Immutable: each step gives a new one.
 *
 * @param input of the prompt, without what is counted apart below
 * @param cacheRead of the prompt, served by a prompt cache
 * @param cacheWrite of the prompt, written to a prompt cache for as long as the provider keeps it by itself
 * @param cacheWriteLong of the prompt, written to a prompt cache to be kept longer, for which some providers charge more
 * @param audioInput of the prompt, audio
 * @param imageInput of the prompt, pictures, where the provider tells them apart
 * @param output of the answer, without what is counted apart below
 * @param reasoning of the answer, that which the caller may not see
 * @param audioOutput of the answer, audio
 * @param imageOutput of the answer, pictures
 * @param nanoUsd what the provider itself says that the call cost, in billionths of a dollar; empty if it does not say
 */
public record Usage(
        long input,
        long cacheRead,
        long cacheWrite,
        long cacheWriteLong,
        long audioInput,
        long imageInput,
        long output,
        long reasoning,
        long audioOutput,
        long imageOutput,
        OptionalLong nanoUsd) {
    /** Nothing was used. */
    public static final Usage NONE = new Usage(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, OptionalLong.empty());

    /**
     * {@return so many tokens of the prompt and of the answer, of no special kind}
     *
     * @param input of the prompt
     * @param output of the answer
     */
    public static Usage of(long input, long output) {
        return new Usage(input, 0, 0, 0, 0, 0, output, 0, 0, 0, OptionalLong.empty());
    }

    /**
     * {@return its tokens, those parts that it tells apart}
     *
     * @param cost how much
     */
    public static Usage of(Cost cost) {
        return of(cost.input() - cost.cacheRead() - cost.cacheWrite(), cost.output() - cost.reasoning())
                .withCacheRead(cost.cacheRead())
                .withCacheWrite(cost.cacheWrite())
                .withReasoning(cost.reasoning());
    }

    /**
     * {@return this with so many plain tokens of the prompt}
     *
     * @param tokens how many
     */
    public Usage withInput(long tokens) {
        return with(Part.INPUT, tokens);
    }

    /**
     * {@return this with so many tokens that a prompt cache served}
     *
     * @param tokens how many
     */
    public Usage withCacheRead(long tokens) {
        return with(Part.CACHE_READ, tokens);
    }

    /**
     * {@return this with so many tokens that were written to a prompt cache}
     *
     * @param tokens how many
     */
    public Usage withCacheWrite(long tokens) {
        return with(Part.CACHE_WRITE, tokens);
    }

    /**
     * {@return this with so many tokens that were written to be kept longer}
     *
     * @param tokens how many
     */
    public Usage withCacheWriteLong(long tokens) {
        return with(Part.CACHE_WRITE_LONG, tokens);
    }

    /**
     * {@return this with so many tokens of sound in the prompt}
     *
     * @param tokens how many
     */
    public Usage withAudioInput(long tokens) {
        return with(Part.AUDIO_INPUT, tokens);
    }

    /**
     * {@return this with so many tokens of pictures in the prompt}
     *
     * @param tokens how many
     */
    public Usage withImageInput(long tokens) {
        return with(Part.IMAGE_INPUT, tokens);
    }

    /**
     * {@return this with so many plain tokens of the answer}
     *
     * @param tokens how many
     */
    public Usage withOutput(long tokens) {
        return with(Part.OUTPUT, tokens);
    }

    /**
     * {@return this with so many tokens of reasoning}
     *
     * @param tokens how many
     */
    public Usage withReasoning(long tokens) {
        return with(Part.REASONING, tokens);
    }

    /**
     * {@return this with so many tokens of sound in the answer}
     *
     * @param tokens how many
     */
    public Usage withAudioOutput(long tokens) {
        return with(Part.AUDIO_OUTPUT, tokens);
    }

    /**
     * {@return this with so many tokens of pictures in the answer}
     *
     * @param tokens how many
     */
    public Usage withImageOutput(long tokens) {
        return with(Part.IMAGE_OUTPUT, tokens);
    }

    /**
     * {@return this with what its provider says that it cost, in billionths of a dollar}
     *
     * @param reported what it said that it cost
     */
    public Usage withNanoUsd(OptionalLong reported) {
        return of(parts(), reported);
    }

    @SuppressWarnings("EnumOrdinal") // parts are in the order of the components
    private Usage with(Part part, long tokens) {
        long[] parts = parts();
        parts[part.ordinal()] = tokens;
        return of(parts, nanoUsd);
    }

    private long[] parts() {
        return new long[] {
            input,
            cacheRead,
            cacheWrite,
            cacheWriteLong,
            audioInput,
            imageInput,
            output,
            reasoning,
            audioOutput,
            imageOutput
        };
    }

    private static Usage of(long[] n, OptionalLong nanoUsd) {
        return new Usage(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], nanoUsd);
    }

    /** In the order of the components. */
    private enum Part {
        INPUT,
        CACHE_READ,
        CACHE_WRITE,
        CACHE_WRITE_LONG,
        AUDIO_INPUT,
        IMAGE_INPUT,
        OUTPUT,
        REASONING,
        AUDIO_OUTPUT,
        IMAGE_OUTPUT
    }

    /** {@return all of the prompt} */
    public long allInput() {
        return input + cacheRead + cacheWrite + cacheWriteLong + audioInput + imageInput;
    }

    /** {@return all of the answer} */
    public long allOutput() {
        return output + reasoning + audioOutput + imageOutput;
    }

    /**
     * As a cost, without dollars: every token counts once, and it is told what of them a limit may weigh.
     *
     * @param requests how many
     * @return that cost
     */
    public Cost cost(long requests) {
        long most = Cost.MAX_AMOUNT / 2;
        long allInput = Math.min(most, allInput());
        long read = Math.min(allInput, cacheRead);
        long allOutput = Math.min(most, allOutput());
        return Cost.requests(requests)
                .input(allInput)
                .cacheRead(read)
                .cacheWrite(Math.min(allInput - read, cacheWrite + cacheWriteLong))
                .output(allOutput)
                .reasoning(Math.min(allOutput, reasoning));
    }
}
