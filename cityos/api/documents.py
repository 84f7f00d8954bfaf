"""Documents and pages of them as responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cityos.api.negotiation import JSON

T = TypeVar("T")

_encode: Final = msgspec.json.Encoder().encode


def document(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(_encode(content), status, headers, JSON)


def content(body: bytes | object, media_type: str, *, next_page: str | None = None) -> Response:
    """Return a representation that has no place for the address of the next page in it."""
    encoded = body if isinstance(body, bytes) else _encode(body)
    return Response(encoded, 200, _links(next_page), media_type)


def page(items: list[Any], next_page: str | None, **head: Any) -> Response:  # noqa: ANN401 - JSON
    """Return a page: what is said once (``head``), the items, and where it goes on."""
    return Response(
        _encode({**head, "items": items, "next": next_page}), 200, _links(next_page), JSON
    )


def cut(
    request: Request, found: Sequence[T], limit: int, cursor_of: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """Return what the page holds, and the address of the next one, relative to this server.

    The store was asked for one more than ``limit``, to see whether it goes on.
    """
    if len(found) <= limit:
        return found, None
    items = found[:limit]
    cursor = cursor_of(items[-1])
    query = [(name, value) for name, value in request.query_params.items() if name != "cursor"]
    query.append(("cursor", cursor))
    return items, f"{quote(request.scope['path'], safe='/:')}?{urlencode(query, safe=':,')}"


def _links(next_page: str | None) -> dict[str, str] | None:
    """RFC 8288."""
    return None if next_page is None else {"Link": f'<{next_page}>; rel="next"'}
