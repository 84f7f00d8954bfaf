"""What a person is told when the city runs: where everything is, what to try, how to stop."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from cityos.domain import topic
from cityos.runtime.broker import MqttBroker


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """``admin_key`` is empty unless it was made just now.

    ``metrics`` are the addresses of processes that have no API.
    ``example`` is a reading that one device of the city may publish (``tenant``, ``vendor``,
    ``device``, ``entity``, ``longitude``, ``latitude``, ``property``, ``value``, ``unit``), or
    None where there is no such device.
    """

    url: str
    home: Path
    servers: Mapping[str, str]
    metrics: Mapping[str, str]
    broker: MqttBroker | None
    admin_key: str
    example: Mapping[str, Any] | None


def print_welcome(console: Console, welcome: Welcome) -> None:
    """Print the ``ready:`` line, then the rest. Commands are printed whole, to be copied."""

    def line(text: str = "", style: str = "") -> None:
        console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    line(f"ready: {welcome.url}", style="bold green")
    line()
    line("What runs where", style="bold")
    line(f"  page, API      {welcome.url}  (documentation: {welcome.url}/docs)")
    for name, about in welcome.servers.items():
        line(f"  {name:<14} {about}")
    for name, address in welcome.metrics.items():
        line(f"  {name:<14} {address}  (Prometheus; the API's: {welcome.url}/metrics)")
    line(f"  state folder   {welcome.home}  (data, secrets, logs)")
    apart = [path.resolve().parent for path in welcome.home.iterdir() if path.is_symlink()]
    if apart:
        line(f"  servers' data  {apart[0]}  (their account cannot pass into the state folder)")
    if welcome.broker is not None and not welcome.broker.has_access_list:
        line(
            "  note: this broker has no access list, so any vendor's password can publish for "
            "another vendor; install the package mosquitto before vendors connect"
        )
    if welcome.admin_key:
        line()
        line("Administrator's key, shown only this once", style="bold")
        line(f"  {welcome.admin_key}")
    line()
    line("Try next", style="bold")
    for command in _commands(welcome):
        line(f"  {command}")
    line()
    line("Stop with Ctrl-C, or `cityos down` from elsewhere. The data is kept.")


def _commands(welcome: Welcome) -> list[str]:
    url, example = welcome.url, welcome.example
    commands = [f"curl '{url}/v1/entities?limit=5'"]
    if example is not None:
        if welcome.broker is not None:
            commands.insert(0, _publish(welcome.broker, example))
        entity, name = example["entity"], example["property"]
        commands.insert(-1, f"curl '{url}/v1/entities/{entity}/history/{name}?limit=3'")
        near = f"{example['longitude']},{example['latitude']}"
        commands.append(
            f"curl '{url}/v1/evacuation-sites?hazard=tsunami&near={near}&radius_m=5000'"
        )
    commands.append(f"curl -N {url}/v1/live")
    if welcome.admin_key:
        commands.append(f"curl -H 'Authorization: Bearer {welcome.admin_key}' {url}/v1/proposals")
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
