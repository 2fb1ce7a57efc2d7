package io.costguard.examples.command;

import io.costguard.Budget;
import io.costguard.BudgetFile;
import io.costguard.PriceList;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/** The files that commands are given; what is wrong with one is a {@link BadInputException}. */
final class InputFiles {
    private InputFiles() {}

    static List<Budget> budgets(Path file) {
        return read(file, () -> BudgetFile.read(file));
    }

    /** The bundled prices, and these, which win. */
    static PriceList prices(Path file) {
        return read(file, () -> PriceList.bundled().plus(PriceList.read(file)));
    }

    private interface Reader<T> {
        T read() throws IOException;
    }

    private static <T> T read(Path file, Reader<T> reader) {
        try {
            return reader.read();
        } catch (IllegalArgumentException e) {
            throw new BadInputException(String.valueOf(e.getMessage()));
        } catch (NoSuchFileException e) {
            throw new BadInputException(file + ": there is no such file");
        } catch (IOException e) {
            throw new BadInputException(file + ": cannot be read: " + e);
        }
    }
}
