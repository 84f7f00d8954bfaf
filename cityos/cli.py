"""The command ``cityos``. Help comes at once: each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from cityos.errors import CityOSError, Conflict, InvalidRequest, SetupFailed

if TYPE_CHECKING:
    from cityos.settings import Settings

app = typer.Typer(
    name="cityos",
    help="The city OS a town runs on one server of its own. All settings: CITYOS_... variables "
    "or cityos.toml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
keys = typer.Typer(help="Keys of the API.", no_args_is_help=True)
broker = typer.Typer(help="Users of the MQTT broker: vendors, and the city's own processes.")
dead_letters = typer.Typer(help="What was refused, kept with its reason.", no_args_is_help=True)
events = typer.Typer(help="The queue of events for services.", no_args_is_help=True)
failed = typer.Typer(help="Events that a service could not handle.", no_args_is_help=True)
adapters = typer.Typer(help="Adapters: what reads a vendor's or an agency's data.")
services = typer.Typer(help="Services: what turns the city's events into proposals.")
app.add_typer(keys, name="key")
app.add_typer(broker, name="broker", no_args_is_help=True)
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(events, name="events")
events.add_typer(failed, name="failed")
app.add_typer(adapters, name="adapter")
app.add_typer(services, name="service")

_FAILED = 1
_MISUSED = 2

_console = Console()
_errors = Console(stderr=True)
_common: dict[str, Any] = {}


MetricsPort = Annotated[
    int | None, typer.Option(help="Prometheus metrics on loopback; unset: none.")
]


@app.callback()
def common(
    home: Annotated[
        Path | None, typer.Option(help="State folder; CITYOS_HOME, else .cityos here.")
    ] = None,
) -> None:
    _common["home"] = home


def _settings(**overrides: Any) -> Settings:  # noqa: ANN401 - the settings check them
    from cityos import settings

    return settings.load(**_common, **overrides)


def _logged(**overrides: Any) -> Settings:  # noqa: ANN401
    """Settings of a process that writes a log."""
    from cityos.runtime import log_format

    loaded = _settings(**overrides)
    log_format.configure(form=loaded.log_format, level=loaded.log_level)
    return loaded


# --- a whole city -------------------------------------------------------------------------------


@app.command()
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

    settings = _settings(demo=demo, http_port=port)
    if detach:
        raise typer.Exit(behind.start(sys.argv[1:], sys.stdout))
    log = settings.home / "log" / "up.log"
    raise typer.Exit(
        city.up(settings, _console, after_ready=lambda: behind.leave(log) if background else None)
    )


@app.command()
def down() -> None:
    """Stop the city of this state folder."""
    from cityos.bootstrap import control

    raise typer.Exit(control.down(_settings(), _console))


@app.command()
def status() -> None:
    """Say what runs, where, and how much memory it has. Exit code 3: nothing runs."""
    from cityos.bootstrap import control

    raise typer.Exit(control.status(_settings(), _console))


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="ingest, api, postgres, ...")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1)] = 40,
) -> None:
    """Show the log of one process, or of all."""
    from cityos.bootstrap import control

    try:
        for line in control.log_lines(_settings().home, name, lines=lines, follow=follow):
            _console.print(line, markup=False, highlight=False, soft_wrap=True)
    except KeyboardInterrupt:
        raise typer.Exit from None


# --- its processes ------------------------------------------------------------------------------


@app.command()
def ingest(
    metrics_port: MetricsPort = None,
) -> None:
    """Receive what devices publish, and store it."""
    from cityos.bootstrap import ingest as process

    process.run(_logged(metrics_port=metrics_port))


@app.command()
def dispatch(
    metrics_port: MetricsPort = None,
) -> None:
    """Ask the services about events, and deliver alerts."""
    from cityos.bootstrap import dispatch as process

    process.run(_logged(metrics_port=metrics_port))


@app.command()
def api(
    port: Annotated[int | None, typer.Option(help="HTTP port; 8080 where unset.")] = None,
) -> None:
    """Serve the API and the page."""
    from cityos.bootstrap import api as process

    process.run(_logged(http_port=port))


@app.command()
def feeds(
    metrics_port: MetricsPort = None,
) -> None:
    """Fetch the feeds of agencies, such as the JMA's telegrams."""
    from cityos.bootstrap import feeds as process

    process.run(_logged(metrics_port=metrics_port))


@app.command()
def simulate() -> None:
    """Publish the demo city's simulated day."""
    from cityos.bootstrap import simulate as process

    process.run(_logged())


@app.command()
def replay(
    recording: Annotated[
        Path, typer.Argument(exists=True, help="A recorded day: file or folder.")
    ],
    speed: Annotated[str, typer.Option(help="1 to 1000, or max; 60: an hour a minute.")] = "60",
    run: Annotated[str, typer.Option(help="Name of the exercise; made up where empty.")] = "",
    tenant: Annotated[str | None, typer.Option(help="Whose city; CITYOS_TENANT.")] = None,
) -> None:
    """Push a recorded day through the city, as an exercise."""
    from cityos.bootstrap import replay as process

    settings = _settings(tenant=tenant)
    raise typer.Exit(
        process.run(settings, recording, speed=speed, run=run, tenant=tenant, console=_console)
    )


# --- set-up and administration ------------------------------------------------------------------


@app.command()
def migrate(
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements instead.")] = False,
    timescale: Annotated[
        bool, typer.Option("--timescale", help="With --sql: for a server with TimescaleDB.")
    ] = False,
) -> None:
    """Bring the database's schema to the newest version."""
    from cityos.bootstrap import prepare as process

    process.migrate(_settings(), sql_only=sql, timescale=timescale)


