"""JMA telegrams (気象庁防災情報XML) as files, one telegram each.

They are sent through the city's own JMA feed device, in the order of ``Control/DateTime``, and
mean the city only where they name one of its ``jma_area_codes``.
Format: 気象庁防災情報XMLフォーマット 技術資料, http://xml.kishou.go.jp/jmaxml1/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lxml import etree

from cityos.domain.entity import Device
from cityos.rehearsal.recording import Needs, Recorded, Skipped

NAMESPACE: Final = "http://xml.kishou.go.jp/jmaxml1/"
VENDOR: Final = "jma"
DEVICE: Final = "jma_xml"
_LARGEST_BYTES: Final = 1_000_000  # what the broker lets through; the longest telegram has 0.4 MB


class JmaTelegrams:
    """Telegrams. The list of files is in memory, one telegram at a time."""

    title = "JMA telegrams"

    def __init__(self, files: Sequence[Path]) -> None:
        self.skipped = Skipped()
        self._files = files

    def count(self) -> int:
        return len(self._files)

    def needs(self, tenant: str) -> Needs:  # noqa: ARG002 - the device is the same for everyone
        device = Device(vendor=VENDOR, id=DEVICE, adapter="jma_xml", entity="")
        return Needs(devices=[device], municipality=True)

    def messages(self) -> Iterator[Recorded]:
        dated: list[tuple[datetime, Path]] = []
        for path in self._files:
            if path.stat().st_size > _LARGEST_BYTES:
                self.skipped.add("the telegram is too large for the broker", path.name)
                continue
            at = _sent(path)
            if at is None:
                self.skipped.add("the telegram has no Control/DateTime", path.name)
            else:
                dated.append((at, path))
        for at, path in sorted(dated):
            yield Recorded(at, VENDOR, DEVICE, path.read_bytes())


def is_telegram(head: bytes) -> bool:
    """Return whether these first bytes of a file are those of a JMA telegram."""
    return b"<Report" in head and NAMESPACE.encode() in head


def _sent(path: Path) -> datetime | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(path.read_bytes(), parser)
        text = root.findtext(f"{{{NAMESPACE}}}Control/{{{NAMESPACE}}}DateTime") or ""
        at = datetime.fromisoformat(text.strip())
    except (etree.XMLSyntaxError, ValueError):
        return None
    return at.astimezone(UTC) if at.tzinfo else None
