"""What every command has: the terminal, the settings, and options that many take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

if TYPE_CHECKING:
    from cityos.settings import Settings

console: Final = Console()
errors: Final = Console(stderr=True)

Tenant = Annotated[str | None, typer.Option(help="Whose city; CITYOS_TENANT.")]

_given: dict[str, Any] = {}


def use(*, home: Path | None) -> None:
    """Keep what stands before the command's name."""
    _given["home"] = home


def settings(**overrides: Any) -> Settings:  # noqa: ANN401 - the settings check them
    from cityos import settings as module

    return module.load(**_given, **overrides)


def logged(**overrides: Any) -> Settings:  # noqa: ANN401
    """Settings of a process that writes a log."""
    from cityos.runtime import log_format

    loaded = settings(**overrides)
    log_format.configure(form=loaded.log_format, level=loaded.log_level)
    return loaded


def say(lines: Iterable[str]) -> None:
    """Print the lines as they are: each whole, so that a command in one can be copied."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
