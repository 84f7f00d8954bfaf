"""Fetches documents over HTTP: with a deadline for the whole, a size limit, and no detours.

A redirect is not followed and nothing is decompressed: what a source sends is what it may cost.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx2

from cityos.domain.rejection import Reason
from cityos.errors import InvalidRequest, NotFound, Rejected, Unavailable

_OK: Final = 200
_NOT_MODIFIED: Final = 304
_GONE: Final = (404, 410)
_REDIRECTS: Final = range(300, 400)
_PORTS: Final = {"http": 80, "https": 443}
_PLAIN: Final = ("", "identity")
_ERROR_NUMBER: Final = re.compile(r"^\[Errno -?\d+\] ")


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server said of a document's version; sent back, it need not send the same again."""

    etag: str = ""
    last_modified: str = ""


NO_VALIDATORS: Final = Validators()


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it came."""

    content: bytes
    content_type: str
    validators: Validators


class Downloader(Protocol):
    """Fetches one document."""

    async def get(
        self, url: str, *, validators: Validators, max_bytes: int, deadline_s: float
    ) -> Document | None:
        """Return the document, None if it is still that of ``validators``.

        Raises:
            Unavailable: no answer within the deadline, or one that may be another next time.
            NotFound: the server says that there is no such document.
            Rejected: it is larger than ``max_bytes`` or encoded.
            InvalidRequest: ``url`` is no HTTP address.
        """
        ...


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port: what a link must share with its source to be followed.

    Raises:
        InvalidRequest: ``url`` is no HTTP address, or has a user's name in it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _PORTS or parts.username is not None:
        message = f"{url[:200]!r} is not an address that is fetched"
        raise InvalidRequest(message, parameter="url")
    return parts.scheme, host, port or _PORTS[parts.scheme]


@asynccontextmanager
async def http_downloader(
    *, user_agent: str = "CityOS", proxy: str | None = None
) -> AsyncIterator[Downloader]:
    """Give a downloader with connections of its own, closed at the end."""
    async with httpx2.AsyncClient(
        headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
        proxy=proxy,
        limits=httpx2.Limits(max_connections=4, keepalive_expiry=120),
    ) as client:
        yield _HttpDownloader(client)


class _HttpDownloader:
    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def get(
        self, url: str, *, validators: Validators, max_bytes: int, deadline_s: float
    ) -> Document | None:
        origin(url)
        headers = {
            name: value
            for name, value in (
                ("If-None-Match", validators.etag),
                ("If-Modified-Since", validators.last_modified),
            )
            if value
        }
        try:
            # httpx2's own timeouts are for each step: a byte now and then would go on for ever
            async with (
                asyncio.timeout(deadline_s),
                self._client.stream("GET", url, headers=headers, timeout=deadline_s) as response,
            ):
                return await _document(response, max_bytes)
        except TimeoutError:
            message = f"no whole answer within {deadline_s:g} s"
            raise Unavailable(message) from None
        except httpx2.HTTPError as error:
            connected = not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
            what = "no whole answer from" if connected else "no connection to"
            why = _ERROR_NUMBER.sub("", str(error)) or type(error).__name__
            message = f"{what} {urlsplit(url).hostname}: {why}"[:300]
            raise Unavailable(message) from error
        except httpx2.InvalidURL as error:
            message = f"{url[:200]!r} is not an address that is fetched"
            raise InvalidRequest(message, parameter="url") from error


async def _document(response: httpx2.Response, max_bytes: int) -> Document | None:
    status = response.status_code
    if status == _NOT_MODIFIED:
        return None
    if status in _GONE:
        message = f"the server answers {status}"
        raise NotFound(message)
    if status in _REDIRECTS:
        message = f"the server answers {status}; a redirect is not followed"
        raise Unavailable(message)
    if status != _OK:
        message = f"the server answers {status}"
        raise Unavailable(message)
    if response.headers.get("Content-Encoding", "").lower() not in _PLAIN:
        raise Rejected(Reason.UNDECODABLE, "the document is compressed, which was not asked for")
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > max_bytes:
            raise _too_large(max_bytes)
    return Document(
        content=bytes(content),
        content_type=response.headers.get("Content-Type", ""),
        validators=Validators(
            response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        ),
    )


def _too_large(max_bytes: int) -> Rejected:
    return Rejected(Reason.TOO_LARGE, f"the document has more than {max_bytes} bytes")
