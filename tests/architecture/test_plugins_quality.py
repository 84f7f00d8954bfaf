"""A plugin's folder holds what its tier asks for (bronze, silver, gold)."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from cityos.domain.observed_property import PROPERTIES
from cityos.plugins.discovery import FoundPlugin, discover, find
from cityos.plugins.manifest import EVERY_PROPERTY, Kind, Manifest, Tier
from cityos.testing import case_files
from cityos.testing.case_files import Origin, Provenance
from cityos.testing.cases import cases_of
from tests.made_plugins import write_plugin

ROOT = Path(__file__).parents[2]
PLUGINS = list(discover([ROOT / "adapters", ROOT / "services"], entry_points=False).found.values())
NOBODY = ("nobody", "unknown", "tbd", "who answers")
SHORTEST_LIVE_DAYS = 28

every_plugin = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda found: found.manifest.id)


def readme(plugin: FoundPlugin) -> str:
    return (plugin.folder / "README.md").read_text(encoding="utf-8")


def provenances(plugin: FoundPlugin) -> list[Provenance]:
    found = [case_files.provenance(case.folder) for case in cases_of(plugin)]
    return [said for said in found if said is not None]


def section(text: str, title: str) -> str:
    """Return what stands under the heading ``## title``, up to the next one."""
    _, _, rest = text.partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0].strip()


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|") and "---" not in line]


# --- bronze: every plugin -----------------------------------------------------------------------


@every_plugin
def test_the_folder_has_what_every_plugin_has(plugin: FoundPlugin) -> None:
    for name in ("README.md", "__init__.py", f"{plugin.manifest.module}.py"):
        assert (plugin.folder / name).is_file(), f"{name} is missing"
    assert plugin.folder.parent.name == (
        "services" if plugin.manifest.kind is Kind.SERVICE else "adapters"
    )
    plugin.load()


@every_plugin
def test_every_folder_with_code_has_a_manifest(plugin: FoundPlugin) -> None:
    known = {found.folder for found in PLUGINS}
    beside = {path.parent for path in plugin.folder.parent.glob("*/*.py")}
    assert beside <= known


@every_plugin
def test_the_specification_is_named_with_its_version(plugin: FoundPlugin) -> None:
    manifest = plugin.manifest
    assert "example.org" not in manifest.specification.url
    assert manifest.specification.version.strip()
    assert re.search(r"[ぁ-んァ-ヶ一-龠]", manifest.title.ja), "the Japanese title is not Japanese"


@every_plugin
def test_the_readme_lists_every_property_with_its_unit(plugin: FoundPlugin) -> None:
    text = readme(plugin)
    assert text.startswith("# ")
    table = rows(text)
    header = r"\| *property *\| *unit *\| *(field|what it is used for)"
    if listed(plugin.manifest) != [EVERY_PROPERTY]:
        assert not listed(plugin.manifest) or re.search(header, text), "no table of properties"
    for name in listed(plugin.manifest):
        if name == EVERY_PROPERTY:
            assert "GET /v1/observed-properties" in text
            continue
        unit = PROPERTIES[name].unit
        fitting = [
            row for row in table if f"`{name}`" in row and cell(row, 2) in (unit, f"`{unit}`")
        ]
        assert fitting, f"no row for `{name}` with its unit {unit}"


@every_plugin
def test_a_case_comes_from_the_specification_or_the_field(plugin: FoundPlugin) -> None:
    origins = {said.origin for said in provenances(plugin)}
    assert origins & {Origin.SPECIFICATION, Origin.RECORDED}, (
        "no case.toml says origin = specification or recorded"
    )


@every_plugin
def test_a_case_shows_what_is_refused_or_left_alone(plugin: FoundPlugin) -> None:
    """An adapter has a malformed input; a service an event that it does not answer."""
    folders = [case.folder for case in cases_of(plugin)]
    if plugin.manifest.kind is Kind.SERVICE:
        texts = [(folder / case_files.EXPECTED).read_text(encoding="utf-8") for folder in folders]
        assert any("[]" in text for text in texts)
        assert any('"evidence"' in text for text in texts)
    else:
        assert any((folder / case_files.EXPECTED_ERROR).exists() for folder in folders)


# --- silver and gold ----------------------------------------------------------------------------


def has_a_recording(plugin: FoundPlugin) -> None:
    days = [said.recorded for said in provenances(plugin) if said.origin is Origin.RECORDED]
    assert days, "no case.toml says origin = recorded"
    assert all(isinstance(day, date) for day in days)


def has_extreme_cases(plugin: FoundPlugin) -> None:
    names = " ".join(case.folder.name for case in cases_of(plugin))
    for wanted in ("zero", "missing", "extreme|record|all_five|largest|oldest"):
        assert re.search(wanted, names), f"no case is named for {wanted}"


