"""New adapters and services."""

from __future__ import annotations

import typer

from cityos.cli.invocation import console

adapters = typer.Typer(
    help="Adapters: what reads a vendor's or an agency's data.", no_args_is_help=True
)
services = typer.Typer(
    help="Services: what turns the city's events into proposals.", no_args_is_help=True
)
commands = typer.Typer()
commands.add_typer(adapters, name="adapter")
commands.add_typer(services, name="service")


@adapters.command("new")
def adapter_new(name: str) -> None:
    """Make the folder of a new adapter, with a case that runs."""
    from cityos.bootstrap import scaffold

    console.print(scaffold.adapter(name), markup=False, highlight=False)


@services.command("new")
def service_new(name: str) -> None:
    """Make the folder of a new service, with a case that runs."""
    from cityos.bootstrap import scaffold

    console.print(scaffold.service(name), markup=False, highlight=False)
