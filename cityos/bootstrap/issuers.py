"""Who signs the alerts of a city."""

from __future__ import annotations

from cityos.domain.proposal import Issuer
from cityos.errors import NotFound
from cityos.ports import Registry


class Issuers:
    """Answers from the tenant's attribute ``alert_sender`` (CAP 1.2, 3.2.1, ``sender``)."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __call__(self, tenant: str) -> Issuer:
        """Raises NotFound; Unavailable."""
        for known in self._registry.tenants():
            if known.id == tenant:
                sender = str(known.attributes.get("alert_sender") or f"{tenant}.invalid")
                return Issuer(sender=sender, name=known.name)
        message = f"there is no city {tenant!r} here"
        raise NotFound(message)
