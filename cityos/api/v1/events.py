"""The server-sent events of /v1/live. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi.sse import format_sse_event

from cityos.api.v1 import mapping
from cityos.domain.alert import Alert
from cityos.ports import LatestValue


class Events:
    """An ``EventWriter`` of the documents of /v1."""

    @staticmethod
    def latest(values: Sequence[LatestValue]) -> bytes:
        items = [mapping.latest_item(value) for value in values]
        return format_sse_event(event="latest", data_str=_text({"items": items}))

    @staticmethod
    def alert(alert: Alert, *, replayed: bool) -> bytes:
        data = {**mapping.alert(alert), "replayed": replayed}
        return format_sse_event(
            event="alert", data_str=_text(data), id=mapping.alert_cursor(alert)
        )


def _text(document: object) -> str:
    return msgspec.json.encode(document).decode()
