"""Who may come in: keys of the API, users of the broker."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cityos.cli.invocation import console, errors, say, settings

keys = typer.Typer(help="Keys of the API.", no_args_is_help=True)
broker = typer.Typer(
    help="Users of the MQTT broker: vendors, and the city's own processes.", no_args_is_help=True
)
commands = typer.Typer()
commands.add_typer(keys, name="key")
commands.add_typer(broker, name="broker")


@keys.command("create")
def key_create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for people.")],
    role: Annotated[str, typer.Option(help="reader, official or admin.")] = "reader",
    tenant: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Make a key and print it, once."""
    from cityos.bootstrap import keys as process

    sys.stdout.write(process.create(settings(tenant=tenant), name=name, role=role) + "\n")


@keys.command("list")
def key_list(tenant: Annotated[str | None, typer.Option()] = None) -> None:
    """List the keys, without their secrets."""
    from cityos.bootstrap import keys as process

    console.print(process.table(settings(tenant=tenant)))


@keys.command("revoke")
def key_revoke(
    key: Annotated[str, typer.Argument(help="The id in `cityos key list`.")],
    tenant: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Make a key useless."""
    from cityos.bootstrap import keys as process

    process.revoke(settings(tenant=tenant), key)


@broker.command("users")
def broker_users() -> None:
    """List who may say and hear what. A vendor is a user once it has a device."""
    from cityos.bootstrap import broker as process

    say(process.rights(settings()))


@broker.command("password")
def broker_password(
    user: Annotated[str, typer.Argument(help="A vendor, or another name in `broker users`.")],
    new: Annotated[
        bool, typer.Option("--new", help="Make another; valid from the next `cityos up` on.")
    ] = False,
) -> None:
    """Print the password of a user of our own broker."""
    from cityos.bootstrap import broker as process

    sys.stdout.write(process.password(settings(), user, new=new) + "\n")
    if new:
        errors.print("the broker takes it from its next start on: cityos down, cityos up")


@broker.command("access-list")
def broker_access_list() -> None:
    """Print mosquitto's acl_file for these users, for a broker that is not ours."""
    from cityos.bootstrap import broker as process

    sys.stdout.write(process.access(settings()))
