package io.costguard.settle;

import io.costguard.testing.JavaProcess;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("fault-31")
class BombTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gzip | application/json | {'id':' | x | ','usage':{'prompt_tokens':9,'completion_tokens':9}}",
                "deflate | text/event-stream | data: | x | ~~data: {'usage':{'prompt_tokens':9,'completion_tokens':9}}~~data: [DONE]~~",
                "deflate | application/json | {'usage': | . | {'prompt_tokens':9,'completion_tokens':9}}"
            },
            quoteCharacter = '^')
    void tenGigabytesOfADecodedResponseTakeNoMemory(
            String encoding, String contentType, String begin, String again, String end) throws Exception {
        JavaProcess.run(
                Bomb.class, List.of("-Xmx32m"), encoding, contentType, text(begin), again.replace('.', ' '), text(end));
    }

    private static String text(String written) {
        return written.replace('\'', '"').replace('~', '\n');
    }
}
