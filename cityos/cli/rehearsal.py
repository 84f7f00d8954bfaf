"""Recorded days: made, and pushed through the city as an exercise, which ends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cityos.cli.invocation import Tenant, console, say, settings

exercise = typer.Typer(help="Exercises under way.", no_args_is_help=True)
commands = typer.Typer()
commands.add_typer(exercise, name="exercise")


@commands.command()
def record(
    file: Annotated[Path, typer.Argument(help="Where to write; `cityos replay` reads it.")],
    since: Annotated[
        str, typer.Option(help="2026-11-22T00:00+09:00; a date alone is in this server's time.")
    ],
    until: Annotated[str, typer.Option(help="As --since; what came then is no longer in it.")],
    vendor: Annotated[str, typer.Option(help="Only this vendor's devices.")] = "",
    tenant: Tenant = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write what the city's devices sent in a time, to be replayed as an exercise."""
    from cityos.bootstrap import record as process

    said = process.run(
        settings(tenant=tenant),
        file,
        since=since,
        until=until,
        vendor=vendor,
        tenant=tenant,
        force=force,
    )
    say(said)


@commands.command()
def replay(
    recording: Annotated[
        Path, typer.Argument(exists=True, help="A recorded day: file or folder.")
    ],
    speed: Annotated[str, typer.Option(help="1 to 1000, or max; 60: an hour a minute.")] = "60",
    run: Annotated[str, typer.Option(help="Name of the exercise; made up where empty.")] = "",
    tenant: Tenant = None,
) -> None:
    """Push a recorded day through the city, as an exercise."""
    from cityos.bootstrap import replay as process

    raise typer.Exit(
        process.run(
            settings(tenant=tenant),
            recording,
            speed=speed,
            run=run,
            tenant=tenant,
            console=console,
        )
    )


@exercise.command("list")
def exercise_list(tenant: Tenant = None) -> None:
    """List the exercises that have not ended, with what waits and what is in force."""
    from cityos.bootstrap import exercises as process

    say(process.listed(settings(tenant=tenant)))


@exercise.command("end")
def exercise_end(
    run: Annotated[str, typer.Argument(help="Its name in `cityos exercise list`.")],
    reason: Annotated[str, typer.Option(help="Kept for the record.")] = "",
    tenant: Tenant = None,
) -> None:
    """Close its undecided proposals and cancel its orders; what comes later begins it anew."""
    from cityos.bootstrap import exercises as process

    say([process.end(settings(tenant=tenant), run, reason=reason)])
