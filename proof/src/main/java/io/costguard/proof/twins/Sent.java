package io.costguard.proof.twins;

import java.net.URI;
import java.util.Map;

/** What is to be POSTed. */
public record Sent(URI uri, Map<String, String> headers, byte[] body) {}
