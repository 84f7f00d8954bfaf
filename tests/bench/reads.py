"""How fast the API answers against an endpoint that returns the same bytes, and how it ages."""

from __future__ import annotations

import select
import socket
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx2
import psycopg

from cityos.runtime.ports import free_port
from tests.bench.stage import TENANT, Stage

_CONNECTIONS = 8
_MOMENTS = 200
_THERMOMETER = "urn:ngsi-ld:Thermometer:bench:0"
LATEST = f"/v1/latest?entity={_THERMOMETER}&property=air_temperature"
LAST_100 = f"/v1/entities/{_THERMOMETER}/history/air_temperature?limit=100"
NEWEST = datetime(2026, 11, 22, tzinfo=UTC)

TRIVIAL = """
import sys
from fastapi import FastAPI, Response
body = open(sys.argv[2], "rb").read()
app = FastAPI()
@app.get("/same")
async def same() -> Response:
    return Response(body, media_type="application/json")
if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="error")
"""


@dataclass(frozen=True)
class ReadResult:
    """Requests a second of ours, and of an endpoint that only returns the same bytes."""

    ours: float
    trivial: float

    @property
    def ratio(self) -> float:
        return self.ours / self.trivial


def fill(database_url: str, rows: int) -> None:
    """Give one series this many rows, one a second back from NEWEST; others get a hundredth."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO series (tenant_id, entity_id, property, unit)"
            " SELECT %s, 'urn:ngsi-ld:Thermometer:bench:' || n, 'air_temperature', 'Cel'"
            " FROM generate_series(0, 9) n ON CONFLICT DO NOTHING",
            (TENANT,),
        )
        weeks = rows // (7 * 86400) + 2
        times = [NEWEST - timedelta(days=7 * week) for week in range(weeks)]
        connection.execute("SELECT make_room_for_observations(%s)", (times,))
        connection.execute(
            "INSERT INTO observation (observed_at, received_at, raw_id, value, series_id, quality)"
            " SELECT %s - make_interval(secs => n), now(), 1, 15 + n %% 100 / 10.0, s.id, 0"
            " FROM series s, generate_series(0, %s - 1) n"
            " WHERE s.entity_id = %s OR n %% 100 = 0 ON CONFLICT DO NOTHING",
            (NEWEST, rows, _THERMOMETER),
        )
        connection.execute(
            "INSERT INTO latest SELECT id, %s, now(), 1, 15, 0, NULL FROM series"
            " ON CONFLICT (series_id) DO NOTHING",
            (NEWEST,),
        )
        connection.execute("VACUUM ANALYZE")


def serve(stage: Stage, database_url: str) -> str:
    """Start an API on this database; return its URL when it is ready."""
    port = free_port()
    stage.cityos("api", database_url=database_url, CITYOS_HTTP_PORT=str(port))
    url = f"http://127.0.0.1:{port}"
    wait_for(f"{url}/v1/ready")
    return url


def wait_for(url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if httpx2.get(url, timeout=2.0).status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def compare(
    stage: Stage, urls: Sequence[str], path: str, *, seconds: float, rounds: int
) -> list[ReadResult]:
    """Take turns between the trivial answer and that of each API; medians of the rounds."""
    body = httpx2.get(urls[0] + path).raise_for_status().content
    file, script, port = stage.home / "body", stage.home / "trivial.py", free_port()
    file.write_bytes(body)
    script.write_text(TRIVIAL)
    child = stage.python(str(script), str(port), str(file))
    wait_for(f"http://127.0.0.1:{port}/same")
    trivial: list[float] = []
    ours: list[list[float]] = [[] for _ in urls]
    for _ in range(rounds):
        trivial.append(requests_per_second(port, "/same", seconds))
        for url, found in zip(urls, ours, strict=True):
            found.append(requests_per_second(urlsplit(url).port or 80, path, seconds))
    stage.end(child)
    same = statistics.median(trivial)
    return [ReadResult(statistics.median(found), same) for found in ours]


def from_the_store_ms(cities: Mapping[str, int]) -> list[float]:
    """Median times of 100 values before a moment not asked for yet, all over the history.

    ``cities``: how many rows the series has, by the API's URL. They are asked in turn.
    """
    taken: list[list[float]] = [[] for _ in cities]
    with httpx2.Client() as client:
        for number in range(_MOMENTS):
            for (url, rows), found in zip(cities.items(), taken, strict=True):
                until = NEWEST - timedelta(seconds=rows * (number + 0.5) / _MOMENTS)
                started = time.perf_counter()
                answer = client.get(
                    url + LAST_100, params={"limit": 100, "until": until.isoformat()}
                )
                found.append(time.perf_counter() - started)
                assert answer.raise_for_status().json()["items"], f"nothing before {until}"
    return [statistics.median(found) * 1000 for found in taken]


def requests_per_second(port: int, path: str, seconds: float) -> float:
    """Keep-alive connections that each wait for their answer before they ask again."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(_CONNECTIONS)]
    size = _answer_size(socks[0], request)
    unread = dict.fromkeys(socks, size)
    for sock in socks:
        sock.sendall(request)
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for sock in select.select(socks, [], [], 1.0)[0]:
            unread[sock] -= len(sock.recv(262_144))
            if unread[sock] <= 0:
                unread[sock] = size
                count += 1
                sock.sendall(request)
    elapsed = time.perf_counter() - started
    for sock in socks:
        sock.close()
    return count / elapsed


def _answer_size(sock: socket.socket, request: bytes) -> int:
    """Bytes of one answer, head and body; the same for every one of them."""
    size = 0
    for _ in range(3):  # the first may set headers that later ones do not need
        sock.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)
        start, _, body = head.partition(b"\r\n\r\n")
        assert start.startswith(b"HTTP/1.1 200"), start[:100]
        length = next(
            int(line.split(b":")[1])
            for line in start.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += sock.recv(65536)
        size = len(start) + 4 + length
    return size
