"""A bare receiver: MQTT 3.1.1, QoS 1, acknowledges and forgets. The limit that ingest is held to.

python -m tests.bench.receiver --port 1883 --user ingest --password ... --messages 100000
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import time

from cityos.domain.topic import OBSERVATIONS_FILTER
from cityos.ingest.packets import split
from tests.bench.load import remaining_length, text_field

READ_BYTES = 262_144


def subscribe(port: int, user: str, password: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = f"receiver-{time.time_ns()}"
    body = text_field("MQTT") + b"\x04\xc2" + struct.pack(">H", 0)
    body += text_field(name) + text_field(user) + text_field(password)
    sock.sendall(b"\x10" + remaining_length(len(body)) + body)
    if sock.recv(4)[3]:
        raise SystemExit("the broker refused the receiver")
    body = b"\x00\x01" + text_field(OBSERVATIONS_FILTER) + b"\x01"
    sock.sendall(b"\x82" + remaining_length(len(body)) + body)
    sock.recv(5)
    return sock


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--messages", type=int, required=True)
    args = parser.parse_args()
    sock = subscribe(args.port, args.user, args.password)
    print("subscribed", flush=True)
    count, rest, started = 0, b"", 0.0
    while count < args.messages:
        data = sock.recv(READ_BYTES)
        if not data:
            raise SystemExit("the broker closed the connection")
        run = rest + data
        found = split(run, mqtt5=False)
        rest = run[found.used :]
        if found.acks:
            sock.sendall(b"".join(found.acks))
        if found.messages and not count:
            started = time.perf_counter()
        count += len(found.messages)
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
