package io.costguard.proof.fleet;

import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.PatientRedis;
import io.costguard.proof.Waiting;
import io.costguard.proof.fleet.Row.Injection;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.exceptions.JedisDataException;

/** What goes wrong with one server, or on the way to it. */
final class ServerFaults {
    private static final int MOST_CONNECTIONS = 20;

    private ServerFaults() {}

    static Injection downAtStart(Bench bench) {
        RedisForTests redis = bench.server();
        return random -> {
            redis.kill();
            try (Bench fresh = new Bench(bench.wrongs, random)) {
                Load load = fresh.hasty(redis.url());
                fresh.outage(load, redis.url()).lasts(Bench.millis(random), load::go, redis::restart);
                load.awaitGrants(20);
                load.check();
                bench.add(fresh);
            }
        };
    }

    static Injection unknownOutcome(Bench bench) {
        RedisForTests redis = bench.server();
        FaultyLink link = bench.opened(FaultyLink.to(redis));
        Load load = bench.hasty(link.url());
        AtomicInteger kind = new AtomicInteger();
        return load.around(random -> {
            FaultyLink.Direction way = random.nextBoolean() ? link.requests() : link.replies();
            long millis = Bench.millis(random);
            switch (kind.getAndIncrement() % 7) {
                case 0 -> bench.meets(withheld(load, () -> way.dropNext("EVALSHA"), millis, way));
                case 1 -> bench.meets(withheld(load, () -> way.holdNext("EVALSHA"), millis, way));
                case 2 -> bench.meets(withheld(load, () -> way.hold("EVALSHA"), millis, way));
                case 3 ->
                    bench.meets(withheld(load, () -> way.resetAfter(random.nextInt(5), "EVALSHA"), millis / 4, way));
                case 4 -> bench.meets(halfClosed(load, link, millis));
                case 5 -> bench.meets(byteByByte(link, millis));
                default -> {
                    bench.wrongs.more("refused for " + millis + " ms");
                    bench.outage(load, link.url()).lasts(millis, () -> refuse(link), link::acceptConnections);
                }
            }
        });
    }

    /** That is no fault: no call may fail by it. {@return how many replies came so} */
    private static int byteByByte(FaultyLink link, long millis) {
        link.requests().passByteByByte();
        link.replies().passByteByByte();
        int before = link.replies().passed("EVALSHA");
        Bench.pass(millis);
        int after = link.replies().passed("EVALSHA");
        link.requests().pass();
        link.replies().pass();
        return after - before;
    }

    /** {@return how many messages were lost or held: one at least} */
    private static int withheld(Load load, Runnable begins, long millis, FaultyLink.Direction way) throws Exception {
        load.faultBegins();
        begins.run();
        Bench.pass(millis);
        Waiting.until(() -> way.withheld() > 0, "a message that is withheld");
        int withheld = way.withheld();
        way.pass();
        load.faultEnds();
        return withheld;
    }

    /** {@return how many connections came after those} */
    private static int halfClosed(Load load, FaultyLink link, long millis) throws Exception {
        load.faultBegins();
        int before = link.requests().passed("HELLO");
        link.halfCloseConnections();
        Bench.pass(millis);
        Waiting.until(() -> link.requests().passed("HELLO") > before, "a connection that is made anew");
        load.faultEnds();
        return link.requests().passed("HELLO") - before;
    }

    private static void refuse(FaultyLink link) {
        link.refuseConnections();
        link.resetConnections();
    }

    static Injection slow(Bench bench) {
        RedisForTests redis = bench.server();
        FaultyLink link = bench.opened(FaultyLink.to(redis));
        Load load = bench.hasty(link.url());
        Bench.Outage outage = bench.outage(load, link.url());
        return load.around(random -> {
            long millis = Bench.millis(random);
            boolean stops = random.nextBoolean();
            bench.wrongs.more((stops ? "stopped for " : "replies held for ") + millis + " ms");
            if (stops) {
                outage.lasts(millis, redis::suspend, redis::resume);
            } else {
                outage.lasts(
                        millis,
                        () -> link.replies().hold(),
                        () -> link.replies().pass());
            }
        });
    }

