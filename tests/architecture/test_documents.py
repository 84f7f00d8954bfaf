"""Documents that must not lag behind the code, nor one language behind the other."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cityos.cli import app
from cityos.domain import topic
from cityos.domain.rejection import Reason
from cityos.ingest.pipeline import LARGEST_PAYLOAD_BYTES
from cityos.plugins.discovery import discover
from cityos.settings import PREFIX, Settings
from cityos.testing import builders as b

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = ("vendor-guide.md", "vendor-guide.ja.md")
OPERATOR_GUIDES = ("operator-guide.md", "operator-guide.ja.md")
IN_TWO_LANGUAGES = ("app-guide", "operator-guide", "timescaledb", "vendor-guide")
SETTINGS = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")

in_both_languages = pytest.mark.parametrize("guide", GUIDES)


def read(guide: str) -> str:
    return (DOCS / guide).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def headings(text: str) -> list[tuple[int, str]]:
    """Level and title of each, in their order; a comment in a command is none."""
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^(#+) (.+)$", prose, re.MULTILINE)
    return [(len(marks), title) for marks, title in found]


def domain_classes() -> list[str]:
    return sorted(
        node.name
        for path in (ROOT / "cityos" / "domain").glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )


# --- glossary -----------------------------------------------------------------------------------


@pytest.mark.parametrize("word", domain_classes())
def test_every_class_of_the_domain_is_in_the_glossary(word: str) -> None:
    assert re.search(rf"^\| `{word}` \|", read("glossary.md"), re.MULTILINE)


def test_every_word_of_the_glossary_is_given_in_japanese() -> None:
    words, _, _ = read("glossary.md").partition("## Where standards differ")
    rows = [line.split("|") for line in words.splitlines() if line.startswith("| ")]
    terms = [row for row in rows if row[1].strip() not in ("word", "---")]
    assert len(terms) > 60
    assert [row[1] for row in terms if not JAPANESE.search(row[2])] == []


# --- two languages ------------------------------------------------------------------------------


def test_every_japanese_document_is_compared_with_its_english_one() -> None:
    assert sorted(DOCS.glob("*.ja.md")) == [DOCS / f"{name}.ja.md" for name in IN_TWO_LANGUAGES]


@pytest.mark.parametrize("name", IN_TWO_LANGUAGES)
def test_both_languages_have_the_same_sections_and_tables(name: str) -> None:
    english, japanese = (read(f"{name}{language}.md") for language in ("", ".ja"))
    levels = [[level for level, _ in headings(text)] for text in (english, japanese)]
    assert levels[0] == levels[1]
    assert len(levels[0]) > 4
    assert english.count("\n|") == japanese.count("\n|")
    titles = [title for level, title in headings(japanese) if level > 1]
    assert [title for title in titles if not JAPANESE.search(title)] == []


@pytest.mark.parametrize("name", IN_TWO_LANGUAGES)
def test_links_lead_somewhere_and_to_the_other_language(name: str) -> None:
    for language, other in (("", ".ja"), (".ja", "")):
        links = re.findall(r"\]\(([^)#]+)\)", read(f"{name}{language}.md"))
        local = [link for link in links if "://" not in link]
        assert f"{name}{other}.md" in local
        assert [link for link in local if not (DOCS / link).exists()] == []


# --- the operators' guide -----------------------------------------------------------------------


@pytest.mark.parametrize("guide", OPERATOR_GUIDES)
def test_every_setting_is_explained(guide: str) -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|.*\| \S.* \|$", read(guide), re.MULTILINE)
    assert SETTINGS - set(rows) == set()


@pytest.mark.parametrize("guide", OPERATOR_GUIDES)
def test_no_setting_is_named_that_does_not_exist(guide: str) -> None:
    assert set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", read(guide))) <= SETTINGS


@pytest.mark.parametrize("guide", OPERATOR_GUIDES)
def test_every_command_that_is_shown_exists(guide: str) -> None:
    shown = re.findall(r"(?<![.\w])cityos ([a-z][a-z -]*)", "\n".join(blocks(read(guide), "sh")))
    assert len(shown) > 20
    for words in shown:
        command: Any = get_command(app)
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, words
            command = command.commands[word]
        assert not hasattr(command, "commands"), words


# --- the vendors' guide -------------------------------------------------------------------------


def test_both_languages_show_the_same_code_and_sections() -> None:
    english, japanese = (read(guide) for guide in GUIDES)
    for language in ("json", "sh"):
        assert blocks(english, language) == blocks(japanese, language)
        assert len(blocks(english, language)) > 1
    numbers = [re.findall(r"^## (\d+)\.", text, re.MULTILINE) for text in (english, japanese)]
    assert numbers[0] == numbers[1]
    titles = re.findall(r"^## (.*)", japanese, re.MULTILINE)
    assert all(JAPANESE.search(title) for title in titles)


@in_both_languages
@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(guide: str, reason: Reason) -> None:
    assert re.search(rf"^\| `{reason.value}` \| \S.* \| \S.* \|$", read(guide), re.MULTILINE)


@in_both_languages
def test_payloads_are_read_by_the_default_adapter(guide: str) -> None:
    _, decoder = discover([ROOT / "adapters"], entry_points=False).decoders["cityos_json"]
    payloads = [json.loads(block) for block in blocks(read(guide), "json")]
    payloads += [json.loads(text) for text in re.findall(r"-m '(.*)'", read(guide))]
    readings = [payload for payload in payloads if not is_refusal(payload)]
    assert len(readings) >= 6
    for payload in readings:
        observations = list(decoder.decode(json.dumps(payload).encode(), b.receipt()))
        assert len(observations) == (len(payload) if isinstance(payload, list) else 1)


@in_both_languages
def test_topics_are_those_of_the_code(guide: str) -> None:
    text = read(guide)
    names = ("{tenant}", "{vendor}", "{device}")
    assert f"`{topic.observations(*names)}`" in text
    assert f"`{topic.observations(*names, run='{run}')}`" in text
    assert f"`{topic.errors(*names)}`" in text
    for published in re.findall(r"-t (cityos/\S+)", text):
        assert topic.read(published).device


@in_both_languages
def test_limits_are_those_of_the_code(guide: str) -> None:
    assert f"{LARGEST_PAYLOAD_BYTES // 1024} KiB" in read(guide)


def is_refusal(payload: Any) -> bool:
    return isinstance(payload, dict) and "reason" in payload
