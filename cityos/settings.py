"""Every setting of the city, as one validated object.

Read from ``CITYOS_...`` in the environment, then from ``cityos.toml`` in the working directory
(same names in lower case, without the prefix), then the defaults here. Only ``cli`` and
``bootstrap`` see it; everything else is given arguments.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from cityos.errors import SetupFailed

FILE: Final = Path("cityos.toml")
PREFIX: Final = "CITYOS_"
_TEST_PREFIX: Final = "CITYOS_TEST_"

_MIB: Final = 1024 * 1024
_SCHEMES: Final = {
    "database_url": ("postgresql", "postgres"),
    "mqtt_url": ("mqtt", "mqtts"),
    "redis_url": ("redis", "rediss", "unix"),
}

Port = Annotated[int, Field(ge=1, le=65535)]
Quota = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$")]
OptionalPort = Annotated[Port | None, BeforeValidator(lambda value: value or None)]


class Settings(BaseSettings):
    """What an operator can decide. A URL that is empty means: start that server ourselves."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file=FILE, extra="forbid", frozen=True
    )

    home: Path = Field(Path(".cityos"), description="the state folder: data, secrets, logs")
    tenant: str = Field(
        "yaizu",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="tenant of requests without one",
    )
    demo: bool = Field(
        default=True, description="`up` makes the demo city and feeds it a simulated day"
    )

    database_url: str = Field("", repr=False, description="postgresql://user:password@host/name")
    mqtt_url: str = Field("", repr=False, description="mqtt[s]://user:password@host[:port]")
    redis_url: str = Field("", repr=False, description="redis://[:password@]host[:port]/0")

    http_host: str = Field("127.0.0.1", description="where the API listens; 0.0.0.0: everywhere")
    http_port: OptionalPort = Field(None, description="8080, or a free one when that is taken")
    public_url: str = Field("", description="base URL in what leaves the city, e.g. in CAP")
    mqtt_host: str = Field("127.0.0.1", description="where the embedded broker listens")
    mqtt_port: OptionalPort = Field(None, description="1883, or a free one when that is taken")

    metrics_port: OptionalPort = Field(
        None, description="Prometheus metrics of a process without HTTP, on loopback; unset: none"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: coloured in a terminal, JSON lines elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    feeds: bool = Field(default=True, description="fetch agencies' feeds, such as the JMA's")
    feed_urls: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="where to look, by adapter, instead of the addresses in its manifest",
    )
    feed_interval_s: float | None = Field(
        None, ge=10, description="seconds between two looks; unset: as the adapter's manifest says"
    )
    plugins: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="settings of adapters and services, by their id"
    )
    simulation_pace: float = Field(
        60.0, gt=0, le=1440, description="hours of the simulated storm in one hour"
    )
    tile_url: str = Field("", description="map tiles, with {z} {x} {y}; empty: none are needed")
    tile_attribution: str = Field("", description="what the owner of the tiles asks to have shown")

    spool_max_bytes: int = Field(
        1024 * _MIB, ge=16 * _MIB, description="ingest holds publishers back beyond this"
    )
    raw_retention_days: int = Field(30, ge=1, description="messages as they came, for replay")
    observation_retention_days: int = Field(
        0, ge=0, description="every measured value; 0: for ever"
    )
    partitions_ahead_days: int = Field(7, ge=2, le=90, description="made before they are needed")

    anonymous_quota: Quota = Field(
        "3000/minute", description="per client address, which a shelter or a school shares"
    )
    key_quota: Quota = Field("6000/minute", description="per key")
    key_pepper: str = Field(
        "",
        repr=False,
        pattern=r"^$|^.{32,}$",
        description="secret that keys are checked with, the same for all processes; unset: made",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        description="addresses whose X-Forwarded-For is believed, separated by commas",
    )
    exercise_approval: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="exercises whose proposals approve themselves: names or patterns, drill-*"
    )
    exercise_vendors: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="vendors that may publish on exercise topics of our broker"
    )
    database_connections: int = Field(8, ge=2, le=64, description="of the API process")

    @field_validator("trusted_proxies", "exercise_approval", "exercise_vendors", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("database_url", "mqtt_url", "redis_url")
    @classmethod
    def _known_scheme(cls, value: str, info: ValidationInfo) -> str:
        allowed = _SCHEMES[info.field_name or ""]
        if value and urlsplit(value).scheme not in allowed:
            message = f"must start with {allowed[0]}://"
            raise ValueError(message)
        return value

    @field_validator("tile_url")
    @classmethod
    def _tile_template(cls, value: str) -> str:
        if value and not all(part in value for part in ("{z}", "{x}", "{y}")):
            raise ValueError("must contain {z}, {x} and {y}")
        return value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def load(**overrides: object) -> Settings:
    """Return the settings; ``overrides`` come from the command line and win.

    Raises:
        SetupFailed: a value is wrong or a name unknown; says which, where, and what would do.
    """
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    _refuse_unknown_names()
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [_explained(dict(fault)) for fault in error.errors(include_input=False)]
        message = "the settings are not right:\n" + "\n".join(lines)
        raise SetupFailed(message) from error
    except ValueError as error:
        message = f"{FILE} cannot be read: {error}"
        raise SetupFailed(message) from error


def notify_address() -> str:
    """Where whoever started us wants to hear that we are ready (sd_notify(3)); may be empty."""
    return os.environ.get("NOTIFY_SOCKET", "")  # noqa: TID251 - as below


def _refuse_unknown_names() -> None:
    """A misspelt variable would otherwise be a setting that silently does nothing."""
    names = os.environ  # noqa: TID251 - this module reads the environment
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(
        name
        for name in names
        if name.startswith(PREFIX)
        and not name.startswith(_TEST_PREFIX)
        and name.upper() not in known
    )
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f"there is no setting {', '.join(unknown)} in the environment{hint}"
        raise SetupFailed(message)


def _explained(fault: dict[str, Any]) -> str:
    name = str(fault["loc"][0]) if fault["loc"] else "?"
    said = re.sub(r"^Value error, ", "", str(fault["msg"]))
    field = Settings.model_fields.get(name)
    if field is None:
        return f"  {name} (in {FILE}): there is no such setting"
    about = f" ({field.description})" if field.description else ""
    return f"  {PREFIX}{name.upper()}{about}: {said}"