    static Injection outOfMemory(Bench bench) {
        RedisForTests redis = bench.server();
        Jedis admin = bench.admin(redis);
        Load load = bench.patient(redis.url());
        Bench.Outage outage = bench.outage(load, redis.url());
        return load.around(random -> outage.lasts(random.nextInt(200), () -> admin.configSet("maxmemory", "1"), () -> {
            settlesAllTheSame(bench, load);
            admin.configSet("maxmemory", "0");
        }));
    }

    private static void settlesAllTheSame(Bench bench, Load load) {
        for (CostGuard guard : load.guards()) {
            try {
                guard.flush();
            } catch (GuardUnavailableException e) {
                bench.wrongs.add("what was settled is not: " + e.getMessage());
            }
        }
    }

    static Injection refuses(Bench bench) {
        RedisForTests redis = bench.server();
        Jedis admin = bench.admin(redis);
        Load load = bench.hasty(redis.url());
        Path dump = Path.of(admin.configGet("dir").get("dir"), "dump.rdb");
        Bench.Outage outage = bench.outage(load, redis.url());
        return load.around(random -> {
            long millis = Bench.millis(random);
            int refusal = random.nextInt(4);
            bench.wrongs.more("refusal " + refusal + " for " + millis + " ms");
            switch (refusal) {
                case 0 -> outage.lasts(millis, () -> admin.replicaof("127.0.0.1", 1), admin::replicaofNoOne);
                case 1 -> {
                    admin.configSet("replica-serve-stale-data", "no");
                    outage.lasts(millis, () -> admin.replicaof("127.0.0.1", 1), admin::replicaofNoOne);
                    admin.configSet("replica-serve-stale-data", "yes");
                }
                case 2 ->
                    outage.lasts(
                            millis,
                            () -> admin.configSet("min-replicas-to-write", "1"),
                            () -> admin.configSet("min-replicas-to-write", "0"));
                default -> outage.lasts(millis, () -> failToSave(admin, dump), () -> save(admin, dump));
            }
        });
    }

    private static void failToSave(Jedis admin, Path dump) throws Exception {
        Files.createDirectory(dump);
        admin.configSet("save", "3600 1");
        admin.bgsave();
        Waiting.until(
                () -> {
                    String told = admin.info("persistence");
                    return told.contains("rdb_bgsave_in_progress:0") && told.contains("rdb_last_bgsave_status:err");
                },
                "a save that fails");
    }

    private static void save(Jedis admin, Path dump) throws Exception {
        admin.configSet("save", "");
        Files.delete(dump);
    }

    static Injection loadingOrBusy(Bench bench) {
        RedisForTests redis =
                bench.server("--loading-process-events-interval-bytes", "1024", "--busy-reply-threshold", "10");
        Load load = bench.hasty(redis.url());
        try (Jedis admin = PatientRedis.connection(redis.url())) {
            // One key a thousandth of a second.
            admin.eval("for i = 1, 300 do redis.call('SET', 'key' .. i, string.rep('x', 2000)) end");
            admin.configSet("rdbcompression", "no");
            admin.configSet("key-load-delay", "1000");
            admin.configRewrite();
        }
        Bench.Outage outage = bench.outage(load, redis.url());
        return load.around(random -> {
            if (random.nextBoolean()) {
                bench.wrongs.more("busy");
                busy(bench, outage, redis, Bench.millis(random));
            } else {
                bench.wrongs.more("loads");
                load.check();
                try (Jedis admin = PatientRedis.connection(redis.url())) {
                    admin.save();
                }
                outage.lasts(
                        0,
                        () -> {
                            redis.kill();
                            load.go();
                        },
                        redis::restart);
                bench.meets(Bench.errors(redis, "LOADING"));
            }
        });
    }

