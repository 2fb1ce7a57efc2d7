package io.costguard.testing;

import static java.util.concurrent.CompletableFuture.supplyAsync;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.net.BindException;
import java.net.ConnectException;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisConnectionException;

class FaultyLinkIT {
    private static final int PATIENT = 10_000;
    private static final int HASTY = 100;

    private final RedisForTests redis = RedisForTests.shared();
    private final String key = redis.keyPrefix();
    private final FaultyLink link = FaultyLink.to(redis);
    private final Jedis direct = OwnRedisIT.connect(redis.url(), PATIENT);

    @AfterEach
    void leaveNothing() {
        direct.del(key);
        direct.close();
        link.close();
        assertThat(Thread.getAllStackTraces().keySet())
                .extracting(Thread::getName)
                .noneMatch(name -> name.startsWith("faulty-link-" + link.port()));
    }

    private Jedis through(int timeoutMillis) {
        return OwnRedisIT.connect(link.url(), timeoutMillis);
    }

    @Test
    void passesAndCounts() {
        try (Jedis one = through(PATIENT);
                Jedis other = through(PATIENT)) {
            one.set(key, "x".repeat(1_000_000));
            assertThat(other.get(key)).hasSize(1_000_000);
            assertThat(one.eval("return {1, {'a', false}}").toString()).isEqualTo("[1, [a, null]]");
        }
        assertThat(link.requests().passed("SET")).isEqualTo(1);
        assertThat(link.requests().passed("set", "get", "eval")).isEqualTo(3);
        assertThat(link.requests().passed()).isGreaterThanOrEqualTo(3);
        assertThat(link.replies().passed("SET", "GET", "EVAL")).isEqualTo(3);
        assertThat(link.replies().passed("HGET")).isZero();
    }

    @Test
    void passesByteByByte() {
        link.requests().passByteByByte();
        link.replies().passByteByByte();
        try (Jedis client = through(PATIENT)) {
            client.set(key, "value");
            assertThat(client.get(key)).isEqualTo("value");
        }
    }

    @Test
    void aByteByByteReplyComesInPieces() throws IOException {
        link.replies().passByteByByte();
        try (Socket socket = new Socket(link.host(), link.port())) {
            socket.getOutputStream().write(Resp.command("PING"));
            InputStream in = socket.getInputStream();
            assertThat(in.readNBytes(7)).asString().isEqualTo("+PONG\r\n");
        }
    }

    @Test
    void aDroppedReplyIsOfARequestThatRan() throws InterruptedException {
        try (Jedis client = through(HASTY)) {
            client.ping();
            link.replies().drop("INCR");
            assertThatThrownBy(() -> client.incr(key)).isInstanceOf(JedisConnectionException.class);
            link.replies().awaitWithheld(1);
        }
        assertThat(direct.get(key)).isEqualTo("1");
        try (Jedis client = through(PATIENT)) {
            assertThat(client.get(key)).isEqualTo("1"); // another command
        }
        link.replies().pass();
        try (Jedis client = through(PATIENT)) {
            assertThat(client.incr(key)).isEqualTo(2);
        }
        assertThat(link.replies().passed("INCR")).isEqualTo(1);
        assertThat(link.requests().passed("INCR")).isEqualTo(2);
    }

    @Test
    void afterSoManyTheConnectionIsResetInThePlaceOfTheReply() {
        link.replies().resetAfter(1, "INCR");
        try (Jedis client = through(PATIENT)) {
            assertThat(client.incr(key)).isEqualTo(1);
            assertThatThrownBy(() -> client.incr(key)).isInstanceOf(JedisConnectionException.class);
        }
        assertThat(link.replies().withheld()).isEqualTo(1);
        assertThat(direct.get(key)).isEqualTo("2");
    }

    @Test
    void afterSoManyTheConnectionIsResetInThePlaceOfTheRequest() {
        link.requests().resetAfter(1, "INCR");
        try (Jedis client = through(PATIENT)) {
            assertThat(client.incr(key)).isEqualTo(1);
            assertThatThrownBy(() -> client.incr(key)).isInstanceOf(JedisConnectionException.class);
        }
        assertThat(direct.get(key)).isEqualTo("1");
    }

