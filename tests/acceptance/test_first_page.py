"""The first page as people see it: a real browser on a real city, fed over MQTT.

Each test leaves pictures in ``tests/acceptance/screenshots``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from cityos.api import openapi
from cityos.clock import SystemClock
from cityos.domain.entity import Name, Tenant
from cityos.runtime import ports
from cityos.runtime.broker import MqttBroker
from cityos.runtime.redis_server import RedisServer
from tests.city_processes import City, until, vendor
from tests.page_checks import (
    BOXES,
    CONTRASTS,
    CONTROLS,
    CUT,
    FOCUSED,
    NAMELESS,
    PURPLE,
    READABLE,
    SHOWN_PX,
    SIGNS,
    TOO_SMALL,
    WIDTH,
)
from tests.page_town import DEVICES, ENTITIES, HOSTILE, ORDERS, TENANT, TOWN, Town, order

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = Path(__file__).parent / "screenshots"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
WAIT_MS = 10_000
REFUSED = re.compile(r"\b40[13]\b")


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
                or (REFUSED.search(message.text) and "/v1/proposals" in message.location["url"])
                or faults.append(f"console: {message.text} {message.location}")
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
    marker = page.locator("#map .marker", has=page.locator(".marker-value", has_text="1.62"))
    expect(marker.locator(".level-mark")).to_have_text("2")
    expect(marker).to_have_attribute(
        "aria-label", "River gauge, Upper Bridge, 1.62 m, Corresponds to level 2"
    )
    expect(page.locator("#summary .statement")).to_contain_text("Rivers: level 2 reached")
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
    canvas = chart.locator("canvas")
    until(lambda: canvas.evaluate(PURPLE) > 50 or None, "the danger level is drawn")
    picture(page, "detail-ja")

    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(row(page, "訓練橋")).to_be_focused()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_names_of_thresholds_cover_neither_the_curve_nor_each_other(
    size: dict[str, int], visit: Visit
) -> None:
    page = visit("en", size)
    page.evaluate(
        """async () => {
          const { entitiesOf } = await import("/static/js/city.js");
          const drill = entitiesOf("WaterLevelGauge").find(({ name }) => name.ja === "訓練橋");
          drill.attributes.caution_level_m = 1.05; // hardly above the one for standing by
        }"""
    )
    for language in ("en", "ja"):
        row(page, "訓練橋" if language == "ja" else "Drill Bridge").click()
        panel = page.locator("#detail")
        expect(panel.locator(".chart-name")).to_have_count(5)
        until(lambda: apart(page, "#detail .u-over", "#detail .chart-name"), "names beside")
        names = page.evaluate(BOXES, "#detail .chart-name")
        heights = [box[1] for box in names]
        assert heights == sorted(heights, reverse=True)
        (plot,) = page.evaluate(BOXES, "#detail .u-over")
        (edge,) = page.evaluate(BOXES, "#detail")
        assert all(plot[2] < box[0] and box[2] <= edge[2] for box in names)
        assert plot[2] - plot[0] > 180, "what is left for the curve"
        picture(page, f"chart-{size['width']}-{language}")
        panel.locator(".icon-button").click()
        page.locator("#language-button").click()


def test_a_gauge_that_fell_silent_is_grey_and_counts_no_more(visit: Visit) -> None:
    # by the city's clock: this visitor's is two years slow
    page = visit(script="{ const now = Date.now; Date.now = () => now() - 63_072_000_000; }")
    silent = row(page, HOSTILE)
    expect(silent).to_have_class(re.compile("is-stale"))
    expect(silent.locator(".level-mark")).to_have_text("–")
    expect(silent.locator(".row-time")).to_have_text(SILENT_FOR)
    expect(silent.locator(".row-value")).to_have_text("1.90 m")
    expect(page.locator("#summary .tally")).to_contain_text("Out of date1")
    expect(row(page, "Drill Bridge")).not_to_have_class(re.compile("is-stale"))
    mark = page.locator("#map .marker.is-stale")
    expect(mark).to_have_attribute("aria-label", SILENT_FOR)
    expect(mark.locator(".marker-age")).to_have_text(re.compile(r"^4\d min ago$"))
    # and its name is a name, whatever is in it
    silent.click()
    panel = page.locator("#detail")
    expect(panel.locator("h2")).to_have_text(HOSTILE)
    # a value that is not of now is measured against nothing
    expect(panel.locator(".stale-note")).to_contain_text("this is not the present value")
    expect(panel.locator(".thresholds .gap")).to_have_text([""] * 5)
    picture(page, "silent-en")
    row(page, "Drill Bridge").click()
    expect(panel.locator(".thresholds .gap").first).to_contain_text("to go")
    expect(panel.locator(".stale-note")).to_have_count(0)
    assert page.locator("img[src='x']").count() == 0
    assert "owned" not in page.title()


def test_a_sensor_is_silent_after_three_of_its_own_intervals(visit: Visit) -> None:
    page = visit()
    silent = row(page, HOSTILE)
    expect(silent).to_have_class(re.compile("is-stale"))
    for interval_min, stale in ((20, False), (10, True)):  # its reading is 45 minutes old
        page.evaluate(INTERVAL, [HOSTILE, interval_min])
        mark = re.compile("is-stale" if stale else "level-2")
        expect(silent.locator(".level-mark")).to_have_class(mark)


def test_the_overview_says_what_the_city_has_and_who_is_silent(visit: Visit) -> None:
    page = visit()
    lines = page.locator("#summary .holdings li")
    expect(page.locator("#summary .tally")).to_contain_text("River gauges: 4")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_have_text("Evacuation sites: 2")
    expect(lines.nth(1)).to_contain_text("Silent sensors: 1")
    expect(lines.nth(1)).to_contain_text(HOSTILE)
    page.evaluate(RAIN, [0, 52, 8])
    expect(lines.nth(0)).to_contain_text("Rain gauges: 3")
    expect(lines.nth(0)).to_contain_text("most in 1 h: 52.0 mm, Hill 1")
    expect(lines.nth(0).locator(".level-mark")).to_have_text("3")
    page.evaluate(INTERVAL, [HOSTILE, 20])
    expect(lines).to_have_count(2)


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


@pytest.mark.parametrize(
    ("language", "field", "button", "refusal"),
    [
        ("en", "Key", "Sign in", "This key belongs to another city."),
        ("ja", "職員用キー", "ログイン", "このキーは別の自治体のものです。"),
    ],
)
def test_a_key_of_another_city_does_not_open_this_ones_page(
    language: str, field: str, button: str, refusal: str, town: Town, visit: Visit
) -> None:
    other = replace(town.city, tenant="yamabe")
    other.register(Tenant(id="yamabe", name=Name("Yamabe", "山辺町")), [])
    key = other.key("official")["Authorization"].removeprefix("Bearer ")
    page = visit(language)
    page.locator("#officials-button").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(field, exact=True).fill(key)
    dialog.get_by_role("button", name=button).click()
    expect(dialog.get_by_role("alert")).to_contain_text(refusal)
    expect(page.locator("#decisions")).to_be_hidden()
    picture(page, f"another-city-{language}")
    # a tab that holds such a key already is no better
    page.evaluate("(key) => sessionStorage.setItem('cityos.official-key', key)", key)
    with page.expect_response("**/v1/proposals?state=pending*") as asked:
        page.reload()
    assert asked.value.status == 403
    expect(page.locator("#decisions")).to_be_hidden()
    assert page.evaluate("sessionStorage.getItem('cityos.official-key')") is None


def test_an_exercise_can_not_be_taken_for_real(town: Town, visit: Visit) -> None:
    town.measure("drill", 2.2, exercise="september")
    official = visit()
    sign_in(official, town.key)
    card = official.locator(".proposal.is-exercise")
    # and of several exercises it says which
    expect(card).to_contain_text("Exercise · september", timeout=15_000)
    expect(card.locator(".present")).to_have_count(0)
    # what happens in an exercise is not what the river does
    expect(row(official, "Drill Bridge").locator(".row-value")).to_have_text("0.40 m")

    card.get_by_role("button", name="Reject").click()
    dialog = official.get_by_role("dialog")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog.get_by_role("alert")).to_have_text("Give a reason.")
    dialog.get_by_role("button", name="Cancel").click()
    card.get_by_role("button", name="Approve").click()
    expect(dialog).to_contain_text("marked as an exercise")
    expect(dialog).to_contain_text("Exercise · september")
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


def the_card_follows_its_gauge(present: Locator, town: Town) -> None:
    expect(present).to_have_text(re.compile(r"^Upper Bridge now: 2\.58 m \(\d\d:\d\d\)"))
    expect(present).not_to_contain_text("below")
    town.measure("upper", 2.41)
    expect(present).to_contain_text("now: 2.41 m")
    expect(present).to_contain_text("below the threshold again")


def test_an_official_ends_an_order_that_no_rule_lifts(town: Town, visit: Visit) -> None:
    citizen, official = visit("ja"), visit()
    key = {"Authorization": f"Bearer {town.key}"}
    sign_in(official, town.key)
    town.measure("upper", 2.58)
    card = official.locator(".proposal", has_text="North district")
    expect(card).to_contain_text("Evacuation order", timeout=15_000)
    the_card_follows_its_gauge(card.locator(".present"), town)
    picture(official, "proposal-present-en")
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
    lifted = "【解除】警戒レベル4 避難指示：北地区（洪水）"
    ended = citizen.locator("#ended .is-actual li", has_text=lifted)
    expect(ended.locator("time")).to_have_text(re.compile(r"^\d\d:\d\d$"))
    expect(citizen.locator("#announcer")).to_have_text(lifted)
    expect(official.locator("#ended")).to_contain_text("Lifted: level 4: evacuation order")
    picture(citizen, "order-lifted-ja")
    expect(official.locator("#decisions h2")).to_be_focused()
    kept = town.city.items("/v1/proposals?state=approved", headers=key)[0]
    assert (kept["decision_note"], kept["assessment"]["level"]) == ("The gauge is broken", 0)

    assert kept["alert_identifier"] in {
        alert["identifier"]
        for alert in town.city.items("/v1/alerts?status=Actual")
        if alert["infos"][0]["event"]["ja"] == "洪水 警戒レベル4 避難指示 解除"
    }

    # the water still stands there, and people are asked again when it rises
    town.measure("upper", 3.10)
    expect(card).to_contain_text("Emergency", timeout=15_000)
    expect(official.locator(".proposal.is-actual")).to_have_count(1)
    card.get_by_role("button", name="Reject").click()
    dialog.get_by_label("Reason").fill("The gauge is broken")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog).to_be_hidden()


def test_what_was_lifted_is_told_for_a_day_unless_it_stands_again(visit: Visit) -> None:
    page = visit("ja", PHONE)
    now = SystemClock().now()
    cancels = {
        "Actual": [cancel(1, "Actual", now), cancel(2, "Actual", now - timedelta(hours=25))]
    }
    cancels["Exercise"] = [cancel(3, "Exercise", now), cancel(1, "Exercise", now)]
    standing = {"Actual": [], "Exercise": [order(3, 4, "Exercise")]}

    def answer(route: Route) -> None:
        status = "Exercise" if "Exercise" in route.request.url else "Actual"
        kind = cancels if "ours=true" in route.request.url else standing
        route.fulfill(json={"items": kind[status], "next": None})

    page.route("**/v1/alerts?*", answer)
    page.reload()
    expect(page.locator("#ended li")).to_have_count(2)
    expect(page.locator("#ended .is-actual li")).to_contain_text("【解除】第1地区")
    expect(page.locator("#ended .is-exercise li")).to_contain_text("【訓練】【解除】第1地区")
    expect(page.locator("#announcer")).to_be_empty()  # nothing of it happened just now
    assert page.evaluate(WIDTH) <= PHONE["width"]


def test_an_official_takes_back_a_rejection_and_ends_the_exercise(
    town: Town, visit: Visit
) -> None:
    official = visit()
    sign_in(official, town.key)
    for exercise in ("october", "november"):
        town.measure("drill", 2.2, exercise=exercise)
    card = official.locator(".proposal", has_text="Exercise · october")
    card.get_by_role("button", name="Reject").click(timeout=15_000)
    dialog = official.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("Pressed the wrong button")
    dialog.get_by_role("button", name="Reject").click()
    expect(card).to_have_count(0)

    # it does not come back by itself, but when it is asked for, and then without another reading
    decided = official.locator(".decided", has_text="Exercise · october")
    expect(decided).to_contain_text("Pressed the wrong button")
    decided.scroll_into_view_if_needed()
    picture(official, "decided-en")
    look_at_what_can_be_taken_back_in_japanese(official)
    decided.get_by_role("button", name="Assess again").click()
    submit = dialog.get_by_role("button", name="Assess again")
    submit.click()
    expect(dialog.get_by_role("alert")).to_have_text("Give a reason.")
    dialog.get_by_label("Reason").fill("It was the wrong button")
    assert official.evaluate(CONTRASTS) == []
    submit.click()
    expect(dialog).to_be_hidden()
    expect(official.locator("#decisions h2")).to_be_focused()
    expect(decided).to_have_count(0)
    card.get_by_role("button", name="Approve").click()
    dialog.get_by_role("button", name="Issue level 3 (exercise)").click()
    running = official.locator(".exercises li", has_text="october")
    expect(running).to_contain_text("0 to decide, 1 in force")

    # the end of one exercise leaves the other, and what is real
    real = official.locator("#actual-alerts").inner_text()
    running.get_by_role("button", name="End this exercise").click()
    expect(dialog).to_contain_text("Exercise · october")
    picture(official, "exercise-end-en")
    dialog.get_by_role("button", name="End the exercise").click()
    expect(dialog).to_be_hidden()
    expect(running).to_have_count(0)
    expect(official.locator(".proposal", has_text="Exercise · november")).to_have_count(1)
    expect(official.locator(".exercises li", has_text="november")).to_contain_text("1 to decide")
    assert official.locator("#actual-alerts").inner_text() == real
    standing = town.city.items("/v1/alerts?status=Exercise&in_force=true&run=october")
    assert standing == []
    key = {"Authorization": f"Bearer {town.key}"}
    town.city.post("/v1/exercises/november/end", headers=key)


def test_a_list_of_what_is_over_that_fails_hides_nothing_that_waits(
    town: Town, visit: Visit
) -> None:
    page = visit(
        script="""
          const asked = window.fetch;
          window.fetch = (url, options) => /ours=true|reassessable=true/.test(url)
            ? Promise.resolve(new Response("{}", { status: 503 }))
            : asked(url, options);
        """
    )
    page.evaluate(
        """async () => {
          window.EventSource = class extends EventTarget {
            constructor() { super(); setTimeout(() => this.onerror?.(), 10); }
            close() {}
          };
          (await import("/static/js/live.js")).retryNow();
        }"""
    )
    expect(page.locator("#connection")).to_have_class(re.compile("is-polling"))
    sign_in(page, town.key)
    town.measure("drill", 2.2, exercise="december")
    expect(page.locator(".proposal", has_text="december")).to_be_visible(timeout=15_000)
    expect(page.locator("#decisions .form-error")).to_have_count(0)
    key = {"Authorization": f"Bearer {town.key}"}
    town.city.post("/v1/exercises/december/end", headers=key)


def look_at_what_can_be_taken_back_in_japanese(official: Page) -> None:
    official.locator("#language-button").click()
    decided = official.locator(".decided", has_text="訓練 · october")
    picture(official, "decided-ja")
    decided.get_by_role("button", name="判定をやり直す").click()
    expect(official.get_by_label("やり直す理由")).to_be_focused()
    picture(official, "reassess-ja")
    official.keyboard.press("Escape")
    official.set_viewport_size(PHONE)  # type: ignore[arg-type]
    official.locator(".exercises li", has_text="october").get_by_role("button").click()
    expect(official.get_by_label("理由（任意")).to_be_focused()
    assert official.evaluate(WIDTH) <= PHONE["width"]
    picture(official, "phone-exercise-end-ja")
    official.keyboard.press("Escape")
    assert official.evaluate(TOO_SMALL) == []
    picture(official, "phone-decided-ja")
    official.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    official.locator("#language-button").click()


def look_at_the_end_on_a_phone(official: Page) -> None:
    official.set_viewport_size(PHONE)  # type: ignore[arg-type]
    official.locator("#language-button").click()
    official.locator("#actual-alerts").get_by_role("button", name="詳しく").click()
    official.get_by_role("button", name="避難情報を解除").first.click()
    expect(official.get_by_label("解除の理由")).to_be_focused()
    assert official.evaluate(WIDTH) <= PHONE["width"]
    picture(official, "phone-order-end-ja")
    official.keyboard.press("Escape")
    assert official.evaluate(TOO_SMALL) == []
    picture(official, "phone-order-in-force-ja")
    official.locator("#actual-alerts").get_by_role("button", name="折りたたむ").click()
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
    expect(panel.locator("dd[lang=ja]")).to_have_text("川辺町1-1")  # read aloud as Japanese
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


@pytest.mark.parametrize("language", ["ja", "en"])
def test_on_a_phone_alerts_leave_the_map_to_be_used(language: str, visit: Visit) -> None:
    page = visit(language, PHONE)
    page.route("**/v1/alerts?*status=Actual*", alerts_of("Actual"))
    page.route("**/v1/alerts?*status=Exercise*", alerts_of())
    page.reload()
    banner = page.locator("#actual-alerts")
    # one entry a level: the level, where, what to do; no more unless one asks
    expect(banner.locator(".alert")).to_have_count(2)
    worst = banner.locator(".alert.level-4")
    expect(worst).to_be_visible()
    for wanted in ("level", "areas", "action"):
        expect(worst).to_contain_text(COMPACT[language][wanted])
    expect(banner.locator(".alert-headline")).to_have_count(0)
    shown = page.locator("#map").bounding_box()
    assert shown
    assert shown["y"] + shown["height"] <= PHONE["height"], "the whole map is seen at once"
    assert page.evaluate(WIDTH) <= PHONE["width"]
    assert page.evaluate(TOO_SMALL) == []
    assert page.evaluate(CONTRASTS) == []
    picture(page, f"phone-alerts-{language}")
    # the map answers, and nothing lies over it
    row(page, "訓練橋" if language == "ja" else "Drill Bridge").wait_for()
    page.locator("#map .marker:visible").first.click()
    expect(page.locator("#detail")).to_be_visible()
    page.keyboard.press("Escape")

    more = banner.locator(".alert-more")
    expect(more).to_have_attribute("aria-expanded", "false")
    more.click()
    expect(banner.locator(".alert")).to_have_count(5)
    expect(banner.locator(".alert-headline")).to_have_count(5)
    expect(more).to_have_attribute("aria-expanded", "true")
    expect(more).to_be_focused()
    more.click()
    expect(banner.locator(".alert")).to_have_count(2)

    # an exercise beside the real thing takes no more than its own warning
    page.unroute("**/v1/alerts?*status=Exercise*")
    page.route("**/v1/alerts?*status=Exercise*", alerts_of("Exercise"))
    page.reload()
    exercise = page.locator("#exercise-alerts")
    expect(exercise.locator(".exercise-ribbon")).to_be_visible()
    expect(banner.locator(".alert")).to_have_count(2)
    expect(exercise.locator(".alert")).to_have_count(0)
    shown = page.locator("#map").bounding_box()
    assert shown
    assert PHONE["height"] - shown["y"] > 300
    picture(page, f"phone-alerts-and-exercise-{language}")
    exercise.locator(".alert-more").click()
    expect(exercise.locator(".alert")).to_have_count(5)


def test_a_district_is_never_shown_at_the_level_of_another(visit: Visit) -> None:
    page = visit("en", PHONE)
    items = [order(1, 4, "Actual"), order(2, 3, "Actual")]
    for item in items:  # as an agency sends it: no order of ours, and no instruction
        item["infos"][0] |= {"instruction": {"en": "", "ja": ""}, "parameters": {}}
    answer = {"items": items, "next": None}
    page.route("**/v1/alerts?*status=Actual*", lambda route: route.fulfill(json=answer))
    page.reload()
    alerts = page.locator("#actual-alerts .alert")
    expect(alerts).to_have_count(2)
    expect(alerts.nth(0)).to_contain_text("District 1")
    expect(alerts.nth(0)).not_to_contain_text("District 2")
    expect(alerts.nth(1)).to_contain_text("District 2")


COMPACT = {
    "en": {
        "level": "Level4",
        "areas": "District 1, District 2, District 3",
        "action": "Everyone: evacuate now.",
    },
    "ja": {
        "level": "レベル4",
        "areas": "第1地区、第2地区、第3地区",
        "action": "危険な場所にいる人は、全員避難してください。",
    },
}


def alerts_of(*statuses: str) -> Callable[[Route], None]:
    """Answers with the town's worst day instead of the town's own alerts."""
    items = [order(*one, status) for status in statuses for one in ORDERS]
    return lambda route: route.fulfill(json={"items": items, "next": None})


def test_everything_is_reached_by_keyboard(visit: Visit) -> None:
    page = visit()
    # rows take their order with the first readings
    expect(page.locator("#gauges .row-value").first).to_contain_text(" m")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#gauges .row").first).to_be_focused()
    ring = page.locator("#gauges .row").first.evaluate("e => getComputedStyle(e).outlineStyle")
    assert ring == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_focused()
    # by its name: readings that come meanwhile may put another first
    chosen = page.locator("#gauges .row", has_text=page.locator("#detail h2").inner_text())
    expect(chosen).to_have_attribute("aria-current", "true")
    page.locator("#map .marker").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_be_visible()


def test_who_has_chosen_a_row_keeps_it_when_the_city_is_read_again(visit: Visit) -> None:
    page = visit()
    row = page.locator("#gauges .row").nth(1)
    name = row.locator(".row-name").inner_text()
    row.focus()
    page.evaluate(BUS)
    expect(page.locator("#city-life .row", has_text="Line 1")).to_be_attached()
    expect(page.locator("#gauges .row:focus .row-name")).to_have_text(name, use_inner_text=True)


def test_every_control_has_its_turn_and_shows_that_it_has(visit: Visit) -> None:
    page = visit()
    page.route("**/v1/entities/urn%3Atest%3Abus/history/**", nothing)  # the server has no such bus
    page.evaluate(BUS)
    page.locator("#city-life summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#city-life .row", has_text="Line 1")).to_be_visible()
    # a reading that comes in the middle of a walk may put the rows in another order
    until(lambda: every_control(page) or None, "a walk by Tab through every control")
    # a bus moves on the map, but its details do not need a mouse
    page.locator("#city-life .row", has_text="Line 1").focus()
    with page.expect_response("**/history/speed?*") as asked:
        page.keyboard.press("Enter")
    assert asked.value.ok
    expect(page.locator("#detail h2")).to_have_text("Line 1")


def every_control(page: Page) -> bool:
    """Walk through the page by Tab; whether each control had its turn, with a ring to be seen."""
    page.locator(".skip-link").focus()
    reached, ringless = {0}, []
    while (stop := tab(page))["place"] >= 0 and stop["place"] not in reached:
        reached.add(stop["place"])
        if not stop["ring"]:
            ringless.append(stop["html"])
    assert ringless == []
    expected = page.evaluate(f"({CONTROLS})().map((_, place) => place)")
    return len(expected) > 20 and reached == set(expected)


def test_nothing_moves_for_those_who_asked_for_that(visit: Visit) -> None:
    page = visit("en", PHONE)
    for motion, seconds, animation in (
        ("reduce", "0s", "none"),
        ("no-preference", "0.15s", "rise"),
    ):
        page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
        row(page, "Drill Bridge").click()
        panel = page.locator("#detail")
        expect(panel).to_be_visible()
        expect(panel).to_have_css("animation-name", animation)
        expect(page.locator("#gauges .row").first).to_have_css(
            "transition-duration", re.compile(rf"^{re.escape(seconds)}")
        )
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()


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
    # white on the red of level 3 needs large type, wherever it stands
    assert page.evaluate(SHOWN_PX, ".level-mark.level-3") >= 18.66
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
          const { spread } = await import("/static/js/chart-labels.js");
          const forms = [[26, 26], [72, 30]];
          return {
            spread: [spread([90, 60, 30], 15, 100), spread([62, 61, 60], 15, 100),
              spread([3, 2, 1], 15, 100), spread([], 15, 100)],
            alone: place([{ x: 0, y: 0, forms }]),
            crowd: place(Array.from({ length: 15 }, () => ({ x: 5, y: 5, forms }))),
            bounded: place([0, 30].map((x) => ({ x, y: 0, forms })), [96, 0]),
            walled: place([0, 30].map((x) => ({ x, y: 0, forms })), [0, 0]),
            full: place(Array.from({ length: 200 }, () => ({ x: 5, y: 5, forms: [[26, 26]] }))),
            hidden: place([{ x: 0, y: 0, forms: [] }]),
            covered: place([{ x: 0, y: 0, forms }], [96, 96],
              [{ left: -50, right: 50, top: -20, bottom: 20 }]),
            edge: place([{ x: 3, y: 3, forms,
              within: { left: 0, right: 90, top: 0, bottom: 90 } }]),
            buried: place([{ x: 0, y: 0, forms }], [96, 96],
              [{ left: -200, right: 200, top: -200, bottom: 200 }]),
          };
        }"""
    )
    page.close()
    assert places["alone"] == [{"form": 1, "dx": 0, "dy": 0}]
    assert places["spread"] == [[90, 60, 30], [62, 47, 32], [37.5, 22.5, 7.5], []]
    assert None not in places["crowd"]
    assert places["crowd"][0]["form"] == 1  # what matters most
    assert overlapping([box_of(place) for place in places["crowd"]]) == []
    # what matters less makes way, unless it has nowhere to go
    assert places["bounded"][0] == {"form": 1, "dx": 0, "dy": 0}
    places["bounded"][1]["dx"] += 30
    assert overlapping([box_of(place) for place in places["bounded"]]) == []
    assert [place["form"] for place in places["walled"]] == [0, 0]
    assert places["full"].count(None) > 50  # better none than one upon another
    assert places["hidden"] == [None]
    assert overlapping([box_of(places["covered"][0]), [-50, -20, 50, 20]]) == []
    assert places["buried"] == [None]
    left, top, right, bottom = box_of(places["edge"][0])
    assert left + 3 >= 0
    assert top + 3 >= 0
    assert right + 3 <= 90
    assert bottom + 3 <= 90


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_markers_do_not_cover_each_other_however_far_away_one_is(
    size: dict[str, int], visit: Visit
) -> None:
    page = visit("ja", size)
    on_the_map = ("#map .marker", "#map .map-controls", "#map-legend")
    for _ in range(4):
        expect(page.locator("#map .marker:visible")).to_have_count(4)
        until(lambda: apart(page, *on_the_map), "no mark covers another")
        zoom_out(page, "縮小")
    until(lambda: apart(page, *on_the_map), "no mark covers another")
    picture(page, f"far-{size['width']}")


