"""What every CityReader keeps to, on the real PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityos.domain.entity import Entity, Name, Tenant
from cityos.domain.history import Aggregate, BoundingBox, Near, Order, SeriesKey
from cityos.domain.observation import Position, Quality, Value
from cityos.domain.occasion import Actual
from cityos.errors import InvalidRequest, NotFound, Unavailable
from cityos.ports import DeadLetter, EntityQuery, IngestBatch
from cityos.storage import entity_rows
from cityos.storage.database import Database
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter

NOW = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
GAUGE = "urn:ngsi-ld:WaterLevelGauge:yaizu:asahi"
OTHER = "urn:ngsi-ld:WaterLevelGauge:yaizu:seto"
BUS = "urn:ngsi-ld:Bus:yaizu:1"
LEVEL = SeriesKey(entity=GAUGE, observed_property="water_level")


@dataclass
class City:
    reader: PostgresCityReader
    registry: PostgresRegistry
    writer: PostgresObservationWriter
    database: Database

    def store(
        self,
        key: SeriesKey,
        values: Sequence[tuple[datetime, Value]],
        *,
        tenant: str = "yaizu",
        raw_id: int = 7,
    ) -> None:
        handle = self.writer.series(tenant, key, "m", Actual())
        batch = IngestBatch(values=[(handle, at, NOW, raw_id, value, 0) for at, value in values])
        self.writer.store(batch)

    def put(self, *entities: Entity, tenant: str = "yaizu") -> None:
        self.registry.put_entities(tenant, entities)


@pytest.fixture
def city(module_database_url: str) -> Iterator[City]:
    database_url = module_database_url
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE tenant, series, observation, latest, dead_letter CASCADE")
    database = Database(database_url, application="test", max_size=3, autocommit=True)
    written = Database(database_url, application="test-write", max_size=2)
    registry = PostgresRegistry(written)
    registry.put_tenant(Tenant(id="yaizu", name=Name("Yaizu", "焼津市")))
    registry.put_tenant(Tenant(id="fukui", name=Name("Fukui", "福井市")))
    registry.put_entities(
        "yaizu",
        [
            _entity(GAUGE, 138.30, 34.90, danger_level_m=3.5),
            _entity(OTHER, 138.31, 34.86),
            _entity(BUS, None, None),
        ],
    )
    city = City(
        PostgresCityReader(database, counting_timeout_s=0.5),
        registry,
        PostgresObservationWriter(written),
        database,
    )
    yield city
    database.close()
    written.close()


# --- tenants and entities -----------------------------------------------------------------------


def test_unknown_things_are_not_found(city: City) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        city.reader.tenant("nowhere")
    with pytest.raises(NotFound):
        city.reader.entity("yaizu", "urn:ngsi-ld:Bus:yaizu:2")
    with pytest.raises(NotFound):
        city.reader.entity("fukui", GAUGE)
    with pytest.raises(NotFound):
        city.reader.history("yaizu", LEVEL)
    with pytest.raises(NotFound):
        city.reader.unit("yaizu", LEVEL)


def test_entities_by_type_page_by_page(city: City) -> None:
    assert _ids(city, EntityQuery(type="WaterLevelGauge")) == [GAUGE, OTHER]
    assert _ids(city, EntityQuery(limit=2)) == [BUS, GAUGE]
    assert _ids(city, EntityQuery(after=GAUGE)) == [OTHER]
    assert _ids(city, EntityQuery(type="Bus", after=GAUGE)) == []
    assert _ids(city, EntityQuery(), tenant="fukui") == []


def test_entities_by_attribute(city: City) -> None:
    city.put(
        _entity("urn:ngsi-ld:EvacuationSite:yaizu:a", 138.3, 34.8, hazards=["flood", "tsunami"]),
        _entity("urn:ngsi-ld:EvacuationSite:yaizu:b", 138.3, 34.8, hazards=["tsunami"]),
    )

    found = _ids(city, EntityQuery(attributes_contain={"hazards": ["flood"]}))
    assert found == ["urn:ngsi-ld:EvacuationSite:yaizu:a"]


def test_entities_in_a_box(city: City) -> None:
    inside = BoundingBox(138.29, 34.85, 138.305, 34.95)

    assert _ids(city, EntityQuery(bbox=inside)) == [GAUGE]
    assert _ids(city, EntityQuery(bbox=BoundingBox(138.3, 34.86, 138.31, 34.9))) == [GAUGE, OTHER]


def test_a_box_over_the_antimeridian(city: City) -> None:
    fiji, samoa = "urn:ngsi-ld:Island:fiji:1", "urn:ngsi-ld:Island:samoa:1"
    city.put(_entity(fiji, 178.0, -18.0), _entity(samoa, -172.0, -14.0))
    pacific = BoundingBox(170.0, -30.0, -170.0, 0.0)

    assert _ids(city, EntityQuery(bbox=pacific)) == [fiji, samoa]
    assert _ids(city, EntityQuery(bbox=BoundingBox(-180.0, -30.0, 180.0, 0.0))) == [fiji, samoa]
    assert _ids(city, EntityQuery(near=Near(180.0, -16.0, 1_000_000))) == [fiji, samoa]


def test_nearest_first_with_distance_and_pages(city: City) -> None:
    near = Near(138.31, 34.87, 20_000)
    everything = city.reader.find_entities("yaizu", EntityQuery(near=near))

    assert [each.entity.id for each in everything] == [OTHER, GAUGE]
    assert everything[0].distance_m == pytest.approx(1111.95, abs=0.1)
    assert everything[1].distance_m == pytest.approx(_haversine(near, 138.30, 34.90), abs=0.01)
    first = city.reader.find_entities("yaizu", EntityQuery(near=near, limit=1))
    second = city.reader.find_entities("yaizu", EntityQuery(near=near, limit=1, after=OTHER))
    assert [*first, *second] == everything
    assert _ids(city, EntityQuery(near=near, after=GAUGE)) == []
    assert _ids(city, EntityQuery(near=Near(138.31, 34.87, 2_000))) == [OTHER]


@pytest.mark.parametrize(
    ("near", "there"),
    [
        (Near(0.0, 89.9, 30_000), (180.0, 89.9)),
        (Near(10.0, -89.95, 20_000), (-120.0, -89.95)),
        (Near(179.99, 0.0, 5_000), (-179.99, 0.0)),
        (Near(0.0, 0.0, 20_100_000), (180.0, 0.0)),
        (Near(0.0, 65.0, 1_000_000), (20.0, 65.0)),
    ],
)
def test_distance_at_the_ends_of_the_earth(
    city: City, near: Near, there: tuple[float, float]
) -> None:
    far = "urn:ngsi-ld:Island:yaizu:far"
    city.put(_entity(far, *there))

    assert far in _ids(city, EntityQuery(near=near))


@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90))
@settings(max_examples=300, deadline=None)
def test_the_box_around_a_circle_never_misses(
    longitude: float, latitude: float, there_longitude: float, there_latitude: float
) -> None:
    distance_m = _haversine(Near(longitude, latitude, 0), there_longitude, there_latitude)
    box = entity_rows.around(Near(longitude, latitude, distance_m + 0.5))

    assert box.south <= there_latitude <= box.north
    if box.west <= box.east:
        assert box.west <= there_longitude <= box.east or abs(there_longitude) == 180
    else:
        assert there_longitude >= box.west or there_longitude <= box.east


# --- newest values ------------------------------------------------------------------------------


def test_latest_by_every_filter(city: City) -> None:
    temperature = SeriesKey(entity=GAUGE, observed_property="air_temperature")
    other = SeriesKey(entity=OTHER, observed_property="water_level")
    drill = SeriesKey(
        entity=GAUGE, observed_property="water_level", dataset="urn:cityos:exercise:x"
    )
    for key, value in ((LEVEL, 1.5), (temperature, 20.0), (other, 2.5), (drill, 9.0)):
        city.store(key, [(NOW, value)])

    def latest(**filters: object) -> list[float]:
        return [each.value for each in city.reader.latest("yaizu", **filters)]  # type: ignore[arg-type, misc]

    assert latest() == [20.0, 1.5, 2.5]
    assert latest(limit=1) == [20.0]
    assert latest(after=(GAUGE, "air_temperature")) == [1.5, 2.5]
    assert latest(after=(OTHER, "water_level")) == []
    assert latest(entity=GAUGE) == [20.0, 1.5]
    assert latest(observed_property="water_level") == [1.5, 2.5]
    assert latest(entity=GAUGE, observed_property="water_level") == [1.5]
    assert latest(entity_type="WaterLevelGauge") == [20.0, 1.5, 2.5]
    assert latest(entity_type="Bus") == []
    assert latest(bbox=BoundingBox(138.305, 34.0, 139.0, 35.0)) == [2.5]
    assert latest(dataset="urn:cityos:exercise:x") == [9.0]
    assert list(city.reader.latest("fukui")) == []


def test_latest_tells_all_that_is_known(city: City) -> None:
    city.store(LEVEL, [(NOW - timedelta(minutes=1), 1.25)])
    [value] = city.reader.latest("yaizu")

    assert (value.entity, value.observed_property, value.dataset) == (GAUGE, "water_level", "")
    assert (value.value, value.unit, value.quality) == (1.25, "m", Quality.GOOD)
    assert (value.observed_at, value.received_at) == (NOW - timedelta(minutes=1), NOW)
    assert value.observed_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "value",
    [
        0.0,
        -1.5,
        "停電",
        "",
        True,
        False,
        Position(138.3, 34.9),
        [1.0, "a", None],
        {"a": {"b": []}},
    ],
)
def test_every_kind_of_value_comes_back(city: City, value: Value) -> None:
    city.store(LEVEL, [(NOW, value)])

    [latest] = city.reader.latest("yaizu")
    [sample] = city.reader.history("yaizu", LEVEL)
    assert latest.value == value
    assert type(latest.value) is type(value)
    assert sample.value == value


def test_series_of_an_entity(city: City) -> None:
    temperature = SeriesKey(entity=GAUGE, observed_property="air_temperature")
    city.store(LEVEL, [(NOW, 1.0)])
    city.store(temperature, [(NOW, 1.0)])

    assert city.reader.series_of("yaizu", GAUGE) == [temperature, LEVEL]
    assert city.reader.series_of("yaizu", OTHER) == []
    assert city.reader.unit("yaizu", LEVEL) == "m"


def test_changes_since_a_position(city: City) -> None:
    other = SeriesKey(entity=OTHER, observed_property="water_level")
    city.store(LEVEL, [(NOW, 1.0)])
    city.store(other, [(NOW, 1.0)])
    position, everything = city.reader.latest_changes(None)
    assert sorted(value.entity for _, value in everything) == [GAUGE, OTHER]

    city.store(LEVEL, [(NOW + timedelta(seconds=1), 2.0)])
    later, moved = city.reader.latest_changes(position)
    assert [(tenant, value.entity, value.value) for tenant, value in moved] == [
        ("yaizu", GAUGE, 2.0)
    ]
    assert city.reader.latest_changes(later)[1] == []
    assert len(city.reader.latest_changes(2**62)[1]) == 2  # a position of another server


def test_changes_of_a_transaction_that_was_still_open(city: City) -> None:
    city.store(LEVEL, [(NOW, 1.0)])
    with city.database.connection() as connection, connection.transaction():
        connection.execute("UPDATE latest SET value = 5")
        position, before = city.reader.latest_changes(None)
    assert [value.value for _, value in before] == [1.0]

    _, moved = city.reader.latest_changes(position)
    assert [value.value for _, value in moved] == [5.0]


# --- history ------------------------------------------------------------------------------------


def test_history_newest_and_oldest_first(city: City) -> None:
    times = _hourly(city, 5)

    newest = city.reader.history("yaizu", LEVEL)
    assert [(sample.observed_at, sample.value) for sample in newest] == [
        (at, float(hour)) for hour, at in reversed(list(enumerate(times)))
    ]
    oldest = city.reader.history("yaizu", LEVEL, order=Order.OLDEST_FIRST)
    assert oldest == newest[::-1]
    assert (newest[0].received_at, newest[0].quality, newest[0].raw_id) == (NOW, Quality.GOOD, 7)


def test_since_is_included_and_until_is_not(city: City) -> None:
    times = _hourly(city, 5)

    for order in Order:
        got = city.reader.history("yaizu", LEVEL, since=times[1], until=times[3], order=order)
        assert sorted(sample.value for sample in got) == [1.0, 2.0]  # type: ignore[type-var]
    assert city.reader.history("yaizu", LEVEL, since=times[3], until=times[1]) == []
    assert city.reader.history("yaizu", LEVEL, until=datetime(2, 1, 1, tzinfo=UTC)) == []
    assert len(city.reader.history("yaizu", LEVEL, until=datetime.max.replace(tzinfo=UTC))) == 5
    assert len(city.reader.history("yaizu", LEVEL, since=datetime.min.replace(tzinfo=UTC))) == 5
    assert city.reader.history("yaizu", LEVEL, since=datetime.max.replace(tzinfo=UTC)) == []


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_make_the_whole_over_gaps_of_any_length(
    city: City, order: Order, limit: int
) -> None:
    ages_h = [0, 1, 2, 47, 48, 49, 300, 301, 5000, 5001, 20_000, 20_001, 20_002]
    city.store(LEVEL, [(NOW - timedelta(hours=age), float(age)) for age in ages_h])

    got: list[float] = []
    after = None
    while page := city.reader.history("yaizu", LEVEL, order=order, after=after, limit=limit):
        got += [sample.value for sample in page]  # type: ignore[misc]
        after = page[-1].observed_at
    assert got == sorted(map(float, ages_h), reverse=order is Order.OLDEST_FIRST)


def test_a_series_of_another_dataset_is_another_series(city: City) -> None:
    drill = SeriesKey(
        entity=GAUGE, observed_property="water_level", dataset="urn:cityos:exercise:x"
    )
    city.store(LEVEL, [(NOW, 1.0)])
    city.store(drill, [(NOW, 9.0)])

    assert [sample.value for sample in city.reader.history("yaizu", LEVEL)] == [1.0]
    assert [sample.value for sample in city.reader.history("yaizu", drill)] == [9.0]


# --- buckets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval_s", [60, 600, 3600, 7200, 86400])
def test_buckets_agree_with_counting_by_hand(city: City, interval_s: int) -> None:
    start = datetime(2026, 11, 20, 3, 17, tzinfo=UTC)
    values = [
        (start + timedelta(seconds=173 * i), math.sin(i) * 10) for i in range(500) if i % 50 > 20
    ]
    city.store(LEVEL, values)
    since, until = start + timedelta(minutes=33), start + timedelta(hours=12)

    got = city.reader.buckets(
        "yaizu", LEVEL, interval_s=interval_s, since=since, until=until, limit=2000
    )

    expected: dict[int, list[float]] = {}
    first = int(since.timestamp()) // interval_s
    last = -(-int(until.timestamp()) // interval_s)
    for at, value in values:
        number = int(at.timestamp() // interval_s)
        if first <= number < last:
            expected.setdefault(number, []).append(value)
    assert [int(bucket.start.timestamp()) // interval_s for bucket in got] == sorted(expected)
    for bucket, (_, there) in zip(got, sorted(expected.items()), strict=True):
        assert bucket.count == len(there)
        assert bucket.value(Aggregate.AVERAGE) == pytest.approx(sum(there) / len(there))
        assert (bucket.minimum, bucket.maximum) == (min(there), max(there))


def test_buckets_leave_out_what_is_no_number(city: City) -> None:
    city.store(LEVEL, [(NOW, "停電"), (NOW + timedelta(seconds=1), 2.0)])
    span = {"since": NOW - timedelta(hours=1), "until": NOW + timedelta(hours=1)}

    for interval_s in (60, 3600):
        got = city.reader.buckets("yaizu", LEVEL, interval_s=interval_s, **span)
        assert [(bucket.count, bucket.sum) for bucket in got] == [(1, 2.0)]


def test_too_many_buckets_say_what_would_do(city: City) -> None:
    _hourly(city, 2)

    with pytest.raises(InvalidRequest, match=r"366 s|least 3[67]\d s") as caught:
        city.reader.buckets(
            "yaizu", LEVEL, interval_s=60, since=NOW - timedelta(hours=10), until=NOW, limit=100
        )
    assert caught.value.parameter == "interval"


def test_bucket_times_must_make_sense(city: City) -> None:
    _hourly(city, 2)

    with pytest.raises(InvalidRequest) as caught:
        city.reader.buckets("yaizu", LEVEL, interval_s=60, since=NOW, until=NOW)
    assert caught.value.parameter == "since"
    with pytest.raises(InvalidRequest):
        city.reader.buckets(
            "yaizu",
            LEVEL,
            interval_s=86400 * 7,
            since=datetime.min.replace(tzinfo=UTC),
            until=datetime.min.replace(tzinfo=UTC) + timedelta(days=1),
        )


def test_counting_that_takes_too_long_says_so(city: City) -> None:
    city.store(LEVEL, [(NOW, 1.0)])
    with city.database.connection() as connection, connection.transaction():
        connection.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable, match="counting took longer than"):
            city.reader.buckets(
                "yaizu", LEVEL, interval_s=60, since=NOW, until=NOW + timedelta(minutes=5)
            )


# --- what was refused ---------------------------------------------------------------------------


def test_dead_letters_newest_first_in_pages(city: City) -> None:
    letters = [
        DeadLetter(tenant, number, NOW, "acme", "d", "t", b"\x00\xff", "too_large", "x", "$", "h")
        for number, tenant in enumerate(("yaizu", "yaizu", "fukui", "yaizu"))
    ]
    city.writer.store(IngestBatch(dead_letters=letters))

    kept = city.reader.dead_letters("yaizu")
    assert [each.letter for each in kept] == [letters[3], letters[1], letters[0]]
    assert [each.replayed_at for each in kept] == [None] * 3
    assert city.reader.dead_letters("yaizu", limit=1) == kept[:1]
    assert city.reader.dead_letters("yaizu", before=kept[0].id) == kept[1:]


def test_a_lost_server_is_unavailable(free_port: int) -> None:
    database = Database(
        f"postgresql://nobody@127.0.0.1:{free_port}/none", application="test", timeout_s=0.2
    )
    try:
        with pytest.raises(Unavailable):
            PostgresCityReader(database).tenant("yaizu")
    finally:
        database.close()


def _entity(
    identifier: str, longitude: float | None, latitude: float | None, **attributes: object
) -> Entity:
    position = None
    if longitude is not None and latitude is not None:
        position = Position(longitude, latitude)
    return Entity(
        id=identifier,
        type=identifier.split(":")[2],
        name=Name("", ""),
        position=position,
        attributes=attributes,
    )


def _ids(city: City, query: EntityQuery, tenant: str = "yaizu") -> list[str]:
    return [found.entity.id for found in city.reader.find_entities(tenant, query)]


def _hourly(city: City, count: int) -> list[datetime]:
    times = [NOW + timedelta(hours=hour) for hour in range(count)]
    city.store(LEVEL, [(at, float(hour)) for hour, at in enumerate(times)])
    return times


def _haversine(near: Near, longitude: float, latitude: float) -> float:
    a, b = math.radians(near.latitude), math.radians(latitude)
    half = (
        math.sin((b - a) / 2) ** 2
        + math.cos(a) * math.cos(b) * math.sin(math.radians(longitude - near.longitude) / 2) ** 2
    )
    return 2 * 6_371_008.8 * math.asin(min(1.0, math.sqrt(half)))
