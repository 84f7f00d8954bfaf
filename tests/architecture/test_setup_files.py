"""What a machine installs is pinned, with digests, and names no server it was fetched from."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "deploy" / "setup"
WEB = ROOT / "deploy" / "web"
LOCKS = ("run.lock", "dev.lock", "node.lock")


def pinned(lock: str) -> dict[str, str]:
    text = (SETUP / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_a_digest(lock: str) -> None:
    text = (SETUP / lock).read_text(encoding="utf-8")
    packages = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9-]+==\S+ (; .*)?\\\n    --hash=sha256:[0-9a-f]{64}", package)


@pytest.mark.parametrize("lock", [*LOCKS, "../web/package-lock.json"])
def test_no_lock_names_a_server_to_fetch_from(lock: str) -> None:
    text = (SETUP / lock).read_text(encoding="utf-8")
    assert not re.search(r"--(extra-)?index-url|--find-links|\"resolved\"", text)
    assert "registry" not in text


def test_the_lock_for_running_is_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    locked = pinned("run.lock")
    for requirement in asked:
        name, _, version = re.sub(r"\[.*?\]", "", requirement).partition("==")
        assert locked[name.lower()] == version


def test_whoever_has_the_developers_packages_has_those_for_running() -> None:
    # the set-up relies on it: after `make test`, `make run` installs nothing
    run, dev = pinned("run.lock"), pinned("dev.lock")
    assert {name: dev.get(name) for name in run} == run


def test_what_builds_the_project_is_locked_for_a_build_without_isolation() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    locked = pinned("run.lock")
    assert [f"{name}=={locked[name]}" for name in ("hatchling", "editables")] == build["requires"]


def test_every_package_of_the_page_has_a_digest_and_only_wanted_files_are_kept() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    wanted = json.loads((WEB / "vendor.json").read_text(encoding="utf-8"))
    asked = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert set(wanted) == set(asked)
    for name, version in asked.items():
        assert packages[f"node_modules/{name}"]["version"] == version
        assert any("LICENSE" in file for file in wanted[name]), "licences come along"


def test_make_lists_its_targets() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for target in "setup run check test bench openapi adapter service lock clean".split():  # noqa: SIM905
        assert re.search(rf"^  make {target} +\S", listed, re.MULTILINE), target
