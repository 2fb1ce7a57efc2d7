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
    public static final Usage NONE = new Usage(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, OptionalLong.empty());

    /** So many tokens of the prompt and of the answer, of no special kind. */
    public static Usage of(long input, long output) {
        return new Usage(input, 0, 0, 0, 0, 0, output, 0, 0, 0, OptionalLong.empty());
    }

    /** Its tokens, those parts that it tells apart. */
    public static Usage of(Cost cost) {
        return of(cost.input() - cost.cacheRead() - cost.cacheWrite(), cost.output() - cost.reasoning())
                .withCacheRead(cost.cacheRead())
                .withCacheWrite(cost.cacheWrite())
                .withReasoning(cost.reasoning());
    }

    public Usage withInput(long tokens) {
        return with(Part.INPUT, tokens);
    }

    public Usage withCacheRead(long tokens) {
        return with(Part.CACHE_READ, tokens);
    }

    public Usage withCacheWrite(long tokens) {
        return with(Part.CACHE_WRITE, tokens);
    }

    public Usage withCacheWriteLong(long tokens) {
        return with(Part.CACHE_WRITE_LONG, tokens);
    }

    public Usage withAudioInput(long tokens) {
        return with(Part.AUDIO_INPUT, tokens);
    }

    public Usage withImageInput(long tokens) {
        return with(Part.IMAGE_INPUT, tokens);
    }

    public Usage withOutput(long tokens) {
        return with(Part.OUTPUT, tokens);
    }

    public Usage withReasoning(long tokens) {
        return with(Part.REASONING, tokens);
    }

    public Usage withAudioOutput(long tokens) {
        return with(Part.AUDIO_OUTPUT, tokens);
    }

    public Usage withImageOutput(long tokens) {
        return with(Part.IMAGE_OUTPUT, tokens);
    }

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

    /** All of the prompt. */
    public long allInput() {
        return input + cacheRead + cacheWrite + cacheWriteLong + audioInput + imageInput;
    }

    /** All of the answer. */
    public long allOutput() {
        return output + reasoning + audioOutput + imageOutput;
    }

    /** As a cost, without dollars: every token counts once, and it is told what of them a limit may weigh. */
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
