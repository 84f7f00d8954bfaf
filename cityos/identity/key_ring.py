"""Who holds a key, and what the key may do."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from cityos.errors import InvalidRequest, Unauthenticated
from cityos.identity import api_keys
from cityos.ports import ApiKey, Clock, KeyStore

ROLES: Final = ("reader", "official", "admin")
_REMEMBER_S: Final = 5.0
"""A revoked key opens nothing after this: the promise to operators is 10 s."""

_MOST_REMEMBERED: Final = 10_000
_MOST_NAME_LENGTH: Final = 100


class PepperedKeyRing:
    """A ``KeyRing`` over a ``KeyStore``.

    ``pepper`` is a secret of this server, at least 32 bytes: whoever copies the database cannot
    make a key of what is in it. Keys that were checked are remembered for some seconds, by a hash
    of their text, so that no secret lies about in memory for longer than its request.
    """

    def __init__(self, store: KeyStore, *, pepper: bytes, clock: Clock) -> None:
        if len(pepper) < 32:  # noqa: PLR2004 - the length of the HMAC's own output
            raise InvalidRequest("the pepper must be at least 32 bytes", parameter="pepper")
        self._store = store
        self._pepper = pepper
        self._clock = clock
        self._remembered: dict[bytes, tuple[float, ApiKey | None]] = {}

    def recall(self, presented: str) -> ApiKey | None:
        found = self._remembered.get(_fingerprint(presented))
        if found is None or found[0] < self._clock.monotonic_s():
            return None
        return found[1]

    def authenticate(self, presented: str) -> ApiKey:
        text = api_keys.read(presented)
        if text is None:
            raise Unauthenticated("this is not an API key of this server; keys begin with ck_")
        fingerprint = _fingerprint(presented)
        found = self._remembered.get(fingerprint)
        if found is None or found[0] < self._clock.monotonic_s():
            key = self._check(text)
            self._remember(fingerprint, key)
        else:
            key = found[1]
        if key is None:
            raise Unauthenticated("the API key is unknown, or was revoked")
        return key

    def _check(self, text: api_keys.KeyText) -> ApiKey | None:
        found = self._store.find(text.id)
        known = found[1] if found else bytes(32)  # as much work for an id that does not exist
        matches = hmac.compare_digest(known, text.digest(self._pepper))
        if found is None or not matches or found[0].revoked_at is not None:
            return None
        return found[0]

    def _remember(self, fingerprint: bytes, key: ApiKey | None) -> None:
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[fingerprint] = (self._clock.monotonic_s() + _REMEMBER_S, key)

    def issue(self, tenant: str, *, name: str, role: str) -> tuple[ApiKey, str]:
        if role not in ROLES:
            message = f"role must be one of {', '.join(ROLES)}"
            raise InvalidRequest(message, parameter="role")
        if not name.strip() or len(name) > _MOST_NAME_LENGTH or not name.isprintable():
            message = f"name must be 1 to {_MOST_NAME_LENGTH} printable characters"
            raise InvalidRequest(message, parameter="name")
        text = api_keys.new()
        key = ApiKey(
            id=text.id, tenant=tenant, name=name.strip(), role=role, created_at=self._clock.now()
        )
        self._store.add(key, text.digest(self._pepper))
        return key, str(text)

    def keys(self, tenant: str) -> Sequence[ApiKey]:
        return self._store.keys(tenant)

    def revoke(self, tenant: str, key_id: str) -> None:
        self._store.revoke(tenant, key_id, self._clock.now())
        for fingerprint, (_, key) in list(self._remembered.items()):
            if key is not None and key.id == key_id:
                self._remembered.pop(fingerprint, None)


def _fingerprint(presented: str) -> bytes:
    return hashlib.sha256(presented.encode("utf-8", "surrogatepass")).digest()
