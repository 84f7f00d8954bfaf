"""Finds plugins by their manifests, and builds them when they are first asked for.

A folder is enough: ``adapters/<id>/adapter.toml`` or ``services/<id>/service.toml`` under a root,
or an installed distribution with an entry point of the group ``cityos.plugins`` whose value is
the import path of such a folder. Finding runs no code of a plugin; loading imports its module,
holds its class against ``cityos.plugins.contract`` and builds it with its settings.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import inspect
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Generic, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from cityos.errors import InvalidPlugin
from cityos.plugins import manifest as manifests
from cityos.plugins.contract import Decoder, Feed, Service
from cityos.plugins.manifest import ADAPTER_FILE, SERVICE_FILE, Kind, Manifest

ENTRY_POINT_GROUP: Final = "cityos.plugins"

_METHODS: Final = {
    # kind: the method of the contract, and what it is called with
    Kind.DECODER: ("decode", ("payload", "receipt")),
    Kind.FEED: ("read", ("document", "receipt")),
    Kind.SERVICE: ("react", ("event", "city")),
}
_PACKAGES: Final = {Kind.DECODER: "adapters", Kind.FEED: "adapters", Kind.SERVICE: "services"}
_NO_SETTINGS: Final[Mapping[str, Any]] = {}

P = TypeVar("P", Decoder, Feed, Service)


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin that was found and not run. ``package`` is the import path of its folder."""

    manifest: Manifest
    folder: Path
    package: str

    def load(self, settings: Mapping[str, Any] = _NO_SETTINGS) -> Decoder | Feed | Service:
        """Import the plugin's class, check it and build it.

        Raises:
            InvalidPlugin: the module does not import, the class breaks the contract, or a
                setting is unknown or of a wrong type. The message says what to change.
        """
        cls = self._class()
        _check_class(cls, self.manifest)
        return cast("Decoder | Feed | Service", _build(cls, settings, self.manifest))

    def _class(self) -> type:
        module = self._module()
        cls = getattr(module, self.manifest.class_name, None)
        if not isinstance(cls, type):
            message = (
                f"{self.manifest.id}: {module.__name__} has no class {self.manifest.class_name}; "
                f"define it, or correct entry = {self.manifest.entry!r} in the manifest"
            )
            raise InvalidPlugin(message)
        return cls

    def _module(self) -> ModuleType:
        name = f"{self.package}.{self.manifest.module}"
        top = self.package.partition(".")[0]
        try:
            if self.package == f"{_PACKAGES[self.manifest.kind]}.{self.folder.name}":
                _let_package_reach(top, self.folder.parent)
            module = importlib.import_module(name)
        except Exception as error:  # a stranger's module may raise anything
            message = (
                f"{self.manifest.id}: importing {name} failed: {type(error).__name__}: {error}"
            )
            raise InvalidPlugin(message) from error
        file = Path(module.__file__ or "").resolve()
        if self.folder.resolve() not in file.parents:
            message = (
                f"{self.manifest.id}: {name} was imported from {file}, not from {self.folder}; "
                "two plugins have the same id, or a process loads both"
            )
            raise InvalidPlugin(message)
        return module


class LoadedPlugins(Mapping[str, tuple[Manifest, P]], Generic[P]):
    """Plugins of one kind by id. Each is built once, when it is first asked for."""

    def __init__(
        self, found: Mapping[str, FoundPlugin], settings: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._found = found
        self._settings = settings
        self._loaded: dict[str, tuple[Manifest, P]] = {}
        self._lock = threading.Lock()

    def __getitem__(self, plugin_id: str) -> tuple[Manifest, P]:
        """Return the manifest and the plugin.

        Raises:
            KeyError: there is no such plugin of this kind.
            InvalidPlugin: see ``FoundPlugin.load``.
        """
        loaded = self._loaded.get(plugin_id)
        if loaded is not None:
            return loaded
        found = self._found[plugin_id]
        with self._lock:
            if plugin_id not in self._loaded:
                plugin = cast("P", found.load(self._settings.get(plugin_id, _NO_SETTINGS)))
                self._loaded[plugin_id] = (found.manifest, plugin)
            return self._loaded[plugin_id]

    def __contains__(self, plugin_id: object) -> bool:
        return plugin_id in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@dataclass(frozen=True, slots=True)
class Plugins:
    """All plugins that were found, by id. Nothing of them has run until one is asked for."""

    found: Mapping[str, FoundPlugin]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    decoders: LoadedPlugins[Decoder] = field(init=False)
    feeds: LoadedPlugins[Feed] = field(init=False)
    services: LoadedPlugins[Service] = field(init=False)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.settings) - set(self.found))
        if unknown:
            message = (
                f"settings for {', '.join(unknown)}: no such plugin; "
                f"there are {', '.join(self.found) or 'none'}"
            )
            raise InvalidPlugin(message)
        for name, kind in (
            ("decoders", Kind.DECODER),
            ("feeds", Kind.FEED),
            ("services", Kind.SERVICE),
        ):
            of_kind = {
                plugin_id: plugin
                for plugin_id, plugin in self.found.items()
                if plugin.manifest.kind is kind
            }
            object.__setattr__(self, name, LoadedPlugins(of_kind, self.settings))


