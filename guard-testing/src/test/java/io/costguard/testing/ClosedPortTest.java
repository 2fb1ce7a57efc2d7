package io.costguard.testing;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.junit.jupiter.api.Test;

class ClosedPortTest {
    @Test
    void whoConnectsIsRefused() {
        int number = RedisProcess.freePort();
        ClosedPort port = new ClosedPort(number);

        assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), number).close())
                .isInstanceOf(ConnectException.class);

        port.close();
    }

    @Test
    void itIsNobodyElsesAsLongAsItIsOpen() throws IOException {
        int number = RedisProcess.freePort();
        ClosedPort port = new ClosedPort(number);

        assertThatThrownBy(() -> listenAt(number)).isInstanceOf(BindException.class);

        port.close();
        listenAt(number);
    }

    @Test
    void aPortThatSomebodyListensAtCannotBeKeptClosed() throws IOException {
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertThatThrownBy(() -> new ClosedPort(other.getLocalPort()))
                    .isInstanceOf(UncheckedIOException.class)
                    .hasMessageContaining("Port " + other.getLocalPort());
        }
    }

    /** As a server does that is given a port by the system: not beside anybody else. */
    static void listenAt(int port) throws IOException {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(false);
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        }
    }
}
