"""What a person is told when the city runs: where everything is, what to try, how to stop."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rich.console import Console

from cityos.domain import topic
from cityos.runtime.broker import MqttBroker

HTTP_PORT: Final = 8080
MQTT_PORT: Final = 1883
"""Where devices and apps look first. Another program may have the port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """``admin_key`` is empty unless it was made just now.

    ``metrics`` are the addresses of processes that have no API.
    ``example`` is a reading that one device of the city may publish (``tenant``, ``vendor``,
    ``device``, ``entity``, ``longitude``, ``latitude``, ``property``, ``value``, ``unit``), or
    None where there is no such device.
    ``absence`` says what to do where the city is not in the store; else it is empty.
    ``standing`` says whether the city practices; empty where it is not in the store.
    ``practice`` False: what is published is real, so nothing invented is offered for that.
    ``attended`` False: what is printed is kept where others read it, so no secret is in it.
    """

    url: str
    home: Path
    servers: Mapping[str, str]
    metrics: Mapping[str, str]
    broker: MqttBroker | None
    admin_key: str
    example: Mapping[str, Any] | None
    absence: str = ""
    standing: str = ""
    practice: bool = False
    attended: bool = True
    http_port_chosen: bool = False
    mqtt_port_chosen: bool = False


def print_welcome(console: Console, welcome: Welcome) -> None:
    """Print the ``ready:`` line, then the rest. Commands are printed whole, to be copied."""

    def line(text: str = "", style: str = "") -> None:
        console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    line(f"ready: {welcome.url}", style="bold green")
    about = f"note: {welcome.absence}" if welcome.absence else f"city: {welcome.standing}"
    line(f"  {about}", style="" if welcome.practice else "yellow")
    line()
    line("What runs where", style="bold")
    for what, where in _places(welcome):
        line(f"  {what:<14} {where}")
    if welcome.broker is not None and not welcome.broker.has_access_list:
        line(
            "  note: this broker has no access list, so any vendor's password can publish for "
            "another vendor; install the package mosquitto before vendors connect"
        )
    for moved in _moved(welcome):
        line(f"  note: {moved}", style="yellow")
    if welcome.admin_key:
        line()
        line("Administrator's key, shown only this once", style="bold")
        line(f"  {welcome.admin_key}")
    line()
    command = cityos_command(welcome.home)
    if welcome.attended:
        line("Try next", style="bold")
        for example in _commands(welcome):
            line(f"  {example}")
        line()
    if not welcome.admin_key:
        line(f"Another key: {command} key create --help")
    line(f"Stop with Ctrl-C, or from elsewhere: {command} down")
    line("The data is kept.")


def cityos_command(home: Path) -> str:
    """Return ``cityos`` as it can be typed anywhere: it is seldom on the PATH."""
    return shlex.join([*cityos_program(), "--home", str(home)])


def cityos_program() -> list[str]:
    """Return the words that start this installation's ``cityos`` from anywhere."""
    program = Path(sys.executable).parent / "cityos"
    return [str(program)] if program.exists() else [sys.executable, "-m", "cityos"]


def _places(welcome: Welcome) -> Iterator[tuple[str, str]]:
    """What runs where, and where it keeps its files."""
    yield "page, API", f"{welcome.url}  (documentation: {welcome.url}/docs)"
    yield from welcome.servers.items()
    for name, address in welcome.metrics.items():
        yield name, f"{address}  (Prometheus; the API's: {welcome.url}/metrics)"
    yield "state folder", f"{welcome.home}  (data, secrets, logs)"
    apart = [path.resolve().parent for path in welcome.home.iterdir() if path.is_symlink()]
    if apart:
        yield "servers' data", f"{apart[0]}  (their account cannot pass into the state folder)"


def _moved(welcome: Welcome) -> list[str]:
    """What does not listen where devices and apps look for it: a town must hear of that."""
    moved = []
    if urlsplit(welcome.url).port != HTTP_PORT and not welcome.http_port_chosen:
        moved.append(
            f"port {HTTP_PORT} is taken by another program, so the page is elsewhere this time; "
            f"CITYOS_HTTP_PORT={HTTP_PORT} makes that an error"
        )
    broker = welcome.broker
    if broker is not None and broker.port != MQTT_PORT and not welcome.mqtt_port_chosen:
        moved.append(
            f"port {MQTT_PORT} is taken by another program, so the broker listens on "
            f"{broker.port} this time and devices set to {MQTT_PORT} do not reach it; "
            f"CITYOS_MQTT_PORT={MQTT_PORT} makes that an error"
        )
    return moved


def _commands(welcome: Welcome) -> list[str]:
    url, example = welcome.url, welcome.example
    commands = [f"curl '{url}/v1/entities?limit=5'"]
    if example is not None:
        if welcome.broker is not None and welcome.practice:
            commands.insert(0, _publish(welcome.broker, example))
        entity, name = example["entity"], example["property"]
        commands.insert(-1, f"curl '{url}/v1/entities/{entity}/history/{name}?limit=3'")
        near = f"{example['longitude']},{example['latitude']}"
        commands.append(
            f"curl '{url}/v1/evacuation-sites?hazard=tsunami&near={near}&radius_m=5000'"
        )
    commands.append(f"curl -N '{url}/v1/live'")
    if welcome.admin_key:
        bearer = f"Authorization: Bearer {welcome.admin_key}"
        commands.append(f"curl -H '{bearer}' '{url}/v1/proposals'")
    packages = {"mosquitto_pub": "mosquitto-clients", "curl": "curl"}
    for program, package in packages.items():
        if shutil.which(program) is None and any(program in command for command in commands):
            commands.append(f"({program} is in the Debian package {package})")
    return commands


def _publish(broker: MqttBroker, example: Mapping[str, Any]) -> str:
    vendor = str(example["vendor"])
    reading = {name: example[name] for name in ("property", "value", "unit")}
    where = topic.observations(str(example["tenant"]), vendor, str(example["device"]))
    return (
        f"mosquitto_pub -h {broker.host} -p {broker.port} -u {vendor} "
        f"-P {broker.passwords[vendor]} -q 1 -t {where} -m {shlex.quote(json.dumps(reading))}"
    )
