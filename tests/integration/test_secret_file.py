"""The file of secrets belongs to the city's user, whoever ran the command that wrote it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cityos.runtime.secret_file import SecretFile

NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into another user's folder")
def test_what_root_writes_stays_the_citys_own(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    secrets = SecretFile(tmp_path / "secrets.json")
    secrets.get("mqtt acme")
    secrets.renew("mqtt acme")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [".secrets.json.lock", "secrets.json"]
    assert {(file.stat().st_uid, file.stat().st_mode & 0o777) for file in files} == {
        (NOBODY, 0o600)
    }


def test_a_link_is_no_way_to_a_file_of_roots(tmp_path: Path) -> None:
    """Who owns the folder may not be given, or have written, what root alone may touch."""
    folder, other = tmp_path / "city", tmp_path / "roots"
    folder.mkdir()
    other.touch(mode=0o600)
    (folder / ".secrets.json.lock").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        SecretFile(folder / "secrets.json").renew("mqtt acme")
    assert other.stat().st_uid == os.geteuid()
