package io.costguard.bedrock;

import io.costguard.http.Exchange;
import io.costguard.http.MeteredStream;
import software.amazon.awssdk.http.Abortable;
import software.amazon.awssdk.http.AbortableInputStream;

/** A metered response body that can be aborted. For one thread. */
final class AbortableBody extends MeteredStream implements Abortable {
    private final AbortableInputStream body;
    private final Exchange exchange;

    AbortableBody(AbortableInputStream body, Exchange exchange) {
        super(body, exchange);
        this.body = body;
        this.exchange = exchange;
    }

    @Override
    public void abort() {
        exchange.cut();
        body.abort();
    }
}
