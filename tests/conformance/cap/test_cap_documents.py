"""Every CAP document that we write, against the OASIS schema and the rules in the text.

CAP 1.2, OASIS Standard, 1 July 2010; the clauses claimed are in cityos/api/cap/conformance.py.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from cityos.api.cap.conformance import CapClause
from cityos.api.cap.mapping import NAMESPACE, cap_document, date_time, reference, token
from cityos.domain.alert import (
    ActualAlert,
    Alert,
    AlertArea,
    AlertInfo,
    ExerciseAlert,
    MessageType,
    Reference,
)
from cityos.domain.alert_level import MEANINGS, AlertLevel, Hazard
from cityos.domain.entity import Name
from cityos.domain.occasion import Actual, Exercise
from cityos.domain.proposal import Issuer, Proposal, cancellation, issue
from cityos.testing import builders as a

SCHEMA = Path(__file__).parents[3].parent / "shared/data/cap/schema/CAP-v1.2-schema.xsd"
CAP = {"cap": NAMESPACE}
ISSUER = Issuer(sender="yaizu.example.jp", name=Name("Yaizu City", "焼津市"))
SQUARE = ((138.3, 34.8), (138.4, 34.8), (138.4, 34.9), (138.3, 34.9), (138.3, 34.8))


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    if not SCHEMA.exists():
        pytest.skip("the OASIS schema of CAP 1.2 is not in ../shared/data/cap/schema")
    return etree.XMLSchema(etree.parse(SCHEMA))


def parsed(alert: Alert) -> Any:
    return etree.fromstring(cap_document(alert))


def texts(root: Any, path: str) -> list[str]:
    return [element.text or "" for element in root.iterfind(path, CAP)]


# --- any alert at all ----------------------------------------------------------------------------

_anything = st.text(st.characters(), max_size=30)  # control characters and lone surrogates too
_word = st.text(st.characters(), min_size=1, max_size=30)
_names = st.builds(Name, _anything, _anything)
_times = st.integers(-(10**9), 10**9).map(lambda seconds: a.NOON + timedelta(seconds=seconds))
_points = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
_rings = st.lists(_points, max_size=6).map(tuple)
_areas = st.builds(
    AlertArea,
    name=_names,
    geocodes=st.dictionaries(_word, st.tuples(_anything), max_size=2),
    polygons=st.lists(_rings, max_size=2).map(tuple),
    entity=_anything,
)
_infos = st.builds(
    AlertInfo,
    event=_names,
    hazard=st.sampled_from(Hazard),
    level=st.sampled_from(AlertLevel),
    headline=_names,
    description=_names,
    instruction=_names,
    areas=st.lists(_areas, max_size=2).map(tuple),
    effective=st.none() | _times,
    expires=st.none() | _times,
    parameters=st.dictionaries(_anything, _anything, max_size=2),
)
_body = {
    "identifier": _word,
    "sender": _word,
    "sent": _times,
    "message_type": st.sampled_from(MessageType),
    "infos": st.lists(_infos, max_size=2).map(tuple),
    "references": st.lists(st.builds(Reference, _word, _word, _times), max_size=2).map(tuple),
    "sender_name": _names,
    "note": _anything,
    "source": _anything,
}
_alerts = st.builds(ActualAlert, **_body) | st.builds(
    ExerciseAlert, run=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,10}", fullmatch=True), **_body
)


@settings(max_examples=150, deadline=None)
@given(alert=_alerts)
def test_any_alert_becomes_a_valid_document(schema: etree.XMLSchema, alert: Alert) -> None:
    """SCHEMA, IDENTIFIER, STATUS, NOTE, POLYGON, DATE_TIME, CHARACTERS."""
    root = parsed(alert)
    schema.assertValid(root)
    assert texts(root, "cap:status") == [alert.status]
    for name in ("cap:identifier", "cap:sender"):
        assert not re.search(r"[\s,<&]", texts(root, name)[0])
    for element in root.iter():
        if etree.QName(element).localname in {"sent", "effective", "onset", "expires"}:
            assert element.text.endswith("-00:00")
    for polygon in texts(root, ".//cap:polygon"):
        pairs = polygon.split(" ")
        assert len(pairs) >= 4
        assert pairs[0] == pairs[-1]
        assert all(-90 <= float(pair.split(",")[0]) <= 90 for pair in pairs)
    if isinstance(alert, ExerciseAlert):
        assert texts(root, "cap:note")[0]


def test_a_second_validator_agrees(schema: etree.XMLSchema) -> None:
    del schema  # skips where the schema file is absent
    document = cap_document(_order(AlertLevel.EVACUATE, Actual()))
    xmlschema.XMLSchema(str(SCHEMA)).validate(document.decode())


def test_the_schema_is_not_a_rubber_stamp(schema: etree.XMLSchema) -> None:
    broken = cap_document(_order(AlertLevel.EVACUATE, Actual())).replace(b"Extreme", b"Enormous")
    assert not schema.validate(etree.fromstring(broken))


@pytest.mark.parametrize("clause", CapClause)
def test_every_clause_that_we_claim_is_named_by_a_test(clause: CapClause) -> None:
    assert re.search(rf'""".*\b{clause.name}\b', Path(__file__).read_text())


