"""The page's dictionary: both languages, complete, used, and of one mind with the domain."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cityos.domain.alert_level import HAZARD_NAMES, MEANINGS, AlertLevel
from cityos.web import pages

WEB = Path(pages.__file__).parent
JS = WEB / "static" / "js"
TEXTS = (JS / "texts.js", JS / "texts-officials.js")
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    """The files of texts are JSON but for their first line, comments and trailing commas."""
    found: dict[str, list[str]] = {}
    for path in TEXTS:
        source = path.read_text(encoding="utf-8")
        body = source[source.index("{", source.index("export const")) : source.rindex("}") + 1]
        part: dict[str, list[str]] = json.loads(re.sub(r",(\s*[\]}])", r"\1", body))
        assert not found.keys() & part.keys()
        found |= part
    return found


@pytest.fixture(scope="module")
def used() -> tuple[set[str], list[re.Pattern[str]]]:
    """Keys that the page asks for, and patterns of those that it puts together."""
    sources = [path.read_text(encoding="utf-8") for path in JS.glob("*.js") if path not in TEXTS]
    page = (WEB / "templates" / "first_page.html").read_text(encoding="utf-8")
    keys = set(re.findall(r'data-text="([^"]+)"', page))
    patterns = []
    for source in sources:
        keys |= set(re.findall(r'"([a-z_]+(?:\.[A-Za-z0-9_]+)+)"', source))
        for template in re.findall(r"`([^`]*)`", source):
            parts = re.split(r"\$\{[^}]*\}", template)
            if len(parts) > 1 and re.fullmatch(r"[a-z_]*\.[a-z_.]*", "".join(parts)):
                patterns.append(re.compile("[A-Za-z0-9_.]+".join(map(re.escape, parts))))
    return keys, patterns


def test_every_text_has_both_languages(texts: dict[str, list[str]]) -> None:
    assert len(texts) > 100
    for key, pair in texts.items():
        assert len(pair) == 2, key
        assert all(text.strip() for text in pair), key


def test_both_languages_fill_in_the_same_values(texts: dict[str, list[str]]) -> None:
    for key, (english, japanese) in texts.items():
        assert set(PLACEHOLDER.findall(english)) == set(PLACEHOLDER.findall(japanese)), key


def test_every_text_is_used(
    texts: dict[str, list[str]], used: tuple[set[str], list[re.Pattern[str]]]
) -> None:
    keys, patterns = used
    idle = {
        key
        for key in texts
        if key not in keys
        and not any(pattern.fullmatch(key) for pattern in patterns)
        and key not in ("close", "cancel", "separator")
    }
    assert idle == set()


def test_every_used_text_exists(texts: dict[str, list[str]]) -> None:
    for path in JS.glob("*.js"):
        source = path.read_text(encoding="utf-8")
        for key in re.findall(r'\bt\(\s*"([^"]+)"', source):
            assert key in texts, f"{path.name}: {key}"
    page = (WEB / "templates" / "first_page.html").read_text(encoding="utf-8")
    for key in re.findall(r'data-text="([^"]+)"', page):
        assert key in texts, key


def test_hazards_are_called_as_in_the_domain(texts: dict[str, list[str]]) -> None:
    for hazard, name in HAZARD_NAMES.items():
        assert texts[f"hazard.{hazard.code}"] == [name.en, name.ja]


def test_orders_are_called_as_in_the_domain(texts: dict[str, list[str]]) -> None:
    for level in AlertLevel:
        if level is AlertLevel.NONE:
            continue
        english, japanese = texts[f"level.{int(level)}"]
        name = MEANINGS[level].name
        assert name.en.lower().endswith(english.lower())
        assert name.ja.endswith(japanese)
