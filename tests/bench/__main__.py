"""``make bench``: ratios measured side by side in one run, as a table and as JSON.

    python -m tests.bench [--quick] [--only ingest,latency,alerts,reads,memory] [--history ROWS]

Wall rates swing with whatever else the machine does; a ratio of two numbers of one run, and CPU
time a message, are what to compare. Each run is kept in tests/bench/results/TIME.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import alerts, ingest, latency, memory, reads
from tests.bench.stage import DEVICE_LANES, GATEWAYS, Lanes, Stage, stage

RESULTS = Path(__file__).parent / "results"
PARTS = ("ingest", "latency", "alerts", "reads", "memory")
LOADS = (1_000, 10_000, 20_000, 40_000)
"""Messages a second: a large city, and what lies between it and the limit."""


def measure_ingest(made: Stage, messages: int, rounds: int, lanes: Lanes) -> dict[str, Any]:
    bare, ours = [], []
    for _ in range(rounds):  # alternating: both see the same neighbours
        bare.append(ingest.receive(made, messages, lanes))
        ours.append(ingest.ingest(made, messages, lanes))
    # each against its neighbour: the host's speed may be another one a minute later
    ratios = [mine.rate / theirs.rate for mine, theirs in zip(ours, bare, strict=True)]
    return {
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
        "rows_per_s": statistics.median(run.rate for run in ours),
        "bare_receiver_messages_per_s": statistics.median(run.rate for run in bare),
        "cpu_s_per_million_messages": {
            name: statistics.median(run.cpu_us[name] for run in ours) for name in ours[0].cpu_us
        },
    }


def measure_latency(made: Stage, rates: Iterable[float]) -> dict[str, Any]:
    """A window of ten seconds at each rate: the medians of their percentiles."""
    windows = [
        {"messages_per_s": rate, **latency.publish_to_queryable_ms(made, rate, 10.0)}
        for rate in rates
    ]
    medians = {name: statistics.median(one[name] for one in windows) for name in windows[0]}
    return {
        **medians,
        "p99_of_the_calmest_window": min(one["p99"] for one in windows),
        "p99_of_the_worst_window": max(one["p99"] for one in windows),
        "windows": {str(n): window for n, window in enumerate(windows, 1)},
    }


def half_rates(made: Stage, messages: int, rounds: int) -> Iterator[float]:
    """Half of what ingest carries, measured anew right before each window.

    The host's speed may be another one a minute later: half of the rate of a fast minute is all
    that a slow one carries.
    """
    for _ in range(rounds):
        yield ingest.ingest(made, messages, GATEWAYS).rate / 2


def measure_reads(made: Stage, history: int, seconds: float, rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    small = max(history // 50, 1000)
    cities: dict[str, int] = {}
    for rows in (small, history):
        url = made.new_city()
        reads.fill(url, rows)
        cities[reads.serve(made, url)] = rows
    for name, path in (("latest", reads.LATEST), ("last_100", reads.LAST_100)):
        results = reads.compare(made, list(cities), path, seconds=seconds, rounds=rounds)
        for rows, result in zip(cities.values(), results, strict=True):
            found[f"{name}_at_{rows}_rows"] = {
                "ratio": result.ratio,
                "requests_per_s": result.ours,
                "trivial_requests_per_s": result.trivial,
            }
    for rows, taken in zip(cities.values(), reads.from_the_store_ms(cities), strict=True):
        found[f"from_the_store_at_{rows}_rows_ms"] = taken
    made.end()
    large, little = f"at_{history}_rows", f"at_{small}_rows"
    return {
        "read_ratio_latest": found[f"latest_{large}"]["ratio"],
        "read_ratio_last_100": found[f"last_100_{large}"]["ratio"],
        "last_100_slowdown_with_history": found[f"last_100_{little}"]["requests_per_s"]
        / found[f"last_100_{large}"]["requests_per_s"],
        "store_slowdown_with_history": found[f"from_the_store_{large}_ms"]
        / found[f"from_the_store_{little}_ms"],
        "reads": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer rounds")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--history", type=int, default=0, help="rows of the long series")
    args = parser.parse_args()
    only = args.only.split(",")
    # long enough that the last batches, stored after the publisher is done, weigh little
    messages, rounds = (60_000, 1) if args.quick else (400_000, 5)
    found: dict[str, Any] = {}
    with stage() as made:
        rate = 20_000.0
        if "ingest" in only:
            gateways = measure_ingest(made, messages, rounds, GATEWAYS)
            devices = measure_ingest(made, messages, rounds, DEVICE_LANES)
            found["ingest_ratio"] = gateways["ratio"]
            found["ingest_from_4_connections"] = gateways
            found["ingest_from_200_connections"] = devices
            rate = gateways["rows_per_s"] / 2
        if "latency" in only:
            at_half = measure_latency(made, half_rates(made, messages, rounds))
            rate = at_half["messages_per_s"]
            found["publish_to_queryable_ms"] = at_half
            found["publish_to_queryable_ms_by_load"] = {
                f"{load}_a_second": measure_latency(made, repeat(load, min(rounds, 3)))
                for load in LOADS
            }
        if "alerts" in only:
            found["publish_to_alert_ms"] = alerts.publish_to_alert_ms(made, rate)
        if "reads" in only:
            history = args.history or (1_000_000 if args.quick else 5_000_000)
            found |= measure_reads(made, history, 2.0 if args.quick else 4.0, rounds)
    if "memory" in only:
        parts = memory.embedded_city_mb()
        found["resident_memory_mb"] = {"total": sum(parts.values()), **parts}
    show(found)
    keep(found)


GOALS = {
    "ingest_ratio": (">=", 0.6),
    "ingest_from_200_connections.ratio": (">=", 0.6),
    "publish_to_queryable_ms.p99": ("<", 50),
    "publish_to_alert_ms.mqtt.p99": ("<", 1000),
    "publish_to_alert_ms.atom.p99": ("<", 1000),
    "read_ratio_latest": (">=", 0.5),
    "read_ratio_last_100": (">=", 0.5),
    "last_100_slowdown_with_history": ("<", 1.2),
    "store_slowdown_with_history": ("<", 1.2),
    "resident_memory_mb.total": ("<", 600),
}


def show(found: dict[str, Any]) -> None:
    table = Table("measure", "value", "goal", "")
    for name, value in sorted(flat(found)):
        sign, goal = GOALS.get(name, ("", 0))
        met = {">=": value >= goal, "<": value < goal}.get(sign)
        verdict = "" if met is None else "met" if met else "[bold]missed[/bold]"
        table.add_row(name, f"{value:,.2f}", f"{sign} {goal:g}" if sign else "", verdict)
    Console(width=100).print(table)


def flat(found: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    rows: list[tuple[str, float]] = []
    for key, value in found.items():
        name = f"{prefix}{key}"
        rows += flat(value, f"{name}.") if isinstance(value, dict) else [(name, float(value))]
    return rows


def keep(found: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    document = {
        "measured_at": now.isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "found": found,
    }
    path = RESULTS / f"{now:%Y-%m-%dT%H%MZ}.json"
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    print(f"kept in {path.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
