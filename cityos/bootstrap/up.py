"""``cityos up``: a whole city under one supervisor, and what is said about it to a person."""

from __future__ import annotations

import errno
import http.client
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from cityos.bootstrap import connect
from cityos.bootstrap.broker import EXERCISE_VENDORS, broker_users
from cityos.bootstrap.welcome import HTTP_PORT, Welcome, print_welcome
from cityos.clock import SystemClock
from cityos.errors import CityOSError, SetupFailed
from cityos.runtime.account import Account
from cityos.runtime.mqtt_access import MqttUser
from cityos.runtime.news import NewsLog
from cityos.runtime.notify import say_ready
from cityos.runtime.ports import free_port, is_free
from cityos.runtime.process import mark_of, run
from cityos.runtime.running import Addresses, RunningCity, lock, open_home
from cityos.runtime.service import log_path
from cityos.runtime.stack import Stack, StackPlan
from cityos.runtime.supervisor import Part, Supervisor
from cityos.runtime.waiting import CalledOff, unfailing
from cityos.settings import Settings, notify_address

_METRICS_PORTS: Final = {"ingest": 9464, "dispatch": 9465}
"""Preferred ones; others are taken where these are in use."""
_PREPARE_TIMEOUT_S: Final = 300.0
_READY_WITHIN_S: Final = 90.0
_CHECK_TIMEOUT_S: Final = 2.0
_OK: Final = 200
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_ANY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def up(settings: Settings, console: Console, *, after_ready: Callable[[], None]) -> int:
    """Run the city until it is asked to stop; return the exit code of the command.

    ``after_ready`` is called once everything answers and the welcome has been printed.

    Raises:
        Conflict: it runs already.
        SetupFailed: something that is needed does not start; all that did is stopped again.
    """
    home = settings.home
    try:
        open_home(home, others_may_pass=os.geteuid() == 0)
        with lock(home):
            return _up(settings, _News(console, NewsLog(home, SystemClock())), after_ready)
    except OSError as error:
        message = f"the city cannot run: {error.strerror or error} ({error.filename or home})"
        if error.errno in _NO_ROOM:
            message += "; make room there, or set CITYOS_HOME to a folder on another disk"
        raise SetupFailed(message) from error


def _up(settings: Settings, news: _News, after_ready: Callable[[], None]) -> int:
    home, say = settings.home, partial(news.say, style="yellow")
    try:
        stack = Stack(
            StackPlan(
                home=home,
                database_url=settings.database_url,
                mqtt_url=settings.mqtt_url,
                redis_url=settings.redis_url,
                mqtt_host=settings.mqtt_host,
                mqtt_port=_wanted_mqtt_port(settings),
            ),
            secrets=connect.secrets(settings),
            say=say,
        )
        port = _http_port(settings)
        metrics_ports = {name: free_port(number) for name, number in _METRICS_PORTS.items()}
        url = f"http://{_reachable_host(settings.http_host)}:{port}"
        supervisor = Supervisor(
            home=home,
            folder=Path.cwd(),
            stack=stack,
            parts=_parts(settings, port, metrics_ports),
            clock=SystemClock(),
            say=say,
            checks=[lambda: _is_ready(url)],
        )
        supervisor.watch_signals()
        attended = not notify_address()
        launch = _Launch(settings, news, stack, supervisor, url, metrics_ports, attended)
        try:
            return launch.run(after_ready)
        finally:
            supervisor.stop()
            RunningCity.forget(home)
    except CalledOff:  # stopped before it ran: as asked
        return 0
    except CityOSError as error:
        news.log.add(str(error), level="error")
        raise


