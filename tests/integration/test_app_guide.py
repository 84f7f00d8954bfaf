"""The app developers' guide: its commands run, in both languages it says the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cityos.api.errors import STATUS
from cityos.clock import SystemClock
from cityos.testing import builders as a
from tests.api_town import Town, api_town

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ("app-guide.md", "app-guide.ja.md")
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
BASE = "http://127.0.0.1:8080"


def read(guide: str) -> str:
    return (DOCS / guide).read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)


def commands() -> Iterator[list[str]]:
    for language, block in blocks(read(GUIDES[0])):
        if language == "sh":
            yield from (shlex.split(line) for line in block.splitlines())


@pytest.fixture(scope="module")
def town(module_database_url: str) -> Iterator[Town]:
    with api_town(module_database_url) as town:
        gauge = a.gauge("ishiwaki", tenant="yaizu")
        town.put(gauge)
        now = SystemClock().now()
        town.store(gauge.id, [(now - timedelta(hours=hour), 1.5) for hour in range(5)])
        yield town


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command_runs(town: Town, words: list[str]) -> None:
    assert words[0] == "curl"
    path = words[-1].removeprefix(BASE)
    headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
    if path == "/v1/live":
        with town.client.stream("GET", path, headers=headers) as response:
            assert response.status_code == 200
        return
    response = town.client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    if "Accept" in headers:
        assert response.headers["content-type"].startswith(headers["Accept"])


def test_both_languages_show_the_same() -> None:
    english, japanese = (read(guide) for guide in GUIDES)
    assert blocks(english) == blocks(japanese)
    numbers = [re.findall(r"^## (\d+)\.", text, re.MULTILINE) for text in (english, japanese)]
    assert numbers[0] == numbers[1]
    titles = re.findall(r"^## (.*)", japanese, re.MULTILINE)
    assert all(JAPANESE.search(title) for title in titles)


@pytest.mark.parametrize("guide", GUIDES)
def test_every_status_is_explained(guide: str) -> None:
    for status, kind, _ in STATUS.values():
        if kind != "rejected":  # a matter of the vendors' guide
            assert re.search(rf"^\| {status:d} \| `{kind}` \| \S.* \|$", read(guide), re.MULTILINE)