def discover(
    roots: Sequence[Path] | None = None,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    entry_points: bool = True,
) -> Plugins:
    """Return the plugins under ``roots`` and those of installed distributions, ordered by id.

    ``roots`` None stands for the folders of the packages ``adapters`` and ``services``.
    ``settings`` maps a plugin's id to the values of its fields.

    Raises:
        InvalidPlugin: a manifest is wrong, two plugins share an id, or settings are given for a
            plugin that does not exist.
    """
    found = [plugin for root in _roots(roots) for plugin in _under(root)]
    if entry_points:
        found += _installed()
    by_id: dict[str, FoundPlugin] = {}
    for plugin in sorted(found, key=lambda plugin: plugin.manifest.id):
        other = by_id.setdefault(plugin.manifest.id, plugin)
        if other is not plugin:
            message = (
                f"{plugin.manifest.id}: found in {other.folder} and in {plugin.folder}; "
                "an id belongs to one plugin, rename one of the folders"
            )
            raise InvalidPlugin(message)
    return Plugins(by_id, settings or {})


def find(folder: Path) -> FoundPlugin:
    """Return the plugin in one folder, wherever it is. No code of it is run.

    Raises:
        InvalidPlugin: the manifest is missing or wrong.
    """
    manifest = manifests.read(folder)
    return FoundPlugin(manifest, folder, f"{_PACKAGES[manifest.kind]}.{folder.name}")


def default_roots() -> list[Path]:
    """The folders of the packages ``adapters`` and ``services``, where they are installed."""
    roots = []
    for package in ("adapters", "services"):
        spec = importlib.util.find_spec(package)
        if spec is not None:
            roots += [Path(place) for place in spec.submodule_search_locations or ()]
    return roots


def _roots(roots: Sequence[Path] | None) -> list[Path]:
    wanted = default_roots() if roots is None else list(roots)
    return list(dict.fromkeys(root.resolve() for root in wanted))


def _under(root: Path) -> list[FoundPlugin]:
    if not root.is_dir():
        message = f"{root}: is no folder, so no plugins can be found in it"
        raise InvalidPlugin(message)
    folders = {
        file.parent for name in (ADAPTER_FILE, SERVICE_FILE) for file in root.glob(f"*/{name}")
    }
    return [find(folder) for folder in sorted(folders)]


def _installed() -> list[FoundPlugin]:
    points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return [_of_entry_point(point) for point in points]


def _of_entry_point(point: importlib.metadata.EntryPoint) -> FoundPlugin:
    """``find_spec`` of a top-level name does not run it, so the manifest is read first."""
    top, *rest = point.module.split(".")
    spec = importlib.util.find_spec(top)
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    for place in places:
        folder = Path(place, *rest)
        if folder.is_dir():
            return FoundPlugin(manifests.read(folder), folder, point.module)
    message = (
        f"entry point {point.name} = {point.value!r} of the group {ENTRY_POINT_GROUP}: there is "
        "no such folder; its value has to be the import path of the folder with the manifest"
    )
    raise InvalidPlugin(message)


def _let_package_reach(package: str, root: Path) -> None:
    """Make ``package`` look into ``root`` too, so that a vendor's folder needs no installing."""
    path = importlib.import_module(package).__path__
    if str(root) not in path and root.resolve() not in (Path(place).resolve() for place in path):
        path.append(str(root))
    importlib.invalidate_caches()


def _check_class(cls: type, manifest: Manifest) -> None:
    name, parameters = _METHODS[manifest.kind]
    where = f"{manifest.id}: {cls.__name__}"
    method = inspect.getattr_static(cls, name, None)
    if not inspect.isfunction(method):
        message = (
            f"{where} has no method {name}({', '.join(parameters)}); the contract asks for it"
        )
        raise InvalidPlugin(message)
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        message = f"{where}.{name} is async; plugins do no I/O, write a plain method"
        raise InvalidPlugin(message)
    try:
        inspect.signature(method).bind("self", *parameters)
    except TypeError as error:
        message = f"{where}.{name} must take ({', '.join(parameters)}): {error}"
        raise InvalidPlugin(message) from error
    if dataclasses.is_dataclass(cls):
        _check_fields(cls, where)


def _check_fields(cls: type, where: str) -> None:
    parameters: Any = getattr(cls, "__dataclass_params__", None)
    if not parameters.frozen:
        message = f"{where} must be @dataclass(frozen=True): a plugin has no memory between calls"
        raise InvalidPlugin(message)
    needed = [
        item.name
        for item in dataclasses.fields(cls)
        if item.init
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if needed:
        message = f"{where}: give {', '.join(needed)} a default; a plugin has to run as it comes"
        raise InvalidPlugin(message)


def _build(cls: type, settings: Mapping[str, Any], manifest: Manifest) -> object:
    known = (
        {item.name for item in dataclasses.fields(cls) if item.init}
        if dataclasses.is_dataclass(cls)
        else set()
    )
    unknown = sorted(set(settings) - known)
    if unknown:
        message = (
            f"{manifest.id}: no setting {', '.join(unknown)}; "
            f"it has {', '.join(sorted(known)) or 'none'}"
        )
        raise InvalidPlugin(message)
    try:
        hints = get_type_hints(cls)
        values = {
            name: _setting(manifest.id, name, value, hints[name])
            for name, value in settings.items()
        }
        return cls(**values)
    except InvalidPlugin:
        raise
    except Exception as error:  # a stranger's constructor may raise anything
        message = f"{manifest.id}: {cls.__name__} cannot be built: {type(error).__name__}: {error}"
        raise InvalidPlugin(message) from error


def _setting(plugin_id: str, name: str, value: object, hint: Any) -> object:  # noqa: ANN401
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        problems = "; ".join(item["msg"] for item in error.errors())
        message = f"{plugin_id}: setting {name}: {problems}"
        raise InvalidPlugin(message) from error
