"""Runs the cases of a plugin: what goes in, and what has to come out.

    python -m cityos.testing.cases adapters/senml services/evacuation_alert
    python -m cityos.testing.cases adapters/my_sensor --write

A case of an adapter is a folder with ``input.json``, ``.xml``, ``.hex``, ``.cbor`` or any other
ending, and either ``expected.json`` (what the plugin yields) or ``expected_error.txt`` (lines that
the ``UndecodablePayload`` has to hold); ``receipt.json`` says where and when the bytes arrived.
A case of a service has ``event.json`` or ``events.json``, ``city.json``, and ``expected.json``:
the effects, for ``events.json`` a list of them for each event. ``settings.json`` sets fields of
the plugin's class. Every case runs twice, so that a plugin that remembers is found out.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import GenericAlias
from typing import Any, Final, cast

from cityos.domain.alert import Bulletin
from cityos.domain.observation import Observation
from cityos.domain.proposal import Assessment
from cityos.errors import InvalidPlugin, UndecodablePayload
from cityos.plugins.contract import Decoder, Feed, Fetch, Service
from cityos.plugins.discovery import FoundPlugin, find
from cityos.plugins.manifest import Kind
from cityos.testing import case_files
from cityos.testing.case_files import EXPECTED, EXPECTED_ERROR
from cityos.testing.plain import to_plain
from cityos.testing.results import problems

_HINTS: Final[dict[Kind, Any]] = {
    Kind.DECODER: list[Observation],
    Kind.FEED: list[Observation | Bulletin | Fetch],
    Kind.SERVICE: list[Assessment],
}


class CaseFailed(AssertionError):
    """The plugin did not do what the case says. The message shows the difference."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case of one plugin."""

    plugin: FoundPlugin
    folder: Path

    def __str__(self) -> str:
        return f"{self.plugin.manifest.id}/{self.folder.name}"

    def run(self) -> None:
        """Run the case twice.

        Raises:
            CaseFailed: the outcome is another than the files say, or another the second time.
            InvalidPlugin: a file of the case, the manifest or the class is wrong.
        """
        if (self.folder / EXPECTED).exists() == (self.folder / EXPECTED_ERROR).exists():
            message = f"{self.folder}: needs one of {EXPECTED} and {EXPECTED_ERROR}"
            raise InvalidPlugin(message)
        first, second = self._outcomes()
        if isinstance(first, UndecodablePayload) or isinstance(second, UndecodablePayload):
            self._compare_errors(first, second)
        else:
            self._compare_results(first, second)

    def write(self) -> None:
        """Write what the plugin does now as what is expected. Read it before you believe it."""
        outcome, _ = self._outcomes()
        if isinstance(outcome, UndecodablePayload):
            file, text = EXPECTED_ERROR, f"{error_text(outcome)}\n"
        else:
            file, text = EXPECTED, f"{self._text(outcome)}\n"
        for name in (EXPECTED, EXPECTED_ERROR):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / file).write_text(text, encoding="utf-8")

    def _outcomes(self) -> tuple[object, object]:
        plugin = self.plugin.load(case_files.settings(self.folder))
        return self._outcome(plugin), self._outcome(plugin)

    def _outcome(self, plugin: Decoder | Feed | Service) -> object:
        try:
            if self.plugin.manifest.kind is Kind.SERVICE:
                return self._react(cast("Service", plugin))
            return self._read(cast("Decoder | Feed", plugin))
        except (UndecodablePayload, InvalidPlugin, CaseFailed) as error:
            if isinstance(error, UndecodablePayload) and self._is_adapter:
                return error
            raise
        except Exception as error:
            message = (
                f"{self}: raised {type(error).__name__}: {error}; only UndecodablePayload may "
                "come out of an adapter, and nothing out of a service"
            )
            raise CaseFailed(message) from error

    @property
    def _is_adapter(self) -> bool:
        return self.plugin.manifest.kind is not Kind.SERVICE

    def _read(self, plugin: Decoder | Feed) -> list[Any]:
        payload, receipt = case_files.payload(self.folder), case_files.receipt(self.folder)
        is_feed = self.plugin.manifest.kind is Kind.FEED
        read = cast("Feed", plugin).read if is_feed else cast("Decoder", plugin).decode
        results: list[Any] = list(read(payload, receipt))
        self._check(results)
        return results

    def _react(self, plugin: Service) -> list[Any]:
        """Each event is stored before the service hears of it, its effects are performed after."""
        city, dataset = case_files.city(self.folder)
        events, many = case_files.events(self.folder)
        answers = []
        for event in events:
            city.happen(event)
            effects = list(plugin.react(event, city.view_of(event, dataset=dataset)))
            self._check(effects)
            for effect in effects:
                city.perform(effect)
            answers.append(effects)
        return answers if many else answers[0]

    def _check(self, results: list[Any]) -> None:
        found = problems(results, self.plugin.manifest)
        if found:
            raise CaseFailed(f"{self}: breaks the contract:\n  " + "\n  ".join(found))

    def _compare_errors(self, first: object, second: object) -> None:
        if not isinstance(first, UndecodablePayload) or not isinstance(second, UndecodablePayload):
            raise CaseFailed(f"{self}: refused once and read once: the plugin remembers something")
        text = error_text(first)
        if text != error_text(second):
            raise CaseFailed(f"{self}: the second error is another: {text} / {error_text(second)}")
        if not (self.folder / EXPECTED_ERROR).exists():
            raise CaseFailed(f"{self}: must be read, but was refused:\n  {text}")
        missing = [line for line in case_files.expected_error(self.folder) if line not in text]
        if missing:
            raise CaseFailed(f"{self}: the error does not say {missing}; it says:\n  {text}")

    def _compare_results(self, first: object, second: object) -> None:
        if not (self.folder / EXPECTED).exists():
            raise CaseFailed(f"{self}: must be refused, but was read:\n{self._text(first)}")
        if first != second:
            difference = _difference(self._text(first), self._text(second), "first", "second")
            raise CaseFailed(
                f"{self}: the second call answers differently, so the plugin remembers something; "
                f"it must not keep anything between calls\n{difference}"
            )
        expected = case_files.expected(self.folder, self._hint)
        if first != expected:
            difference = _difference(self._text(expected), self._text(first), EXPECTED, "result")
            raise CaseFailed(f"{self}: is not what {EXPECTED} says\n{difference}")

    @property
    def _hint(self) -> Any:  # noqa: ANN401 - a type
        hint = _HINTS[self.plugin.manifest.kind]
        many = (self.folder / "events.json").exists()
        return GenericAlias(list, (hint,)) if many else hint

    def _text(self, results: object) -> str:
        return json.dumps(to_plain(results, self._hint), ensure_ascii=False, indent=2)


