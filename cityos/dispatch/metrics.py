"""What dispatch tells Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)


class DispatchMetrics:
    """The metrics of one dispatcher, on the registry that its process exposes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "cityos_events_processed_total",
            "Events taken off the queue",
            ["kind", "status"],
            registry=registry,
        )
        self.reaction = Histogram(
            "cityos_event_reaction_seconds",
            "From the event in the store to its effects in the store",
            ["status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.service = Histogram(
            "cityos_service_seconds",
            "Time a service takes for one event, its effects included",
            ["service"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.failures = Counter(
            "cityos_service_failures_total",
            "Events that a service failed on, set aside for a person",
            ["service"],
            registry=registry,
        )
        self.unhandled = Counter(
            "cityos_events_unhandled_total",
            "Events that could not be handled at all, set aside for a person",
            registry=registry,
        )
        self.proposals = Counter(
            "cityos_proposals_total",
            "Proposals made",
            ["service", "status", "level"],
            registry=registry,
        )
        self.approvals = Counter(
            "cityos_exercise_approvals_total",
            "Proposals of exercises that were approved without a person",
            registry=registry,
        )
        self.deliveries = Counter(
            "cityos_deliveries_total",
            "Attempts to deliver an alert",
            ["channel", "result"],
            registry=registry,
        )
        self.delivery = Histogram(
            "cityos_delivery_seconds",
            "From an alert's issue to its delivery",
            ["channel", "status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.waiting = Gauge(
            "cityos_outbox_waiting",
            "Deliveries that wait",
            ["channel"],
            registry=registry,
        )
        self.oldest = Gauge(
            "cityos_outbox_oldest_seconds",
            "How long the oldest delivery has waited",
            ["channel"],
            registry=registry,
        )
