package io.costguard.examples.fleet;

import io.costguard.testing.JavaProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** A worker, as the process that started it sees it. Safe for use by many threads. */
final class WorkerProcess {
    private final String name;
    private final Process process;
    private final Thread ears;

    private WorkerProcess(String name, Process process, Consumer<Event> told, Consumer<WorkerProcess> gone) {
        this.name = name;
        this.process = process;
        this.ears = new Thread(() -> listen(told, gone), "worker " + name);
        ears.setDaemon(true);
    }

    static WorkerProcess start(String name, List<String> arguments, Consumer<Event> told, Consumer<WorkerProcess> gone)
            throws IOException {
        Process process = JavaProcess.of(
                        Worker.class,
                        // A worker tells of its denials itself.
                        List.of(
                                "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                                "-XX:TieredStopAtLevel=1",
                                "-Xmx192m"),
                        arguments.toArray(String[]::new))
                .redirectError(Redirect.INHERIT)
                .start();
        WorkerProcess worker = new WorkerProcess(name, process, told, gone);
        worker.ears.start();
        return worker;
    }

    private void listen(Consumer<Event> told, Consumer<WorkerProcess> gone) {
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Optional<Event> event = Event.read(line);
                event.ifPresentOrElse(told, printing(line));
            }
        } catch (IOException e) {
            // Killed, it says nothing more.
        } finally {
            gone.accept(this);
        }
    }

    private Runnable printing(String line) {
        return () -> System.out.println(name + ": " + line);
    }

    String name() {
        return name;
    }

    long pid() {
        return process.pid();
    }

    /** What is told to one that is gone is lost. */
    synchronized void order(Order order) {
        try {
            OutputStream orders = process.getOutputStream();
            orders.write((Wire.write(order) + "\n").getBytes(StandardCharsets.UTF_8));
            orders.flush();
        } catch (IOException e) {
            // Whoever waits for what becomes of it is told that the process is gone.
        }
    }

    /** As {@code kill -9} does. */
    void kill() {
        process.destroyForcibly();
    }

    /** Returns when it has left, and all that it told was heard. */
    int awaitEnd() throws InterruptedException {
        int status = process.waitFor();
        ears.join();
        return status;
    }
}