def cases_of(plugin: FoundPlugin) -> list[Case]:
    """Return the cases in the plugin's folder ``cases``, by name.

    Raises:
        InvalidPlugin: there is none.
    """
    folder = plugin.folder / "cases"
    found = (
        sorted(place for place in folder.iterdir() if place.is_dir()) if folder.exists() else []
    )
    if not found:
        message = f"{plugin.folder}: has no cases; copy the specification's examples into cases/"
        raise InvalidPlugin(message)
    return [Case(plugin, place) for place in found]


def error_text(error: UndecodablePayload) -> str:
    """Return the error as cases compare it: ``path: detail (hint)``."""
    return f"{error.path}: {error.detail} ({error.hint})"


def _difference(before: str, after: str, name_before: str, name_after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), name_before, name_after, lineterm="", n=4
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or write the cases of the given folders; return the number of failures, 100 at most."""
    parser = argparse.ArgumentParser(
        prog="python -m cityos.testing.cases", description="Run the cases of plugins."
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders with a manifest")
    parser.add_argument(
        "--write", action="store_true", help="write what comes out now as what is expected"
    )
    chosen = parser.parse_args(arguments)
    failures = 0
    for folder in chosen.folders:
        try:
            found = cases_of(find(folder.resolve()))
        except InvalidPlugin as error:
            failures += 1
            sys.stdout.write(f"FAIL {error}\n")
            continue
        for case in found:
            try:
                case.write() if chosen.write else case.run()
                sys.stdout.write(f"{'wrote' if chosen.write else 'ok  '} {case}\n")
            except (CaseFailed, InvalidPlugin) as error:
                failures += 1
                sys.stdout.write(f"FAIL {error}\n")
    return min(failures, 100)


if __name__ == "__main__":
    sys.exit(main())
