package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

@ResourceLock(Resources.SYSTEM_ERR)
class ReloadingFileTest {
    private static final Cost TOKEN = Cost.requests(1).input(1);

    @TempDir
    private Path folder;

    private Path file;
    private final AtomicLong nanoTime = new AtomicLong(Long.MAX_VALUE - 1);
    private final Queue<Runnable> background = new ArrayDeque<>();
    private PriceList list;

    @BeforeEach
    void open() throws IOException {
        file = folder.resolve("prices.json");
        write(7);
        list = PriceList.of(new ReloadingFile(file, nanoTime::get, background::add));
    }

    @Test
    void aChangeCountsOnceTheFileWasLookedAtAgainAndNobodyWaitsForThat() throws IOException {
        long edition = list.edition();
        write(8);
        assertThat(nanoUsd()).isEqualTo(7);
        assertThat(background).isEmpty();

        nanoTime.addAndGet(ReloadingFile.EVERY.toNanos());
        assertThat(nanoUsd()).isEqualTo(7);
        assertThat(list.edition()).isEqualTo(edition);
        background.remove().run();

        assertThat(nanoUsd()).isEqualTo(8);
        assertThat(list.edition()).isNotEqualTo(edition);
    }

    @Test
    void theFileIsLookedAtOnceHoweverManyAsk() {
        nanoTime.addAndGet(ReloadingFile.EVERY.toNanos());
        for (int i = 0; i < 1_000; i++) {
            assertThat(nanoUsd()).isEqualTo(7);
        }

        assertThat(background).hasSize(1);
    }

    @Test
    void aFileThatIsAsItWasIsNoChange() {
        long edition = list.edition();
        look();

        assertThat(list.edition()).isEqualTo(edition);
    }

    @Test
    void aBrokenFileKeepsThePricesAndIsLoggedOnce() throws IOException {
        Files.writeString(file, "{\"m\":{\"input_cost_per_token\":8e-9");
        String logged = Logged.by(() -> {
            look();
            look();
        });

        assertThat(nanoUsd()).isEqualTo(7);
        assertThat(logged).containsOnlyOnce("prices.json").contains("not JSON").doesNotContain("Exception");
        write(9);
        look();

        assertThat(nanoUsd()).isEqualTo(9);
    }

    @Test
    void aFileThatIsGoneKeepsThePricesAndIsLoggedOnceEachTime() throws IOException {
        Files.delete(file);
        assertThat(Logged.by(() -> {
                    look();
                    look();
                }))
                .containsOnlyOnce("NoSuchFile");
        write(7);
        look();
        Files.delete(file);

        assertThat(Logged.by(this::look)).contains("NoSuchFile");
        assertThat(nanoUsd()).isEqualTo(7);
    }

    @Test
    void itIsReloadedInEachListThatItWasAddedTo() throws IOException {
        PriceList over = PriceList.bundled().plus(list);
        PriceList under = list.plus(PriceList.parse(new ByteArrayInputStream(json("o", 1))));
        write(8);
        look();

        assertThat(over.nanoUsd("m", TOKEN)).hasValue(8);
        assertThat(over.nanoUsd("gpt-4o", TOKEN)).hasValue(2_500);
        assertThat(under.nanoUsd("m", TOKEN)).hasValue(8);
        assertThat(under.nanoUsd("o", TOKEN)).hasValue(1);
    }

    @Test
    void aModelHasAPriceOnceTheFileHasOneAndNoneWhenItIsGone() throws IOException {
        PriceList both = PriceList.bundled().plus(list);
        assertThat(both.nanoUsd("fresh-2026-01-01", TOKEN)).isEmpty();

        Files.write(
                file,
                "{'m':{'input_cost_per_token':7e-9},'fresh':{'input_cost_per_token':2e-9}}"
                        .replace('\'', '"')
                        .getBytes(StandardCharsets.UTF_8));
        look();
        assertThat(both.nanoUsd("fresh-2026-01-01", TOKEN)).hasValue(2);

        write(7);
        look();
        assertThat(both.nanoUsd("fresh-2026-01-01", TOKEN)).isEmpty();
    }

    @Test
    void aPriceThatIsFoundWhileItChangesIsNotKept() throws IOException {
        Map<String, Price> before = PriceReader.read("before", new ByteArrayInputStream(json("m", 1)));
        Map<String, Price> after = PriceReader.read("after", new ByteArrayInputStream(json("m", 2)));
        AtomicLong edition = new AtomicLong();
        PriceList changing = PriceList.of(new PriceList.Layer() {
            @Override
            public Map<String, Price> prices() {
                return edition.getAndSet(1) == 0 ? before : after;
            }

            @Override
            public long edition() {
                return edition.get();
            }
        });

        assertThat(changing.nanoUsd("m", TOKEN)).hasValue(1);
        assertThat(changing.nanoUsd("m", TOKEN)).hasValue(2);
    }

    @Test
    void aFileThatIsNoPriceListAtFirstIsRefused() throws IOException {
        Files.writeString(file, "[]");

        assertThatIllegalArgumentException()
                .isThrownBy(() -> PriceList.reloading(file))
                .withMessageContaining("prices.json")
                .withMessageContaining("must be an object");
        assertThatExceptionOfType(NoSuchFileException.class)
                .isThrownBy(() -> PriceList.reloading(folder.resolve("none.json")));
        write(3);
        assertThat(PriceList.reloading(file).nanoUsd("m", TOKEN)).hasValue(3);
    }

    private long nanoUsd() {
        return list.nanoUsd("m", TOKEN).orElseThrow();
    }

    private void look() {
        nanoTime.addAndGet(ReloadingFile.EVERY.toNanos());
        assertThat(nanoUsd()).isPositive();
        background.remove().run();
    }

    private void write(int nanoUsd) throws IOException {
        Files.write(file, json("m", nanoUsd));
    }

    private static byte[] json(String model, int nanoUsd) {
        return ("{\"" + model + "\":{\"input_cost_per_token\":" + nanoUsd + "e-9}}").getBytes(StandardCharsets.UTF_8);
    }
}
