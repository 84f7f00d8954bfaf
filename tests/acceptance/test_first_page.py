"""The first page as people see it: a real browser on a real city, fed over MQTT.

Each test leaves pictures in ``tests/acceptance/screenshots``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from cityos.runtime import ports
from cityos.runtime.broker import MqttBroker
from cityos.runtime.redis_server import RedisServer
from tests.city_processes import City, vendor
from tests.page_checks import CONTRASTS, NAMELESS, TOO_SMALL, WIDTH
from tests.page_town import DEVICES, ENTITIES, HOSTILE, TENANT, TOWN, Town

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = Path(__file__).parent / "screenshots"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
WAIT_MS = 10_000


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory,
    module_database_url: str,
    redis_server: RedisServer,
    mqtt_broker: MqttBroker,
) -> Iterator[Town]:
    home = tmp_path_factory.mktemp("page-city")
    port = ports.free_port()
    city = City(home, TENANT, module_database_url, redis_server.url, mqtt_broker, port)
    city.register(TOWN, ENTITIES, DEVICES)
    try:
        city.start()
        key = city.key("official")["Authorization"].removeprefix("Bearer ")
        with vendor(mqtt_broker, "demo") as demo, vendor(mqtt_broker, "rehearsal") as rehearsal:
            running = Town(city, demo, rehearsal, key)
            for device in ("upper", "lower", "drill"):
                running.measure(device, 0.40, 0.42, 0.41, 0.40)
            running.measure("quiet", 1.9, minutes_ago=45)
            running.measure("office", 51_500, name="active_power")
            yield running
    finally:
        city.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)} is installed")
    SCREENSHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--use-gl=angle",
                "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader",
                "--disable-background-networking",
                "--disable-component-update",
            ],
        )
        yield running
        running.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(town: Town, browser: Browser) -> Iterator[Visit]:
    """Opens the page as a new visitor. At the end: nothing was fetched elsewhere, no error."""
    faults: list[str] = []
    contexts = []

    def watch(page: Page) -> None:
        own = urlsplit(town.city.url).netloc
        page.on(
            "request",
            lambda request: (
                urlsplit(request.url).netloc in {own, ""}
                or request.url.startswith(("blob:", "data:"))
                or faults.append(f"fetched {request.url}")
            ),
        )
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: (
                message.type != "error"
                # the browser itself says so when a key is refused
                or ("401" in message.text and "/v1/proposals" in message.location["url"])
                or faults.append(f"console: {message.text}")
            ),
        )

    def open_page(
        language: str = "en",
        size: dict[str, int] | None = None,
        script: str = "",
        **options: Any,
    ) -> Page:
        context = browser.new_context(
            viewport=size or DESKTOP,  # type: ignore[arg-type]
            locale={"en": "en-GB", "ja": "ja-JP"}[language],
            timezone_id="Europe/Lisbon",
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        watch(page)
        page.add_init_script(script)
        page.goto(town.city.url)
        expect(page.locator("#connection")).to_have_class(re.compile("is-live"), timeout=WAIT_MS)
        expect(page.locator("#gauges .row")).to_have_count(4)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def picture(page: Page, name: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def row(page: Page, name: str) -> Locator:
    return page.locator("#gauges .row", has_text=name)


def sign_in(page: Page, key: str) -> None:
    page.locator("#officials-button").click()
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Sign in").click()


def background(mark: Locator) -> str:
    colour: str = mark.evaluate("element => getComputedStyle(element).backgroundColor")
    return colour


# --- readings -----------------------------------------------------------------------------------


def test_a_reading_over_mqtt_colours_its_gauge_while_one_looks(town: Town, visit: Visit) -> None:
    page = visit()
    upper = row(page, "Upper Bridge")
    expect(upper.locator(".level-mark")).to_have_class(re.compile("is-normal"))
    picture(page, "calm-en")

    town.measure("upper", 1.62)

    expect(upper.locator(".level-mark")).to_have_text("2")
    expect(upper.locator(".row-value")).to_have_text("1.62 m")
    assert background(upper.locator(".level-mark")) == "rgb(242, 231, 0)"
    marker = page.locator(".marker", has=page.locator(".marker-value", has_text="1.62"))
    expect(marker.locator(".level-mark")).to_have_text("2")
    expect(marker).to_have_attribute(
        "aria-label", "River gauge, Upper Bridge, 1.62 m, Corresponds to level 2"
    )
    expect(page.locator("#summary .statement")).to_contain_text("Level 2 reached")
    # the worst comes first
    expect(page.locator("#gauges .row").first).to_contain_text("Upper Bridge")


def test_a_click_opens_the_last_day_with_its_thresholds(visit: Visit) -> None:
    page = visit("ja")
    row(page, "訓練橋").click()
    panel = page.locator("#detail")
    expect(panel.get_by_role("heading", name="訓練橋")).to_be_focused()
    expect(panel.locator(".thresholds tr")).to_have_count(5)
    expect(panel.locator(".thresholds tr").nth(1)).to_contain_text("氾濫危険水位")
    expect(panel.locator(".thresholds tr").nth(1)).to_contain_text("あと 2.10 m")
    chart = panel.get_by_role("img")
    expect(chart).to_have_attribute("aria-label", re.compile("訓練橋.*最低 0.40、最高 0.42"))
    drawn = chart.locator("canvas").evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d")
            .getImageData(0, 0, canvas.width, canvas.height);
          let purple = 0;
          for (let i = 0; i < data.length; i += 4) {
            purple += data[i] === 170 && data[i + 1] === 0 && data[i + 2] === 170;
          }
          return purple;
        }"""
    )
    assert drawn > 50, "the danger level is not drawn"
    picture(page, "detail-ja")

    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(row(page, "訓練橋")).to_be_focused()


