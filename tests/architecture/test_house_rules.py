"""House rules that no linter knows: size and names of modules, errors, decisions, words."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cityos import errors
from cityos.api.errors import STATUS
from cityos.errors import CityOSError

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path for folder in ("cityos", "adapters", "services") for path in (ROOT / folder).rglob("*.py")
)
LONGEST_LINES = 400
LONG_FOR_A_REASON = {
    # module: why it stays in one piece
    "cityos/ports.py": "all that the engine needs from outside, to be read in one place",
}
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "shared"}
UNMAPPED = {
    # errors that never reach a client of the API: what is wrong is ours, not the caller's
    "InvalidPlugin",
    "SetupFailed",
    "TooLarge",
}


# --- modules ------------------------------------------------------------------------------------


def test_no_module_is_long_without_a_reason() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    long = {module for module, lines in lengths.items() if lines > LONGEST_LINES}
    unexplained = {module: lengths[module] for module in long - LONG_FOR_A_REASON.keys()}
    assert not unexplained, f"split them, or say in LONG_FOR_A_REASON why not: {unexplained}"
    assert LONG_FOR_A_REASON.keys() <= long, "a reason for a module that is short again"


def test_a_module_is_named_for_what_it_holds() -> None:
    nameless = [name(path) for path in MODULES if NAMELESS & {*path.parts[-2:-1], path.stem}]
    assert not nameless


def test_a_module_says_what_it_is() -> None:
    silent = [
        name(path)
        for path in MODULES
        if (text := path.read_text(encoding="utf-8").strip())
        and not text.startswith(('"""', 'r"""'))
    ]
    assert not silent, "start it with a docstring of one sentence"


def test_the_layers_hold() -> None:
    """The layers of pyproject.toml are exhaustive: a new module has to be given its place."""
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert command is not None, "import-linter is not installed beside this Python"
    result = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stdout[-4000:]
    assert "0 broken" in result.stdout


# --- errors -------------------------------------------------------------------------------------


def public_errors() -> list[type[CityOSError]]:
    return [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, CityOSError)
    ]


@pytest.mark.parametrize("error", public_errors(), ids=lambda error: error.__name__)
def test_every_error_is_documented(error: type[CityOSError]) -> None:
    assert error.__doc__, "its docstring is its default message"
    tree = errors.__doc__ or ""
    assert re.search(rf"^ .*\b{error.__name__}\b", tree, re.MULTILINE), "not in the tree on top"
    indent = {line.split("─ ")[-1].split()[0]: line.index(line.strip()[0]) for line in drawn(tree)}
    parent = error.__mro__[1].__name__
    if error is not CityOSError:
        assert indent[parent] <= indent[error.__name__], "drawn under another parent"


def drawn(tree: str) -> list[str]:
    return [line for line in tree.splitlines() if "─ " in line or line.strip() == "CityOSError"]


@pytest.mark.parametrize("error", public_errors(), ids=lambda error: error.__name__)
def test_every_error_has_a_status_or_never_reaches_a_client(error: type[CityOSError]) -> None:
    mapped = any(ancestor in STATUS for ancestor in error.__mro__)
    assert mapped != (error.__name__ in UNMAPPED or error is CityOSError)


# --- decisions ----------------------------------------------------------------------------------


def test_decisions_are_numbered_without_a_gap() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert files, "docs/decisions is empty"
    for number, file in enumerate(files, 1):
        assert re.fullmatch(rf"{number:04}-[a-z0-9]+(-[a-z0-9]+)*\.md", file.name), file.name
        text = file.read_text(encoding="utf-8")
        assert text.startswith(f"# {number:04} "), f"{file.name}: its title starts with its number"
        for part in ("Context", "Decision", "What becomes harder"):
            assert f"**{part}.**" in text, f"{file.name} has no paragraph '{part}'"


# --- words --------------------------------------------------------------------------------------

FORBIDDEN = {
    # joined here, so that this file does not hold them
    "a path of somebody's machine": "|".join(
        re.escape(path) for path in ("/wo" + "rk/", "/ro" + "ot/", "/hom" + "e/", "/Use" + "rs/")
    ),
    "the host of a package registry": "|".join(
        re.escape(host)
        for host in (
            "py" + "pi.org",
            "pythonhost" + "ed.org",
            "registry.np" + "mjs.org",
            "np" + "mjs.com",
            "proxy.gol" + "ang.org",
            "crat" + "es.io",
        )
    ),
}
TEXT_SUFFIXES = {
    *(".py", ".md", ".toml", ".txt", ".json", ".yaml", ".yml", ".sql", ".sh", ".html", ".css"),
    *(".js", ".mjs", ".csv", ".lock", ".in", ".cfg", ".ini", ".xml", ".geojson", ".svg", ""),
}


def tracked() -> list[Path]:
    """Every text file that belongs to the project: what git knows, or would if it were asked."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git here: what belongs to the project is not known")
    listed = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    files = [ROOT / file for file in listed.split("\0") if file]
    return [file for file in files if file.suffix in TEXT_SUFFIXES and file.is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_text_names_what_is_nobodys_business(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.IGNORECASE)
    found = [
        f"{name(file)}:{number}: {line.strip()[:100]}"
        for file in tracked()
        for number, line in enumerate(
            file.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if pattern.search(line)
    ]
    assert not found, f"{what} in:\n" + "\n".join(found[:20])


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
