"""A whole city: up, down, status, logs; and as a service of the machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cityos.cli.invocation import console, say, settings

commands = typer.Typer()


@commands.command()
def up(
    demo: Annotated[
        bool | None, typer.Option("--demo/--no-demo", help="Demo city with a simulated day.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="HTTP port; 8080 or a free one.")] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Go to the background once it is ready.")
    ] = False,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Start a city: servers, processes, page. Ctrl-C stops it; the data is kept."""
    from cityos.bootstrap import background as behind
    from cityos.bootstrap import up as city
    from cityos.runtime.news import SUPERVISOR
    from cityos.runtime.service import log_path

    chosen = settings(demo=demo, http_port=port)
    if detach:
        raise typer.Exit(behind.start(sys.argv[1:], sys.stdout))
    log = log_path(chosen.home, SUPERVISOR)
    raise typer.Exit(
        city.up(chosen, console, after_ready=lambda: behind.leave(log) if background else None)
    )


@commands.command()
def down() -> None:
    """Stop the city of this state folder."""
    from cityos.bootstrap import control

    raise typer.Exit(control.down(settings(), console))


@commands.command()
def status() -> None:
    """Say what runs, where, and how much memory it has. Exit code 3: nothing runs."""
    from cityos.bootstrap import control

    raise typer.Exit(control.status(settings(), console))


@commands.command()
def service_unit(
    user: Annotated[
        str, typer.Option(help="Who runs it: an ordinary user of its own.")
    ] = "cityos",
) -> None:
    """Print the unit file with which systemd starts this city with the machine."""
    from cityos.bootstrap import service_unit as process

    sys.stdout.write(process.unit(settings(), user=user))


@commands.command()
def logs(
    name: Annotated[
        str | None, typer.Argument(help="A part in `cityos status`: ingest, supervisor, mqtt, ...")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1)] = 40,
) -> None:
    """Show the log of one process, or of all."""
    from cityos.bootstrap import control

    try:
        say(control.log_lines(settings().home, name, lines=lines, follow=follow))
    except KeyboardInterrupt:
        raise typer.Exit from None
