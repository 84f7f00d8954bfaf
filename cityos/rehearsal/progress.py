"""What a person at the terminal sees of a replay: a bar, or plain lines where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from cityos.rehearsal.summary import Summary

_JST: Final = timezone(timedelta(hours=9))
_LINES: Final = 10


class Progress:
    """Shows how far a replay is. ``console`` is a terminal, or where lines go."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None
        self._task = TaskID(0)
        self._total = 0
        self._told = 0

    @contextmanager
    def over(self, total: int) -> Iterator[None]:
        """Show the progress towards ``total`` messages while the block runs."""
        self._total, self._told = total, 0
        if not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=self._console) as self._bar:
            self._task = self._bar.add_task("replay", total=total)
            yield
        self._bar = None

    def step(self, done: int, time: datetime) -> None:
        """``done`` messages are out, the last one of ``time``."""
        if self._bar is not None:
            shown = f"{time.astimezone(_JST):%Y-%m-%d %H:%M} JST"
            self._bar.update(self._task, completed=done, description=shown)
            return
        tenths = done * _LINES // max(1, self._total)
        if tenths > self._told:
            self._told = tenths
            at = f"{time.astimezone(_JST):%Y-%m-%d %H:%M} JST"
            self._print(f"{done} of {self._total} messages, {at}")

    def tell(self, summary: Summary, look: Sequence[str]) -> None:
        """Say what the replay did, what came of it, and with ``look`` how to see that."""
        end = "stopped early" if summary.stopped else "done"
        messages = "1 message" if summary.published == 1 else f"{summary.published} messages"
        self._print(
            f"{end}: {messages} published in {summary.took_s:.1f} s as exercise {summary.run}"
        )
        if summary.first and summary.last:
            span = (f"{t.astimezone(_JST):%Y-%m-%d %H:%M}" for t in (summary.first, summary.last))
            self._print(f"recorded from {' to '.join(span)} JST")
        if summary.silence_cut:
            self._print(f"silence left out: {summary.silence_cut}")
        for reason, count in sorted(summary.skipped.counts.items()):
            self._print(f"skipped {count}: {reason} ({summary.skipped.which(reason)})")
        for reason, count in sorted(summary.refused.items()):
            self._print(f"the broker refused {count}: {reason}")
        if summary.outcome is not None:
            refused = summary.outcome.refused
            why = ", ".join(f"{reason}: {count}" for reason, count in sorted(refused.items()))
            self._print(f"refused by the city: {refused.total()}{f' ({why})' if why else ''}")
            self._print(f"proposals made: {summary.outcome.proposals}")
            if summary.outcome.superseded:
                self._print(
                    f"superseded before anybody decided: {summary.outcome.superseded};"
                    " a slower --speed leaves time to approve (60: an hour a minute)"
                )
        if look:
            self._print("look at it:")
        for command in look:
            self._print(f"  {command}")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