def test_a_gauge_that_fell_silent_is_grey_and_counts_no_more(visit: Visit) -> None:
    # by the city's clock: this visitor's is two years slow
    page = visit(script="{ const now = Date.now; Date.now = () => now() - 63_072_000_000; }")
    silent = row(page, HOSTILE)
    expect(silent).to_have_class(re.compile("is-stale"))
    expect(silent.locator(".level-mark")).to_have_text("–")
    expect(silent).to_contain_text("Out of date")
    expect(silent.locator(".row-value")).to_have_text("1.90 m")
    expect(page.locator("#summary .tally")).to_contain_text("Out of date1")
    expect(row(page, "Drill Bridge")).not_to_have_class(re.compile("is-stale"))
    # and its name is a name, whatever is in it
    silent.click()
    expect(page.locator("#detail h2")).to_have_text(HOSTILE)
    assert page.locator("img[src='x']").count() == 0
    assert "owned" not in page.title()


# --- alerts and decisions -----------------------------------------------------------------------


def test_an_official_decides_and_everybody_sees_the_order(town: Town, visit: Visit) -> None:
    citizen = visit("ja")
    expect(citizen.locator("#actual-alerts")).to_be_hidden()
    official = visit()
    sign_in(official, "ck_wrong")
    expect(official.get_by_role("dialog").get_by_role("alert")).to_contain_text("not valid here")
    official.keyboard.press("Escape")
    sign_in(official, town.key)
    expect(official.locator("#decisions")).to_contain_text("Nothing waits for a decision")

    town.measure("lower", 2.58)
    card = official.locator(".proposal", has_text="South district")
    expect(card).to_contain_text("Evacuation order", timeout=15_000)
    expect(card).to_contain_text("Actual")
    expect(card.locator(".evidence li").first).to_contain_text("measured 2.58 m")
    expect(card.locator(".evidence li").first).to_contain_text("threshold 2.50 m")
    picture(official, "proposal-en")

    card.get_by_role("button", name="Approve").click()
    dialog = official.get_by_role("dialog")
    expect(dialog).to_contain_text("South district")
    issue = dialog.get_by_role("button", name="Issue level 4")
    issue.click()
    expect(dialog.get_by_role("alert")).to_have_text("Confirm that this is not an exercise.")
    dialog.get_by_role("checkbox").check()
    expect(dialog.get_by_role("alert")).to_be_hidden()
    dialog.get_by_label("Note (kept with the decision)").fill("Water at the lower bridge")
    picture(official, "decision-en")
    issue.click()
    expect(dialog).to_be_hidden()
    expect(official.locator(".proposal")).to_have_count(0)

    # over the live stream, in the other language, nothing reloaded
    banner = citizen.locator("#actual-alerts")
    expect(banner).to_contain_text("避難指示")
    expect(banner).to_contain_text("南地区")
    expect(banner).to_contain_text("危険な場所にいる人は、全員避難してください。")
    assert background(banner.locator(".alert-badge")) == "rgb(170, 0, 170)"
    expect(citizen.locator("#exercise-alerts")).not_to_contain_text("南地区")
    picture(citizen, "alert-ja")
    citizen.locator("#language-button").click()
    expect(banner).to_contain_text("Evacuation order")
    expect(banner).to_contain_text("Everyone: evacuate from dangerous places now.")
    assert citizen.locator("html").get_attribute("lang") == "en"
    citizen.reload()
    expect(banner).to_contain_text("South district")  # the choice is remembered
    # what was decided, by whom and why, is kept
    kept = town.city.items(
        "/v1/proposals?state=approved", headers={"Authorization": f"Bearer {town.key}"}
    )
    assert "Water at the lower bridge" in {proposal["decision_note"] for proposal in kept}
    # the key is in this tab alone
    assert official.evaluate("localStorage.length + document.cookie.length") == 0
    other = official.context.new_page()
    other.goto(town.city.url)
    expect(other.locator("#decisions")).to_be_hidden()
    other.close()