def has_an_owner(plugin: FoundPlugin) -> None:
    owner = plugin.manifest.owner.lower()
    assert not any(word in owner for word in NOBODY), "the owner is nobody"


def says_what_it_leaves_out_and_what_it_cannot(plugin: FoundPlugin) -> None:
    text = readme(plugin)
    assert rows(section(text, "Left out"))[1:], "a table 'Left out' with a reason for each"
    assert section(text, "Known limitations"), "a section 'Known limitations'"


def has_run_for_a_month(plugin: FoundPlugin) -> None:
    days = re.findall(r"\d{4}-\d{2}-\d{2}", section(readme(plugin), "Live data"))
    assert len(days) >= 2, "a section 'Live data' with the first and the last day"
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[1])
    assert (last - first).days >= SHORTEST_LIVE_DAYS, "less than a month of live data"


OF_SILVER = (has_a_recording, has_extreme_cases, has_an_owner)
OF_GOLD = (*OF_SILVER, says_what_it_leaves_out_and_what_it_cannot, has_run_for_a_month)
ASKED = {Tier.BRONZE: (), Tier.SILVER: OF_SILVER, Tier.GOLD: OF_GOLD}


def earns_its_tier(plugin: FoundPlugin) -> None:
    for check in ASKED[plugin.manifest.quality]:
        check(plugin)


@every_plugin
def test_a_plugin_earns_its_tier(plugin: FoundPlugin) -> None:
    earns_its_tier(plugin)


CASE = 'origin = "recorded"\nsource = "a gauge of ours"\nrecorded = 2026-11-22\n'
GOLD = {
    "cases/zero/case.toml": CASE,
    "cases/missing_value/case.toml": CASE,
    "cases/largest/case.toml": CASE,
    "README.md": """# Made

## Left out

| clause | reason |
|---|---|
| 4.2 | nobody sends it |

## Known limitations

None of its values is exact.

## Live data

From 2026-11-01 to 2026-11-29.
""",
}


def made(folder: Path, tier: Tier, *, but: tuple[str, str] = ("", "")) -> FoundPlugin:
    """A plugin of this tier that has all that gold asks for, ``but`` for a text replaced."""
    write_plugin(folder, "", kind="decoder", keys='observes = ["water_level"]')
    manifest = (folder / "adapter.toml").read_text(encoding="utf-8")
    for name, text in {**GOLD, "adapter.toml": manifest.replace("bronze", tier)}.items():
        file = folder / name.replace(*but)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(*but), encoding="utf-8")
    return find(folder)


UNEARNED = [
    (Tier.SILVER, ('"recorded"', '"made"'), "no case.toml says origin = recorded"),
    (Tier.SILVER, ("zero", "nought"), "no case is named for zero"),
    (Tier.SILVER, ("missing", "absent"), "no case is named for missing"),
    (Tier.SILVER, ("largest", "large"), "no case is named for extreme"),
    (Tier.SILVER, ('owner = "test"', 'owner = "Nobody yet"'), "the owner is nobody"),
    (Tier.GOLD, ("| 4.2 |", "4.2 -"), "a table 'Left out' with a reason for each"),
    (Tier.GOLD, ("## Left out", "## Parts"), "a table 'Left out' with a reason for each"),
    (Tier.GOLD, ("None of its values is exact.", ""), "a section 'Known limitations'"),
    (Tier.GOLD, ("to 2026-11-29", "on"), "the first and the last day"),
    (Tier.GOLD, ("11-29", "11-28"), "less than a month of live data"),
]


@pytest.mark.parametrize("tier", Tier)
def test_what_has_all_that_gold_asks_for_earns_any_tier(tmp_path: Path, tier: Tier) -> None:
    earns_its_tier(made(tmp_path / "made", tier))


@pytest.mark.parametrize(("tier", "but", "said"), UNEARNED)
def test_a_tier_that_is_not_earned_is_found_out(
    tmp_path: Path, tier: Tier, but: tuple[str, str], said: str
) -> None:
    plugin = made(tmp_path / "made", tier, but=but)
    with pytest.raises(AssertionError, match=said):
        earns_its_tier(plugin)


@pytest.mark.parametrize("but", [but for tier, but, _ in UNEARNED if tier is Tier.GOLD])
def test_silver_is_not_asked_for_what_gold_is(tmp_path: Path, but: tuple[str, str]) -> None:
    earns_its_tier(made(tmp_path / "made", Tier.SILVER, but=but))


def listed(manifest: Manifest) -> list[str]:
    return [*manifest.observes, *manifest.consumes]


def cell(row: str, number: int) -> str:
    cells = row.split("|")
    return cells[number].strip() if len(cells) > number else ""
