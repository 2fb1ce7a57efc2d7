package io.costguard.examples.page;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.costguard.examples.fleet.Fleet;
import io.costguard.examples.fleet.Wire;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Serves the page on the loopback interface: its files, its state as it changes (server-sent events), and what it asks for, which only the
 * page itself may. Safe for use by many threads.
 */
public final class Page implements AutoCloseable {
    private static final Map<String, String> FILES = Map.of(
            "/", "text/html; charset=utf-8",
            "/page.css", "text/css; charset=utf-8",
            "/page.js", "text/javascript; charset=utf-8",
            "/view.js", "text/javascript; charset=utf-8",
            "/stage.js", "text/javascript; charset=utf-8",
            "/icon.svg", "image/svg+xml");
    private static final int LONGEST_REQUEST = 10_000;
    /** A page that is loaded anew is back by then. */
    private static final Duration IS_CLOSED_AFTER = Duration.ofSeconds(3);

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool(Threads.named("page"));
    private final Watch watch;
    private final Driver driver;
    private final Live live = new Live();

    private final Object pages = new Object();
    /** Under {@link #pages}, as the next two. */
    private int open;

    private boolean wasOpened;
    private long lastClosedNanos;
    private volatile boolean isClosed;

    private Page(HttpServer server, Fleet fleet) {
        this.server = server;
        this.driver = new Driver(fleet, live);
        fleet.listen(live::told);
        fleet.mourn(live::gone);
        this.watch = new Watch(fleet, driver, live);
    }

    /**
     * Serves it until it is closed.
     *
     * @param port 0 for any that is free
     * @throws IOException if the port is taken
     */
    public static Page start(int port, Fleet fleet) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        Page page = new Page(server, fleet);
        server.createContext("/", page::answer);
        server.setExecutor(page.threads);
        server.start();
        return page;
    }

    public URI uri() {
        return URI.create("http://" + authority() + "/");
    }

    private String authority() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    /** Whether calls are made that nobody asked for. */
    public void traffic(boolean on) {
        driver.perform(new Action.Traffic(on));
    }

    /** Why the ledger may hold something else than the provider's bill; nothing where it may not. */
    public Optional<String> whyTheLedgerDiffers() {
        return live.whyItDiffers();
    }

    /** Whether somebody has it open now, or loads it anew. */
    public boolean isOpen() {
        synchronized (pages) {
            return open > 0 || (wasOpened && System.nanoTime() - lastClosedNanos < IS_CLOSED_AFTER.toNanos());
        }
    }

    /** Returns when somebody has it open, or after so long. */
    public void awaitOpen(Duration longest) throws InterruptedException {
        long end = System.nanoTime() + longest.toNanos();
        synchronized (pages) {
            for (long left = longest.toNanos(); left > 0 && open == 0; left = end - System.nanoTime()) {
                TimeUnit.NANOSECONDS.timedWait(pages, left);
            }
        }
    }

    /** Returns when nobody has it open. */
    public void awaitClosed() throws InterruptedException {
        synchronized (pages) {
            while (isOpen()) {
                TimeUnit.MILLISECONDS.timedWait(pages, 200);
            }
        }
    }

    private void answer(HttpExchange call) throws IOException {
        try (call) {
            String path = call.getRequestURI().getPath();
            String host = call.getRequestHeaders().getFirst("host");
            if (!authority().equals(host)) {
                // A name of somebody else's that resolves to this machine.
                say(call, 421, "this page is at " + uri());
            } else if (call.getRequestMethod().equals("POST")) {
                perform(call, path);
            } else if (!call.getRequestMethod().equals("GET")) {
                say(call, 405, "GET or POST");
            } else if (path.equals("/live")) {
                stream(call);
            } else if (path.equals("/state")) {
                send(call, 200, "application/json", watch.state().getBytes(StandardCharsets.UTF_8));
            } else {
                file(call, path);
            }
        }
    }

    private void perform(HttpExchange call, String path) throws IOException {
        // Browsers say where a request comes from, and no page can say otherwise.
        String origin = call.getRequestHeaders().getFirst("origin");
        if (!("http://" + authority()).equals(origin)) {
            say(call, 403, "only the page itself may ask for that");
            return;
        }
        if (!path.equals("/do")) {
            say(call, 404, "there is no " + path);
            return;
        }
        byte[] body = call.getRequestBody().readNBytes(LONGEST_REQUEST);
        try {
            driver.perform(Wire.read(new String(body, StandardCharsets.UTF_8), Action.class));
            say(call, 204, "");
        } catch (IllegalArgumentException e) {
            say(call, 400, String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            say(call, 500, String.valueOf(e.getMessage()));
        }
    }

    private void stream(HttpExchange call) throws IOException {
        call.getResponseHeaders().set("content-type", "text/event-stream");
        call.getResponseHeaders().set("cache-control", "no-store");
        call.sendResponseHeaders(200, 0);
        opened();
        try (OutputStream out = call.getResponseBody()) {
            String sent = "";
            while (!isClosed) {
                sent = watch.after(sent);
                out.write(("data: " + sent + "\n\n").getBytes(StandardCharsets.UTF_8));
                out.flush();
            }
        } catch (IOException e) {
            // The page was closed, which is how it is known.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            closed();
        }
    }

    private void opened() {
        synchronized (pages) {
            open++;
            wasOpened = true;
            pages.notifyAll();
        }
    }

    private void closed() {
        synchronized (pages) {
            open--;
            lastClosedNanos = System.nanoTime();
            pages.notifyAll();
        }
    }

    private static void file(HttpExchange call, String path) throws IOException {
        String type = FILES.get(path);
        if (type == null) {
            say(call, 404, "there is no " + path);
            return;
        }
        String name = path.equals("/") ? "index.html" : path.substring(1);
        try (@Nullable InputStream in = Page.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("the page was built without " + name);
            }
            call.getResponseHeaders().set("cache-control", "no-cache");
            call.getResponseHeaders()
                    .set(
                            "content-security-policy",
                            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
                                    + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
            call.getResponseHeaders().set("x-content-type-options", "nosniff");
            send(call, 200, type, in.readAllBytes());
        }
    }

    private static void say(HttpExchange call, int status, String text) throws IOException {
        send(call, status, "text/plain; charset=utf-8", text.getBytes(StandardCharsets.UTF_8));
    }

    private static void send(HttpExchange call, int status, String type, byte[] body) throws IOException {
        call.getResponseHeaders().set("content-type", type);
        call.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        if (body.length > 0) {
            call.getResponseBody().write(body);
        }
    }

    @Override
    public void close() {
        isClosed = true;
        driver.close();
        watch.close();
        server.stop(0);
        threads.shutdownNow();
    }
}
