"""What is said of a URL that is wrong never holds a part of its password."""

from __future__ import annotations

import pytest

from cityos.bootstrap import prepare
from cityos.errors import SetupFailed
from cityos.settings import Settings


@pytest.mark.parametrize("password", ["s3cr@et", "s3%cret", "s3cr et", "s3cr@et/x:y"])
def test_a_password_that_was_not_escaped_is_not_shown(password: str) -> None:
    settings = Settings(database_url=f"postgresql://city:{password}@127.0.0.1:1/city")
    with pytest.raises(SetupFailed) as raised:
        prepare._require_named_servers(settings)
    said = f"{raised.value} {getattr(raised.value, 'hint', '')}"
    assert "%" in said
    for part in ("s3", "et"):
        assert part not in said.replace("better", "").replace("letters", "")