    private static void busy(Bench bench, Bench.Outage outage, RedisForTests redis, int millis) throws Exception {
        try (Jedis admin = PatientRedis.connection(redis.url())) {
            CompletableFuture<Void> endless = new CompletableFuture<>();
            outage.lasts(
                    millis,
                    () -> {
                        new Thread(() -> runEndlessly(redis, endless)).start();
                        Waiting.until(() -> isBusy(admin), "another's script, running");
                    },
                    () -> {
                        if (endless.isDone()) {
                            bench.wrongs.add("another's script was ended");
                        }
                        admin.scriptKill();
                    });
            endless.get(1, TimeUnit.MINUTES);
        }
    }

    private static void runEndlessly(RedisForTests redis, CompletableFuture<Void> ended) {
        try (Jedis jedis = PatientRedis.connection(redis.url())) {
            jedis.eval("while true do end");
        } catch (JedisDataException e) {
            ended.complete(null);
        }
    }

    private static boolean isBusy(Jedis admin) {
        try {
            admin.ping();
            return false;
        } catch (JedisDataException e) {
            return String.valueOf(e.getMessage()).startsWith("BUSY");
        }
    }

    static Injection noScript(Bench bench) {
        RedisForTests redis = bench.server();
        Jedis admin = bench.admin(redis);
        Load load = bench.patient(redis.url());
        return random -> {
            final long before = Bench.errors(redis, "NOSCRIPT");
            load.go();
            for (int flushes = 1 + random.nextInt(10); flushes > 0; flushes--) {
                admin.scriptFlush();
                load.awaitGrants(7);
            }
            load.check();
            bench.meets(Bench.errors(redis, "NOSCRIPT") - before);
        };
    }

    static Injection notAllowed(Bench bench) {
        RedisForTests redis = bench.server();
        Jedis admin = bench.admin(redis);
        admin.aclSetUser("load", "on", ">password", "~*", "&*", "+@all");
        String url = "redis://load:password@" + redis.host() + ":" + redis.port();
        Load load = bench.hasty(url);
        List<String> commands = List.of("time", "mget", "set");
        Bench.Outage outage = bench.outage(load, redis.url());
        return load.around(random -> {
            int lack = random.nextInt(5);
            bench.wrongs.more("lack " + lack);
            int millis = random.nextInt(300);
            if (lack < commands.size()) {
                String command = commands.get(lack);
                outage.lasts(
                        millis,
                        () -> {
                            admin.aclSetUser("load", "-" + command);
                            namesTheRight(bench, load, command);
                        },
                        () -> admin.aclSetUser("load", "+" + command));
            } else if (lack == commands.size()) {
                outage.lasts(
                        millis,
                        () -> {
                            admin.aclSetUser("load", "resetpass", ">other");
                            admin.sendCommand(Protocol.Command.CLIENT, "KILL", "USER", "load");
                            namesInItsFailure(bench, load, "the user or the password is not right");
                        },
                        () -> admin.aclSetUser("load", "resetpass", ">password"));
            } else {
                outage.lasts(
                        millis,
                        () -> {
                            admin.configSet("maxclients", "1");
                            admin.sendCommand(Protocol.Command.CLIENT, "KILL", "USER", "load");
                            namesInItsFailure(bench, load, "maxclients");
                        },
                        () -> admin.configSet("maxclients", "1000"));
            }
        });
    }

    private static void namesTheRight(Bench bench, Load load, String command) throws GuardUnavailableException {
        String said = load.guards().get(0).lackingRights().orElse("");
        if (!said.contains("(" + command.toUpperCase(Locale.ROOT) + ")") || !said.contains("ACL SETUSER")) {
            bench.wrongs.add("the right that lacks is not named: " + said);
        }
    }

    private static void namesInItsFailure(Bench bench, Load load, String advice) {
        String said = "";
        // Connections that were cut say nothing else, each once.
        for (int i = 0; i < MOST_CONNECTIONS && !said.contains(advice); i++) {
            try {
                said = load.guards().get(0).lackingRights().orElse("nothing");
            } catch (GuardUnavailableException e) {
                said = String.valueOf(e.getMessage());
            }
        }
        if (!said.contains(advice)) {
            bench.wrongs.add("it does not say " + advice + ", but " + said);
        }
    }
}
