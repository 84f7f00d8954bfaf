"""What is done before a city runs, or beside it: schema, city tables, descriptions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cityos.cli.invocation import logged, say, settings

commands = typer.Typer()


@commands.command()
def migrate(
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements instead.")] = False,
    timescale: Annotated[
        bool, typer.Option("--timescale", help="With --sql: for a server with TimescaleDB.")
    ] = False,
    since: Annotated[
        str, typer.Option("--from", help="With --sql: the revision that the store has already.")
    ] = "",
) -> None:
    """Bring the database's schema to the newest version."""
    from cityos.bootstrap import prepare as process

    process.migrate(settings(), sql_only=sql, timescale=timescale, since=since)


@commands.command()
def load(
    folder: Annotated[Path, typer.Argument(exists=True, help="See deploy/demo/README.md.")],
) -> None:
    """Create or update a city from a folder of tables: who it is, its things, its devices."""
    from cityos.bootstrap import prepare as process

    say(process.load_city(settings(), folder))


@commands.command(hidden=True)
def prepare(
    demo: Annotated[bool, typer.Option("--demo/--no-demo")] = True,
    first_key: Annotated[bool, typer.Option("--first-key/--no-first-key")] = True,
) -> None:
    """Migrate, make the demo city and the first key; print what `up` needs to know, as JSON."""
    from cityos.bootstrap import prepare as process

    sys.stdout.write(process.run(logged(demo=demo), first_key=first_key))


@commands.command()
def openapi(
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the files instead of writing them.")
    ] = False,
) -> None:
    """Write the descriptions of the API (OpenAPI) and of the MQTT topics (AsyncAPI)."""
    from cityos.bootstrap import descriptions

    say(descriptions.write(check=check))