def test_an_exercise_can_not_be_taken_for_real(town: Town, visit: Visit) -> None:
    town.measure("drill", 2.2, exercise="september")
    official = visit()
    sign_in(official, town.key)
    card = official.locator(".proposal.is-exercise")
    expect(card).to_contain_text("Exercise", timeout=15_000)
    # what happens in an exercise is not what the river does
    expect(row(official, "Drill Bridge").locator(".row-value")).to_have_text("0.40 m")

    card.get_by_role("button", name="Reject").click()
    dialog = official.get_by_role("dialog")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog.get_by_role("alert")).to_have_text("Give a reason.")
    dialog.get_by_role("button", name="Cancel").click()
    card.get_by_role("button", name="Approve").click()
    expect(dialog).to_contain_text("marked as an exercise")
    expect(dialog.get_by_role("checkbox")).to_have_count(0)
    dialog.get_by_role("button", name="Issue level 3 (exercise)").click()

    banner = official.locator("#exercise-alerts")
    expect(banner).to_contain_text("EXERCISE")
    expect(banner).to_contain_text("【訓練】")
    expect(banner).to_contain_text("do not act on it")
    expect(banner).to_contain_text("East district")
    # outlined in stripes: never the solid colour of a real one
    assert background(banner.locator(".alert-badge").first) != "rgb(255, 40, 0)"
    expect(official.locator("#actual-alerts")).not_to_contain_text("East district")
    expect(banner).not_to_contain_text("South district")
    picture(official, "exercise-en")


def test_an_official_ends_an_order_that_no_rule_lifts(town: Town, visit: Visit) -> None:
    citizen, official = visit("ja"), visit()
    key = {"Authorization": f"Bearer {town.key}"}
    sign_in(official, town.key)
    town.measure("upper", 2.58)
    card = official.locator(".proposal", has_text="North district")
    expect(card).to_contain_text("Evacuation order", timeout=15_000)
    (waiting,) = town.city.items("/v1/proposals?state=pending&status=Actual", headers=key)
    town.city.post(f"/v1/proposals/{waiting['id']}/approve", headers=key)
    seen = citizen.locator("#actual-alerts .alert", has_text="北地区")
    expect(seen).to_contain_text("避難指示")
    expect(seen.get_by_role("button")).to_have_count(0)

    order = official.locator("#actual-alerts .alert", has_text="North district")
    expect(order.get_by_role("button", name="End this order")).to_be_visible()
    picture(official, "order-in-force-en")
    look_at_the_end_on_a_phone(official)
    order.get_by_role("button", name="End this order").click()
    dialog = official.get_by_role("dialog")
    expect(dialog).to_contain_text("North district")
    submit = dialog.get_by_role("button", name="End the order")
    submit.click()
    expect(dialog.get_by_role("alert")).to_have_text("Give a reason.")
    dialog.get_by_label("Reason").fill("The gauge is broken")
    submit.click()
    expect(dialog.get_by_role("alert")).to_have_text("Confirm that this is not an exercise.")
    dialog.get_by_role("checkbox").check()
    picture(official, "order-end-en")
    assert official.evaluate(CONTRASTS) == []
    submit.click()
    expect(dialog).to_be_hidden()
    expect(order).to_have_count(0)
    expect(seen).to_have_count(0)  # over the live stream
    expect(official.locator("#decisions h2")).to_be_focused()
    kept = town.city.items("/v1/proposals?state=approved", headers=key)[0]
    assert (kept["decision_note"], kept["assessment"]["level"]) == ("The gauge is broken", 0)

    # the water still stands there, and people are asked again when it rises
    town.measure("upper", 3.10)
    expect(card).to_contain_text("Emergency", timeout=15_000)
    expect(official.locator(".proposal.is-actual")).to_have_count(1)
    card.get_by_role("button", name="Reject").click()
    dialog.get_by_label("Reason").fill("The gauge is broken")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog).to_be_hidden()


