"""Run as ``python leash.py ORDER PROGRAM ARGUMENT...``: become PROGRAM, tied to the parent's life.

A stand-alone script, because it must do between fork and exec what a threaded parent cannot do
safely: give up root, raise the limit of open files, and ask the kernel for a signal at the
parent's death (prctl(2), PR_SET_PDEATHSIG). The request must come after the change of user, which
clears it, and the parent may be gone by then: hence the comparison at the end.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys

_PR_SET_PDEATHSIG = 1
_CANNOT_START = 126


def main() -> None:
    order = json.loads(sys.argv[1])
    program = sys.argv[2:]
    if order["open_files"]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = order["open_files"]
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if order["uid"] is not None:
        os.setgroups([])
        os.setgid(order["gid"])
        os.setuid(order["uid"])
    os.umask(0o077)
    os.environ.update(order["variables"])  # noqa: TID251 - hands them on, reads nothing
    if order["parent"] is not None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, order["signal_at_parent_death"], 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        if os.getppid() != order["parent"]:
            sys.exit(_CANNOT_START)
    try:
        os.execvp(program[0], program)  # noqa: S606 - this script exists to become that program
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.exit(_CANNOT_START)


if __name__ == "__main__":
    main()
