package io.costguard.limit;

import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.MisfitException;
import java.util.List;

/**
 * What a call asks of whom. Shared by all calls alike.
 *
 * @param estimate what it costs at most, as its caller said
 * @param call as listeners may see it: with the fingerprint of its key, and its price
 */
record Asking(Cost estimate, GuardedCall call, List<Claim> claims) {

    /**
     * So many of it as one call.
     *
     * @throws MisfitException where they cost more than a cost may be
     */
    GuardedCall callOf(int pieces) {
        if (pieces == 1) {
            return call;
        }
        try {
            return call.cost(call.cost().times(pieces));
        } catch (IllegalArgumentException e) {
            throw new MisfitException("the call asks for up to " + pieces + " pieces of " + call.cost()
                    + ", which together are more than a cost may be: " + e.getMessage() + "; ask for fewer");
        }
    }
}
