"""How a process says that it is ready: the protocol of sd_notify(3), as systemd understands it.

``READY=1`` goes to the datagram socket that ``NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterator
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"
_MAX_BYTES: Final = 4096
_READY: Final = "READY=1"
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SCM_CREDENTIALS


class ReadySocket:
    """Hears which processes are ready. The kernel vouches for the sender's pid."""

    def __init__(self) -> None:
        # an abstract name (unix(7)): no file to be left behind, no limit from a long folder name
        self.address = f"@cityos-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(_name(self.address))
        self._socket.setblocking(False)  # noqa: FBT003

    def heard(self) -> Iterator[int]:
        """The pids that said so since the last call."""
        while True:
            try:
                data, ancillary, _flags, _sender = self._socket.recvmsg(
                    _MAX_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size)
                )
            except BlockingIOError:
                return
            if _READY in data.decode(errors="replace").splitlines():
                for level, kind, value in ancillary:
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                        yield _CREDENTIALS.unpack(value[: _CREDENTIALS.size])[0]

    def close(self) -> None:
        self._socket.close()


def say_ready(address: str) -> None:
    """Tell whoever started us; without an address, or with nobody listening, nothing happens."""
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(_READY.encode(), _name(address))
        except OSError:
            return


def _name(address: str) -> str:
    return "\0" + address[1:] if address.startswith("@") else address
