"""The processes of a city, each by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cityos.cli.invocation import logged

commands = typer.Typer()

MetricsPort = Annotated[
    int | None, typer.Option(help="Prometheus metrics on loopback; unset: none.")
]


@commands.command()
def ingest(
    metrics_port: MetricsPort = None,
) -> None:
    """Receive what devices publish, and store it."""
    from cityos.bootstrap import ingest as process

    process.run(logged(metrics_port=metrics_port))


@commands.command()
def dispatch(
    metrics_port: MetricsPort = None,
) -> None:
    """Ask the services about events, and deliver alerts."""
    from cityos.bootstrap import dispatch as process

    process.run(logged(metrics_port=metrics_port))


@commands.command()
def api(
    port: Annotated[int | None, typer.Option(help="HTTP port; 8080 where unset.")] = None,
) -> None:
    """Serve the API and the page."""
    from cityos.bootstrap import api as process

    process.run(logged(http_port=port))


@commands.command()
def feeds() -> None:
    """Fetch the feeds of agencies, such as the JMA's telegrams."""
    from cityos.bootstrap import feeds as process

    process.run(logged())


@commands.command()
def simulate(
    city: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of a practice city that is loaded, with its simulation.toml.",
        ),
    ] = None,
) -> None:
    """Publish a simulated day, the demo city's or with --city another's, until it is stopped."""
    from cityos.bootstrap import simulate as process

    if city is None:
        process.run(logged())
    else:
        process.run_city(logged(), city)
