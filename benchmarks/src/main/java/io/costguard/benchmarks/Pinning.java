package io.costguard.benchmarks;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;

/** Moves this process to another core, once its Redis has been started where it was. */
final class Pinning {
    private Pinning() {}

    static void moveTo(int core) throws IOException, InterruptedException {
        String pid = String.valueOf(ProcessHandle.current().pid());
        int code = new ProcessBuilder("taskset", "-acp", String.valueOf(core), pid)
                .redirectOutput(Redirect.DISCARD)
                .redirectError(Redirect.INHERIT)
                .start()
                .waitFor();
        if (code != 0) {
            throw new IOException("taskset could not move this process: " + code);
        }
    }
}
