"""A subscriber that remembers what it heard."""

from __future__ import annotations

import queue
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage, MQTTv5

from cityos.runtime.broker import MqttBroker


class Ears:
    """Subscribed to ``topic_filter`` when the ``with`` block begins."""

    def __init__(self, broker: MqttBroker, topic_filter: str, *, user: str = "demo") -> None:
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.topics: set[str] = set()
        self._filter = topic_filter
        self._subscribed: queue.Queue[str] = queue.Queue()
        url = urlsplit(broker.url_for(user))
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.username_pw_set(url.username, url.password)
        self._client.on_connect = lambda client, *_: client.subscribe(self._filter, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.put(topic_filter)
        self._client.on_message = self._hear
        self._client.connect(url.hostname or "", url.port or 0)

    def next(self, timeout_s: float = 10.0) -> tuple[str, bytes]:
        """The next message: topic and payload; raises queue.Empty after the timeout."""
        return self.heard.get(timeout=timeout_s)

    def silent(self, for_s: float = 0.3) -> bool:
        """Whether nothing comes for so long."""
        try:
            self.heard.get(timeout=for_s)
        except queue.Empty:
            return True
        return False

    def __enter__(self) -> Self:
        self._client.loop_start()
        self._subscribed.get(timeout=10)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.topics.add(message.topic)
        self.heard.put((message.topic, bytes(message.payload)))
