"""What the API counts. Route templates, never paths: a label must come from a closed set."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS_S: Final = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
)


class ApiMetrics:
    """Registered once in the registry that it is given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._duration = Histogram(
            "cityos_http_request_duration_seconds",
            "Time to answer a request, streams left out",
            ("method", "route", "status"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self.answers_reused = Counter(
            "cityos_http_answers_reused_total",
            "Requests answered from memory without making the answer again",
            registry=registry,
        )
        self.live_clients = Gauge(
            "cityos_live_clients", "Clients that follow the live stream", registry=registry
        )
        self.live_evicted = Counter(
            "cityos_live_clients_evicted_total",
            "Clients of the live stream that read too slowly",
            registry=registry,
        )
        self.bus_followed = Gauge(
            "cityos_live_bus_followed",
            "1 while news comes over the live bus, 0 while the store is polled",
            registry=registry,
        )
        self.refused = Counter(
            "cityos_http_requests_refused_total",
            "Requests refused at the door",
            ("reason",),
            registry=registry,
        )

    def took(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._duration.labels(method, route, str(status))
            self._children[key] = child
        child.observe(seconds)