@app.command()
def load(
    folder: Annotated[Path, typer.Argument(exists=True, help="See deploy/demo/README.md.")],
) -> None:
    """Create or update a city from a folder of tables: who it is, its things, its devices."""
    from cityos.bootstrap import prepare as process

    _console.print(process.load_city(_settings(), folder), markup=False, highlight=False)


@app.command(hidden=True)
def prepare(demo: Annotated[bool, typer.Option("--demo/--no-demo")] = True) -> None:
    """Migrate, make the demo city and the first key; print what `up` needs to know, as JSON."""
    from cityos.bootstrap import prepare as process

    sys.stdout.write(process.run(_logged(demo=demo)))


@app.command()
def openapi(
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the files instead of writing them.")
    ] = False,
) -> None:
    """Write the descriptions of the API (OpenAPI) and of the MQTT topics (AsyncAPI)."""
    from cityos.bootstrap import descriptions

    for line in descriptions.write(check=check):
        _console.print(line, markup=False, highlight=False)


@keys.command("create")
def key_create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for people.")],
    role: Annotated[str, typer.Option(help="reader, official or admin.")] = "reader",
    tenant: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Make a key and print it, once."""
    from cityos.bootstrap import keys as process

    sys.stdout.write(process.create(_settings(tenant=tenant), name=name, role=role) + "\n")


@keys.command("list")
def key_list(tenant: Annotated[str | None, typer.Option()] = None) -> None:
    """List the keys, without their secrets."""
    from cityos.bootstrap import keys as process

    _console.print(process.table(_settings(tenant=tenant)))


@keys.command("revoke")
def key_revoke(
    key: Annotated[str, typer.Argument(help="The id in `cityos key list`.")],
    tenant: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Make a key useless."""
    from cityos.bootstrap import keys as process

    process.revoke(_settings(tenant=tenant), key)


@broker.command("users")
def broker_users() -> None:
    """List who may say and hear what. A vendor is a user once it has a device."""
    from cityos.bootstrap import broker as process

    _console.print(process.table(_settings()))


@broker.command("password")
def broker_password(
    user: Annotated[str, typer.Argument(help="A vendor, or another name in `broker users`.")],
    new: Annotated[
        bool, typer.Option("--new", help="Make another; valid from the next `cityos up` on.")
    ] = False,
) -> None:
    """Print the password of a user of our own broker."""
    from cityos.bootstrap import broker as process

    sys.stdout.write(process.password(_settings(), user, new=new) + "\n")


@broker.command("access-list")
def broker_access_list() -> None:
    """Print mosquitto's acl_file for these users, for a broker that is not ours."""
    from cityos.bootstrap import broker as process

    sys.stdout.write(process.access(_settings()))


Reason = Annotated[str, typer.Option(help="Only these: undecodable, unknown_device, ...")]
Tenant = Annotated[str | None, typer.Option(help="Whose city; CITYOS_TENANT.")]


Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)]
Ids = Annotated[list[int] | None, typer.Option("--id", help="Only this one; may be given again.")]


@dead_letters.command("list")
def dead_letters_list(tenant: Tenant = None, reason: Reason = "", limit: Limit = 50) -> None:
    """List what was refused, the newest first."""
    from cityos.bootstrap import dead_letters as process

    _console.print(process.table(_settings(tenant=tenant), reason=reason, limit=limit))


@dead_letters.command("replay")
def dead_letters_replay(
    tenant: Tenant = None,
    ids: Ids = None,
    reason: Reason = "",
    again: Annotated[bool, typer.Option("--again", help="Also what was replayed before.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Give readings without a time the time of now.")
    ] = False,
) -> None:
    """Send what is mended through the broker once more; what is not stays where it is."""
    from cityos.bootstrap import dead_letters as process

    lines = process.replay(
        _settings(tenant=tenant), reason=reason, ids=ids or (), again=again, at_now=now
    )
    for line in lines:
        _console.print(line, markup=False, highlight=False, soft_wrap=True)


@failed.command("list")
def failed_list(tenant: Tenant = None, limit: Limit = 50) -> None:
    """List the events that were set aside, the newest first."""
    from cityos.bootstrap import failed_events as process

    _console.print(process.table(_settings(tenant=tenant), limit=limit))


@failed.command("retry")
def failed_retry(tenant: Tenant = None, ids: Ids = None) -> None:
    """Have the services handle them once more, as of their own time."""
    from cityos.bootstrap import failed_events as process

    for line in process.retry(_settings(tenant=tenant), ids or ()):
        _console.print(line, markup=False, highlight=False, soft_wrap=True)


@adapters.command("new")
def adapter_new(name: str) -> None:
    """Make the folder of a new adapter, with a case that runs."""
    from cityos.bootstrap import scaffold

    _console.print(scaffold.adapter(name), markup=False, highlight=False)


@services.command("new")
def service_new(name: str) -> None:
    """Make the folder of a new service, with a case that runs."""
    from cityos.bootstrap import scaffold

    _console.print(scaffold.service(name), markup=False, highlight=False)


def main() -> None:
    """Run the command; an error that we foresaw is one clear message, without a trace."""
    try:
        app()
    except CityOSError as error:
        _errors.print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        misused = isinstance(error, InvalidRequest | SetupFailed | Conflict)
        raise SystemExit(_MISUSED if misused else _FAILED) from error