def test_no_label_is_cut_off_by_the_edge_of_the_map(visit: Visit) -> None:
    page = visit("ja", PHONE)
    expect(page.locator("#map .marker:visible")).to_have_count(4)
    page.locator("#map canvas").focus()
    for _ in range(4):
        until(lambda: page.evaluate(CUT) == [] or None, "nothing that one can read is cut off")
        tops = [box[1] for box in page.evaluate(BOXES, "#map .marker")]
        page.keyboard.press("ArrowDown")  # what is at the top leaves the map there
        until(partial(moved, page, tops), "the map moves")


def test_a_gauge_on_the_map_is_labelled_with_its_value_or_not_at_all(visit: Visit) -> None:
    page = visit("en", PHONE)
    page.evaluate(RAIN, [0])
    marks = page.locator("#map .marker")
    expect(marks).to_have_count(5)

    def without_label() -> int:
        labels = page.evaluate(READABLE)
        assert all("marker-value" in label for label in labels if label), labels
        return labels.count([])

    # there is room for the value of each; where it does not rain there is nothing to say
    until(lambda: without_label() == 1 or None, "a label for all gauges but the dry one")
    page.evaluate(RAIN, [0, *[1.5] * 40])
    expect(marks).to_have_count(45)
    until(lambda: without_label() > 1 or None, "gauges without room for a label")
    assert apart(page, "#map .marker:not(.has-no-room)")
    for mark in page.locator("#map .marker.is-water").all():
        expect(mark.locator(".marker-value")).to_be_visible()  # rivers before rain
    picture(page, "phone-points")
    # who asks for a point gets its name with its value, never a name alone
    dry = page.get_by_role("button", name="Rain gauge, Hill 0,")
    dry.focus()
    expect(dry.locator(".marker-name")).to_be_visible()
    expect(dry.locator(".marker-value")).to_have_text("0.0")
    expect(dry.locator(".marker-value")).to_be_visible()

    page.evaluate(RAIN, [0, *[52] * 40])
    expect(marks.locator(".level-mark.level-3")).to_have_count(40)
    until(lambda: without_label() > 1 or None, "no level stands there without its value")


