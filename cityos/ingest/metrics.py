"""What ingest counts. Names follow ``cityos_<subject>_<unit>_total``; labels are closed lists."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class IngestMetrics:
    """Nothing that reached ingest disappears without one of these moving (promise P2)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "cityos_messages_received", "Messages read from the broker", registry=registry
        )
        self.retained = Counter(
            "cityos_messages_retained_ignored",
            "Messages that the broker had kept and sent again: old news, not measurements",
            registry=registry,
        )
        self.spooled = Counter(
            "cityos_messages_spooled", "Messages made durable and acknowledged", registry=registry
        )
        self.stored = Counter("cityos_values_stored", "Values new in the store", registry=registry)
        self.duplicates = Counter(
            "cityos_values_duplicate", "Values that were known already", registry=registry
        )
        self.corrections = Counter(
            "cityos_values_corrected", "Values that replaced another one", registry=registry
        )
        self.dead_letters = Counter(
            "cityos_dead_letters", "Messages or parts refused", ["reason"], registry=registry
        )
        self.feedback_dropped = Counter(
            "cityos_feedback_dropped",
            "Feedback messages not sent: too many for one device, or the broker is away",
            registry=registry,
        )
        self.spool_messages = Gauge(
            "cityos_spool_messages",
            "Messages on disk that are not in the store",
            registry=registry,
        )
        self.spool_bytes = Gauge(
            "cityos_spool_bytes", "Bytes on disk that are not in the store", registry=registry
        )
        self.broker_connected = Gauge(
            "cityos_broker_connected", "1 while connected to the broker", registry=registry
        )
        self.store_up = Gauge("cityos_store_up", "1 while the store answers", registry=registry)
        self.clock_doubted = Gauge(
            "cityos_clock_doubted",
            "1 while this server's clock is, or may well be, wrong",
            registry=registry,
        )
        self.other_nodes = Gauge(
            "cityos_ingest_others",
            "Other ingest processes that store into the same database now",
            registry=registry,
        )
        self.batch_messages = Histogram(
            "cityos_store_batch_messages",
            "Messages in one transaction",
            buckets=(1, 10, 100, 500, 1000, 2000, 5000, 10_000),
            registry=registry,
        )
        self.store_seconds = Histogram(
            "cityos_store_seconds",
            "Time of one transaction",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=registry,
        )
        self.receive_to_store_seconds = Histogram(
            "cityos_receive_to_store_seconds",
            "From the read that brought a message to its commit, oldest message of a batch",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 60, 600),
            registry=registry,
        )
