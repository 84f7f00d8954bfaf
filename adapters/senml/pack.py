"""From bytes to SenML records: JSON (RFC 8428, section 5) or CBOR (section 6)."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import cbor2
import msgspec

from cityos.errors import UndecodablePayload

MOST_RECORDS: Final = 1000
VERSION: Final = 10
"""The version that we understand (RFC 8428, 4.4)."""


class Record(msgspec.Struct, gc=False):
    """One SenML record with the labels of RFC 8428, table 1. Others are ignored (4.4).

    ``vd`` is base64url text, in CBOR too once it is read.
    """

    bn: str | None = None
    bt: float | None = None
    bu: str | None = None
    bv: float | None = None
    bs: float | None = None
    bver: float | None = None
    n: str | None = None
    u: str | None = None
    v: float | None = None
    vs: str | None = None
    vb: bool | None = None
    vd: str | None = None
    s: float | None = None
    t: float | None = None
    ut: float | None = None


_CBOR_LABELS: Final = {
    -1: "bver",
    -2: "bn",
    -3: "bt",
    -4: "bu",
    -5: "bv",
    -6: "bs",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
    7: "ut",
    8: "vd",
}
_LABELS: Final = frozenset(_CBOR_LABELS.values())
_JSON: Final = "application/senml+json"
_CBOR: Final = "application/senml+cbor"
_ARRAYS: Final = (*range(0x80, 0x9C), 0x9F)
"""First byte of a CBOR array, the last of unknown length (RFC 8949, appendix B)."""
_SELF_DESCRIBED: Final = b"\xd9\xd9\xf7"
_DEEPEST: Final = 8

_decode_records: Final = msgspec.json.Decoder(list[Record]).decode
_decode_plain: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode

_JSON_HINT: Final = "RFC 8428, section 5: an array of flat objects"
_TYPES_HINT: Final = "RFC 8428, table 1, has the type of each label"
_FORMAT_HINT: Final = "send a SenML pack as JSON (application/senml+json) or CBOR (…+cbor)"


def read(payload: bytes, content_type: str) -> list[Record]:
    """Return the records of a pack, their types checked.

    The content type decides where it names a form of SenML, else the first byte.

    Raises:
        UndecodablePayload: neither JSON nor CBOR, a label of a wrong type, a label that ends in
            ``_`` (4.4: an unknown label that must be understood), too many records or none.
    """
    records = _from_json(payload) if _is_json(payload, content_type) else _from_cbor(payload)
    if not records:
        raise UndecodablePayload("the pack is empty", hint="send at least one record")
    if len(records) > MOST_RECORDS:
        raise UndecodablePayload(
            f"the pack has {len(records)} records", hint=f"send {MOST_RECORDS} at most"
        )
    return records


def _is_json(payload: bytes, content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in (_JSON, _CBOR):
        return kind == _JSON
    if "senml" in kind or "sensml" in kind:
        raise UndecodablePayload(f"{kind[:60]!r} is not read here", hint=_FORMAT_HINT)
    start = payload.lstrip(b" \t\r\n")[:1]
    if start == b"[":
        return True
    if payload[:1] and (payload[0] in _ARRAYS or payload.startswith(_SELF_DESCRIBED)):
        return False
    what = {b"<": "XML", b"{": "a JSON object, not an array of records", b"": "empty"}
    found = what.get(start, "neither a JSON array nor a CBOR array")
    raise UndecodablePayload(f"the payload is {found}", hint=_FORMAT_HINT)


def _from_json(payload: bytes) -> list[Record]:
    try:
        records = _decode_records(payload)
        # A label that ends in an underscore is rare, so is an escape that could hide one, or null.
        if b'_"' in payload or b"\\" in payload or b"null" in payload:
            for index, labels in enumerate(_decode_plain(payload)):
                _refuse_unknown_extensions(labels, index)
                _refuse_null(
                    {label: bytes(raw) == b"null" for label, raw in labels.items()}, index
                )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _json_refusal(error) from error
    return records


def _json_refusal(error: Exception) -> UndecodablePayload:
    if isinstance(error, UnicodeDecodeError):
        return UndecodablePayload("a text is not UTF-8", hint="RFC 8428, section 5: UTF-8 only")
    if isinstance(error, RecursionError):
        return UndecodablePayload("nested too deeply", hint="records are flat")
    return _located(str(error))


def _refuse_null(is_null: Mapping[str, bool], index: int) -> None:
    for label in _LABELS:
        if is_null.get(label):
            raise UndecodablePayload(
                f"{label} is null",
                path=f"$[{index}].{label}",
                hint="leave out what was not measured",
            )


def _located(text: str) -> UndecodablePayload:
    detail, _, path = text.partition(" - at `")
    label = path.rstrip("`").rpartition(".")[2]
    hint = {
        "bver": "a whole number, 10 for RFC 8428",
        "vb": "true or false",
    }.get(label, _TYPES_HINT if path else _JSON_HINT)
    detail = detail.replace(" | null", "")
    return UndecodablePayload(detail, path=path.rstrip("`") or "$", hint=hint)


def _refuse_unknown_extensions(labels: Mapping[Any, object], index: int) -> None:
    for label in labels:
        if isinstance(label, str) and label.endswith("_"):
            name = label[:60].replace("\0", "�")
            raise UndecodablePayload(
                f"the label {name!r} must be understood, and is not",
                path=f"$[{index}].{name}",
                hint="RFC 8428, 4.4: leave out extensions whose label ends with _",
            )


# --- CBOR ---------------------------------------------------------------------------------------


def _refuse_tag(_value: object, _immutable: bool) -> object:  # noqa: FBT001 - cbor2's signature
    raise cbor2.CBORDecodeError("a tag that SenML does not use")


_REFUSED_TAGS: Final = dict.fromkeys(
    # All tags that the library would build something of, other than numbers (2 to 5): dates,
    # references that could be cyclic, regular expressions, addresses, sets and so on.
    (0, 1, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000),
    _refuse_tag,
)


def _from_cbor(payload: bytes) -> list[Record]:
    body = payload.removeprefix(_SELF_DESCRIBED)
    try:
        pack = cbor2.loads(
            body,
            tag_hook=_refuse_tag,
            semantic_decoders=_REFUSED_TAGS,
            max_depth=_DEEPEST,
            allow_indefinite=False,  # section 6: only streams may be indefinite
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, ArithmeticError, TypeError, EOFError) as error:
        raise UndecodablePayload(
            "not CBOR, or CBOR that SenML does not use", hint="RFC 8428, section 6"
        ) from error
    if not isinstance(pack, list):
        raise UndecodablePayload("the payload is no CBOR array", hint="RFC 8428, section 6")
    return [_record(item, index) for index, item in enumerate(pack[: MOST_RECORDS + 1])]


def _record(item: object, index: int) -> Record:
    if not isinstance(item, dict):
        raise UndecodablePayload(
            "the record is no map", path=f"$[{index}]", hint="RFC 8428, section 6"
        )
    _refuse_unknown_extensions(item, index)
    labels: dict[str, object] = {}
    for key, value in item.items():
        label = _CBOR_LABELS.get(key) if type(key) is int else key
        if not isinstance(label, str) or label not in _LABELS:
            continue
        if label in labels:
            raise UndecodablePayload(
                f"{label} is given twice", path=f"$[{index}].{label}", hint="use integer labels"
            )
        labels[label] = _as_json(label, value, index)
    try:
        return msgspec.convert(labels, Record)
    except msgspec.ValidationError as error:
        refused = _located(str(error))
        path = f"$[{index}]{refused.path[1:]}"
        raise UndecodablePayload(refused.detail, path=path, hint=refused.hint) from error


def _as_json(label: str, value: object, index: int) -> object:
    """Return the value as JSON has it: finite doubles, data as base64url without padding."""
    _refuse_null({label: value is None}, index)
    if label == "vd" and isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = _double(value)
        if not math.isfinite(number):
            raise UndecodablePayload(
                f"{label} is not a finite number",
                path=f"$[{index}].{label}",
                hint="leave out what was not measured",
            )
        return number
    return value


def _double(value: float | Decimal) -> float:
    try:
        return float(value)
    except (OverflowError, ValueError):
        return math.inf


def is_data(text: str) -> bool:
    """Return whether ``text`` is base64url without padding (RFC 4648, section 5)."""
    try:
        base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return "=" not in text
