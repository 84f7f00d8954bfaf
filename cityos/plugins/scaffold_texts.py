"""The files of a new plugin, with ``$name``, ``$class_name`` and ``$title`` to fill in."""

from __future__ import annotations

from typing import Final

INIT: Final = ""

SPECIFICATION_CASE: Final = """\
origin = "specification"
source = "the example of the specification; replace input and outcome by it"
"""

MADE_CASE: Final = """\
origin = "made"
source = "a payload that is not of the specification"
"""

ADAPTER_MANIFEST: Final = """\
id = "$name"
kind = "decoder"
entry = "decoder:$class_name"
version = "0.1.0"
quality = "bronze"
owner = "who answers for this adapter"
licence = "Apache-2.0"
observes = ["water_level"]

[title]
en = "$title"
ja = "$title"

[specification]
title = "The vendor's or agency's own document"
version = "its version or date"
url = "https://example.org/$name"
"""

DECODER: Final = '''\
"""$title: what its devices send, in the city's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from cityos.domain.observation import Observation
from cityos.errors import UndecodablePayload
from cityos.plugins.contract import Receipt, decoder


class Payload(msgspec.Struct, forbid_unknown_fields=True):
    """One message as the specification gives it."""

    level_cm: float
    measured_at: Annotated[datetime, msgspec.Meta(tz=True)]


@decoder
@dataclass(frozen=True, slots=True)
class $class_name:
    """Its fields are its settings, with defaults; it has none yet."""

    def decode(self, payload: bytes, receipt: Receipt) -> Sequence[Observation]:  # noqa: ARG002
        """Return what the payload says.

        Raises:
            UndecodablePayload: not of the specification.
        """
        try:
            message = msgspec.json.decode(payload, type=Payload)
            observed_at = message.measured_at.astimezone(UTC)
        except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError, RecursionError) as error:
            raise UndecodablePayload(
                f"not the JSON of the specification: {error}",
                hint="level_cm is a number, measured_at an RFC 3339 time with an offset",
            ) from error
        return [Observation("water_level", message.level_cm, "cm", observed_at)]
'''

ADAPTER_README: Final = """\
# $title

What sends this, and where its specification is.

| property | unit | field |
| --- | --- | --- |
| `water_level` | m | `level_cm`, in centimetres |

## Known limitations

None known.
"""

SERVICE_MANIFEST: Final = """\
id = "$name"
kind = "service"
entry = "service:$class_name"
version = "0.1.0"
quality = "bronze"
owner = "who answers for this service"
licence = "Apache-2.0"
consumes = ["water_level"]

[title]
en = "$title"
ja = "$title"

[specification]
title = "The plan or guideline that this follows"
version = "its version or date"
url = "https://example.org/$name"
"""

SERVICE: Final = '''\
"""$title: proposes to tell people when a river is above a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cityos.domain.alert import AlertArea
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name
from cityos.domain.event import Event, ObservationStored
from cityos.domain.proposal import Assessment, Evidence
from cityos.plugins.contract import CityView, Effect, service

RULE_VERSION: Final = "1.0.0"


@service
@dataclass(frozen=True, slots=True)
class $class_name:
    """Its fields are its settings, with defaults."""

    threshold_m: float = 2.0

    def react(self, event: Event, city: CityView) -> Sequence[Effect]:
        """Propose level 2 once, when a gauge reaches the threshold."""
        if not isinstance(event, ObservationStored):
            return []
        reading = event.reading
        gauge = city.entity(reading.entity)
        situation = f"$name/{reading.entity}"
        level_m = reading.value
        if gauge is None or not isinstance(level_m, float) or level_m < self.threshold_m:
            return []
        if city.situation(situation) is not None:
            return []
        level = AlertLevel.CONFIRM_ROUTES
        name = gauge.name
        return [
            Assessment(
                situation=situation,
                hazard=Hazard.FLOOD,
                level=level,
                area=AlertArea(name=name, entity=gauge.id),
                headline=Name(f"{name.en} is high", f"{name.ja}の水位が高くなっています"),
                reason=Name(
                    f"Water level {level_m:g} m, threshold {self.threshold_m:g} m.",
                    f"水位{level_m:g}m、基準{self.threshold_m:g}m。",
                ),
                evidence=(
                    Evidence(
                        kind="observation",
                        source=gauge.id,
                        level=level,
                        summary=Name(f"{level_m:g} m at {name.en}", f"{name.ja} {level_m:g}m"),
                        at=reading.observed_at,
                        observed_property=reading.observed_property,
                        value=level_m,
                        threshold=self.threshold_m,
                        unit=reading.unit,
                    ),
                ),
                rule_version=RULE_VERSION,
                at=event.at,
            )
        ]
'''

SERVICE_README: Final = """\
# $title

What it is for, what it follows, who decides on what it proposes.

| property | unit | what it is used for |
| --- | --- | --- |
| `water_level` | m | compared with `threshold_m` |

## Known limitations

It opens a situation and never closes it.
"""