@dataclass(frozen=True, slots=True)
class _News:
    """What a person hears now, and the log for those who ask later."""

    console: Console
    log: NewsLog

    def say(self, text: str, *, style: str = "dim") -> None:
        self.log.add(text)
        self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Launch:
    """One run of a city, from its servers to its end.

    ``attended`` False: what it says goes to a service's journal, so no secret is said.
    """

    settings: Settings
    news: _News
    stack: Stack
    supervisor: Supervisor
    url: str
    metrics_ports: Mapping[str, int]
    attended: bool

    def run(self, after_ready: Callable[[], None]) -> int:
        left = self.supervisor.clear_leftovers()
        if left:
            what = "1 process" if left == 1 else f"{left} processes"
            self.news.say(f"stopped {what} that a killed run had left behind")
        self.news.say("starting the servers")
        self._record(Addresses(database_url=self.stack.start_store(), redis_url="", mqtt_urls={}))
        prepared = _prepare(self.settings, first_key=self.attended)
        try:
            addresses = self.stack.start_messaging(self._mqtt_users(prepared["vendors"]))
            self._record(addresses)
            self.news.say("starting the city")
            ready = self.supervisor.start(_READY_WITHIN_S)
        except BaseException:
            self._save_key(prepared)
            raise
        if not ready:
            self._save_key(prepared)
            return 0
        self._record(addresses, ready=True)
        self.news.log.add(f"ready: {self.url}")
        self._welcome(prepared)
        say_ready(notify_address())
        after_ready()
        self.supervisor.run()
        say = unfailing(self.news.say)
        say("stopping")
        self.supervisor.stop()
        say(f"stopped; the data is kept in {self.settings.home}")
        return 0

    def _mqtt_users(self, vendors: Mapping[str, Sequence[str]]) -> list[MqttUser]:
        rehearsing = self.settings.exercise_vendors
        for name in sorted(set(rehearsing) - set(vendors)):
            self.news.say(f"note: {EXERCISE_VENDORS} names {name!r}, which has no device here")
        return broker_users(vendors, rehearsing=rehearsing)

    def _record(self, addresses: Addresses, *, ready: bool = False) -> None:
        """Let other commands know what runs; the processes find the servers this way."""
        supervisor = mark_of(os.getpid())
        if supervisor is None:
            raise SetupFailed("/proc is not mounted: CityOS needs Linux with /proc")
        RunningCity(
            supervisor=supervisor,
            addresses=addresses,
            http_url=self.url,
            servers=self.stack.describe(),
            ready=ready,
        ).write(self.settings.home)

    def _welcome(self, prepared: Mapping[str, Any]) -> None:
        metrics = {
            name: f"http://127.0.0.1:{port}/metrics" for name, port in self.metrics_ports.items()
        }
        print_welcome(
            self.news.console,
            Welcome(
                url=self.url,
                home=self.settings.home,
                servers=self.stack.describe(),
                metrics=metrics,
                broker=self.stack.broker,
                admin_key=prepared["admin_key"],
                example=prepared["example"],
                absence=prepared["absence"],
                standing=prepared["standing"],
                practice=prepared["practice"],
                attended=self.attended,
                http_port_chosen=self.settings.http_port is not None,
                mqtt_port_chosen=self.settings.mqtt_port is not None,
            ),
        )

    def _save_key(self, prepared: Mapping[str, Any]) -> None:
        """The first key is made once: a start that goes no further must not lose it."""
        if prepared["admin_key"]:
            key = f"administrator's key, shown only this once: {prepared['admin_key']}"
            self.news.console.print(key, highlight=False, markup=False, soft_wrap=True)


def _parts(settings: Settings, port: int, metrics_ports: Mapping[str, int]) -> list[Part]:
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "cityos", "--home", str(settings.home), *arguments]

    parts = [
        *(
            Part(name=name, argv=command(name, "--metrics-port", str(number)))
            for name, number in metrics_ports.items()
        ),
        Part(name="api", argv=command("api", "--port", str(port)), says_ready=False),
    ]
    if settings.feeds:
        parts.append(Part(name="feeds", argv=command("feeds"), needed=False))
    if settings.demo:
        parts.append(Part(name="simulate", argv=command("simulate"), needed=False))
    return parts


def _prepare(settings: Settings, *, first_key: bool) -> dict[str, Any]:
    """Migrate and make the demo city, in a process of its own that takes its memory with it."""
    argv = [sys.executable, "-m", "cityos", "--home", str(settings.home), "prepare"]
    output = run(
        [
            *argv,
            "--demo" if settings.demo else "--no-demo",
            "--first-key" if first_key else "--no-first-key",
        ],
        account=Account("self"),
        folder=Path.cwd(),
        timeout_s=_PREPARE_TIMEOUT_S,
        log=log_path(settings.home, "prepare"),
        environment=None,
    )
    found: dict[str, Any] = json.loads(output)
    return found


def _http_port(settings: Settings) -> int:
    """Raises SetupFailed: the port that was asked for is taken."""
    host = settings.http_host
    if settings.http_port is None:
        return free_port(HTTP_PORT, host=host)
    if not is_free(settings.http_port, host):
        message = (
            f"port {settings.http_port} on {host} is taken by another program: stop it, or set "
            "CITYOS_HTTP_PORT to another one (unset, a free one is found)"
        )
        raise SetupFailed(message)
    return settings.http_port


def _wanted_mqtt_port(settings: Settings) -> int:
    """Raises SetupFailed: the port that was asked for is taken."""
    port = settings.mqtt_port
    if port is not None and not settings.mqtt_url and not is_free(port, settings.mqtt_host):
        message = (
            f"port {port} on {settings.mqtt_host} is taken by another program: stop it, or set "
            "CITYOS_MQTT_PORT to another one (unset, a free one is found)"
        )
        raise SetupFailed(message)
    return port or 0


def _reachable_host(host: str) -> str:
    if host in _ANY_ADDRESS:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _is_ready(url: str) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=_CHECK_TIMEOUT_S)
    try:
        connection.request("GET", "/v1/ready")
        return connection.getresponse().status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