    @Test
    void dropNextIsOneOnly() {
        link.replies().dropNext("INCR");
        try (Jedis client = through(HASTY)) {
            assertThatThrownBy(() -> client.incr(key)).isInstanceOf(JedisConnectionException.class);
        }
        try (Jedis client = through(PATIENT)) {
            assertThat(client.incr(key)).isEqualTo(2);
        }
    }

    @Test
    void aDroppedRequestNeverRan() throws InterruptedException {
        link.requests().dropNext("INCR");
        try (Jedis client = through(HASTY)) {
            assertThatThrownBy(() -> client.incr(key)).isInstanceOf(JedisConnectionException.class);
        }
        link.requests().awaitWithheld(1);
        assertThat(direct.get(key)).isNull();
        assertThat(link.requests().passed("INCR")).isZero();
    }

    @Test
    void aHeldReplyArrivesLateAndInOrder() throws Exception {
        try (Jedis client = through(PATIENT)) {
            client.ping();
            link.replies().hold();
            CompletableFuture<Long> first = supplyAsync(() -> client.incr(key));
            link.replies().awaitWithheld(1);
            assertThat(direct.get(key)).isEqualTo("1");
            assertThat(first).isNotDone();
            link.replies().pass();
            assertThat(first.get(10, TimeUnit.SECONDS)).isEqualTo(1);
            assertThat(client.incr(key)).isEqualTo(2);
        }
    }

    @Test
    void aHeldReplyThatAClientNoLongerWaitsForAnswersItsNextCommand() throws Exception {
        try (Socket socket = new Socket(link.host(), link.port())) {
            link.replies().holdNext("INCR");
            socket.getOutputStream().write(Resp.command("INCR", key));
            link.replies().awaitWithheld(1);
            socket.getOutputStream().write(Resp.command("PING"));
            link.requests().awaitPassed(1, "PING");
            link.replies().pass();
            assertThat(Resp.readMessage(socket.getInputStream())).asString().isEqualTo(":1\r\n");
            assertThat(Resp.readMessage(socket.getInputStream())).asString().isEqualTo("+PONG\r\n");
        }
    }

    @Test
    void aHeldRequestArrivesAfterItsClientIsGoneAndAfterAnother() throws InterruptedException {
        link.requests().holdNext("APPEND");
        try (Jedis client = through(HASTY)) {
            assertThatThrownBy(() -> client.append(key, "late")).isInstanceOf(JedisConnectionException.class);
        }
        link.requests().awaitWithheld(1);
        try (Jedis client = through(PATIENT)) {
            assertThat(client.append(key, "again ")).isEqualTo(6);
        }
        link.requests().pass();
        awaitValue("again late");
    }

