package io.costguard.proof.fleet;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.redis.ScriptedClient;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisCluster;
import io.costguard.testing.RedisForTests;
import io.costguard.topology.ClusterNodes;
import io.costguard.topology.MovingSlot;
import io.costguard.topology.ReplicatedRedis;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.util.JedisClusterCRC16;

/** The faults of Redis, row by row: how each is injected, and what is right then beyond what the load itself looks at. */
enum Rows {
    DOWN_AT_START(1, "down at start") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            return random -> {
                redis.kill();
                try (Bench fresh = new Bench(bench.wrongs, random)) {
                    Load load = fresh.load(guard -> guard.redis(redis.url()).decisionTimeout(Bench.HASTY));
                    fresh.outage(load, load::go, random.nextInt(400), redis::restart, redis.url());
                    load.awaitGrants(20);
                    load.check();
                    bench.add(fresh);
                }
            };
        }
    },

    UNKNOWN_OUTCOME(2, "dies mid-reserve, outcome unknown") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            FaultyLink link = bench.opened(FaultyLink.to(redis));
            Load load = bench.load(guard -> guard.redis(link.url()).decisionTimeout(Bench.HASTY));
            return random -> {
                load.go();
                load.awaitGrants(10);
                FaultyLink.Direction way = random.nextBoolean() ? link.requests() : link.replies();
                long millis = random.nextInt(4) == 0 ? 1_200 : random.nextInt(400);
                switch (random.nextInt(5)) {
                    case 0 -> lose(load, () -> way.dropNext("EVALSHA"), millis, way);
                    case 1 -> lose(load, () -> way.holdNext("EVALSHA"), millis, way);
                    case 2 -> lose(load, () -> way.hold("EVALSHA"), millis, way);
                    case 3 -> lose(load, () -> way.resetAfter(random.nextInt(5), "EVALSHA"), millis / 4, way);
                    default -> {
                        bench.wrongs.more("refused for " + millis + " ms");
                        bench.outage(load, () -> refuse(link), millis, link::acceptConnections, link.url());
                    }
                }
                load.awaitGrants(10);
                load.check();
            };
        }

        private void lose(Load load, Runnable begins, long millis, FaultyLink.Direction way) {
            load.faultBegins();
            begins.run();
            Bench.pass(millis);
            way.pass();
            load.faultEnds();
        }

        private void refuse(FaultyLink link) {
            link.refuseConnections();
            link.resetConnections();
        }
    },

    SLOW(3, "slow, timed out") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            FaultyLink link = bench.opened(FaultyLink.to(redis));
            Load load = bench.load(guard -> guard.redis(link.url()).decisionTimeout(Bench.HASTY));
            return random -> {
                load.go();
                load.awaitGrants(10);
                long millis = random.nextInt(4) == 0 ? 1_500 : random.nextInt(400);
                boolean stops = random.nextBoolean();
                bench.wrongs.more((stops ? "stopped for " : "replies held for ") + millis + " ms");
                if (stops) {
                    bench.outage(load, redis::suspend, millis, redis::resume, redis.url());
                } else {
                    bench.outage(
                            load,
                            () -> link.replies().hold(),
                            millis,
                            () -> link.replies().pass(),
                            link.url());
                }
                load.awaitGrants(10);
                load.check();
            };
        }
    },

    OUT_OF_MEMORY(4, "-OOM") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            Jedis admin = bench.admin(redis);
            Load load = bench.load(guard -> guard.redis(redis.url()));
            return random -> {
                load.go();
                load.awaitGrants(10);
                load.faultBegins();
                admin.configSet("maxmemory", "1");
                load.outageBegins();
                for (CostGuard guard : load.guards()) {
                    try {
                        guard.flush();
                    } catch (GuardUnavailableException e) {
                        bench.wrongs.add("what was settled is not: " + e.getMessage());
                    }
                }
                Bench.pass(random.nextInt(200));
                bench.endOutage(load, () -> admin.configSet("maxmemory", "0"), redis.url());
                load.awaitGrants(10);
                load.check();
            };
        }
    },

    REFUSES(5, "-READONLY, -MASTERDOWN, -NOREPLICAS, -MISCONF") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            Jedis admin = bench.admin(redis);
            Load load = bench.load(guard -> guard.redis(redis.url()).decisionTimeout(Bench.HASTY));
            Path dump = Path.of(admin.configGet("dir").get("dir"), "dump.rdb");
            return random -> {
                load.go();
                load.awaitGrants(10);
                long millis = random.nextInt(5) == 0 ? 1_200 : random.nextInt(300);
                int refusal = random.nextInt(4);
                bench.wrongs.more("refusal " + refusal + " for " + millis + " ms");
                switch (refusal) {
                    case 0 ->
                        bench.outage(
                                load,
                                () -> admin.replicaof("127.0.0.1", 1),
                                millis,
                                admin::replicaofNoOne,
                                redis.url());
                    case 1 -> {
                        admin.configSet("replica-serve-stale-data", "no");
                        bench.outage(
                                load,
                                () -> admin.replicaof("127.0.0.1", 1),
                                millis,
                                admin::replicaofNoOne,
                                redis.url());
                        admin.configSet("replica-serve-stale-data", "yes");
                    }
                    case 2 ->
                        bench.outage(
                                load,
                                () -> admin.configSet("min-replicas-to-write", "1"),
                                millis,
                                () -> admin.configSet("min-replicas-to-write", "0"),
                                redis.url());
                    default ->
                        bench.outage(load, () -> failToSave(admin, dump), millis, () -> save(admin, dump), redis.url());
                }
                load.awaitGrants(10);
                load.check();
            };
        }

        private void failToSave(Jedis admin, Path dump) throws Exception {
            Files.createDirectory(dump);
            admin.configSet("save", "3600 1");
            admin.bgsave();
            while (!admin.info("persistence").contains("rdb_last_bgsave_status:err")) {
                Bench.pass(2);
            }
        }

        private void save(Jedis admin, Path dump) throws Exception {
            admin.configSet("save", "");
            Files.delete(dump);
        }
    },

    LOADING_OR_BUSY(6, "-LOADING, -BUSY") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis =
                    bench.server("--loading-process-events-interval-bytes", "1024", "--busy-reply-threshold", "10");
            Load load = bench.load(guard -> guard.redis(redis.url()).decisionTimeout(Bench.HASTY));
            try (Jedis admin = PatientRedis.connection(redis.url())) {
                // One key a thousandth of a second.
                admin.eval("for i = 1, 300 do redis.call('SET', 'key' .. i, string.rep('x', 2000)) end");
                admin.configSet("rdbcompression", "no");
                admin.configSet("key-load-delay", "1000");
                admin.configRewrite();
            }
            return random -> {
                load.go();
                load.awaitGrants(10);
                if (random.nextBoolean()) {
                    bench.wrongs.more("busy");
                    busy(bench, load, redis, random);
                } else {
                    bench.wrongs.more("loads");
                    load.check();
                    try (Jedis admin = PatientRedis.connection(redis.url())) {
                        admin.save();
                    }
                    load.faultBegins();
                    load.go();
                    redis.kill();
                    bench.endLoading(load, redis);
                }
                load.awaitGrants(10);
                load.check();
            };
        }

        private void busy(Bench bench, Load load, RedisForTests redis, Random random) throws Exception {
            try (Jedis admin = PatientRedis.connection(redis.url())) {
                CompletableFuture<Void> endless = new CompletableFuture<>();
                bench.outage(
                        load,
                        () -> {
                            Thread other = new Thread(() -> {
                                try (Jedis jedis = PatientRedis.connection(redis.url())) {
                                    jedis.eval("while true do end");
                                } catch (JedisDataException e) {
                                    endless.complete(null);
                                }
                            });
                            other.start();
                            while (!says(admin, "BUSY")) {
                                Bench.pass(2);
                            }
                        },
                        random.nextInt(5) == 0 ? 1_200 : random.nextInt(300),
                        () -> {
                            if (endless.isDone()) {
                                bench.wrongs.add("another's script was ended");
                            }
                            admin.scriptKill();
                        },
                        redis.url());
                endless.get(1, TimeUnit.MINUTES);
            }
        }
    },

    NO_SCRIPT(7, "NOSCRIPT") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            Jedis admin = bench.admin(redis);
            Load load = bench.load(guard -> guard.redis(redis.url()));
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
    },

    CLUSTER(8, "MOVED, ASK, TRYAGAIN, CLUSTERDOWN") {
        @Override
        Injection on(Bench bench) throws Exception {
            RedisCluster cluster = bench.opened(RedisCluster.start(
                    2,
                    1,
                    "--cluster-node-timeout",
                    "500",
                    "--cluster-replica-no-failover",
                    "yes",
                    "--repl-diskless-sync-delay",
                    "0"));
            ClusterNodes nodes = new ClusterNodes(cluster.nodes());
            Set<HostAndPort> addresses = new HashSet<>();
            cluster.nodes().forEach(node -> addresses.add(new HostAndPort(node.host(), node.port())));
            Load load = bench.load(guard -> guard.redis(bench.opened(RedisClusterClient.builder()
                            .nodes(addresses)
                            .maxAttempts(2)
                            .build())))
                    .withoutFailure();
            load.go();
            load.awaitGrants(1);
            int slot = cluster.nodes().stream()
                    .flatMap(node -> PatientRedis.subjects(node.url(), "load:").stream())
                    .mapToInt(JedisClusterCRC16::getSlot)
                    .findFirst()
                    .orElseThrow();
            return random -> {
                load.go();
                load.awaitGrants(10);
                RedisForTests owner = nodes.masterOf(slot);
                RedisForTests heir = otherOfTwo(cluster, owner);
                switch (random.nextInt(3)) {
                    case 0 -> {
                        final long before = errors(cluster);
                        RedisForTests first = nodes.masterOf(0);
                        RedisForTests other = first == owner ? nodes.masterOf(LAST_SLOT) : first;
                        move(bench, slot, owner, other, random);
                        nodes.awaitAgreed(Map.of(slot, other));
                        bench.meets(errors(cluster) - before);
                    }
                    case 1 -> {
                        int millis = random.nextInt(400);
                        bench.wrongs.more("a replica takes over within " + millis + " ms, and its master knows");
                        bench.outage(
                                load,
                                () -> quiet(owner, heir),
                                millis,
                                () -> handOver(owner, heir),
                                () -> isMaster(heir));
                        nodes.awaitAgreed(Map.of(slot, heir));
                    }
                    default -> {
                        int millis = random.nextInt(4) == 0 ? 1_200 : random.nextInt(400);
                        bench.wrongs.more("a master dies, and after " + millis + " ms its replica takes over");
                        bench.outage(load, () -> die(owner, heir), millis, () -> takeOver(heir), () -> isMaster(heir));
                        owner.restart();
                        nodes.awaitAgreed(Map.of(slot, heir));
                    }
                }
                load.awaitGrants(10);
                load.check();
                RedisForTests master = nodes.masterOf(slot);
                ReplicatedRedis.awaitReplicaOf(master, otherOfTwo(cluster, master));
            };
        }

        /** The replica of a master. */
        private RedisForTests otherOfTwo(RedisCluster cluster, RedisForTests node) {
            List<RedisForTests> nodes = cluster.nodes();
            return nodes.get((nodes.indexOf(node) + nodes.size() / 2) % nodes.size());
        }

        private void move(Bench bench, int slot, RedisForTests from, RedisForTests to, Random random) {
            try (MovingSlot moving = new MovingSlot(slot, from, to)) {
                Bench.pass(random.nextInt(50));
                List<String> keys = moving.keysLeft();
                int some = random.nextInt(keys.size() + 1);
                bench.wrongs.more("a slot moves, " + some + " of " + keys.size() + " keys first");
                if (some > 0) {
                    moving.move(keys.subList(0, some));
                }
                Bench.pass(random.nextInt(200));
                moving.finish();
            }
        }

        /** The master decides nothing any more, and its replica has all that it told anybody. */
        private void quiet(RedisForTests master, RedisForTests replica) {
            command(master, Protocol.Command.CLIENT, "PAUSE", "60000", "WRITE");
            ReplicatedRedis.awaitCaughtUp(master, replica);
        }

        private void die(RedisForTests master, RedisForTests replica) {
            quiet(master, replica);
            master.kill();
        }

        private void takeOver(RedisForTests replica) {
            command(replica, Protocol.Command.CLUSTER, "FAILOVER", "TAKEOVER");
        }

        private void handOver(RedisForTests from, RedisForTests to) {
            takeOver(to);
            ReplicatedRedis.awaitReplicaOf(to, from);
            command(from, Protocol.Command.CLIENT, "UNPAUSE");
        }

        private boolean isMaster(RedisForTests node) {
            try (Jedis at = PatientRedis.connection(node.url())) {
                return at.info("replication").contains("role:master") && ClusterNodes.serves(at);
            }
        }

        private long errors(RedisCluster cluster) {
            return cluster.nodes().stream()
                    .mapToLong(node -> Bench.errors(node, "MOVED|ASK|TRYAGAIN|CLUSTERDOWN"))
                    .sum();
        }
    },

    NOT_ALLOWED(9, "NOAUTH, NOPERM, maxclients") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            Jedis admin = bench.admin(redis);
            admin.aclSetUser("load", "on", ">password", "~*", "&*", "+@all");
            String url = "redis://load:password@" + redis.host() + ":" + redis.port();
            Load load = bench.load(guard -> guard.redis(url).decisionTimeout(Bench.HASTY));
            List<String> commands = List.of("time", "mget", "set");
            return random -> {
                load.go();
                load.awaitGrants(10);
                int lack = random.nextInt(5);
                bench.wrongs.more("lack " + lack);
                long millis = random.nextInt(300);
                if (lack < commands.size()) {
                    String command = commands.get(lack);
                    bench.outage(
                            load,
                            () -> {
                                admin.aclSetUser("load", "-" + command);
                                String said =
                                        load.guards().get(0).lackingRights().orElse("");
                                if (!said.contains("(" + command.toUpperCase(Locale.ROOT) + ")")
                                        || !said.contains("ACL SETUSER")) {
                                    bench.wrongs.add("the right that lacks is not named: " + said);
                                }
                            },
                            millis,
                            () -> admin.aclSetUser("load", "+" + command),
                            redis.url());
                } else if (lack == commands.size()) {
                    bench.outage(
                            load,
                            () -> {
                                admin.aclSetUser("load", "resetpass", ">other");
                                admin.sendCommand(Protocol.Command.CLIENT, "KILL", "USER", "load");
                                namesInItsFailure(bench, load, "the user or the password is not right");
                            },
                            millis,
                            () -> admin.aclSetUser("load", "resetpass", ">password"),
                            redis.url());
                } else {
                    bench.outage(
                            load,
                            () -> {
                                admin.configSet("maxclients", "1");
                                admin.sendCommand(Protocol.Command.CLIENT, "KILL", "USER", "load");
                                namesInItsFailure(bench, load, "maxclients");
                            },
                            millis,
                            () -> admin.configSet("maxclients", "1000"),
                            redis.url());
                }
                load.awaitGrants(10);
                load.check();
            };
        }

        private void namesInItsFailure(Bench bench, Load load, String advice) {
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
    },

    LOST_WRITES(10, "failover or restart loses writes") {
        @Override
        Injection on(Bench bench) {
            ReplicatedRedis redis = bench.opened(new ReplicatedRedis());
            Load load = bench.load(
                            guard -> guard.redis(bench.opened(redis.client())).decisionTimeout(Bench.HASTY))
                    .withoutBound();
            return random -> {
                load.go();
                load.awaitGrants(10);
                load.check();
                final long kept = load.chargedInRedis();
                boolean fails = random.nextBoolean();
                if (fails) {
                    bench.wrongs.more("a replica takes over");
                    redis.detach();
                } else {
                    bench.wrongs.more("a restart");
                    redis.save();
                }
                load.go();
                load.awaitGrants(20 + random.nextInt(50));
                loses(bench, load, kept, () -> {
                    bench.outage(
                            load,
                            redis::kill,
                            random.nextInt(200),
                            fails ? redis::switchOver : redis.master()::restart,
                            (fails ? redis.replica() : redis.master()).url());
                });
                if (fails) {
                    redis.rejoin();
                } else {
                    redis.replicate();
                }
            };
        }
    },

    FLUSHED(11, "FLUSHALL, eviction") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            Jedis admin = bench.admin(redis);
            Load load = bench.load(guard -> guard.redis(redis.url())).withoutBound();
            return random -> {
                load.go();
                load.awaitGrants(20 + random.nextInt(50));
                if (random.nextBoolean()) {
                    bench.wrongs.more("all");
                    loses(bench, load, 0, admin::flushAll);
                } else {
                    bench.wrongs.more("balances");
                    List<String> balances = PatientRedis.subjects(redis.url(), "load:");
                    long flushed = flush(load);
                    bench.meets(balances.stream().mapToLong(admin::del).sum());
                    endsLoss(load, 0, flushed, () -> true);
                }
            };
        }
    },

    CLOCK(12, "clock back or forward") {
        @Override
        Injection on(Bench bench) throws InterruptedException {
            RedisForTests redis = bench.server();
            Jedis admin = bench.admin(redis);
            Budget bucket = Budget.named("bucket")
                    .per()
                    .limit(Limit.tokens(CAPACITY).per(Duration.ofDays(7)).tokenBucket());
            CostGuard guard = bench.opened(CostGuard.builder()
                    .redis(bench.opened(ScriptedClient.withClockSetBy(redis.url(), "set")))
                    .keyPrefix("load")
                    .preCheck(Duration.ZERO)
                    .decisionTimeout(Bench.PATIENT)
                    .budget(bucket)
                    .build());
            long[] set = {0};
            spend(bench, guard);
            return random -> {
                long by = seconds(random) * (random.nextBoolean() ? 1 : -1);
                bench.wrongs.more("by " + by + " s");
                set[0] += by;
                admin.set("set", Long.toString(set[0]));
                long went = spend(bench, guard);
                bench.meets(1);
                long most = by > 0 ? CAPACITY : 0;
                if (went > most) {
                    bench.wrongs.add(went + " tokens were let go, of " + most);
                }
            };
        }

        /** From one to ten years, as many of each size. */
        private long seconds(Random random) {
            return (long) Math.exp(random.nextDouble() * Math.log(10 * 365 * 86_400.0));
        }

        /** From several threads, until nothing is left. */
        private long spend(Bench bench, CostGuard guard) throws InterruptedException {
            AtomicLong went = new AtomicLong();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                Thread thread = new Thread(() -> {
                    try {
                        while (guard.tryAcquire(GuardedCall.of("m")
                                        .cost(Cost.requests(1).input(TOKENS)))
                                .isPresent()) {
                            went.addAndGet(TOKENS);
                        }
                    } catch (GuardUnavailableException e) {
                        bench.wrongs.add("a call failed: " + e.getMessage());
                    }
                });
                thread.start();
                threads.add(thread);
            }
            for (Thread thread : threads) {
                thread.join();
            }
            return went.get();
        }
    },

    TWO_BUILDS(13, "two builds in one fleet") {
        @Override
        Injection on(Bench bench) throws Exception {
            RedisForTests redis = bench.server();
            Load load = bench.load(guard -> guard.redis(redis.url()));
            CostGuard guard =
                    bench.opened(Neighbour.tenants().redis(redis.url()).build());
            Neighbour neighbour = bench.opened(Neighbour.start(redis.url(), bench.wrongs));
            return random -> {
                load.go();
                neighbour.go(10 + random.nextInt(20));
                load.awaitGrants(10 + random.nextInt(20));
                String tenant = "t" + random.nextInt(1_000_000);
                boolean laterFirst = random.nextBoolean();
                bench.wrongs.more(laterFirst ? "later format first" : "later format second");
                String first = laterFirst ? neighbour.acquire(tenant) : Neighbour.acquire(guard, tenant);
                String second = laterFirst ? Neighbour.acquire(guard, tenant) : neighbour.acquire(tenant);
                if (!first.equals(Neighbour.WENT)
                        || !second.contains("were written by another version of this library")) {
                    bench.wrongs.add("of two formats, one was told: " + first + ", and the other: " + second);
                } else if ((laterFirst ? neighbour.left(tenant) : Neighbour.left(guard, tenant))
                        != Neighbour.TENANTS_CALLS - 1) {
                    bench.wrongs.add("what is refused has changed something");
                }
                load.pause();
                Neighbour.Made made = neighbour.pause();
                bench.meets(Math.min(made.calls(), load.made()));
                load.check(made.nanoUsd());
            };
        }
    },

    CHANGED_BUDGET(14, "budget changed at runtime") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            Load load = bench.load(guard -> guard.redis(redis.url()));
            return random -> {
                load.go();
                load.awaitGrants(10 + random.nextInt(30));
                load.guards().forEach(guard -> guard.update(List.of(Load.budget("0.000000001"))));
                load.outageBegins();
                Bench.pass(random.nextInt(100));
                load.outageEnds();
                load.guards().forEach(guard -> guard.update(List.of(Load.BUDGET)));
                load.awaitGrants(10);
                load.check();
            };
        }
    },

    STRANGERS(15, "keys without end") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            Jedis admin = bench.admin(redis);
            Load load = bench.load(guard -> guard.redis(redis.url()));
            CostGuard guard = bench.opened(CostGuard.builder()
                    .redis(redis.url())
                    .keyPrefix("strangers")
                    .decisionTimeout(Bench.PATIENT)
                    .cardinalityLimit(APART)
                    .budget(Budget.named("tenants")
                            .per("tenant")
                            .limit(Limit.requests(1_000_000).perMonth()))
                    .build());
            return random -> {
                load.go();
                for (int i = 0; i < 3 * APART; i++) {
                    guard.acquire(GuardedCall.of("m").with("tenant", "{" + random.nextLong() + "}"))
                            .close();
                }
                int subjects = PatientRedis.subjects(redis.url(), "strangers").size();
                bench.meets(subjects > APART ? 1 : 0);
                if (subjects > APART + 1) {
                    bench.wrongs.add(subjects + " subjects, of " + APART + " and one that others share");
                }
                for (String key : admin.keys("*")) {
                    if (admin.pttl(key) == -1) {
                        bench.wrongs.add(key + " never ends");
                    }
                }
                load.check();
            };
        }
    },

    ALL_WAKE(16, "everybody wakes at the refill") {
        @Override
        Injection on(Bench bench) {
            RedisForTests redis = bench.server();
            Jedis admin = bench.admin(redis);
            GuardedCall call = GuardedCall.of("m");
            List<CostGuard> guards = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                guards.add(bench.opened(CostGuard.builder()
                        .redis(redis.url())
                        .keyPrefix("wake")
                        .decisionTimeout(Bench.PATIENT)
                        .whenExhausted(WhenExhausted.waitUpTo(Duration.ofDays(365)))
                        .budget(Budget.named("wake")
                                .per()
                                .limit(Limit.requests(2 * WAITERS)
                                        .per(Duration.ofDays(300))
                                        .tokenBucket()))
                        .build()));
            }
            return random -> {
                guards.get(0).reset(call);
                final Permit all = guards.get(0).acquire(call.cost(Cost.requests(2 * WAITERS)));
                List<CompletableFuture<Permit>> waiters = new ArrayList<>();
                int count = WAITERS / 2 + random.nextInt(WAITERS / 2);
                for (int i = 0; i < count; i++) {
                    waiters.add(guards.get(random.nextInt(2)).acquireAsync(call));
                }
                while (guards.get(0).status(call).get(0).waiting() < count
                        || guards.get(0).stats().waitingCalls()
                                        + guards.get(1).stats().waitingCalls()
                                < count) {
                    Bench.pass(2);
                }
                final long callsBefore = calls(admin, "evalsha");
                final long messagesBefore = calls(admin, "publish");
                final long begin = System.nanoTime();
                all.release();
                for (CompletableFuture<Permit> waiter : waiters) {
                    waiter.get(1, TimeUnit.MINUTES).close();
                }
                long beats = 2 * (2 + TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begin));
                long calls = calls(admin, "evalsha") - callsBefore;
                long messages = calls(admin, "publish") - messagesBefore;
                bench.meets(messages);
                if (calls > 2L * count + beats || messages > 2L * count) {
                    bench.wrongs.add(count + " calls were let go by " + calls + " calls and " + messages + " messages");
                }
                if (guards.get(0).status(call).get(0).balance() != 2 * WAITERS - count) {
                    bench.wrongs.add("the balance is " + guards.get(0).status(call));
                }
            };
        }

        private long calls(Jedis admin, String command) {
            Matcher matcher =
                    Pattern.compile("cmdstat_" + command + ":calls=(\\d+)").matcher(admin.info("commandstats"));
            return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
        }
    };

    private static final long CAPACITY = 500;
    private static final long TOKENS = 10;
    private static final int APART = 50;
    private static final int MOST_CONNECTIONS = 20;
    private static final int WAITERS = 100;
    private static final int LAST_SLOT = 16_383;

    final int number;
    final String fault;

    Rows(int number, String fault) {
        this.number = number;
        this.fault = fault;
    }

    /** One of many, each after the other. */
    interface Injection {
        void inject(Random random) throws Exception;
    }

    /** Begins with what all injections of the row share. */
    abstract Injection on(Bench bench) throws Exception;

    /** Whether a Redis that is asked anything answers so. */
    static boolean says(Jedis admin, String code) {
        try {
            admin.ping();
            return false;
        } catch (JedisDataException e) {
            return String.valueOf(e.getMessage()).startsWith(code);
        }
    }

    static void command(RedisForTests redis, ProtocolCommand command, String... arguments) {
        try (Jedis at = PatientRedis.connection(redis.url())) {
            at.sendCommand(command, arguments);
        }
    }

    static long flush(Load load) throws GuardUnavailableException {
        long flushed = System.nanoTime();
        for (CostGuard guard : load.guards()) {
            guard.flush();
        }
        return flushed;
    }

    /** Redis loses what it wrote since it had charged so much, and is to be told of by each guard that asks again. */
    static void loses(Bench bench, Load load, long before, Bench.Step loss) throws Exception {
        final long told = bench.lossesTold.get();
        long flushed = flush(load);
        loss.run();
        endsLoss(
                load,
                before,
                flushed,
                () -> bench.lossesTold.get() - told >= load.guards().size());
        bench.meets(bench.lossesTold.get() - told);
        if (bench.lossesTold.get() - told < load.guards().size()) {
            bench.wrongs.add("the loss was told by " + (bench.lossesTold.get() - told) + " guards");
        }
    }

    static void endsLoss(Load load, long before, long flushed, BooleanSupplier isTold) throws Exception {
        long back = System.nanoTime();
        load.awaitGrants(20);
        // A guard finds it out by its own next call.
        while (!isTold.getAsBoolean() && System.nanoTime() - back < Bench.PATIENT.toNanos()) {
            Bench.pass(2);
        }
        load.checkLoss(before, flushed, back);
    }
}
