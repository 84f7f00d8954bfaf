"""Domain objects as plain JSON that a person can read and write, and back.

Used by the case files of plugins. Records (dataclasses and named tuples) become objects without
the fields that have their default value; where several classes are possible, ``type`` names the
class. Times are RFC 3339, an alert level is its number, a hazard its code, quality flags a list
of names.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, Flag
from functools import lru_cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from cityos.domain.alert_level import HAZARDS, Hazard
from cityos.domain.observation import Observation, Position, Reading
from cityos.errors import InvalidPlugin

_VALUE_OWNERS: Final = (Observation, Reading)
"""Classes whose field ``value`` is any ``Value``: JSON as it is, but for a position."""

_POSITION: Final = {"longitude", "latitude"}


def to_plain(value: object, hint: Any = Any) -> Any:  # noqa: ANN401 - it is JSON
    """Return ``value`` as plain JSON. ``hint`` is its declared type, as far as one is known."""
    if isinstance(value, datetime | Enum):
        return _plain_scalar(value)
    if _is_record(type(value)):
        return _from_record(value, hint)
    if isinstance(value, Mapping):
        return {str(key): to_plain(item, _item_hint(hint)) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [to_plain(item, _item_hint(hint, place)) for place, item in enumerate(value)]
    return value


def from_plain(document: Any, hint: Any, path: str = "$") -> Any:  # noqa: ANN401 - both ways
    """Return the object of the type ``hint`` that ``document`` describes.

    Raises:
        InvalidPlugin: the document does not fit the type; the message starts with the path.
    """
    if hint is Any or hint is object:
        return document
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _to_union(document, get_args(hint), path)
    if origin is Literal:
        return _expect(document in get_args(hint), document, path, f"one of {get_args(hint)}")
    if origin is not None:
        return _to_container(document, origin, get_args(hint), path)
    if _is_record(hint):
        return _to_record(document, hint, path)
    return _to_scalar(document, hint, path)


def _plain_scalar(value: datetime | Enum) -> Any:  # noqa: ANN401 - it is JSON
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Hazard):
        return value.code
    if isinstance(value, Flag):
        return [str(flag.name).lower() for flag in value]
    return value.value


def _is_record(cls: Any) -> bool:  # noqa: ANN401 - a type hint
    return isinstance(cls, type) and (dataclasses.is_dataclass(cls) or hasattr(cls, "_fields"))


def _defaults(cls: Any) -> dict[str, Any]:  # noqa: ANN401 - a record class
    """Return the fields of a record with their defaults; MISSING where there is none."""
    if hasattr(cls, "_fields"):
        return {name: cls._field_defaults.get(name, dataclasses.MISSING) for name in cls._fields}
    return {
        item.name: item.default
        if item.default_factory is dataclasses.MISSING
        else item.default_factory()
        for item in dataclasses.fields(cls)
        if item.init
    }


def _from_record(value: object, hint: Any) -> dict[str, Any]:  # noqa: ANN401 - a type hint
    cls: type = type(value)
    hints = _hints(cls)
    several = [choice for choice in _choices(hint) if _is_record(choice)]
    plain = {"type": cls.__name__} if len(several) > 1 else {}
    for name, default in _defaults(cls).items():
        content = getattr(value, name)
        if type(content) is not type(default) or content != default:
            plain[name] = to_plain(content, hints[name])
    return plain


def _to_record(document: object, cls: Any, path: str) -> object:  # noqa: ANN401
    if not isinstance(document, dict):
        raise _wrong(document, path, f"an object ({cls.__name__})")
    items = _defaults(cls)
    unknown = sorted(set(document) - set(items))
    if unknown:
        raise InvalidPlugin(
            f"{path}: {cls.__name__} has no {', '.join(unknown)}; it has {', '.join(items)}"
        )
    hints = _hints(cls)
    values = {}
    for name, default in items.items():
        if name in document:
            content = document[name]
            if name == "value" and cls in _VALUE_OWNERS:
                values[name] = _to_value(content)
            else:
                values[name] = from_plain(content, hints[name], f"{path}.{name}")
        elif default is dataclasses.MISSING:
            raise InvalidPlugin(f"{path}: {cls.__name__} needs {name}")
    return cls(**values)


def _to_value(document: Any) -> Any:  # noqa: ANN401 - a Value is JSON or a position
    if isinstance(document, dict) and set(document) == _POSITION:
        return Position(float(document["longitude"]), float(document["latitude"]))
    if isinstance(document, int) and not isinstance(document, bool):
        return float(document)
    return document


def _to_union(document: object, choices: tuple[Any, ...], path: str) -> object:
    if document is None and type(None) in choices:
        return None
    classes = [choice for choice in choices if _is_record(choice)]
    if not classes:
        return _to_first_fitting(document, choices, path)
    if len(classes) == 1:
        return from_plain(document, classes[0], path)
    names = {cls.__name__: cls for cls in classes}
    if not isinstance(document, dict) or document.get("type") not in names:
        raise _wrong(document, path, f"an object whose type is one of {', '.join(names)}")
    rest = {key: item for key, item in document.items() if key != "type"}
    return _to_record(rest, names[document["type"]], path)


def _to_first_fitting(document: object, choices: tuple[Any, ...], path: str) -> object:
    for choice in choices:
        if choice is not type(None):
            try:
                return from_plain(document, choice, path)
            except InvalidPlugin:
                continue
    raise _wrong(document, path, " or ".join(str(choice) for choice in choices))


def _to_container(document: object, origin: Any, args: tuple[Any, ...], path: str) -> object:  # noqa: ANN401
    if issubclass(origin, Mapping):
        if not isinstance(document, dict):
            raise _wrong(document, path, "an object")
        return {key: from_plain(item, args[1], f"{path}.{key}") for key, item in document.items()}
    if not isinstance(document, list):
        raise _wrong(document, path, "an array")
    if origin is tuple and args[-1] is not Ellipsis:
        if len(document) != len(args):
            raise _wrong(document, path, f"an array of {len(args)}")
        return tuple(
            from_plain(item, hint, f"{path}[{place}]")
            for place, (item, hint) in enumerate(zip(document, args, strict=True))
        )
    items = [from_plain(item, args[0], f"{path}[{place}]") for place, item in enumerate(document)]
    return tuple(items) if origin is tuple else items


def _to_scalar(document: Any, hint: Any, path: str) -> object:  # noqa: ANN401 - JSON
    if hint is datetime:
        return _to_time(document, path)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _to_enum(document, hint, path)
    if hint is float:
        number = isinstance(document, int | float) and not isinstance(document, bool)
        return float(_expect(number, document, path, "a number"))
    if hint is int:
        whole = isinstance(document, int) and not isinstance(document, bool)
        return _expect(whole, document, path, "a whole number")
    return _expect(isinstance(document, hint), document, path, hint.__name__)


def _to_time(document: object, path: str) -> datetime:
    try:
        time = datetime.fromisoformat(str(document))
    except ValueError:
        raise _wrong(document, path, "a time such as 2026-11-22T01:02:03Z") from None
    if time.tzinfo is None:
        raise _wrong(document, path, "a time with an offset, such as 2026-11-22T01:02:03Z")
    return time.astimezone(UTC)


def _to_enum(document: Any, cls: type[Enum], path: str) -> Enum:  # noqa: ANN401 - JSON
    if cls is Hazard:
        return HAZARDS[_expect(document in HAZARDS, document, path, f"one of {list(HAZARDS)}")]
    if issubclass(cls, Flag):
        return _to_flags(document, cls, path)
    values = [member.value for member in cls]
    return cls(_expect(document in values, document, path, f"one of {values}"))


def _to_flags(document: object, cls: type[Flag], path: str) -> Flag:
    names = {str(flag.name).lower(): flag for flag in cls}
    if not isinstance(document, list) or not set(document) <= set(names):
        raise _wrong(document, path, f"a list of some of {', '.join(names)}")
    flags = cls(0)
    for name in document:
        flags |= names[name]
    return flags


def _expect(fits: bool, document: Any, path: str, wanted: str) -> Any:  # noqa: ANN401, FBT001
    if not fits:
        raise _wrong(document, path, wanted)
    return document


def _wrong(document: object, path: str, wanted: str) -> InvalidPlugin:
    return InvalidPlugin(f"{path}: must be {wanted}, is {str(document)[:100]!r}")


def _choices(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type hint
    if get_origin(hint) in (Union, types.UnionType):
        return get_args(hint)
    return (hint,)


def _item_hint(hint: Any, place: int = 0) -> Any:  # noqa: ANN401 - a type hint
    """Return the type of the items of the container type ``hint``."""
    for choice in _choices(hint):
        origin, args = get_origin(choice), get_args(choice)
        if origin is None or not args:
            continue
        if issubclass(origin, Mapping):
            return args[1]
        if origin is tuple and args[-1] is not Ellipsis:
            return args[place] if place < len(args) else Any
        return args[0]
    return Any


@lru_cache(maxsize=64)
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)
