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