    /** The reply of a late request has nowhere to go, so it cannot be awaited. */
    private void awaitValue(String expected) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!expected.equals(direct.get(key)) && System.nanoTime() - deadline < 0) Thread.onSpinWait();
        assertThat(direct.get(key)).isEqualTo(expected);
    }

    @Test
    void whatIsHeldCanBeLost() throws InterruptedException {
        link.requests().hold("SET");
        try (Jedis client = through(HASTY)) {
            assertThatThrownBy(() -> client.set(key, "lost")).isInstanceOf(JedisConnectionException.class);
        }
        link.requests().awaitWithheld(1);
        link.requests().drop("SET");
        link.requests().pass();
        try (Jedis client = through(PATIENT)) {
            assertThat(client.get(key)).isNull();
        }
        assertThat(link.requests().passed("SET")).isZero();
    }

    @Test
    void resetConnectionsAreReset() throws IOException {
        try (Socket socket = new Socket(link.host(), link.port())) {
            socket.getOutputStream().write(Resp.command("PING"));
            assertThat(Resp.readMessage(socket.getInputStream())).asString().isEqualTo("+PONG\r\n");
            link.resetConnections();
            assertThatThrownBy(() -> socket.getInputStream().read())
                    .isInstanceOf(SocketException.class)
                    .hasMessageContaining("reset");
        }
        try (Jedis client = through(PATIENT)) {
            assertThat(client.ping()).isEqualTo("PONG");
        }
    }

    @Test
    void ofAHalfClosedConnectionWhatIsSentArrivesAndIsNotAnswered() throws Exception {
        try (Socket socket = new Socket(link.host(), link.port())) {
            socket.getOutputStream().write(Resp.command("INCR", key));
            assertThat(socket.getInputStream().readNBytes(4)).asString().isEqualTo(":1\r\n");

            link.halfCloseConnections();

            for (int i = 0; i < 2; i++) {
                assertThat(socket.getInputStream().read()).isNegative();
                socket.getOutputStream().write(Resp.command("INCR", key));
                link.requests().awaitPassed(2 + i, "INCR");
            }
            awaitValue("3");
        }
        try (Jedis client = through(PATIENT)) {
            assertThat(client.incr(key)).isEqualTo(4);
        }
    }

    @Test
    void newConnectionsAreRefusedAndOldOnesStay() {
        try (Jedis old = through(PATIENT)) {
            old.ping();
            link.refuseConnections();
            link.refuseConnections();
            assertThatThrownBy(() -> new Socket(link.host(), link.port()).close())
                    .isInstanceOf(ConnectException.class);
            assertThat(old.ping()).isEqualTo("PONG");
            link.acceptConnections();
            link.acceptConnections();
            try (Jedis client = through(PATIENT)) {
                assertThat(client.ping()).isEqualTo("PONG");
            }
        }
    }

    @Test
    void aPortThatRefusesIsGivenToNobodyElse() {
        link.refuseConnections();

        assertThatThrownBy(() -> ClosedPortTest.listenAt(link.port())).isInstanceOf(BindException.class);
    }

    @Test
    void aServerThatDiesEndsItsConnectionsAndComesBack() throws IOException {
        try (RedisForTests own = RedisForTests.start();
                FaultyLink toOwn = FaultyLink.to(own);
                Socket socket = new Socket(toOwn.host(), toOwn.port())) {
            socket.getOutputStream().write(Resp.command("PING"));
            assertThat(Resp.readMessage(socket.getInputStream())).asString().isEqualTo("+PONG\r\n");
            own.kill();
            assertThat(socket.getInputStream().read()).isEqualTo(-1);
            assertThatThrownBy(() -> OwnRedisIT.connect(toOwn.url(), PATIENT).ping())
                    .isInstanceOf(JedisConnectionException.class);
            own.restart();
            try (Jedis client = OwnRedisIT.connect(toOwn.url(), PATIENT)) {
                assertThat(client.ping()).isEqualTo("PONG");
            }
        }
    }

    @Test
    void waitingForWhatNeverComesSaysWhatCame() {
        try (FaultyLink hasty = FaultyLink.to(URI.create(redis.url()), Duration.ofMillis(HASTY))) {
            try (Jedis client = OwnRedisIT.connect(hasty.url(), PATIENT)) {
                client.ping();
            }
            assertThatThrownBy(() -> hasty.requests().awaitPassed(1, "HGET"))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("HGET")
                    .hasMessageContaining("PING=1");
        }
    }

    @Test
    void theUrlKeepsWhatAClientNeeds() {
        try (RedisForTests own = RedisForTests.start("--requirepass", "pass word")) {
            URI uri = URI.create("redis://:pass%20word@" + own.host() + ":" + own.port() + "/3");
            try (FaultyLink toOwn = FaultyLink.to(uri, Duration.ofSeconds(1));
                    Jedis client = OwnRedisIT.connect(toOwn.url(), PATIENT)) {
                assertThat(client.ping()).isEqualTo("PONG");
                assertThat(toOwn.url()).endsWith(":" + toOwn.port() + "/3");
            }
        }
    }

    @Test
    void whatIsEncryptedCannotBeRead() {
        assertThatThrownBy(() -> FaultyLink.to(URI.create("rediss://localhost"), Duration.ofSeconds(1)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void closedItCarriesNothing() throws IOException {
        Socket socket = new Socket(link.host(), link.port());
        socket.getOutputStream().write(Resp.command("PING"));
        assertThat(Resp.readMessage(socket.getInputStream())).asString().isEqualTo("+PONG\r\n");
        link.close();
        link.close();
        assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(SocketException.class);
        assertThatThrownBy(link::acceptConnections).isInstanceOf(IllegalStateException.class);
        socket.close();
    }
}
