package io.costguard.testing;

import com.github.dockerjava.api.DockerClient;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.utility.DockerImageName;

/** A Redis in a container. Testcontainers ends it with the JVM, even one that is killed. */
final class RedisContainer implements RedisServer {
    private static final DockerImageName IMAGE = DockerImageName.parse("redis:8.2-alpine");
    private static final int PORT_INSIDE = 6379;
    private static final Duration READY_WITHIN = Duration.ofSeconds(20);

    private final GenericContainer<?> container;
    private final int port;

    /** Whether there is a Docker. Never throws, not even when Testcontainers is left off the class path. */
    static boolean dockerAnswers() {
        try {
            return hasTraces() && DockerClientFactory.instance().isDockerAvailable();
        } catch (RuntimeException | LinkageError e) {
            return false;
        }
    }

    /** Where nothing hints at Docker, Testcontainers is not asked: its no is slow, long and at ERROR. */
    private static boolean hasTraces() {
        String home = System.getProperty("user.home");
        Optional<String> runtime = Optional.ofNullable(System.getenv("XDG_RUNTIME_DIR"));
        return System.getenv("DOCKER_HOST") != null
                || System.getProperty("os.name").startsWith("Windows") // a named pipe, which only a client can find
                || Files.exists(Path.of(home, ".testcontainers.properties"))
                || Files.exists(Path.of("/var/run/docker.sock"))
                || Stream.of(".docker/run", ".docker/desktop", ".rd")
                        .anyMatch(directory -> Files.exists(Path.of(home, directory, "docker.sock")))
                || runtime.filter(directory -> Files.exists(Path.of(directory, "docker.sock")))
                        .isPresent();
    }

    static RedisContainer start(List<String> arguments) {
        // A port of our choice, not Docker's, so that it is the same after a restart.
        int port = RedisProcess.freePort();
        String[] command = Stream.concat(
                        Stream.of("redis-server", "--save", "", "--appendonly", "no"), arguments.stream())
                .toArray(String[]::new);
        GenericContainer<?> container = new GenericContainer<>(IMAGE).withCommand(command);
        container.setPortBindings(List.of(port + ":" + PORT_INSIDE));
        RedisContainer redis = new RedisContainer(container, port);
        try {
            container.start();
            redis.awaitAnswer();
        } catch (RuntimeException e) {
            redis.close();
            throw e;
        }
        return redis;
    }

    private RedisContainer(GenericContainer<?> container, int port) {
        this.container = container;
        this.port = port;
    }

    @Override
    public String origin() {
        return "Docker " + IMAGE;
    }

    @Override
    public URI uri() {
        return URI.create("redis://" + container.getHost() + ":" + port);
    }

    @Override
    public void kill() {
        docker().killContainerCmd(container.getContainerId()).exec();
    }

    @Override
    public void restart() {
        docker().restartContainerCmd(container.getContainerId()).withTimeout(0).exec();
        awaitAnswer();
    }

    @Override
    public void suspend() {
        docker().pauseContainerCmd(container.getContainerId()).exec();
    }

    @Override
    public void resume() {
        docker().unpauseContainerCmd(container.getContainerId()).exec();
    }

    @Override
    public void close() {
        container.stop();
    }

    private static DockerClient docker() {
        return DockerClientFactory.instance().client();
    }

    private void awaitAnswer() {
        long deadline = System.nanoTime() + READY_WITHIN.toNanos();
        while (true) {
            try {
                Resp.info(uri(), Duration.ofSeconds(1));
                return;
            } catch (IOException e) {
                if (System.nanoTime() - deadline > 0) {
                    throw new IllegalStateException("No answer. The container said:\n" + container.getLogs(), e);
                }
                LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
            }
        }
    }
}
