"""``adapter.toml`` and ``service.toml``: what a plugin says of itself, read without running it."""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cityos.domain.observed_property import PROPERTIES
from cityos.errors import InvalidPlugin

ADAPTER_FILE: Final = "adapter.toml"
SERVICE_FILE: Final = "service.toml"
EVERY_PROPERTY: Final = "*"
"""Alone in ``observes``: any property of the closed list. A service names what it wants."""

_MAX_BYTES: Final = 64 * 1024
_Text = Annotated[str, Field(min_length=1, max_length=500)]
_Url = Annotated[str, Field(pattern=r"^https?://\S+$")]
_Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Kind(StrEnum):
    """What a plugin is; it decides the method that its class must have."""

    DECODER = "decoder"
    FEED = "feed"
    SERVICE = "service"


class Tier(StrEnum):
    """How well proven a plugin is; ``tests/architecture`` holds it to what its tier asks."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Title(_Strict):
    """What people call the plugin, in the languages of the city."""

    en: _Text
    ja: _Text


class Specification(_Strict):
    """The document that the plugin follows, and which version of it."""

    title: _Text
    version: _Text
    url: Annotated[str, Field(pattern=r"^(https?|urn):\S+$", max_length=500)]


class Manifest(_Strict):
    """One plugin. Unknown keys are refused, so that a misspelt key is not a setting lost.

    ``entry`` is ``module:Class`` within the plugin's folder. ``observes`` names the properties
    that an adapter yields, ``consumes`` those that a service wants to hear of; ``alerts`` says
    that a feed yields other authorities' alerts, or that a service hears of them. ``every_s`` is
    the polling interval of a feed in seconds, ``urls`` where it starts, ``catch_up_urls`` what
    goes further back and is read at the start and after an outage, ``data_licence`` how the
    source lets its data be used.
    """

    id: _Identifier
    kind: Kind
    entry: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*:[A-Za-z_][A-Za-z0-9_]*$")]
    title: Title
    specification: Specification
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    quality: Tier
    owner: _Text
    licence: _Text
    observes: tuple[str, ...] = ()
    consumes: tuple[str, ...] = ()
    alerts: bool = False
    urls: tuple[_Url, ...] = ()
    catch_up_urls: tuple[_Url, ...] = ()
    every_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    data_licence: str = ""

    @property
    def module(self) -> str:
        return self.entry.partition(":")[0]

    @property
    def class_name(self) -> str:
        return self.entry.partition(":")[2]

    @property
    def versioned_id(self) -> str:
        """``id@version``, as it is stored with every raw message that the plugin read."""
        return f"{self.id}@{self.version}"

    def names(self, observed_property: str) -> bool:
        """Return whether the manifest lists the property as observed or consumed."""
        listed = self.observes or self.consumes
        return observed_property in listed or listed == (EVERY_PROPERTY,)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        problems = [*_unknown_properties(self), *_misplaced_keys(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _unknown_properties(manifest: Manifest) -> list[str]:
    problems = []
    for key, names in (("observes", manifest.observes), ("consumes", manifest.consumes)):
        if key == "observes" and names == (EVERY_PROPERTY,):
            continue
        unknown = [name for name in names if name not in PROPERTIES]
        if unknown:
            problems.append(
                f"{key}: {', '.join(unknown)} not in the list of observed properties "
                "(cityos/domain/observed_property.py)"
            )
        if len(set(names)) != len(names):
            problems.append(f"{key}: a property is listed twice")
    return problems


def _misplaced_keys(manifest: Manifest) -> list[str]:
    """Each kind has keys that it needs and keys that mean nothing to it."""
    given = {
        "observes": bool(manifest.observes),
        "consumes": bool(manifest.consumes),
        "alerts": manifest.alerts,
        "urls": bool(manifest.urls),
        "catch_up_urls": bool(manifest.catch_up_urls),
        "every_s": manifest.every_s is not None,
        "data_licence": bool(manifest.data_licence),
    }
    wanted: dict[Kind, tuple[set[str], tuple[set[str], ...]]] = {
        # what it may have, and sets of which at least one member must be given
        Kind.DECODER: ({"observes"}, ({"observes"},)),
        Kind.FEED: (
            {"observes", "alerts", "urls", "catch_up_urls", "every_s", "data_licence"},
            ({"observes", "alerts"}, {"urls"}, {"every_s"}, {"data_licence"}),
        ),
        Kind.SERVICE: ({"consumes", "alerts"}, ({"consumes", "alerts"},)),
    }
    allowed, needed = wanted[manifest.kind]
    problems = [
        f"{key} has no meaning for a {manifest.kind}; take it out"
        for key, is_given in given.items()
        if is_given and key not in allowed
    ]
    problems += [
        f"a {manifest.kind} needs {' or '.join(sorted(one_of))}"
        for one_of in needed
        if not any(given[key] for key in one_of)
    ]
    return problems


def read(folder: Path) -> Manifest:
    """Return the manifest in ``folder``. No code of the plugin is run.

    Raises:
        InvalidPlugin: there is no manifest or there are two, it breaks a rule, its id is not the
            folder's name, or its kind does not belong into a file of that name.
    """
    files = [folder / name for name in (ADAPTER_FILE, SERVICE_FILE) if (folder / name).is_file()]
    if len(files) != 1:
        found = "both" if files else "none"
        message = f"{folder}: needs one of {ADAPTER_FILE} and {SERVICE_FILE}, has {found}"
        raise InvalidPlugin(message)
    file = files[0]
    manifest = _validated(file)
    if manifest.id != folder.name:
        message = (
            f"{file}: id is {manifest.id!r} but the folder is {folder.name!r}; "
            "rename one of them, they have to be the same"
        )
        raise InvalidPlugin(message)
    if (file.name == SERVICE_FILE) != (manifest.kind is Kind.SERVICE):
        message = (
            f"{file}: kind {manifest.kind.value!r} does not belong into {file.name}; decoders and "
            f"feeds have an {ADAPTER_FILE}, services a {SERVICE_FILE}"
        )
        raise InvalidPlugin(message)
    return manifest


def _validated(file: Path) -> Manifest:
    try:
        text = file.read_bytes()
        if len(text) > _MAX_BYTES:
            message = f"{file}: is larger than {_MAX_BYTES} bytes"
            raise InvalidPlugin(message)
        document: dict[str, Any] = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{file}: is not TOML: {error}"
        raise InvalidPlugin(message) from error
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        raise InvalidPlugin(message) from error
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(_problem(item["loc"], item["msg"]) for item in error.errors())
        message = f"{file}: {problems}"
        raise InvalidPlugin(message) from error


def _problem(location: tuple[int | str, ...], text: str) -> str:
    text = re.sub(r"^Value error, ", "", text)
    if text == "Extra inputs are not permitted":
        text = f"unknown key; there are {', '.join(Manifest.model_fields)}"
    where = ".".join(str(part) for part in location)
    return f"{where}: {text}" if where else text
