package io.costguard.browser;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserContext;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Playwright;
import com.microsoft.playwright.Route;
import com.microsoft.playwright.assertions.PlaywrightAssertions;
import com.microsoft.playwright.options.ColorScheme;
import com.microsoft.playwright.options.ReducedMotion;
import io.costguard.CostGuard;
import io.costguard.LimitStatus;
import io.costguard.examples.fleet.Amounts;
import io.costguard.examples.fleet.ApiKey;
import io.costguard.examples.fleet.Budgets;
import io.costguard.examples.fleet.Calls;
import io.costguard.examples.fleet.Fleet;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The demo's page in a Chromium that is installed, {@code -Dcostguard.chromium=/path/to/it} where it is elsewhere than usual. */
@Timeout(300)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class PageInBrowserIT {
    private static final List<String> USUAL_PLACES = List.of(
            "/usr/bin/chromium",
            "/usr/bin/chromium-browser",
            "/usr/bin/google-chrome",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
            "/Applications/Chromium.app/Contents/MacOS/Chromium");
    private static final double PATIENCE_MILLIS = 40_000;
    private static final ObjectMapper JSON = new ObjectMapper();

    private static RunningDemo demo;
    private static String address;
    private static Playwright playwright;
    private static Browser browser;
    /** Open for as long as the demo shall stay. */
    private static Page keeper;

    private static CostGuard other;

    private final List<String> complaints = new CopyOnWriteArrayList<>();
    private BrowserContext context;
    private Page page;

    @BeforeAll
    static void start() throws Exception {
        PlaywrightAssertions.setDefaultAssertionTimeout(PATIENCE_MILLIS);
        playwright = Playwright.create(
                new Playwright.CreateOptions().setEnv(Map.of("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")));
        browser = playwright.chromium().launch(new BrowserType.LaunchOptions().setExecutablePath(chromium()));
        demo = RunningDemo.start("--calls", "2", "--wait", "120");
        address = demo.page();
        keeper = browser.newPage();
        keeper.navigate(address);
        JsonNode state = JSON.readTree(keeper.request().get(address + "state").text());
        other = Fleet.guard(
                        state.at("/redis/url").asText(),
                        state.at("/redis/prefix").asText(),
                        Budgets.USUAL)
                .build();
    }

    private static Path chromium() {
        String said = System.getProperty("costguard.chromium", "");
        return Stream.concat(Stream.of(said), USUAL_PLACES.stream())
                .filter(place -> !place.isEmpty())
                .map(Path::of)
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("no Chromium at " + USUAL_PLACES
                        + "; install it, or say where it is with -Dcostguard.chromium=/path/to/it"));
    }

    @AfterAll
    static void end() {
        other.close();
        browser.close();
        playwright.close();
        demo.close();
    }

    @BeforeEach
    void open() {
        context = browser.newContext(new Browser.NewContextOptions().setViewportSize(1440, 900));
        page = context.newPage();
        page.setDefaultTimeout(PATIENCE_MILLIS);
        page.onConsoleMessage(message -> {
            if (message.type().equals("error") || message.type().equals("warning")) {
                complaints.add(message.text());
            }
        });
        page.onPageError(complaints::add);
        page.navigate(address);
        assertThat(page.locator("#link-text")).hasText("Live");
    }

    @AfterEach
    void close() {
        context.close();
        assertThat(complaints).as("what the console says").isEmpty();
    }

    @Test
    @Order(1)
    void bySelfItShowsCallsThatGoThatWaitAndThatAreDenied() {
        assertThat(page.locator("#traffic")).hasAttribute("aria-checked", "true");

        assertThat(page.locator("#waiting li").first()).isVisible();
        assertThat(page.locator("#denied li").first()).isVisible();
        assertThat(page.locator("#settled li").first()).isVisible();
        assertThat(page.locator("#f-rate")).not().hasText("0.0");
        assertThat(page.locator("#f-decision")).hasText(Pattern.compile("[\\d.,]+ ms"));
    }

    @Test
    @Order(2)
    void itIsPhotographed() throws Exception {
        page.locator("[data-do=agent]").click();
        page.locator("[data-do=burst]").click();
        assertThat(page.locator("#waiting li").nth(1)).isVisible();
        assertThat(page.locator("#runs li").first()).isVisible();
        String folder = System.getProperty("costguard.screenshots", "");
        if (!folder.isEmpty()) {
            Path images = Path.of("..").resolve(folder); // of the project
            Files.createDirectories(images);
            shoot(images.resolve("demo-light.png"), ColorScheme.LIGHT, 1440, 1000);
            shoot(images.resolve("demo-dark.png"), ColorScheme.DARK, 1440, 1000);
            shoot(images.resolve("demo-phone.png"), ColorScheme.LIGHT, 360, 1500);
        }
        assertThat(page.locator("#runs li").first()).containsText("stopped by its budget");
    }

    @Test
    @Order(3)
    void itsTrafficIsPaused() throws Exception {
        page.locator("#traffic").click();
        quiet();

        String granted = page.locator("#s-reserve").innerText();
        JsonNode state = state();
        assertThat(state.at("/settings/traffic").asBoolean()).isFalse();
        assertThat(page.locator("#s-reserve")).hasText(granted);
    }

    @Test
    @Order(4)
    void itsNumbersAreThoseOfTheGuard() throws Exception {
        JsonNode before = quiet();
        page.locator("[data-do=call]").click();
        moreSettled(before, 1);
        quiet();
        full();

        for (String model : Calls.MODELS) {
            for (ApiKey key : ApiKey.values()) {
                for (LimitStatus limit : other.status(Calls.like(model, key))) {
                    if (limit.budget().equals("rate")) {
                        Locator cell = page.locator("[data-limit='" + limit.limit() + "'][data-model='" + model
                                + "'][data-team='" + key.team() + "']");
                        assertThat(cell.locator(".number")).hasText(String.format("%,d", limit.balance()));
                        assertThat(cell.locator("[role=meter]"))
                                .hasAttribute("aria-valuemax", String.valueOf(limit.capacity()));
                    }
                }
            }
        }
        Amounts ledger = Fleet.ledger(other.status(Calls.like(Calls.MODELS.get(0), ApiKey.SEARCH)));
        assertThat(page.locator("#f-spent")).hasText(dollars(ledger.nanoUsd()));
        assertThat(page.locator("#keys"))
                .containsText(String.format("%,d requests, %,d input", ledger.requests(), ledger.input()));
    }

    @Test
    @Order(5)
    void oneCallIsOneCall() throws Exception {
        JsonNode before = quiet();
        page.locator("input[name=model][value=claude-3-5-sonnet]").check();
        page.locator("input[name=team][value=support]").check();
        page.locator("[data-do=call]").click();
        JsonNode after = moreSettled(before, 1);

        assertThat(after.at("/live/settled/0/model").asText()).isEqualTo("claude-3-5-sonnet");
        assertThat(after.at("/live/settled/0/team").asText()).isEqualTo("support");
        assertThat(page.locator("#settled li").first()).containsText("128 of 1,062 tokens");
    }

    @Test
    @Order(6)
    void ofABurstSomeStandInLineAndAreTurnedAwayBeyondTheirPatience() throws Exception {
        quiet();
        full();
        page.locator("[data-do=burst]").click();

        assertThat(page.locator("#waiting li").nth(1)).containsText(Pattern.compile("okhttp|jdk"));
        assertThat(page.locator("#waiting h4")).hasText("gpt-4o-mini, key of search");
        assertThat(page.locator("#denied li").first()).containsText("budget 'rate' is spent");
        assertThat(page.locator(".badge:visible").first()).containsText("wait");
        assertThat(page.locator("#waiting-empty")).isVisible();
    }

    @Test
    @Order(7)
    void aStreamIsReadToItsEndAndOneThatIsCutIsNot() throws Exception {
        page.locator("input[name=model][value=claude-3-5-sonnet]").check();
        JsonNode before = quiet();
        page.locator("[data-do=stream]").click();
        JsonNode whole = moreSettled(before, 1);
        page.locator("[data-do=cut]").click();
        JsonNode cut = moreSettled(whole, 1);

        long output = whole.at("/live/settled/0/numbers/charged/output").asLong();
        assertThat(output).isEqualTo(221);
        assertThat(cut.at("/live/settled/0/numbers/charged/output").asLong()).isBetween(2L, output - 1);
    }

    @Test
    @Order(8)
    void anAgentIsStoppedByTheBudgetOfItsRun() throws Exception {
        quiet();
        full();
        int before = page.locator("#runs li").count();
        page.locator("[data-do=agent]").click();

        assertThat(page.locator("#runs li")).hasCount(before + 1);
        assertThat(page.locator("#runs li").first()).containsText("stopped by its budget");
        assertThat(page.locator("#runs [role=meter]").first()).hasAttribute("aria-valuemax", "2000000000");
    }

    @Test
    @Order(9)
    void aSliderIsMovedByTheKeyboardAndInForceAtOnce() throws Exception {
        quiet();
        Locator slider = page.locator("input[name=requests]");
        slider.focus();
        slider.press("ArrowRight");

        assertThat(page.locator("[data-limit='requests per 40 seconds'] .of").first())
                .hasText("of 9");
        assertThat(state().at("/settings/budgets/requests").asInt()).isEqualTo(9);

        slider.press("ArrowLeft");
        assertThat(page.locator("[data-limit='requests per 40 seconds'] .of").first())
                .hasText("of 8");
    }

    @Test
    @Order(10)
    void whoIsRejectedDoesNotWait() throws Exception {
        page.locator("input[name=wait][value=false]").check();
        JsonNode before = quiet();
        full();
        page.locator("[data-do=burst]").click();
        JsonNode after = await(state -> more(before, state, "denied") + more(before, state, "settled") == 14);

        assertThat(more(before, after, "waited")).isZero();
        assertThat(page.locator("#denied li .right").first()).hasText("at once");
        page.locator("input[name=wait][value=true]").check();
        await(state -> state.at("/settings/waits").asBoolean());
    }

    @Test
    @Order(10)
    void whatIsChosenStaysChosenWhileTheDemoIsStillBeingTold() throws Exception {
        Queue<Route> held = new ArrayDeque<>();
        page.route("**/do", held::add);
        page.locator("input[name=policy][value=OPEN]").check();
        page.evaluate("""
                () => new Promise(done => {
                  const live = new EventSource('live');
                  let states = 0;
                  live.onmessage = () => {
                    if (++states === 5) {
                      live.close();
                      done();
                    }
                  };
                })""");

        assertThat(page.locator("input[name=policy][value=OPEN]").isChecked()).isTrue();
        assertThat(state().at("/settings/whenRedisFails").asText()).isEqualTo("CLOSED");

        held.remove().resume();
        await(state -> state.at("/settings/whenRedisFails").asText().equals("OPEN"));
    }

    @Test
    @Order(11)
    void theProviderIsSlowFailsAndHasALimitOfItsOwn() throws Exception {
        JsonNode before = quiet();
        page.locator("input[name=failurePercent]").fill("100");
        await(state -> state.at("/settings/provider/failurePercent").asInt() == 100);
        page.locator("[data-do=call]").click();
        moreSettled(before, 1);
        assertThat(page.locator("#settled li").first()).containsText("estimate kept");

        page.locator("input[name=failurePercent]").fill("0");
        page.locator("input[name=callsPerTenSeconds]").fill("1");
        page.locator("input[name=latencyMillis]").fill("3000");
        await(state -> state.at("/settings/provider/latencyMillis").asInt() == 3_000);
        page.locator("[data-do=stream]").click();
        assertThat(page.locator("#flight li").first()).containsText("reserved");
        page.locator("[data-do=stream]").click();
        assertThat(page.locator("#manner-note")).not().containsText("Refused 0");

        page.locator("input[name=callsPerTenSeconds]").fill("0");
        page.locator("input[name=latencyMillis]").fill("300");
        await(state -> state.at("/settings/provider/latencyMillis").asInt() == 300);
        quiet();
    }

    @Test
    @Order(12)
    void aProcessIsAddedAndOneIsKilled() throws Exception {
        quiet();
        page.locator("#add").click();
        assertThat(page.locator("#members li")).hasCount(3);
        await(state -> state.at("/members").size() == 3);
        page.locator("[data-kill=okhttp-1]").click();

        assertThat(page.locator("#members li")).hasCount(2);
        assertThat(page.locator("#members")).not().containsText("okhttp-1");
        assertThat(page.locator("#s-call")).hasText("2 processes");
    }

    @ParameterizedTest
    @EnumSource
    @Order(13)
    void whileRedisIsAwayEachPolicyDoesWhatItSays(Policy policy) throws Exception {
        quiet();
        page.locator("input[name=policy][value=" + policy + "]").check();
        await(state -> state.at("/settings/whenRedisFails").asText().equals(policy.name()));
        full();
        if (policy == Policy.LEASED) {
            JsonNode before = state();
            page.locator("[data-do=call]").click();
            page.locator("[data-do=call]").click();
            moreSettled(before, 2);
            // 8, less 2 calls and the slices of 2 processes.
            await(state -> state.at("/balances/0/limits/0/balance").asInt() <= 4);
        }
        page.locator("#redis-runs").click();
        await(state -> !state.at("/redisAnswers").asBoolean());
        page.locator("[data-do=call]").click();
        page.locator("[data-do=call]").click();

        assertThat(page.locator("#" + policy.counter)).not().hasText("0");
        assertThat(page.locator("#redis-note")).containsText("last known");

        page.locator("#redis-runs").click();
        await(state -> state.at("/redisAnswers").asBoolean());
        page.locator("input[name=policy][value=CLOSED]").check();
        await(state -> state.at("/settings/whenRedisFails").asText().equals("CLOSED"));
        JsonNode before = quiet();
        page.locator("[data-do=call]").click();
        moreSettled(before, 1);
    }

    /** What becomes of calls while Redis is away, and where that is counted on the page. */
    enum Policy {
        CLOSED("o-closed"),
        OPEN("o-open"),
        LEASED("o-leased");

        private final String counter;

        Policy(String counter) {
            this.counter = counter;
        }
    }

    @Test
    @Order(14)
    void noApiKeyIsAnywhereAndEachKeyInRedisIsExplained() {
        assertThat(page.locator("#keys")).containsText("Balances: budget ‘rate’ of gpt-4o-mini, key of search");
        assertThat(page.locator("#keys")).containsText("Lane of a process");
        assertThat(page.locator("#keys")).not().containsText("Something else");
        assertThat(page.content()).doesNotContain("sk-demo");
    }

    @Test
    @Order(15)
    void theKeyboardReachesEverythingAndShowsWhereItIs() {
        Object wanted = page.evaluate("""
                () => {
                  const all = [...document.querySelectorAll('a[href], button:not(:disabled), input:not(:disabled), [tabindex="0"]')];
                  const groups = new Set();
                  return all.filter(each => each.type !== 'radio' || (!groups.has(each.name) && groups.add(each.name)))
                      .map((each, index) => each.type === 'radio' ? 'radio ' + each.name
                          : each.dataset.reached = each.tagName + ' ' + index + ' ' + each.textContent.trim());
                }""");
        Set<String> missing = new HashSet<>();
        ((List<?>) wanted).forEach(each -> missing.add(String.valueOf(each)));
        List<String> unseen = new ArrayList<>();
        int most = missing.size() + 5;
        for (int i = 0; i < most; i++) {
            page.keyboard().press("Tab");
            @SuppressWarnings("unchecked")
            Map<String, Object> focused = (Map<String, Object>) page.evaluate("""
                    () => {
                      const it = document.activeElement;
                      const shown = it.type === 'radio' ? it.nextElementSibling : it;
                      const style = getComputedStyle(shown);
                      return {
                        name: it.type === 'radio' ? 'radio ' + it.name : it.dataset.reached ?? it.tagName,
                        seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                      };
                    }""");
            missing.remove(String.valueOf(focused.get("name")));
            if (Boolean.FALSE.equals(focused.get("seen"))
                    && !String.valueOf(focused.get("name")).equals("BODY")) {
                unseen.add(String.valueOf(focused.get("name")));
            }
        }

        assertThat(missing).isEmpty();
        assertThat(unseen).as("where the focus is not seen").isEmpty();
    }

    @ParameterizedTest
    @EnumSource(names = {"LIGHT", "DARK"})
    @Order(16)
    void axeFindsNothingSerious(ColorScheme scheme) throws IOException {
        page.emulateMedia(new Page.EmulateMediaOptions().setColorScheme(scheme).setReducedMotion(ReducedMotion.REDUCE));
        for (int width : new int[] {1440, 360}) {
            page.setViewportSize(width, 900);
            page.evaluate(axe());
            Object found = page.evaluate("""
                    async () => (await axe.run()).violations
                        .filter(each => each.impact === 'serious' || each.impact === 'critical')
                        .map(each => each.id + ': ' + each.nodes.map(node => node.target + ' ' + node.failureSummary).join('; '))""");

            assertThat((List<?>) found).as(scheme + " at " + width).isEmpty();
        }
    }

    private static String axe() throws IOException {
        try (InputStream script = PageInBrowserIT.class.getResourceAsStream("/axe.min.js")) {
            return new String(script.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    @Order(17)
    void bothColourSchemesAreThere() {
        page.emulateMedia(new Page.EmulateMediaOptions().setColorScheme(ColorScheme.LIGHT));
        String light = ground();
        page.emulateMedia(new Page.EmulateMediaOptions().setColorScheme(ColorScheme.DARK));

        assertThat(ground()).isNotEqualTo(light);
    }

    private String ground() {
        return String.valueOf(page.evaluate("getComputedStyle(document.body).backgroundColor"));
    }

    @Test
    @Order(18)
    void aPhoneNeedsNoScrollingSideways() {
        for (int width : new int[] {360, 768, 1024, 1440}) {
            page.setViewportSize(width, 800);
            assertThat(page.evaluate("document.documentElement.scrollWidth"))
                    .as("the width of all at " + width)
                    .isEqualTo(width);
        }
    }

    @Test
    @Order(19)
    void whoWantsNoMotionHasNone() throws Exception {
        JsonNode before = quiet();
        page.emulateMedia(new Page.EmulateMediaOptions().setReducedMotion(ReducedMotion.REDUCE));
        page.locator("[data-do=call]").click();
        moreSettled(before, 1);
        assertThat(page.evaluate("document.getAnimations().length")).isEqualTo(0);
        assertThat(page.locator("#dots i")).hasCount(0);

        page.emulateMedia(new Page.EmulateMediaOptions().setReducedMotion(ReducedMotion.NO_PREFERENCE));
        page.locator("[data-do=stream]").click();
        assertThat(page.locator("#dots i").first()).isAttached();
    }

    @Test
    @Order(20)
    void whatIsRefusedIsSaid() {
        page.evaluate("document.querySelector('input[name=model]').value = 'gpt-9'");
        page.locator("input[name=model]").first().check();
        page.locator("[data-do=call]").click();

        assertThat(page.locator("#notice")).hasText("no model 'gpt-9'");
        // The browser tells of the answer by itself.
        complaints.removeIf(each -> each.contains("400 (Bad Request)"));
    }

    private void shoot(Path file, ColorScheme scheme, int width, int height) {
        page.emulateMedia(new Page.EmulateMediaOptions().setColorScheme(scheme));
        page.setViewportSize(width, height);
        page.evaluate("window.scrollTo(0, 0)");
        page.screenshot(new Page.ScreenshotOptions().setPath(file));
    }

    @Test
    @Order(22)
    void onceThePageIsClosedTheDemoEndsWithItsSummary() throws Exception {
        page.close();
        keeper.close();

        String said = demo.end();

        assertThat(said).contains("The page was closed.", "the ledger in Redis", "the provider's bill");
        assertThat(demo.status()).as(said).isZero();
    }

    /** Once nothing is under way. */
    private JsonNode quiet() throws Exception {
        return await(state -> state.at("/underWay").asInt() == 0
                && !state.at("/settings/traffic").asBoolean()
                && state.at("/live/inFlight").isEmpty());
    }

    private static void full() throws IOException {
        for (String model : Calls.MODELS) {
            for (ApiKey key : ApiKey.values()) {
                other.reset(Calls.like(model, key));
            }
        }
    }

    private JsonNode moreSettled(JsonNode before, int calls) throws Exception {
        return await(state -> more(before, state, "settled") == calls);
    }

    private static long more(JsonNode before, JsonNode after, String count) {
        return after.at("/live/counts/" + count).asLong()
                - before.at("/live/counts/" + count).asLong();
    }

    private JsonNode state() throws IOException {
        return JSON.readTree(page.request().get(address + "state").text());
    }

    private JsonNode await(java.util.function.Predicate<JsonNode> until) throws Exception {
        long end = System.nanoTime() + (long) (PATIENCE_MILLIS * 1e6);
        JsonNode state = state();
        while (!until.test(state)) {
            if (System.nanoTime() - end > 0) {
                throw new AssertionError("never seen; the last state was " + state);
            }
            page.waitForTimeout(100);
            state = state();
        }
        return state;
    }

    private static String dollars(long nano) {
        return "$" + String.format(java.util.Locale.ROOT, "%.2f", nano / 1e9);
    }
}