def look_at_the_end_on_a_phone(official: Page) -> None:
    official.set_viewport_size(PHONE)  # type: ignore[arg-type]
    official.locator("#language-button").click()
    official.get_by_role("button", name="避難情報を解除").first.click()
    expect(official.get_by_label("解除の理由")).to_be_focused()
    assert official.evaluate(WIDTH) <= PHONE["width"]
    picture(official, "phone-order-end-ja")
    official.keyboard.press("Escape")
    assert official.evaluate(TOO_SMALL) == []
    picture(official, "phone-order-in-force-ja")
    official.locator("#language-button").click()
    official.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


# --- evacuation sites ---------------------------------------------------------------------------


def test_sites_are_found_by_hazard(visit: Visit) -> None:
    page = visit()
    sites = page.locator("#sites .row")
    expect(sites).to_have_count(2)
    page.locator("#sites").get_by_role("button", name="Flood").click()
    expect(sites).to_have_count(1)
    expect(page.locator("#sites").get_by_role("button", name="Flood")).to_be_focused()
    sites.first.click()
    panel = page.locator("#detail")
    expect(panel.locator(".is-suitable")).to_have_text("FloodTsunami")
    expect(panel.locator(".is-unsuitable")).to_contain_text("Earthquake")


# --- when the city does not answer --------------------------------------------------------------


def test_without_the_city_the_page_says_so_and_comes_back(visit: Visit) -> None:
    page = visit()
    expect(row(page, "Upper Bridge").locator(".row-value")).to_be_visible()
    page.evaluate(
        """() => {
          window.realFetch = window.fetch;
          window.realSource = window.EventSource;
          window.fetch = () => Promise.reject(new TypeError("away"));
          window.EventSource = class extends EventTarget {
            constructor() { super(); setTimeout(() => this.onerror?.(), 10); }
            close() {}
          };
        }"""
    )
    page.evaluate("import('/static/js/live.js').then((live) => live.retryNow())")
    expect(page.locator("#connection")).to_have_class(re.compile("is-offline"))
    expect(page.locator("#trouble")).to_contain_text("You see the readings as they were at")
    expect(page.locator("#summary .orders-note")).to_have_text(
        "Whether alerts are in force is not known at the moment."
    )
    expect(row(page, "Upper Bridge").locator(".row-value")).to_be_visible()
    picture(page, "offline-en")
    # in one go: the page also tries by itself, and the button goes when that succeeds
    page.get_by_role("button", name="Try now").evaluate(
        """(button) => {
          window.fetch = window.realFetch;
          window.EventSource = window.realSource;
          button.click();
        }"""
    )
    expect(page.locator("#connection")).to_have_class(re.compile("is-live"))
    expect(page.locator("#trouble")).to_be_hidden()


def test_without_a_map_the_list_still_serves(visit: Visit) -> None:
    page = visit(
        script="""{
          const real = HTMLCanvasElement.prototype.getContext;
          HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind.startsWith("webgl") ? null : real.call(this, kind, ...rest);
          };
        }"""
    )
    expect(page.locator("#map-notice")).to_contain_text("The map cannot be shown on this device")
    row(page, "Drill Bridge").click()
    expect(page.locator("#detail canvas")).to_be_visible()