# --- single clauses ------------------------------------------------------------------------------


def test_times_have_a_numeric_offset_and_utc_is_minus_zero() -> None:
    """DATE_TIME: 3.3.2 forbids Z."""
    japan = timezone(timedelta(hours=9))
    assert date_time(datetime(2026, 9, 1, 21, 0, 0, 999_999, japan)) == "2026-09-01T12:00:00-00:00"


def test_what_an_identifier_may_not_have_is_percent_encoded() -> None:
    """IDENTIFIER; distinct identifiers stay distinct."""
    assert token("a b,c<d&e") == "a%20b%2Cc%3Cd%26e"
    alert = a.alert("tele gram,1", sender="someone & co")
    root = parsed(alert)
    update = a.alert("next", message_type=MessageType.UPDATE, references=(alert.reference,))
    assert texts(parsed(update), "cap:references") == [
        ",".join(texts(root, f"cap:{part}")[0] for part in ("sender", "identifier", "sent"))
    ]


def test_positions_are_latitude_first() -> None:
    """POLYGON: 3.2.4."""
    area = AlertArea(name=a.name("town"), polygons=(SQUARE,))
    root = parsed(a.alert(infos=(a.info(areas=(area,)),)))
    assert texts(root, ".//cap:polygon")[0].split(" ")[:2] == [
        "34.800000,138.300000",
        "34.800000,138.400000",
    ]


def test_an_open_ring_is_closed_and_a_line_is_no_polygon() -> None:
    area = AlertArea(name=a.name("town"), polygons=(SQUARE[:3], SQUARE[:2]))
    root = parsed(a.alert(infos=(a.info(areas=(area,)),)))
    polygons = set(texts(root, ".//cap:polygon"))
    assert polygons == {
        "34.800000,138.300000 34.800000,138.400000 34.900000,138.400000 34.800000,138.300000"
    }


@pytest.mark.parametrize(
    ("rings", "corners", "drawn"), [(1, 33_000, 2), (40, 3_000, 80), (2_000, 10, 0)]
)
def test_an_outline_never_keeps_an_order_from_getting_there(
    schema: etree.XMLSchema, rings: int, corners: int, drawn: int
) -> None:
    """SCHEMA, POLYGON, GEOCODE: what a broker or a receiver would refuse has fewer corners."""
    chance = random.Random(1)
    outline = tuple((138 + chance.random(), 34 + chance.random()) for _ in range(corners))
    area = AlertArea(
        name=a.name("town"), geocodes={"jma_area": ("2221200",)}, polygons=(outline,) * rings
    )
    document = cap_document(a.alert(infos=(a.info(areas=(area,)),)))
    assert len(document) < 300_000
    root = etree.fromstring(document)
    schema.assertValid(root)
    polygons = texts(root, ".//cap:polygon")
    assert len(polygons) == drawn
    for polygon in polygons:
        pairs = polygon.split(" ")
        assert len(pairs) >= 4
        assert pairs[0] == pairs[-1]
    assert set(texts(root, ".//cap:geocode/cap:value")) == {"2221200"}


def test_each_language_has_an_info_with_the_same_facts() -> None:
    """LANGUAGE, EVENT_CODE, GEOCODE."""
    area = AlertArea(
        name=Name("Yaizu", "焼津市"),
        geocodes={"jma_area": ("2221200",)},
        entity="urn:ngsi-ld:Area:yaizu:all",
    )
    info = a.info(Hazard.TSUNAMI, AlertLevel.EMERGENCY_SAFETY, areas=(area,))
    info = replace(info, event=Name("Tsunami", "津波"), parameters={"alertLevel": "5"})
    japanese, english = parsed(a.alert(infos=(info,))).iterfind("cap:info", CAP)
    assert texts(japanese, "cap:language") == ["ja-JP"]
    assert texts(english, "cap:language") == ["en-US"]
    assert texts(japanese, "cap:event") == ["津波"]
    assert texts(english, "cap:event") == ["Tsunami"]
    assert texts(japanese, "cap:area/cap:areaDesc") == ["焼津市"]
    meaning = MEANINGS[AlertLevel.EMERGENCY_SAFETY]
    facts = {
        "cap:category": ["Geo"],
        "cap:responseType": [meaning.response_type],
        "cap:urgency": [meaning.urgency],
        "cap:severity": [meaning.severity],
        "cap:certainty": [meaning.certainty],
        "cap:eventCode/cap:valueName": ["urn:cityos:hazard"],
        "cap:eventCode/cap:value": ["tsunami"],
        "cap:parameter/cap:value": ["5"],
        "cap:area/cap:geocode/cap:valueName": ["jma_area", "NGSI-LD"],
        "cap:area/cap:geocode/cap:value": ["2221200", "urn:ngsi-ld:Area:yaizu:all"],
    }
    for path, wanted in facts.items():
        assert texts(japanese, path) == texts(english, path) == wanted


