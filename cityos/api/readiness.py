"""Whether what this stands on answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

_DEADLINE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """A part that this depends on. ``probe`` raises when it does not answer.

    Without a part that is not ``required`` requests are still served.
    """

    name: str
    probe: Callable[[], object]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found. ``trouble`` is empty when the part answers."""

    check: Check
    trouble: str = ""


async def look(checks: Sequence[Check]) -> list[Finding]:
    """Ask every part at the same time, each in a thread of its own."""
    found: dict[str, Finding] = {}

    async def ask(check: Check) -> None:
        found[check.name] = Finding(check, await _trouble(check))

    async with anyio.create_task_group() as group:
        for check in checks:
            group.start_soon(ask, check)
    return [found[check.name] for check in checks]


async def _trouble(check: Check) -> str:
    with anyio.move_on_after(_DEADLINE_S):
        try:
            await anyio.to_thread.run_sync(check.probe, abandon_on_cancel=True)
        except Exception:  # noqa: BLE001 - whatever a probe raises, the part is away
            return "does not answer"
        return ""
    return f"no answer within {_DEADLINE_S:g} s"
