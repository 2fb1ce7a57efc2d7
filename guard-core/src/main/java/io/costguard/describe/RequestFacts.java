package io.costguard.describe;

import io.costguard.ServiceTier;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/**
 * What a dialect read in a request.
 *
 * @param provider that it is sent to
 * @param models the names it gives as its model; more than one only if it is made to deceive
 * @param tiers in which it may be served, as far as it says; at least one
 * @param inputTokens about how many tokens its prompt has; more rather than less
 * @param fileTokens how many of these are of files, by what those are
 * @param outputCap the most output tokens that each choice may have, if it says
 * @param choices how many answers it asks for
 * @param outputKinds what its answers may be besides text
 * @param isReadable whether it is what the dialect expects
 */
public record RequestFacts(
        String provider,
        List<String> models,
        Set<ServiceTier> tiers,
        long inputTokens,
        Map<Media.Kind, Long> fileTokens,
        OptionalLong outputCap,
        long choices,
        Set<Media.Kind> outputKinds,
        boolean isReadable) {}
