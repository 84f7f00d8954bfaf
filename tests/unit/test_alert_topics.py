"""One situation, one retained topic: what two situations shared, one would take from the other."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from cityos.domain import topic
from cityos.domain.occasion import Actual, Exercise
from tests.bench.alerts import gauge_in

_names = st.tuples(
    st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), st.text("ab-:/#+ é.", max_size=5)
)


def test_the_topic_says_what_it_is_about_and_ends_in_a_digest() -> None:
    digest = hashlib.sha256(b"flood_watch/flood/urn:x:Area:seto").hexdigest()[:8]
    level = f"flood-urn-x-Area-seto-{digest}"
    for occasion, folder in ((Actual(), "actual"), (Exercise("drill"), "exercise/drill")):
        found = topic.alert("town", occasion, "flood_watch", "flood/urn:x:Area:seto")
        assert found == f"cityos/v1/town/alerts/{folder}/{level}"


def test_situations_that_read_alike_have_topics_of_their_own() -> None:
    keys = ("flood/x:1", "flood/x-1", "flood/x/1", "flood-x-1", "flood/x#1")
    services = ("flood_watch", "storm_watch")
    topics = {topic.alert("town", Actual(), one, key) for one in services for key in keys}
    assert len(topics) == len(services) * len(keys)


@given(one=_names, other=_names)
def test_it_is_one_level_and_only_one_situation_has_it(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    first, second = (topic.alert("town", Actual(), *names) for names in (one, other))
    assert (first == second) == (one == other)
    assert re.fullmatch(r"cityos/v1/town/alerts/actual/[A-Za-z0-9_.-]+", first)


def test_the_bench_finds_its_gauge_in_the_topic() -> None:
    key = "flood/urn:ngsi-ld:WaterLevelGauge:bench:17"
    assert gauge_in(topic.alert("bench", Exercise("drill"), "evacuation_alert", key)) == 17
