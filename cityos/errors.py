"""Every error that this system raises on purpose.

    CityOSError
     ├─ Rejected                 a payload or a reading that cannot be kept as it is
     │   └─ UndecodablePayload     the bytes do not match the adapter's specification
     ├─ InvalidRequest           a caller's request breaks a documented rule
     ├─ NotFound                 the thing asked for does not exist (or not for this caller)
     ├─ Conflict                 the request fits, but the present state forbids it
     ├─ Unauthenticated          no key, or one that is not ours
     ├─ Forbidden                a valid key without the role that the action asks for
     │   └─ AnotherCity            a valid key, of another city than the one that is asked
     ├─ TooManyRequests          a quota is used up; says when to come back
     ├─ Unavailable              a part we depend on does not answer; trying again is right
     │   ├─ TookTooLong            it had not finished in its time; less at once may do
     │   └─ Unheard                nobody listens to what was published
     ├─ TooLarge                 a message is more than the other side takes, now and later
     ├─ InvalidPlugin            a manifest, a case or a class breaks the plugin contract
     └─ SetupFailed              the machine lacks something; says what to do

``api/errors.py`` is the one table that turns them into HTTP statuses; ``ingest`` turns
``Rejected`` into a dead letter and a feedback message. The text of an error is written for the
person who can fix it, and never carries SQL, secrets or another caller's data.
"""

from __future__ import annotations


class CityOSError(Exception):
    """Something went wrong in a way that we foresaw."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__ or type(self).__name__)


class Rejected(CityOSError):
    """The reading cannot be kept as it is.

    ``reason`` is a code of ``cityos.domain.rejection.Reason``; ``path`` says where in the payload
    (JSONPath-like, ``$`` is the whole); ``hint`` says how to fix it.
    """

    def __init__(self, reason: str, detail: str, *, path: str = "$", hint: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.path = path
        self.hint = hint


class UndecodablePayload(Rejected):
    """The bytes do not match the adapter's specification."""

    def __init__(self, detail: str, *, path: str = "$", hint: str = "") -> None:
        super().__init__("undecodable", detail, path=path, hint=hint)


class InvalidRequest(CityOSError):
    """The request breaks a documented rule. ``parameter`` names the part to fix."""

    def __init__(self, message: str, *, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


class NotFound(CityOSError):
    """The thing asked for does not exist."""


class Conflict(CityOSError):
    """The present state forbids the request."""


class Unauthenticated(CityOSError):
    """A key is needed, and the one given is missing or not ours."""


class Forbidden(CityOSError):
    """The key is valid, but its role does not allow this."""


class AnotherCity(Forbidden):
    """The key is valid, but in another city than the one that was asked."""


class TooManyRequests(CityOSError):
    """The quota is used up."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(CityOSError):
    """A part that this depends on does not answer. Trying again later is right."""


class TookTooLong(Unavailable):
    """What was asked was not finished in its time. Asking for less at once may be right."""


class Unheard(Unavailable):
    """The broker took a message and had nobody to give it to."""


class TooLarge(CityOSError):
    """A message is more than the other side takes. Trying again is no use, a smaller one is."""


class InvalidPlugin(CityOSError):
    """A plugin breaks the contract: its manifest, its class or its cases."""


class SetupFailed(CityOSError):
    """The machine lacks something that is needed to start. The message says what to do."""
