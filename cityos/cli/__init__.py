"""The command ``cityos``. Help comes at once: each command imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cityos.cli import (
    access,
    city,
    invocation,
    plugins,
    preparation,
    processes,
    refused,
    rehearsal,
)
from cityos.errors import CityOSError, Conflict, InvalidRequest, SetupFailed

app = typer.Typer(
    name="cityos",
    help="The city OS a town runs on one server of its own. All settings: CITYOS_... variables "
    "or cityos.toml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for part in (city, processes, rehearsal, preparation, access, refused, plugins):
    app.add_typer(part.commands)

_FAILED = 1
_MISUSED = 2


@app.callback()
def common(
    home: Annotated[
        Path | None, typer.Option(help="State folder; CITYOS_HOME, else .cityos here.")
    ] = None,
) -> None:
    invocation.use(home=home)


def main() -> None:
    """Run the command; an error that we foresaw is one clear message, without a trace."""
    try:
        app()
    except CityOSError as error:
        invocation.errors.print(
            f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        misused = isinstance(error, InvalidRequest | SetupFailed | Conflict)
        raise SystemExit(_MISUSED if misused else _FAILED) from error
