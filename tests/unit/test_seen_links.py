"""What was published is remembered within bounds and over a restart, and nothing depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cityos.ingest.seen import SeenLinks


def test_the_oldest_is_forgotten_first_and_what_is_listed_last() -> None:
    seen = SeenLinks(None, most=3)
    for link in "abc":
        seen.add(link)
    seen.still_listed(["a", "unknown"])
    seen.add("d")
    assert "a" in seen
    assert "b" not in seen
    assert "unknown" not in seen
    assert len(seen) == 3


def test_a_restart_remembers(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "jma_xml.json"
    seen = SeenLinks(file)
    seen.add("a")
    seen.add("b")
    seen.save()
    again = SeenLinks(file, most=1)
    assert "b" in again
    assert "a" not in again
    assert [path.name for path in file.parent.iterdir()] == ["jma_xml.json"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'["a"', b"\xff\xfe"])
def test_a_broken_file_is_no_reason_to_stop(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "jma_xml.json"
    file.write_bytes(content)
    seen = SeenLinks(file)
    assert len(seen) == 0
    seen.add("a")
    seen.save()
    assert "a" in SeenLinks(file)


def test_a_disk_that_refuses_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    seen = SeenLinks(tmp_path / "file" / "jma_xml.json")
    seen.add("a")
    seen.save()
    assert "a" in seen
