"""The pure parts of the API: parameters, negotiation, cursors, tables, documents."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from cityos.api import cursors, errors, negotiation, parameters
from cityos.api.errors import NotAcceptable
from cityos.api.v1 import geojson, mapping, tables, wire, wire_administration
from cityos.domain.alert_level import AlertLevel
from cityos.domain.history import Aggregate, BoundingBox, Bucket, Near, Sample
from cityos.domain.observation import Position, Quality, Value
from cityos.domain.observed_property import PROPERTIES
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Proposal
from cityos.errors import (
    CityOSError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    SetupFailed,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UndecodablePayload,
)
from cityos.ports import ApiKey, DeadLetter, FoundEntity, KeptDeadLetter, LatestValue
from cityos.testing import builders as a

NOON = a.NOON

# --- parameters ---------------------------------------------------------------------------------


def test_places() -> None:
    assert parameters.bbox("138.25,34.8,138.4,34.95") == BoundingBox(138.25, 34.8, 138.4, 34.95)
    assert parameters.bbox("170,-20,-170,10") == BoundingBox(170, -20, -170, 10)
    assert parameters.bbox(None) is None
    assert parameters.near("138.3, 34.9", 50, otherwise_m=9) == Near(138.3, 34.9, 50)
    assert parameters.near("138.3,34.9", None, otherwise_m=9) == Near(138.3, 34.9, 9)
    assert parameters.near("0,0", 1e300, otherwise_m=9) == Near(0, 0, 20_037_508)
    assert parameters.near(None, None, otherwise_m=9) is None


@pytest.mark.parametrize(
    "text", ["", "1", "1,2,3", "1,2,3,x", "181,0,0,0", "0,-91,0,0", "a,b,c,d"]
)
def test_what_is_no_box(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parameters.bbox(text)
    assert caught.value.parameter == "bbox"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-22T01:02:03Z", datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-22T10:02:03.5+09:00", datetime(2026, 11, 22, 1, 2, 3, 500000, tzinfo=UTC)),
        ("20261122T010203Z", datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)),
    ],
)
def test_times(text: str, time: datetime) -> None:
    assert parameters.time(text, "since") == time


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-22", "2026-11-22T01:02:03", "2026-13-01T00:00:00Z",
     "0001-01-01T00:00:00+23:59", "1763773323", "2026-11-22T01:02:03 09:00"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parameters.time(text, "until")
    assert caught.value.parameter == "until"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT1H", 3600), ("PT10M", 600), ("P1D", 86400), ("P1W", 604800), ("P1DT12H", 129600),
     ("PT90S", 90), ("PT1H30M", 5400)],
)  # fmt: skip
def test_intervals(text: str, seconds: int) -> None:
    assert parameters.interval_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "1h", "P1M", "P1Y", "PT0S", "P367D", "PT1.5H", "-PT1H", "P1W1D"]
)
def test_what_is_no_interval(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parameters.interval_s(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (
        parameters.bbox,
        parameters.interval_s,
        lambda given: parameters.time(given, "since"),
        lambda given: parameters.near(given, None, otherwise_m=1),
        lambda given: cursors.read(given, cursors.EntityCursor),
        lambda given: cursors.read(given, cursors.TimeCursor),
        lambda given: negotiation.choose(given, (negotiation.JSON,)),
    ):
        with suppress(InvalidRequest):
            read(text)  # type: ignore[operator]


# --- negotiation and cursors --------------------------------------------------------------------

OFFERED = (negotiation.JSON, negotiation.CSV, negotiation.GEOJSON)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", negotiation.JSON),
        ("*/*", negotiation.JSON),
        ("text/csv", negotiation.CSV),
        ("TEXT/CSV", negotiation.CSV),
        ("text/*", negotiation.CSV),
        ("application/geo+json, application/json;q=0.5", negotiation.GEOJSON),
        ("application/json;q=0.1, text/csv;q=0.2", negotiation.CSV),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", negotiation.JSON),
        ("application/json;q=0, */*;q=0.1", negotiation.CSV),
        ("text/csv;q=nonsense, application/json;q=0.1", negotiation.JSON),
    ],
)
def test_the_representation_that_is_liked_best(accept: str, chosen: str) -> None:
    assert negotiation.choose(accept, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "nonsense"])
def test_none_that_will_do(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="text/csv"):
        negotiation.choose(accept, OFFERED)


@given(
    st.one_of(
        st.builds(
            cursors.EntityCursor, st.text(st.characters(codec="utf-8", exclude_characters="\0"))
        ),
        st.builds(cursors.TimeCursor, st.datetimes(timezones=st.just(UTC))),
        st.builds(cursors.NumberCursor, st.integers(-(2**63), 2**63 - 1)),
        st.builds(
            cursors.AlertCursor,
            st.datetimes(timezones=st.just(UTC)),
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=100),
        ),
    )
)
def test_a_cursor_reads_back(cursor: Any) -> None:
    text = cursors.write(cursor)
    if len(text) <= 1024:
        assert cursors.read(text, type(cursor)) == cursor
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_a_cursor_fits_its_own_kind_of_page_only() -> None:
    text = cursors.write(cursors.EntityCursor("urn:x:y"))
    with pytest.raises(InvalidRequest):
        cursors.read(text, cursors.TimeCursor)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequest("x"), 400),
        (UndecodablePayload("x"), 400),
        (Unauthenticated(), 401),
        (Forbidden(), 403),
        (NotFound(), 404),
        (NotAcceptable("x"), 406),
        (Conflict(), 409),
        (TooManyRequests("x", retry_after_s=7), 429),
        (Unavailable(), 503),
        (SetupFailed("secret"), 500),
        (CityOSError("secret"), 500),
    ],
)
def test_every_error_has_its_status(error: CityOSError, status: int) -> None:
    problem = errors.problem_of(error)
    document = msgspec.json.decode(problem.body(instance="/v1/x", request_id="r"))

    assert problem.status == document["status"] == status
    TypeAdapter(wire.Problem).validate_python(document, strict=True)
    assert "secret" not in str(document)
    if status == 429:
        assert problem.headers == {"Retry-After": "7"}
    if status == 401:
        assert problem.headers["WWW-Authenticate"].startswith("Bearer")


# --- tables and features ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-1.5, "-1.5"),
        (1e22, "1e+22"),
        ("=SUM(A1)", "'=SUM(A1)"),
        ("+81 54", "'+81 54"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("normal", "normal"),
        ("水位, 高", '"水位, 高"'),
        (True, "true"),
        ({"a": 1}, '"{""a"":1}"'),
    ],
)
def test_cells(value: Value, cell: str) -> None:
    table = tables.samples([_sample(value)], unit="m", places=False).decode()
    assert table.splitlines()[1] == f"2026-09-01T12:00:00Z,{cell},m,2026-09-01T12:00:00Z,late"


def test_tables_of_places_and_of_intervals() -> None:
    places = tables.samples([_sample(Position(138.3, 34.9)), _sample("?")], unit="1", places=True)
    assert places.decode().splitlines()[1].split(",")[1:3] == ["138.3", "34.9"]
    assert places.decode().splitlines()[2].split(",")[1:3] == ["", ""]
    counted = tables.buckets([Bucket(NOON, 2, 3.0, 1.0, 2.0)], Aggregate.AVERAGE, unit="m")
    assert counted.decode().splitlines() == [
        "start,average,unit,count",
        "2026-09-01T12:00:00Z,1.5,m,2",
    ]


def test_an_area_keeps_its_shape() -> None:
    shape = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    area = a.entity("urn:ngsi-ld:Area:town:a", "Area")
    area = type(area)(id=area.id, type=area.type, name=area.name, geometry=shape)
    [feature] = geojson.entities([FoundEntity(area)])["features"]
    assert feature["geometry"] == shape


# --- documents are what the description says ----------------------------------------------------


def _valid(document: object, kind: Any) -> None:
    """Hold a document, as it is sent, against its description."""
    sent = msgspec.json.decode(msgspec.json.encode(document))
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    adapter.validate_json(msgspec.json.encode(sent), strict=True)
    described = set(adapter.json_schema()["properties"])
    assert set(sent) == described


@pytest.mark.parametrize("prop", PROPERTIES.values(), ids=PROPERTIES)
def test_observed_properties(prop: Any) -> None:
    _valid(mapping.observed_property(prop), wire.ObservedProperty)


def test_entities() -> None:
    _valid(mapping.entity(a.gauge()), wire.Entity)
    _valid(mapping.entity(FoundEntity(a.entity("urn:x:y", "Bus"), 12.345)), wire.Entity)
    assert mapping.entity(FoundEntity(a.gauge(), 12.345))["distance_m"] == 12.3


@pytest.mark.parametrize("value", [1.5, "x", True, Position(1, 2), [1.0], {"a": None}])
def test_values(value: Value) -> None:
    latest = LatestValue("urn:x:y", "water_level", "", value, "m", NOON, NOON, Quality(5))
    document = mapping.latest_item(latest)
    _valid(document, wire.LatestValue)
    assert document["quality"] == ["corrected", "late"]
    [sample] = mapping.samples([_sample(value)])
    _valid(sample, wire.Sample)


def test_alerts() -> None:
    for alert in (
        a.alert(infos=(a.info(level=AlertLevel.EMERGENCY_SAFETY, effective=NOON),)),
        a.bulletin().on(Exercise("typhoon")),
    ):
        _valid(mapping.alert(alert), wire.Alert)
    exercise = mapping.alert(a.bulletin().on(Exercise("typhoon")))
    assert (exercise["status"], exercise["run"]) == ("Exercise", "typhoon")


def test_proposals() -> None:
    proposal = Proposal(
        id="p", service="s", occasion=Exercise("x"), revision=1,
        assessment=a.assessment("flood/x"), created_at=NOON,
    )  # fmt: skip
    _valid(mapping.proposal(proposal), wire.Proposal)


def test_keys_and_dead_letters() -> None:
    key = ApiKey(id="k", tenant="town", name="n", role="admin", created_at=NOON, revoked_at=NOON)
    _valid(mapping.key(key), wire_administration.Key)
    _valid(mapping.issued_key(key, "ck_"), wire_administration.IssuedKey)
    letter = DeadLetter("town", 2**60, NOON, "v", "d", "t", b"\xff", "r", "d", "$", "h")
    _valid(mapping.dead_letter(KeptDeadLetter(5, letter)), wire_administration.DeadLetter)
    assert mapping.dead_letter(KeptDeadLetter(5, letter))["message"] == str(2**60)


def _sample(value: Value) -> Sample:
    return Sample(NOON, value, NOON + timedelta(0), Quality.LATE, 7)
