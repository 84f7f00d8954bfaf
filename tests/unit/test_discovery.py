"""Plugins are found without being run, built once, and refused with advice when they are wrong."""

import importlib
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cityos.errors import InvalidPlugin
from cityos.plugins import discovery
from cityos.plugins.discovery import discover, find
from cityos.testing import builders as b
from tests.made_plugins import write_plugin

OBSERVES = {"decoder": 'observes = ["open"]', "service": 'consumes = ["open"]'}

DECODER = """\
from dataclasses import dataclass
from cityos.domain.observation import Observation

@dataclass(frozen=True)
class Plugin:
    scale: float = 1.0
    names: tuple[str, ...] = ()

    def decode(self, payload, receipt):
        return [Observation("water_level", len(payload) * self.scale)]
"""

Make = Callable[..., Path]
_numbers = itertools.count()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Writes a plugin and returns its folder; names differ, for modules stay imported."""
    known = set(sys.modules)

    def make(
        code: str = DECODER, *, kind: str = "decoder", name: str = "", root: str = "x"
    ) -> Path:
        name = name or f"made_{next(_numbers)}"
        folder = tmp_path / root / name
        write_plugin(folder, code, kind=kind, keys=OBSERVES[kind])
        return folder

    yield make
    for name in set(sys.modules) - known:
        if name.startswith(("adapters.made_", "services.made_")):
            del sys.modules[name]
    for package in ("adapters", "services"):
        if package in sys.modules:
            path = importlib.import_module(package).__path__
            path[:] = [place for place in path if not place.startswith(str(tmp_path))]


def refused(folder: Path, **settings: object) -> str:
    with pytest.raises(InvalidPlugin) as caught:
        find(folder).load(settings)
    return str(caught.value)


def test_a_plugin_in_any_folder_is_found_and_built_with_its_settings(make: Make) -> None:
    folder = make()
    plugins = discover(
        [folder.parent], settings={folder.name: {"scale": "2", "names": ["a"]}}, entry_points=False
    )
    manifest, plugin = plugins.decoders[folder.name]
    assert manifest.id == folder.name
    assert next(iter(plugin.decode(b"abc", b.receipt()))).value == 6.0
    assert plugin.names == ("a",)  # type: ignore[attr-defined]


def test_finding_runs_no_code(make: Make) -> None:
    folder = make("raise RuntimeError('I ran')\n")
    plugins = discover([folder.parent], entry_points=False)
    assert folder.name in plugins.decoders
    assert list(plugins.decoders) == [folder.name]
    assert len(plugins.services) == 0
    with pytest.raises(InvalidPlugin, match=r"importing .* failed: RuntimeError: I ran"):
        plugins.decoders[folder.name]


def test_a_plugin_is_built_once_by_many_threads(make: Make) -> None:
    folder = make(
        DECODER + "\n    def __post_init__(self):\n        import time; time.sleep(0.02)\n"
    )
    decoders = discover([folder.parent], entry_points=False).decoders
    built: list[object] = []
    threads = [
        threading.Thread(target=lambda: built.append(decoders[folder.name][1])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 8
    assert len({id(plugin) for plugin in built}) == 1


def test_an_unknown_id_is_a_key_error(make: Make) -> None:
    plugins = discover([make().parent], entry_points=False)
    with pytest.raises(KeyError):
        plugins.decoders["nobody"]
    assert "nobody" not in plugins.decoders


def test_two_plugins_of_one_id_are_refused(make: Make) -> None:
    first, second = make(name="made_twin", root="a"), make(name="made_twin", root="b")
    with pytest.raises(InvalidPlugin, match=r"made_twin: found in .* and in .*; an id belongs to"):
        discover([first.parent, second.parent], entry_points=False)


def test_the_same_root_twice_is_one_root(make: Make) -> None:
    root = make().parent
    assert len(discover([root, root / ".." / root.name], entry_points=False).found) == 1


def test_an_id_that_is_imported_from_elsewhere_is_refused(make: Make) -> None:
    first, second = make(name="made_twice", root="a"), make(name="made_twice", root="b")
    find(first).load()
    assert "was imported from" in refused(second)


def test_settings_of_nobody_are_refused(make: Make) -> None:
    root = make(name="made_known").parent
    with pytest.raises(
        InvalidPlugin, match="settings for nobody: no such plugin; there are made_"
    ):
        discover([root], settings={"nobody": {}}, entry_points=False)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlugin, match="is no folder"):
        discover([tmp_path / "none"], entry_points=False)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("class Plugin", "class Other"), "has no class Plugin; define it, or correct entry"),
        (("def decode", "def decipher"), "has no method decode(payload, receipt)"),
        (("def decode", "async def decode"), "decode is async; plugins do no I/O"),
        (("self, payload, receipt", "self, payload"), "must take (payload, receipt)"),
        (("self, payload, receipt", "self, payload, receipt, db"), "must take (payload, receipt)"),
        (("frozen=True", "frozen=False"), "must be @dataclass(frozen=True)"),
        (("scale: float = 1.0", "scale: float"), "give scale a default"),
        (("from dataclasses", "from dataclasse"), "importing"),
    ],
)
def test_a_class_that_breaks_the_contract_is_refused_with_advice(
    make: Make, change: tuple[str, str], says: str
) -> None:
    assert says in refused(make(DECODER.replace(*change)))


def test_a_class_that_cannot_be_built_is_refused(make: Make) -> None:
    code = DECODER + "\n    def __post_init__(self):\n        raise ValueError('no')\n"
    assert "Plugin cannot be built: ValueError: no" in refused(make(code))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"scael": 1}, "no setting scael; it has names, scale"),
        ({"scale": "much"}, "setting scale: Input should be a valid number"),
        ({"names": "a"}, "setting names: Input should be a valid tuple"),
    ],
)
def test_wrong_settings_are_refused(make: Make, settings: dict[str, object], says: str) -> None:
    assert says in refused(make(), **settings)


def test_a_plugin_without_fields_has_no_settings(make: Make) -> None:
    folder = make(
        "class Plugin:\n    def react(self, event, city):\n        return []\n", kind="service"
    )
    assert type(find(folder).load()).__name__ == "Plugin"
    assert "no setting x; it has none" in refused(folder, x=1)


def test_an_installed_plugin_is_found_by_its_entry_point(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(name="made_installed", root="site/acme_plugins")
    (folder.parent / "__init__.py").write_text("raise RuntimeError('imported too early')\n")
    site = folder.parent.parent
    metadata = site / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        f"[{discovery.ENTRY_POINT_GROUP}]\nmade_installed = acme_plugins.made_installed\n"
    )
    monkeypatch.syspath_prepend(site)
    plugins = discover([])
    assert plugins.found["made_installed"].folder == folder
    (folder.parent / "__init__.py").write_text("")
    manifest, plugin = plugins.decoders["made_installed"]
    assert manifest.id == "made_installed"
    assert type(plugin).__module__ == "acme_plugins.made_installed.plugin"


def test_an_entry_point_to_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "ghost-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ghost\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[cityos.plugins]\nghost = ghost_package.ghost\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidPlugin, match=r"entry point ghost = 'ghost_package\.ghost'"):
        discover([])


def test_the_projects_own_plugins_are_found_by_default() -> None:
    plugins = discover(entry_points=False)
    assert {"cityos_json", "senml"} <= set(plugins.decoders)
