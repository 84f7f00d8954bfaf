"""What could not be kept or handled, and trying it again once it is mended."""

from __future__ import annotations

from typing import Annotated

import typer

from cityos.cli.invocation import Tenant, console, say, settings

dead_letters = typer.Typer(help="What was refused, kept with its reason.", no_args_is_help=True)
events = typer.Typer(help="The queue of events for services.", no_args_is_help=True)
failed = typer.Typer(help="Events that a service could not handle.", no_args_is_help=True)
events.add_typer(failed, name="failed")
commands = typer.Typer()
commands.add_typer(dead_letters, name="dead-letters")
commands.add_typer(events, name="events")

Reason = Annotated[str, typer.Option(help="Only these: undecodable, unknown_device, ...")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)]
Ids = Annotated[list[int] | None, typer.Option("--id", help="Only this one; may be given again.")]


@dead_letters.command("list")
def dead_letters_list(tenant: Tenant = None, reason: Reason = "", limit: Limit = 50) -> None:
    """List what was refused, the newest first."""
    from cityos.bootstrap import dead_letters as process

    chosen = settings(tenant=tenant)
    say(process.listed(chosen, reason=reason, limit=limit, width=console.width))


@dead_letters.command("replay")
def dead_letters_replay(
    tenant: Tenant = None,
    ids: Ids = None,
    reason: Reason = "",
    since: Annotated[str, typer.Option(help="Only what came since: 2026-11-22T00:00+09:00.")] = "",
    until: Annotated[str, typer.Option(help="Only what came before this time.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Also what was replayed before.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Give readings without a time the time of now.")
    ] = False,
    clock_was_wrong: Annotated[
        bool,
        typer.Option(
            "--clock-was-wrong",
            help="This server's clock was wrong then: check times against the present one.",
        ),
    ] = False,
) -> None:
    """Send what is mended through the broker once more; what is not stays where it is."""
    from cityos.bootstrap import dead_letters as process

    lines = process.replay(
        settings(tenant=tenant),
        reason=reason,
        ids=ids or (),
        since=since,
        until=until,
        again=again,
        at_now=now,
        clock_was_wrong=clock_was_wrong,
    )
    say(lines)


@failed.command("list")
def failed_list(tenant: Tenant = None, limit: Limit = 50) -> None:
    """List the events that were set aside, the newest first."""
    from cityos.bootstrap import failed_events as process

    say(process.listed(settings(tenant=tenant), limit=limit, width=console.width))


@failed.command("retry")
def failed_retry(tenant: Tenant = None, ids: Ids = None) -> None:
    """Have the services handle them once more, as of their own time."""
    from cityos.bootstrap import failed_events as process

    say(process.retry(settings(tenant=tenant), ids or ()))
