package io.costguard.limit;

import io.costguard.Cost;
import io.costguard.GuardedCall;
import java.util.List;

/**
 * What a call asks of whom. Shared by all calls alike.
 *
 * @param estimate what it costs at most, as its caller said
 * @param call as listeners may see it: with the fingerprint of its key, and its price
 */
record Asking(Cost estimate, GuardedCall call, List<Claim> claims) {}
