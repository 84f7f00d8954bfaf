"""Which cities there are, remembered for a few seconds."""

from __future__ import annotations

from typing import Final

from cityos.domain.entity import Tenant
from cityos.errors import NotFound, Unavailable
from cityos.ports import CityReader, Clock

_REMEMBER_S: Final = 10.0
_MOST: Final = 10_000


class Tenants:
    """Unknown names are remembered too, so that asking for them costs the store nothing."""

    def __init__(self, reader: CityReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._known: dict[str, tuple[float, Tenant | None]] = {}

    def recall(self, name: str, now_s: float) -> Tenant | None:
        """Return the city if it was looked up a moment ago. Never waits."""
        found = self._known.get(name)
        return found[1] if found is not None and now_s < found[0] else None

    def find(self, name: str) -> Tenant:
        """Return the city; of a store that is away, what it said last.

        Raises NotFound, Unavailable.
        """
        now_s = self._clock.monotonic_s()
        found = self._known.get(name)
        if found is None or now_s >= found[0]:
            try:
                tenant: Tenant | None = self._reader.tenant(name)
            except NotFound:
                tenant = None
            except Unavailable:
                if found is None:
                    raise
                tenant = found[1]
            if len(self._known) >= _MOST:
                self._known.clear()
            found = self._known[name] = (now_s + _REMEMBER_S, tenant)
        if found[1] is None:
            message = f"there is no city {name!r} here; CityOS-Tenant must name one"
            raise NotFound(message)
        return found[1]
