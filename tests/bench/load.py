"""A publisher that costs next to nothing: packets built before, sent in slices, acks counted.

    python -m load --port 1883 --user demo --password ... --messages 100000 [--rate 20000]

MQTT 3.1.1, QoS 1, a window for each connection: a few wide ones are gateways that send in lumps,
many narrow ones are devices of their own. One message is one reading of about 200 bytes for one of
``--devices`` devices; no (device, time) comes twice in a run. Loopback only.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

SLICE_BYTES = 262_144


def device_id(number: int) -> str:
    return f"bench-{number:06d}"


def topic_of(tenant: str, vendor: str, number: int) -> str:
    return f"cityos/v1/{tenant}/{vendor}/{device_id(number)}/observations"


def reading(at: datetime, value: float) -> bytes:
    """One reading, padded to the 200 bytes of the goal by what real devices send along."""
    text = {
        "property": "air_temperature",
        "value": round(value, 3),
        "unit": "Cel",
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "dataset": "",
    }
    body = json.dumps(text, separators=(",", ":"))
    return (body[:-1] + " " * max(0, 198 - len(body)) + "}").encode()


def remaining_length(length: int) -> bytes:
    out = bytearray()
    while True:
        length, digit = length >> 7, length & 127
        out.append(digit | 128 if length else digit)
        if not length:
            return bytes(out)


def publish_packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    raw = topic.encode()
    body = struct.pack(">H", len(raw)) + raw + struct.pack(">H", packet_id) + payload
    return b"\x32" + remaining_length(len(body)) + body


def text_field(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


@dataclass
class Connection:
    sock: socket.socket
    packets: list[bytes]
    sent: int = 0
    acked: int = 0
    pending: bytes = b""
    unread: bytes = field(default=b"", repr=False)

    @classmethod
    def open(cls, port: int, user: str, password: str, name: str) -> Connection:
        sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flags = 0x02 | (0xC0 if user else 0)
        body = text_field("MQTT") + bytes((4, flags)) + struct.pack(">H", 60) + text_field(name)
        if user:
            body += text_field(user) + text_field(password)
        sock.sendall(b"\x10" + remaining_length(len(body)) + body)
        answer = sock.recv(4)
        if answer[:1] != b"\x20" or answer[3]:
            raise SystemExit(f"the broker refused the connection: {answer!r}")
        sock.setblocking(False)  # noqa: FBT003
        return cls(sock, [])

    def pump(self, window: int, quota: int) -> bool:
        """Send what the window and the quota allow; return whether the socket is full."""
        while True:
            if not self.pending:
                room = min(window - (self.sent - self.acked), quota - self.sent)
                if room <= 0:
                    return False
                chunk, size = [], 0
                for packet in self.packets[self.sent : self.sent + room]:
                    chunk.append(packet)
                    size += len(packet)
                    if size > SLICE_BYTES:
                        break
                if not chunk:
                    return False
                self.sent += len(chunk)
                self.pending = b"".join(chunk)
            try:
                count = self.sock.send(self.pending)
            except BlockingIOError:
                return True
            self.pending = self.pending[count:]

    def drain(self) -> None:
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        if not data:
            raise SystemExit("the broker closed the connection")
        data = self.unread + data
        whole = len(data) // 4 * 4
        self.acked += whole // 4
        self.unread = data[whole:]


def build(args: argparse.Namespace) -> list[list[bytes]]:
    start = datetime.fromisoformat(args.start) if args.start else datetime.now(UTC)
    start -= timedelta(milliseconds=args.messages // args.devices + 1)
    lanes: list[list[bytes]] = [[] for _ in range(args.connections)]
    topics = [topic_of(args.tenant, args.vendor, number) for number in range(args.devices)]
    for number in range(args.messages):
        device = number % args.devices
        at = start + timedelta(milliseconds=number // args.devices)
        lane = lanes[number % args.connections]
        payload = reading(at, 15.0 + number % 9973 / 1000)
        lane.append(publish_packet(topics[device], payload, len(lane) % 65535 + 1))
    return lanes


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--tenant", default="bench")
    parser.add_argument("--vendor", default="bench")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--window", type=int, default=2000, help="in flight, each connection")
    parser.add_argument("--rate", type=float, default=0, help="messages a second, 0: no limit")
    parser.add_argument("--start", default="", help="RFC 3339 time of the newest readings")
    args = parser.parse_args()
    lanes = build(args)
    connections = []
    for number, lane in enumerate(lanes):
        name = f"load-{time.time_ns()}-{number}"
        connection = Connection.open(args.port, args.user, args.password, name)
        connection.packets = lane
        connections.append(connection)
    print("built", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    while any(c.acked < len(c.packets) for c in connections):
        full = []
        for connection in connections:
            quota = len(connection.packets)
            if args.rate:
                due = (time.perf_counter() - started) * args.rate / args.connections + 1
                quota = min(quota, int(due))
            if connection.pump(args.window, quota):
                full.append(connection.sock)
        socks = [c.sock for c in connections]
        readable, _, _ = select.select(socks, full, [], 0.001 if args.rate else 0.5)
        for connection in connections:
            if connection.sock in readable:
                connection.drain()
    seconds = time.perf_counter() - started
    print(json.dumps({"messages": args.messages, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
