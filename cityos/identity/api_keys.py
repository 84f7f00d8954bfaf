"""The text of an API key: ``ck_{id}_{secret}{checksum}``, letters and digits only.

The id is public: it is how the key is found, listed and revoked. The secret is 256 random bits.
The checksum (CRC-32) lets secret scanners and typing mistakes be recognised without asking the
store. Only an HMAC-SHA-256 of the secret under a pepper of the server is kept: unlike a password
the secret cannot be guessed, so a slow hash would buy nothing and cost 300 ms a request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # none that look alike
_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH: Final = 6  # 62 ** 6 > 2 ** 32
_TEXT: Final = re.compile(
    rf"ck_([a-z0-9]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})"
    rf"([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class KeyText:
    """The two parts of a key that mean something. The secret never shows in ``repr``."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyText(id={self.id!r})"

    def __str__(self) -> str:
        return f"ck_{self.id}_{self.secret}{_checksum(self.id, self.secret)}"

    def digest(self, pepper: bytes) -> bytes:
        """Return what is stored of the key: 32 bytes."""
        return hmac.digest(pepper, f"{self.id}_{self.secret}".encode(), hashlib.sha256)


def new() -> KeyText:
    identifier = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
    return KeyText(identifier, _base62(secrets.randbits(256), _SECRET_LENGTH))


def read(presented: str) -> KeyText | None:
    """Return the parts of a key, or None when it is not one of ours or was mistyped."""
    match = _TEXT.fullmatch(presented)
    if match is None or match[3] != _checksum(match[1], match[2]):
        return None
    return KeyText(match[1], match[2])


def _checksum(identifier: str, secret: str) -> str:
    return _base62(zlib.crc32(f"ck_{identifier}_{secret}".encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        letters.append(_DIGITS[digit])
    return "".join(reversed(letters))
