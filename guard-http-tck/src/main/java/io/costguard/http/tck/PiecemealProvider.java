package io.costguard.http.tck;

import com.sun.net.httpserver.HttpServer;
import io.costguard.testing.Recordings.Exchange;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** A provider that gives one recorded answer, each piece of it in a chunk and a packet of its own; or begins to, and falls silent. */
public final class PiecemealProvider implements AutoCloseable {
    private final HttpServer server;
    private final URI uri;
    private final CountDownLatch goesOn;

    public static PiecemealProvider plain(Exchange exchange, List<byte[]> pieces) throws IOException {
        return new PiecemealProvider(exchange, Map.of(), pieces, new CountDownLatch(0));
    }

    public static PiecemealProvider gzipped(Exchange exchange, List<byte[]> pieces) throws IOException {
        return new PiecemealProvider(exchange, Map.of("content-encoding", "gzip"), pieces, new CountDownLatch(0));
    }

    /** Gives these pieces, and nothing more until it is closed. */
    public static PiecemealProvider silentAfter(Exchange exchange, List<byte[]> pieces) throws IOException {
        return new PiecemealProvider(exchange, Map.of(), pieces, new CountDownLatch(1));
    }

    private PiecemealProvider(
            Exchange exchange, Map<String, String> headers, List<byte[]> pieces, CountDownLatch goesOn)
            throws IOException {
        this.goesOn = goesOn;
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort()
                + exchange.url().getPath());
        server.createContext("/", call -> {
            call.getRequestBody().readAllBytes();
            exchange.headers().forEach(call.getResponseHeaders()::set);
            call.getResponseHeaders().set("content-type", exchange.contentType());
            headers.forEach(call.getResponseHeaders()::set);
            call.sendResponseHeaders(exchange.status(), 0);
            try (OutputStream body = call.getResponseBody()) {
                for (byte[] piece : pieces) {
                    body.write(piece);
                    body.flush();
                }
                goesOn.await();
            } catch (InterruptedException e) {
                throw new InterruptedIOException();
            }
        });
        server.start();
    }

    public URI uri() {
        return uri;
    }

    @Override
    public void close() {
        goesOn.countDown();
        server.stop(0);
    }
}
