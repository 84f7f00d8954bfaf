"""House rules of the page's own files that a reader would otherwise have to remember."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cityos.domain.alert_level import Hazard
from cityos.web import pages

WEB = Path(pages.__file__).parent
ROOT = WEB.parents[1]
STATIC = WEB / "static"
OWN = sorted([*(STATIC / "js").glob("*.js"), *(STATIC / "css").glob("*.css")])
TEMPLATE = (WEB / "templates" / "first_page.html").read_text(encoding="utf-8")

MARKUP_SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|createContextualFragment"
    r"|DOMParser|\beval\(|new Function|javascript:"
)
SITE_HAZARDS_IN_LAW = [hazard.code for hazard in Hazard if hazard <= Hazard.VOLCANO]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_data_cannot_become_markup_or_code(path: Path) -> None:
    assert not MARKUP_SINKS.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    source = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\(|@import", source)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_a_file_does_one_thing(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_every_file_that_the_page_names_is_there_or_fetched_at_setup() -> None:
    listed = json.loads((ROOT / "deploy/web/vendor.json").read_text(encoding="utf-8"))
    vendor = {f"{package}/{file}" for package, files in listed.items() for file in files}
    named = set(re.findall(r'(?:href|src)="/static/([^"]+)"', TEMPLATE))
    named |= {url.removeprefix("/static/") for url in pages.IMPORT_MAP["imports"].values()}
    assert len(named) > 10
    for name in named:
        if name.startswith("vendor/"):
            assert name.removeprefix("vendor/") in vendor
        else:
            assert (STATIC / name).is_file(), name


def test_modules_import_what_is_there() -> None:
    packages = set(pages.IMPORT_MAP["imports"])
    for path in (STATIC / "js").glob("*.js"):
        source = path.read_text(encoding="utf-8")
        for target in re.findall(r'(?:from |import\()"([^"]+)"', source):
            if target.startswith("./"):
                assert (path.parent / target).is_file(), f"{path.name} -> {target}"
            else:
                assert target in packages, f"{path.name} -> {target}"


def test_every_module_is_reachable_from_the_first() -> None:
    reached: set[str] = set()
    waiting = ["main.js"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        source = (STATIC / "js" / name).read_text(encoding="utf-8")
        waiting += re.findall(r'(?:from |import\()"\./([^"]+)"', source)
    assert reached == {path.name for path in (STATIC / "js").glob("*.js")}


def test_level_colours_are_those_of_the_national_scheme() -> None:
    tokens = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
    expected = {1: "#ffffff", 2: "#f2e700", 3: "#ff2800", 4: "#aa00aa", 5: "#0c000c"}
    for level, colour in expected.items():
        # once: the dark scheme must not change them
        assert re.findall(rf"--level-{level}: ([^;]+);", tokens) == [colour]


def test_the_number_of_a_level_can_be_read_on_its_colour() -> None:
    """WCAG 2.2, 1.4.3: 4.5:1, and 3:1 for large type, which level 3 is always set in."""
    tokens = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
    found = dict(re.findall(r"--((?:on-)?level-\d): (#[0-9a-f]{6});", tokens))
    for level in range(1, 6):
        lights = sorted(
            (luminance(found[f"level-{level}"]), luminance(found[f"on-level-{level}"]))
        )
        ratio = (lights[1] + 0.05) / (lights[0] + 0.05)
        assert ratio >= (3 if level == 3 else 4.5), level


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance of ``#rrggbb``."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(c * weight for c, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def test_site_hazards_are_those_of_the_law() -> None:
    source = (STATIC / "js" / "sites.js").read_text(encoding="utf-8")
    listed = re.search(r"SITE_HAZARDS = \[(.*?)\]", source, re.DOTALL)
    assert listed
    assert re.findall(r'"(\w+)"', listed[1]) == SITE_HAZARDS_IN_LAW
