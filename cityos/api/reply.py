"""One response on its way out, with what every response carries."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, TypeAlias

from starlette.types import Message, Scope, Send

from cityos.api import errors
from cityos.api.answers import Answer, Question
from cityos.api.visit import Visit
from cityos.ports import Allowance

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]

_EVERYWHERE: Final[RawHeaders] = [(b"x-content-type-options", b"nosniff")]
OPEN: Final[RawHeaders] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"*"),
    (b"vary", b"Accept, Authorization, CityOS-Tenant"),
]


class Reply:
    """Sends one response. As the inner application's ``send`` it completes what that sends."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.method: str = scope["method"]
        self.request_id = request_id
        self.status = 500
        self.begun = False
        self.streamed = False
        self.headers: RawHeaders = []
        self.allowance: Allowance | None = None
        self.known_tags = b""
        self.question: Question | None = None
        self.visit: Visit | None = None
        self.answer: tuple[bytes, RawHeaders, bytes] | None = None
        self._path: str = scope["path"]
        self._send = send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._start = message
            self.begun = True
            return
        start, self._start = self._start, None
        if kind != "http.response.body" or start is None:
            if self.method != "HEAD":
                await self._send(message)
            return
        status, headers = start["status"], list(start["headers"])
        body = message.get("body", b"")
        if message.get("more_body"):
            await self._stream(status, headers, message)
        elif status == 200 and self.method in {"GET", "HEAD"}:  # noqa: PLR2004 - OK
            await self._send_tagged(headers, bytes(body))
        elif status >= 400 and _is_plain(headers):  # noqa: PLR2004 - the framework's own refusals
            await self.problem(errors.of_status(status))
        else:
            await self.send_all(status, headers, body)

    async def problem(self, problem: errors.Problem) -> None:
        body = problem.body(instance=self._path, request_id=self.request_id)
        headers = [
            (b"content-type", errors.MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            *((name.lower().encode(), value.encode()) for name, value in problem.headers.items()),
        ]
        await self.send_all(problem.status, headers, body)

    async def send_again(self, answer: Answer) -> None:
        if self.known_tags and _is_known(answer.etag, self.known_tags):
            await self._not_modified(answer.headers)
        else:
            await self._write(200, [*answer.headers, *self._of_this_request()], answer.body)

    async def send_all(self, status: int, headers: RawHeaders, body: bytes) -> None:
        await self._write(
            status, [*headers, *_EVERYWHERE, *self.headers, *self._of_this_request()], body
        )

    async def _send_tagged(self, headers: RawHeaders, body: bytes) -> None:
        """Send a whole response of status 200 with its entity tag, or say that it is known."""
        names = {name for name, _ in headers}
        etag = next((value for name, value in headers if name == b"etag"), b"")
        if not etag:
            etag = b'"%s"' % blake2b(body, digest_size=12).hexdigest().encode()
            headers.append((b"etag", etag))
        visit = self.visit
        if b"cache-control" not in names and visit is not None:
            headers.append((b"cache-control", b"no-store" if visit.private else b"no-cache"))
        headers += [*_EVERYWHERE, *self.headers]
        self.answer = (body, headers, etag)
        if self.known_tags and _is_known(etag, self.known_tags):
            await self._not_modified(headers)
        else:
            await self._write(200, [*headers, *self._of_this_request()], body)

    async def _not_modified(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        kept = [each for each in headers if each[0] not in {b"content-type", b"content-length"}]
        await self._write(304, [*kept, *self._of_this_request()], b"")

    async def _stream(self, status: int, headers: RawHeaders, message: Message) -> None:
        self.status, self.streamed = status, True
        headers += [*_EVERYWHERE, *self.headers, *self._of_this_request()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        if self.method == "HEAD":
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _write(self, status: int, headers: RawHeaders, body: bytes) -> None:
        self.status, self.begun = status, True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        content = b"" if self.method == "HEAD" else body
        await self._send({"type": "http.response.body", "body": content})

    def _of_this_request(self) -> RawHeaders:
        headers = [(b"x-request-id", self.request_id.encode())]
        allowance = self.allowance
        if allowance is not None and allowance.limit:
            policy, limit, window_s, remaining, reset_s, _ = allowance
            headers += [
                (b"ratelimit-limit", b"%d" % limit),
                (b"ratelimit-remaining", b"%d" % remaining),
                (b"ratelimit-reset", b"%d" % reset_s),
                (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (policy.encode(), limit, window_s)),
                (b"ratelimit", b'"%s";r=%d;t=%d' % (policy.encode(), remaining, reset_s)),
            ]
        return headers


def _is_plain(headers: RawHeaders) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/plain") for name, value in headers
    )


def _is_known(etag: bytes, known_tags: bytes) -> bool:
    """RFC 9110, 13.1.2: the weak comparison."""
    return any(tag.strip().removeprefix(b"W/") in {etag, b"*"} for tag in known_tags.split(b","))