# --- on a phone, by keyboard, for everybody -----------------------------------------------------


def test_on_a_phone_nothing_is_cut_off(visit: Visit) -> None:
    page = visit("ja", PHONE, has_touch=True, is_mobile=True)
    panel = page.locator("#detail")
    for language in ("ja", "en"):
        assert page.evaluate(WIDTH) <= PHONE["width"]
        picture(page, f"phone-{language}")
        page.locator("#gauges .row").first.tap()
        expect(panel.locator("canvas")).to_be_visible()
        box = panel.bounding_box()
        assert box
        assert (box["x"], box["width"]) == (0, PHONE["width"])
        assert box["y"] + box["height"] == pytest.approx(PHONE["height"], abs=1)
        assert page.evaluate(WIDTH) <= PHONE["width"]
        assert page.evaluate(TOO_SMALL) == []
        picture(page, f"phone-detail-{language}")
        panel.locator(".icon-button").tap()
        page.locator("#language-button").tap()


def test_everything_is_reached_by_keyboard(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#gauges .row").first).to_be_focused()
    ring = page.locator("#gauges .row").first.evaluate("e => getComputedStyle(e).outlineStyle")
    assert ring == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_focused()
    page.locator(".marker").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_be_visible()


def test_everybody_can_read_it(visit: Visit) -> None:
    """WCAG 2.2: 1.3.1, 1.4.3, 3.1.1, 4.1.2, as far as a program can tell."""
    page = visit("ja")
    row(page, "上橋").click()
    expect(page.locator("#detail canvas")).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(page.locator("#detail canvas")).to_be_visible()
        assert page.evaluate(CONTRASTS) == []
        picture(page, f"detail-{scheme}-ja")
    assert page.evaluate(NAMELESS) == []
    assert page.locator("html").get_attribute("lang") == "ja"
    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)  # type: ignore[arg-type]
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


# --- the parts that only compute ----------------------------------------------------------------


