from __future__ import annotations

import pytest

from cityos.bootstrap.broker import broker_users
from cityos.domain import topic
from cityos.domain.entity import RESERVED_VENDORS, Device
from cityos.domain.occasion import Actual, Exercise
from cityos.errors import InvalidRequest
from cityos.runtime import mqtt_access
from cityos.runtime.mosquitto import access_list


def matches(filter_: str, name: str) -> bool:
    """MQTT 5, 4.7.1: ``+`` is one level, ``#`` the rest, its parent included."""
    levels, wanted = name.split("/"), filter_.split("/")
    for position, part in enumerate(wanted):
        if part == "#":
            return True
        if position >= len(levels) or part not in ("+", levels[position]):
            return False
    return len(levels) == len(wanted)


def may(filters: object, name: str) -> bool:
    return any(matches(filter_, name) for filter_ in filters)  # type: ignore[attr-defined]


ACME = mqtt_access.vendor("acme", tenants=["yaizu"])


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        (topic.observations("yaizu", "acme", "gauge-1"), True),
        (topic.observations("yaizu", "other", "gauge-1"), False),
        (topic.observations("shizuoka", "acme", "gauge-1"), False),
        (topic.observations("yaizu", "acme", "gauge-1", run="drill"), False),
        (topic.alert("yaizu", Actual(), "flood_watch", "flood/x"), False),
        (topic.errors("yaizu", "acme", "gauge-1"), False),
    ],
)
def test_a_vendor_speaks_only_for_its_own_devices_in_its_own_city(
    name: str, *, allowed: bool
) -> None:
    assert may(ACME.writes, name) is allowed


def test_a_vendor_hears_what_was_wrong_with_its_own_messages_alone() -> None:
    assert may(ACME.reads, topic.errors("yaizu", "acme", "gauge-1"))
    assert not may(ACME.reads, topic.errors("yaizu", "other", "gauge-1"))
    assert not may(ACME.reads, topic.observations("yaizu", "other", "gauge-1"))


def test_a_rehearsal_cannot_speak_for_real() -> None:
    writes = mqtt_access.REHEARSAL.writes
    assert may(writes, topic.observations("yaizu", "acme", "gauge-1", run="drill"))
    assert not may(writes, topic.observations("yaizu", "acme", "gauge-1"))


def test_a_vendor_rehearses_where_the_operator_lets_it() -> None:
    rehearsing = mqtt_access.vendor("acme", tenants=["yaizu"], exercises=True)
    assert may(rehearsing.writes, topic.observations("yaizu", "acme", "gauge-1", run="drill"))
    assert may(rehearsing.writes, topic.observations("yaizu", "acme", "gauge-1"))
    assert not may(rehearsing.writes, topic.observations("yaizu", "other", "gauge-1", run="drill"))


def test_dead_letters_are_sent_again_on_every_topic_that_they_came_on() -> None:
    for run in ("", "drill"):
        assert may(mqtt_access.REPLAY.writes, topic.observations("yaizu", "acme", "g", run=run))
    assert not may(mqtt_access.REPLAY.writes, topic.errors("yaizu", "acme", "g"))


def test_one_user_can_be_the_whole_city() -> None:
    city = mqtt_access.whole_city("city")
    parts = (
        mqtt_access.INGEST,
        mqtt_access.DISPATCH,
        mqtt_access.REHEARSAL,
        mqtt_access.REPLAY,
        mqtt_access.speaker("feeds", vendors=["jma"]),
    )
    for filter_ in (filter_ for part in parts for filter_ in part.writes):
        assert may(city.writes, filter_.replace("+", "x").replace("#", "x"))
    assert may(city.reads, topic.observations("yaizu", "acme", "g"))


def test_only_dispatch_can_issue_alerts() -> None:
    for occasion in (Actual(), Exercise("drill")):
        name = topic.alert("yaizu", occasion, "flood_watch", "flood/x")
        assert may(mqtt_access.DISPATCH.writes, name)
        for user in (mqtt_access.INGEST, mqtt_access.REHEARSAL, mqtt_access.REPLAY, ACME):
            assert not may(user.writes, name)


def test_a_speaker_stays_within_its_vendors() -> None:
    feeds = mqtt_access.speaker("feeds", vendors=["jma"])
    assert may(feeds.writes, topic.observations("yaizu", "jma", "jma_xml"))
    assert not may(feeds.writes, topic.observations("yaizu", "acme", "gauge-1"))


def test_the_access_file_gives_alerts_to_all_and_the_rest_to_whom_it_belongs() -> None:
    text = access_list([mqtt_access.DISPATCH, ACME])
    assert text == (
        "user dispatch\n"
        "topic write cityos/v1/+/alerts/#\n"
        "topic read cityos/v1/+/alerts/#\n"
        "user acme\n"
        "topic write cityos/v1/yaizu/acme/+/observations\n"
        "topic read cityos/v1/yaizu/acme/+/errors\n"
        "topic read cityos/v1/+/alerts/#\n"
    )


def test_no_vendor_has_the_name_of_a_user_of_the_citys_own() -> None:
    own = {user.name for user in broker_users({}, rehearsing=())}
    assert own <= RESERVED_VENDORS
    for name in sorted(RESERVED_VENDORS):
        with pytest.raises(InvalidRequest, match="choose another"):
            Device(vendor=name, id="d", adapter="cityos_json", entity="urn:x:1")
