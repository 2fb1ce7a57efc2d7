package io.costguard.topology;

import io.costguard.CostGuard;
import io.costguard.PatientRedis;
import io.costguard.testing.RedisCluster;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisDataException;

/** A Redis as people run it, and how a guard is told where it is. */
public final class Topology implements AutoCloseable {
    private final String name;
    private final Deque<AutoCloseable> parts = new ArrayDeque<>();
    private UnaryOperator<CostGuard.Builder> reach = builder -> builder;

    /** How one is started. */
    interface Start {
        void on(Topology topology) throws Exception;
    }

    private Topology(String name) {
        this.name = name;
    }

    /** Starts it; what a start that fails has begun is ended. */
    static Topology start(String name, Start start) {
        Topology topology = new Topology(name);
        try {
            start.on(topology);
            return topology;
        } catch (Exception e) {
            topology.close();
            throw new IllegalStateException(name + " does not start", e);
        }
    }

    static Topology standalone() {
        return start("one server", topology -> topology.reach(topology.server().url()));
    }

    static Topology clientOfTheUsers() {
        return start("one server, a client of the user's own", topology -> {
            RedisForTests server = topology.server();
            UnifiedJedis client = topology.part(
                    Clients.ofThisJedis().standalone(new HostAndPort(server.host(), server.port()), patient()));
            topology.reach = builder -> builder.redis(client);
        });
    }

    static Topology password() {
        return start("a password", topology -> {
            RedisForTests server = topology.server("--requirepass", "secret");
            topology.reach("redis://:secret@" + server.host() + ":" + server.port());
        });
    }

    /** Of a user with the rights that the docs name, and no other. */
    static Topology leastRights() {
        return start("a user with the least rights", topology -> {
            RedisForTests server = topology.server();
            try (Jedis admin = PatientRedis.connection(server.url())) {
                admin.sendCommand(Protocol.Command.ACL, userOfTheDocs());
            }
            topology.reach("redis://costguard:password@" + server.host() + ":" + server.port());
        });
    }

    private static JedisClientConfig patient() {
        return DefaultJedisClientConfig.builder().timeoutMillis(60_000).build();
    }

    /** What the docs say to send after {@code ACL}: a user costguard with a password. */
    public static String[] userOfTheDocs() throws IOException {
        String line = Files.readAllLines(Path.of("../docs/redis.md")).stream()
                .filter(text -> text.startsWith("ACL SETUSER "))
                .findFirst()
                .orElseThrow();
        return line.substring("ACL ".length()).split(" ");
    }

    static Topology database() {
        return start(
                "a database with a number",
                topology -> topology.reach(topology.server().url() + "/3"));
    }

    static Topology tls() {
        return start("TLS", topology -> topology.trust(topology.serveTls()));
    }

    /** Whose certificate nobody here trusts. */
    public static Topology untrustedTls() {
        return start("TLS that is not trusted", Topology::serveTls);
    }

    private Certificate serveTls() throws Exception {
        Certificate certificate = new Certificate(folder());
        RedisForTests server = server(
                "--tls-cert-file",
                certificate.certificate.toString(),
                "--tls-key-file",
                certificate.key.toString(),
                "--tls-auth-clients",
                "no");
        reach("rediss://" + server.host() + ":" + openTlsPort(server));
        return certificate;
    }

    static Topology sentinel() {
        return start("a master that a sentinel watches", topology -> {
            UnifiedJedis client =
                    topology.part(topology.part(new WatchedMaster()).client());
            topology.reach = builder -> builder.redis(client);
        });
    }

    /** Whose calls all lie in one slot, as each of their budgets is counted per API key. */
    static Topology cluster() {
        return start("a cluster of three masters and three replicas", topology -> {
            RedisCluster cluster = topology.part(RedisCluster.start(3, 1));
            Set<HostAndPort> nodes = cluster.nodes().stream()
                    .map(node -> new HostAndPort(node.host(), node.port()))
                    .collect(Collectors.toSet());
            UnifiedJedis client = topology.part(Clients.ofThisJedis().cluster(nodes, patient()));
            topology.reach = builder -> builder.redis(client);
        });
    }

    private void trust(Certificate certificate) {
        for (String property : Set.of("javax.net.ssl.trustStore", "javax.net.ssl.trustStorePassword")) {
            String before = System.getProperty(property);
            part(() -> {
                if (before == null) {
                    System.clearProperty(property);
                } else {
                    System.setProperty(property, before);
                }
            });
        }
        System.setProperty("javax.net.ssl.trustStore", certificate.store.toString());
        System.setProperty("javax.net.ssl.trustStorePassword", Certificate.PASSWORD);
    }

    /** Somebody else may be faster to take a port that was free: then it is another. */
    private static int openTlsPort(RedisForTests server) throws IOException {
        try (Jedis admin = PatientRedis.connection(server.url())) {
            while (true) {
                int port = freePort();
                try {
                    admin.configSet("tls-port", Integer.toString(port));
                    return port;
                } catch (JedisDataException e) {
                    if (!String.valueOf(e.getMessage()).contains("listen")) {
                        throw e;
                    }
                }
            }
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return free.getLocalPort();
        }
    }

    private RedisForTests server(String... arguments) {
        return part(RedisForTests.start(arguments));
    }

    private Path folder() throws IOException {
        Path folder = Files.createTempDirectory("topology");
        part(() -> {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
                for (Path file : files) {
                    Files.delete(file);
                }
            }
            Files.delete(folder);
        });
        return folder;
    }

    /** Is closed with the whole, before those that were there earlier. */
    private <T extends AutoCloseable> T part(T part) {
        parts.push(part);
        return part;
    }

    private void reach(String url) {
        reach = builder -> builder.redis(url);
    }

    /** A guard's builder that knows where this Redis is. */
    public CostGuard.Builder guard() {
        return reach.apply(CostGuard.builder());
    }

    @Override
    public void close() {
        while (!parts.isEmpty()) {
            try {
                parts.pop().close();
            } catch (Exception e) {
                throw new IllegalStateException("what is left of " + name + " cannot be closed", e);
            }
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