def test_a_chosen_gauge_stands_clear_of_its_details_and_of_the_legend(visit: Visit) -> None:
    page = visit(size={"width": 1200, "height": 600})
    chosen = ("#map .marker.is-selected", "#detail", "#map-legend")
    row(page, "Drill Bridge").click()
    expect(page.locator(chosen[0])).to_be_visible()
    until(lambda: apart(page, *chosen), "the chosen gauge in the open")
    # also when it was chosen before the map had come
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/js/map.js", hold)
    with page.expect_request("**/js/map.js"):
        page.reload()
    row(page, "Drill Bridge").click()
    expect(page.locator("#detail")).to_be_visible()
    held[0].continue_()
    expect(page.locator(chosen[0])).to_be_visible()
    until(lambda: apart(page, *chosen), "the chosen gauge in the open")


@pytest.mark.parametrize("known", ["all", "one"])
def test_a_city_without_an_outline_is_shown_where_its_things_are(known: str, visit: Visit) -> None:
    page = visit()
    page.route(re.compile("type=(Municipality|Area|River)&"), nothing)
    if known == "one":
        page.route(re.compile("type=(WaterLevelGauge|Building)&"), nothing)
    page.reload()
    scale = page.locator("#map .maplibregl-ctrl-scale")
    until(lambda: scale_in_km(scale) <= 2 or None, "a map of the town, not of the country")
    near_by = scale.text_content() or ""
    for _ in range(3):
        zoom_out(page, "Zoom out")
    page.get_by_role("button", name="Whole city").click()
    expect(scale).to_have_text(near_by)
    if known == "all":
        expect(page.locator("#map .marker:visible")).to_have_count(4)
    picture(page, f"no-outline-{known}")


