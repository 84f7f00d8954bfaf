"""One request, as the routes see it: of which city, by whom, and what its answer is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from cityos.api.answers import Answers
from cityos.api.broadcast import Broadcast
from cityos.api.follower import Follower
from cityos.api.metrics import ApiMetrics
from cityos.api.present import Present
from cityos.api.stamps import Stamps, Thing
from cityos.api.tenants import Tenants
from cityos.domain.entity import Tenant
from cityos.domain.proposal import Issuer
from cityos.errors import Forbidden, Unauthenticated
from cityos.ports import ApiKey, CityReader, Clock, KeyRing, OrderBook

SCOPE_KEY: Final = "cityos.visit"
REQUEST_ID_KEY: Final = "cityos.request_id"
_FOLLOWED_S: Final = 5.0
"""How long an answer is sent again while the bus tells of every change; the bound if it fails."""

_POLLED_S: Final = 0.5
"""The same while only the newest values are known to be current."""


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What the routes stand on."""

    reader: CityReader
    orders: OrderBook
    keys: KeyRing
    clock: Clock
    issuer_of: Callable[[str], Issuer]
    tenants: Tenants
    present: Present
    stamps: Stamps
    answers: Answers
    follower: Follower
    broadcast: Broadcast
    metrics: ApiMetrics


@dataclass(slots=True, kw_only=True)
class Visit:
    """Made at the door, read by the route, and read again by the door for the answer.

    ``address`` is where the request came from, as quotas count it.
    """

    city: City
    tenant: Tenant
    key: ApiKey | None
    address: str
    method: str
    request_id: str
    private: bool = False
    thing: Thing | None = None
    stamp: int = 0
    until_s: float = 0.0

    @property
    def caller(self) -> str:
        """Whom to count what is in use against: the key, or without one the address."""
        return f"key {self.key.id}" if self.key is not None else f"address {self.address}"

    def made_of(self, *thing: str) -> None:
        """Let the answer be sent again until there is news of the thing.

        To be called before the store is read; see ``cityos.api.stamps``.
        """
        city = self.city
        keep_s = _FOLLOWED_S if city.follower.follows_bus else _POLLED_S
        now_s = city.clock.monotonic_s()
        self.thing = (self.tenant.id, *thing)
        self.stamp = city.stamps.current(self.thing)
        self.until_s = min(now_s + keep_s, city.present.believable_until_s)

    def require(self, *roles: str) -> ApiKey:
        """Return the caller's key, which must have one of the roles.

        Raises Unauthenticated, Forbidden.
        """
        self.private = True
        if self.key is None:
            raise Unauthenticated("send the header Authorization: Bearer <API key>")
        if self.key.role not in roles:
            message = f"this needs a key of role {' or '.join(roles)}"
            raise Forbidden(message)
        return self.key


def visit_of(request: Request) -> Visit:
    visit: Visit = request.scope[SCOPE_KEY]
    return visit
