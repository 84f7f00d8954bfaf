"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket
from typing import Final

from cityos.errors import SetupFailed

_RANGE: Final = range(20_000, 32_000)
"""Below the range that the kernel hands to clients (ip(7), ip_local_port_range): what is free now
stays free until the server has started."""

_TRIES: Final = 200


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # as servers do: a port in TIME_WAIT is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(*preferred: int, host: str = "127.0.0.1") -> int:
    """Return the first of ``preferred`` that is free, else one picked at random.

    Raises:
        SetupFailed: the host is not an address of this machine.
    """
    picks = (random.choice(_RANGE) for _ in range(_TRIES))  # noqa: S311 - not a secret
    for port in (*preferred, *picks):
        if port and is_free(port, host):
            return port
    message = f"cannot listen on {host}: is it an address of this machine?"
    raise SetupFailed(message)