def test_the_legend_shows_what_the_map_draws(visit: Visit) -> None:
    page = visit()
    legend = page.locator("#map-legend")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for layer, label, other in (
            ("sites", "Evacuation sites", "buildings"),
            ("buildings", "Buildings", "sites"),
        ):
            expect(legend.get_by_text(label)).to_be_visible()
            own, others = page.evaluate(SIGNS, [layer, label, other])
            assert own < 4, (layer, scheme)
            assert others > 12, "this would not tell one sign from another"
    calm = page.locator("#map .marker.is-water").filter(has=page.locator(".level-mark.is-normal"))
    drawn = calm.first.locator(".level-mark").get_attribute("class")
    sign = legend.locator("label", has_text="River levels (m)").locator(".marker.is-water")
    expect(sign.locator(".level-mark")).to_have_attribute("class", drawn or "")
    # and the list of sites speaks of them with the same sign
    listed = page.locator("#sites .row .sign").first.evaluate("sign => sign.innerHTML")
    shown = legend.locator("label", has_text="Evacuation sites").locator(".sign")
    assert shown.evaluate("sign => sign.innerHTML") == listed
    picture(page, "legend-dark-en")


def test_the_reference_shows_a_lock_where_a_key_is_needed_and_nowhere_else(
    town: Town, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(f"{town.city.url}/docs")
    expect(page.locator(".opblock-summary").first).to_be_visible(timeout=WAIT_MS)
    shown = page.evaluate(
        """() => [...document.querySelectorAll(".opblock-summary")].map((one) => [
          one.querySelector(".opblock-summary-method").textContent,
          one.querySelector(".opblock-summary-path").dataset.path,
          one.querySelector(".authorization__btn") !== null,
        ])"""
    )
    described = {
        (method.upper(), path): operation.get("security") == [{"key": []}]
        for path, methods in openapi.document()["paths"].items()
        for method, operation in methods.items()
    }
    assert {(method, path): locked for method, path, locked in shown} == described
    page.close()


# how long a silent gauge has said nothing, in the words of the page
SILENT_FOR = re.compile(r"Out of date, 4\d min ago$")

# of a gauge, by its name: how often it means to speak, in minutes
INTERVAL = """async ([name, minutes]) => {
  const { changed, entitiesOf } = await import("/static/js/city.js");
  const gauge = entitiesOf("WaterLevelGauge").find((one) => one.name.en === name);
  gauge.attributes.expected_interval_min = minutes;
  changed("readings");
}"""

# a bus that is there for this visitor only
BUS = """async () => {
  const { putEntities } = await import("/static/js/city.js");
  putEntities("Bus", [{ id: "urn:test:bus", type: "Bus", name: { en: "Line 1" } }]);
}"""

# rain gauges close together that are there for this visitor only, with what they have measured
RAIN = """async (values) => {
  const { putEntities, putLatest } = await import("/static/js/city.js");
  const gauges = values.map((_, n) => ({ id: `urn:test:${n}`, type: "RainGauge",
    name: { en: `Hill ${n}` },
    attributes: { rainfall_levels_mm: { precipitation_1h: { 3: 50 } } },
    position: { longitude: 138.3 + 0.001 * (n % 7), latitude: 34.85 + 0.001 * (n % 6) } }));
  putEntities("RainGauge", gauges);
  putLatest(gauges.map(({ id }, n) => ({ entity: id, observed_property: "precipitation_1h",
    value: values[n], unit: "mm", observed_at: new Date().toISOString() })));
}"""


def cancel(number: int, status: str, sent: datetime) -> dict[str, Any]:
    """The end of an order, as the API gives it."""
    mark = "【訓練】" if status == "Exercise" else ""
    name = {"en": f"Lifted: District {number}", "ja": f"{mark}【解除】第{number}地区"}
    info = order(number, 4, status)["infos"][0] | {"level": 0, "headline": name}
    given = {"identifier": f"urn:test:{status}:end:{number}", "message_type": "Cancel", "level": 0}
    return order(number, 4, status) | given | {"sent": sent.isoformat(), "infos": [info]}


def nothing(route: Route) -> None:
    route.fulfill(json={"items": [], "next": None})


def tab(page: Page) -> dict[str, Any]:
    """Where the next Tab leads: its place among the controls, -1 for none, and its focus ring."""
    page.keyboard.press("Tab")
    found: dict[str, Any] = page.evaluate(FOCUSED.replace("CONTROLS", f"({CONTROLS})()"))
    return found


def moved(page: Page, tops: list[float]) -> bool | None:
    return [box[1] for box in page.evaluate(BOXES, "#map .marker")] != tops or None


def zoom_out(page: Page, button: str) -> None:
    """One step, and the map has taken it."""
    scale = page.locator("#map .maplibregl-ctrl-scale")
    before = scale.text_content() or ""
    page.get_by_role("button", name=button).click()
    expect(scale).not_to_have_text(before)


def apart(page: Page, *selectors: str) -> bool | None:
    boxes = [box for selector in selectors for box in page.evaluate(BOXES, selector)]
    return (len(boxes) > 1 and overlapping(boxes) == []) or None


def scale_in_km(scale: Locator) -> float:
    number, unit = (scale.text_content() or "").split()
    return float(number) * {"m": 0.001, "km": 1}[unit]


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