def test_a_telegram_in_japanese_alone_has_one_info() -> None:
    only = Name("", "大雨警報")
    info = a.info(event=only, headline=only, description=only, instruction=Name("", ""))
    assert texts(parsed(a.alert(infos=(info,))), "cap:info/cap:language") == ["ja-JP"]


def test_no_level_is_unknown_and_not_all_clear() -> None:
    """A warning of another authority may have no alert level; that is no reason to calm down."""
    info = a.info(level=AlertLevel.NONE)
    warning = parsed(a.alert(infos=(info,)))
    assert set(texts(warning, "cap:info/cap:severity")) == {"Unknown"}
    assert texts(warning, "cap:info/cap:responseType") == []
    lifted = parsed(a.alert(infos=(info,), message_type=MessageType.CANCEL))
    assert set(texts(lifted, "cap:info/cap:responseType")) == {"AllClear"}


def test_an_exercise_says_so_in_every_text_whoever_wrote_it() -> None:
    """NOTE: a real telegram that is replayed carries no mark of its own."""
    alert = ExerciseAlert(
        identifier="x",
        sender="jma.example.jp",
        sent=a.NOON,
        message_type=MessageType.ALERT,
        infos=(a.info(),),
        run="typhoon-2019",
    )
    root = parsed(alert)
    assert texts(root, "cap:note") == ["Exercise typhoon-2019 / 訓練"]
    for part in ("headline", "description", "instruction"):
        japanese, english = texts(root, f"cap:info/cap:{part}")
        assert japanese.startswith("【訓練】")
        assert english.startswith("[EXERCISE] ")
    ours = parsed(_order(AlertLevel.EVACUATE, Exercise("drill")))
    assert not any(text.count("訓練】") > 1 for text in texts(ours, "cap:info/cap:headline"))


# --- the chain -----------------------------------------------------------------------------------

_courses = st.lists(
    st.sampled_from([level for level in AlertLevel if level is not AlertLevel.NONE]),
    min_size=1,
    max_size=5,
)


@settings(max_examples=30, deadline=None)
@given(course=_courses, occasion=st.sampled_from([Actual(), Exercise("drill")]))
def test_the_chain_runs_from_alert_over_updates_to_cancel_and_every_reference_resolves(
    schema: etree.XMLSchema, course: list[AlertLevel], occasion: Actual | Exercise
) -> None:
    """MESSAGE_TYPE, REFERENCES, STATUS: one status all the way."""
    chain: list[Alert] = []
    for step, level in enumerate([*course, AlertLevel.NONE]):
        chain.append(_order(level, occasion, after=chain[-1] if chain else None, step=step))
    roots = [parsed(alert) for alert in chain]
    types = [texts(root, "cap:msgType")[0] for root in roots]
    assert types == ["Alert", *["Update"] * (len(course) - 1), "Cancel"]
    assert {texts(root, "cap:status")[0] for root in roots} == {occasion.status}
    assert texts(roots[0], "cap:references") == []
    for earlier, later in pairwise(roots):
        schema.assertValid(later)
        assert texts(later, "cap:references") == [
            ",".join(texts(earlier, f"cap:{part}")[0] for part in ("sender", "identifier", "sent"))
        ]


def test_a_reference_is_written_as_the_message_was() -> None:
    alert = a.alert("x y", sent=a.NOON + timedelta(microseconds=5))
    assert reference(alert.reference) == ("authority.example.jp,x%20y,2026-09-01T12:00:00-00:00")


@pytest.mark.parametrize("occasion", [Actual(), Exercise("drill")])
def test_the_cancel_by_an_official_is_a_document_like_the_others(
    schema: etree.XMLSchema, occasion: Actual | Exercise
) -> None:
    """SCHEMA, REFERENCES."""
    order: Any = _order(AlertLevel.EVACUATE, occasion)
    now = a.NOON + timedelta(minutes=1)
    proposal = cancellation(order, "flood/x", ISSUER, proposal_id="p", revision=2, now=now)
    cancel = issue(proposal, occasion, order, ISSUER, "urn:cityos:yaizu:1", now)
    root = parsed(cancel)
    schema.assertValid(root)
    assert texts(root, "cap:msgType") == ["Cancel"]
    assert texts(root, "cap:status") == [occasion.status]
    assert texts(root, "cap:references") == [reference(order.reference)]
    assert texts(root, ".//cap:polygon")
    assert any("焼津市の判断により解除" in text for text in texts(root, ".//cap:description"))


def _order(
    level: AlertLevel, occasion: Actual | Exercise, after: Any = None, step: int = 0
) -> Alert:
    now = a.NOON + timedelta(minutes=step)
    area = AlertArea(name=Name("Yaizu", "焼津市"), polygons=(SQUARE,))
    proposal = Proposal(
        id=f"p{step}",
        service="evacuation_alert",
        occasion=occasion,
        revision=step + 1,
        assessment=a.assessment("flood/x", level, now, area=area),
        created_at=now,
    )
    return issue(proposal, occasion, after, ISSUER, f"urn:cityos:yaizu:{step}", now)
