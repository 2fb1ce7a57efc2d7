package io.costguard.testing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.ProtocolException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RespTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "+OK\r\n",
                "-ERR no\r\n",
                ":42\r\n",
                "$5\r\na\r\nbc\r\n",
                "$0\r\n\r\n",
                "$-1\r\n",
                "*-1\r\n",
                "*0\r\n",
                "*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n",
                "_\r\n",
                "#t\r\n",
                "=7\r\ntxt:a\r\n\r\n",
                "%1\r\n+k\r\n*1\r\n:1\r\n",
                ">2\r\n+message\r\n+hi\r\n",
                "|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n",
                "PING\r\n",
                "\r\n"
            })
    void readsOneMessageAndNoMore(String message) throws IOException {
        ByteArrayInputStream in = new ByteArrayInputStream((message + "+next\r\n").getBytes(UTF_8));
        assertThat(Resp.readMessage(in)).asString(UTF_8).isEqualTo(message);
        assertThat(Resp.readMessage(in)).asString(UTF_8).isEqualTo("+next\r\n");
        assertThatThrownBy(() -> Resp.readMessage(in)).isInstanceOf(EOFException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "+O", "$5\r\nab", "*2\r\n:1\r\n"})
    void aMessageCutShortIsTheEnd(String message) {
        assertThatThrownBy(() -> Resp.readMessage(new ByteArrayInputStream(message.getBytes(UTF_8))))
                .isInstanceOf(EOFException.class);
    }

    @Test
    void whatIsNotRespIsSaid() {
        assertThatThrownBy(() -> Resp.readMessage(new ByteArrayInputStream("$abc\r\n".getBytes(UTF_8))))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("$abc");
    }

    @Test
    void knowsTheCommandOfARequest() {
        assertThat(Resp.commandOf(Resp.command("evalsha", "abc", "0"))).isEqualTo("EVALSHA");
        assertThat(Resp.commandOf("ping there\r\n".getBytes(UTF_8))).isEqualTo("PING");
    }
}
