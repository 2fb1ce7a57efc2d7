package io.costguard.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;

/**
 * A port of the loopback interface at which nobody listens: who connects is refused. As long as this is open, nobody else is given that
 * port, as happens to one that was free a moment ago.
 */
final class ClosedPort implements AutoCloseable {
    private final Socket socket = new Socket();

    /** @throws UncheckedIOException if somebody else has it by now */
    ClosedPort(int port) {
        try {
            socket.setReuseAddress(true); // old connections of that port may linger
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        } catch (IOException e) {
            close();
            throw new UncheckedIOException("Port " + port + " cannot be kept closed", e);
        }
    }

    /** Leaves it to others. */
    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            // It is gone either way.
        }
    }
}