def test_trends_and_states(town: Town, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{town.city.url}/v1/health")  # the modules alone, without the page
    found = page.evaluate(
        """async () => {
          const { RecentSamples } = await import("/static/js/trend.js");
          const { stateOf, thresholdsOf } = await import("/static/js/levels.js");
          const { riverOf } = await import("/static/js/language.js");
          const minute = 60_000;
          const trendAt = (timeLapse, step, values) => {
            const samples = new RecentSamples(timeLapse);
            values.forEach((value, index) => samples.add(index * step * minute, value));
            const found = samples.trend();
            return found && [found.direction, found.perHour && Number(found.perHour.toFixed(2))];
          };
          const trend = (step, ...values) => trendAt(1, step, values);
          const river = (en, at) => riverOf({ name: { en }, attributes: { river_en: at } });
          const gauge = { type: "WaterLevelGauge", attributes:
            { caution_level_m: 1.5, danger_level_m: 2.5, standby_level_m: "x" } };
          const rain = { type: "RainGauge", attributes:
            { rainfall_levels_mm: { precipitation_1h: { 2: 30, 3: 50 } } } };
          const state = (thing, value, age) => {
            const reading = value === null ? undefined : { value, at: new Date(0) };
            const found = stateOf(thing, reading, new Date(age * minute), 30 * minute);
            return found.kind + found.level;
          };
          const many = new RecentSamples();
          for (let s = 0; s < 36_000; s += 1) many.add(s * 1000, s / 3600);
          return {
            few: trend(10, 1, 2),
            rising: trend(10, 1, 1.1, 1.2, 1.3),
            falling: trend(10, 2, 1.9, 1.8),
            steady: trend(10, 1, 1.01, 1, 1.01),
            brief: trend(1, 1, 1.1, 1.2, 1.3, 1.4),
            minutes: trend(2, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6),
            hurried: trendAt(60, 1 / 6, [1, 1.1, 1.2, 1.3]),
            turned: trendAt(60, 1 / 6, [1, 2, 3, 4, 5, 4.5, 4, 3.5, 3, 2.5, 2]),
            rivers: [river("Kuroishi River", "Kuroishi River"), river("Koya mouth", "Koya"),
              river("Irie Bridge", "Seto River")?.en, river("Irie Bridge", undefined)],
            waves: trend(1, 1, 1.01, 1, 1.01, 1, 1.02, 1.01, 1.02, 1.01, 1.02, 1.01, 1.02),
            jump: trend(10, 0.4, 0.42, 0.41, 0.4, 0.41, 0.4, 1.62),
            disorder: (() => {
              const samples = new RecentSamples();
              for (const at of [20, 0, 10, 30, 10]) samples.add(at * minute, at / 100);
              return samples.trend().perHour.toFixed(2);
            })(),
            many: many.trend().perHour.toFixed(2),
            states: [state(gauge, 1.49, 1), state(gauge, 1.5, 1), state(gauge, 9, 1),
              state(gauge, 9, 31), state(gauge, null, 1), state(gauge, "9", 1),
              state(rain, 50, 1), state(rain, 29.9, 1)],
            thresholds: thresholdsOf(gauge).map((t) => t.level),
          };
        }"""
    )
    page.close()
    assert found["few"] is None
    assert found["rising"] == ["rising", 0.6]
    assert found["falling"] == ["falling", -0.6]
    assert found["steady"][0] == "steady"
    assert found["brief"] is None  # four minutes say nothing of an hour
    assert found["minutes"] == ["rising", 3.0]
    assert found["hurried"] == ["rising", None]  # nobody can wait for an hour of that river
    assert found["turned"] == ["falling", None]
    assert found["rivers"] == [None, None, "Seto River", None]
    assert found["waves"][0] == "steady"
    assert found["jump"][0] == "rising"
    assert found["disorder"] == "0.60"
    assert found["many"] == "1.00"
    assert found["states"] == [
        "normal0",
        "level2",
        "level4",
        "stale0",
        "none0",
        "none0",
        "level3",
        "normal0",
    ]
    assert found["thresholds"] == [2, 4]


def test_labels_keep_out_of_each_others_way(town: Town, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{town.city.url}/v1/health")
    places = page.evaluate(
        """async () => {
          const { place } = await import("/static/js/map-places.js");
          const forms = [[26, 26], [72, 30]];
          return {
            alone: place([{ x: 0, y: 0, forms }]),
            crowd: place(Array.from({ length: 15 }, () => ({ x: 5, y: 5, forms }))),
            bounded: place([0, 30].map((x) => ({ x, y: 0, forms })), [96, 0]),
            full: place(Array.from({ length: 200 }, () => ({ x: 5, y: 5, forms: [[26, 26]] }))),
            hidden: place([{ x: 0, y: 0, forms: [] }]),
          };
        }"""
    )
    page.close()
    assert places["alone"] == [{"form": 1, "dx": 0, "dy": 0}]
    assert None not in places["crowd"]
    assert places["crowd"][0]["form"] == 1  # what matters most
    assert overlapping([box_of(place) for place in places["crowd"]]) == []
    assert [place["form"] for place in places["bounded"]] == [0, 0]
    assert places["full"].count(None) > 50  # better none than one upon another
    assert places["hidden"] == [None]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_markers_do_not_cover_each_other_however_far_away_one_is(
    size: dict[str, int], visit: Visit
) -> None:
    page = visit("ja", size)
    for _ in range(4):
        expect(page.locator(".marker:visible")).to_have_count(4)
        page.wait_for_timeout(600)  # the map glides
        boxes = page.evaluate(
            """() => [...document.querySelectorAll(".marker")]
              .map((marker) => marker.getBoundingClientRect())
              .map((box) => [box.left, box.top, box.right, box.bottom])"""
        )
        assert overlapping(boxes) == []
        page.get_by_role("button", name="縮小").click()
    picture(page, f"far-{size['width']}")


def box_of(place: dict[str, float]) -> list[float]:
    width, height = [(26, 26), (72, 30)][int(place["form"])]
    x, y = place["dx"], place["dy"]
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def overlapping(boxes: list[list[float]]) -> list[tuple[list[float], list[float]]]:
    return [
        (one, other)
        for one, other in combinations(boxes, 2)
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    ]
