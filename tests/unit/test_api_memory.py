"""What the API keeps in memory: the present, and answers that may be sent again."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from cityos.api.answers import Answer, Answers, Question
from cityos.api.present import Present
from cityos.api.stamps import Stamps
from cityos.domain.history import SeriesKey
from cityos.ports import LatestValue
from cityos.testing.builders import NOON

SETO = SeriesKey(entity="urn:x:seto", observed_property="water_level")
KOYA = SeriesKey(entity="urn:x:koya", observed_property="water_level")
RAIN = SeriesKey(entity="urn:x:seto", observed_property="precipitation_1h")


def latest(value: float, minute: int = 0, **rest: str) -> LatestValue:
    at = NOON + timedelta(minutes=minute)
    found = LatestValue("urn:x:seto", "water_level", "", value, "m", at, at)
    return found._replace(**rest)


# --- the present --------------------------------------------------------------------------------


def test_the_value_observed_last_is_the_present() -> None:
    present = Present()
    assert present.put("town", [latest(1.0, 5)]) == [latest(1.0, 5)]
    assert present.put("town", [latest(9.0, 4)]) == []
    assert present.put("town", [latest(1.0, 5)]) == []
    assert present.put("town", [latest(2.0, 6)]) == [latest(2.0, 6)]
    assert present.of_series("town", SETO) == latest(2.0, 6)


@given(st.permutations(range(6)))
def test_the_order_of_news_does_not_matter(order: list[int]) -> None:
    present = Present()
    for minute in order:
        present.put("town", [latest(float(minute), minute)])
    assert present.of_series("town", SETO) == latest(5.0, 5)


def test_a_correction_replaces_what_it_corrects() -> None:
    present = Present()
    present.put("town", [latest(1.0, 5)])
    corrected = latest(2.0, 5)._replace(received_at=NOON + timedelta(hours=1))
    assert present.put("town", [corrected]) == [corrected]
    assert present.put("town", [latest(1.0, 5)]) == []


def test_cities_entities_and_datasets_are_apart() -> None:
    present = Present()
    drill = latest(7.0, dataset="urn:cityos:exercise:x")
    rain = latest(3.0, observed_property="precipitation_1h")
    present.put("town", [latest(1.0), drill, rain])
    present.put("drill", [latest(9.0)])

    assert present.of_entity("town", "urn:x:seto") == [rain, latest(1.0)]
    assert present.of_entity("town", "urn:x:seto", dataset=drill.dataset) == [drill]
    assert present.of_entity("town", "urn:x:koya") == []
    assert present.of_entity("nowhere", "urn:x:seto") == []
    assert present.of_series("drill", SETO) == latest(9.0)
    assert present.of_series("drill", KOYA) is None


def test_nothing_is_believed_before_the_store_has_answered() -> None:
    assert Present().believable_until_s == float("-inf")


# --- answers ------------------------------------------------------------------------------------

QUESTION: Question = ("town", "/v1/x", b"", b"")


def answer(stamps: Stamps, *thing: str, body: bytes = b"x", until_s: float = 10.0) -> Answer:
    return Answer(body, (), b'"e"', "/v1/x", thing, stamps.current(thing), until_s)


def test_an_answer_stands_until_there_is_news_of_what_it_is_made_of() -> None:
    for thing in (
        ("town",),
        ("town", SETO.entity),
        ("town", SETO.entity, SETO.observed_property, ""),
    ):
        stamps = Stamps()
        answers = Answers(stamps)
        answers.keep(QUESTION, answer(stamps, *thing))
        stamps.change("town", KOYA) if len(thing) > 1 else stamps.change("drill", SETO)
        stamps.change("drill", SETO)
        assert answers.find(QUESTION, 0.0) is not None
        stamps.change("town", SETO)
        assert answers.find(QUESTION, 0.0) is None


def test_news_of_another_property_leaves_the_history_alone() -> None:
    stamps = Stamps()
    answers = Answers(stamps)
    answers.keep(QUESTION, answer(stamps, "town", SETO.entity, SETO.observed_property, ""))
    stamps.change("town", RAIN)
    assert answers.find(QUESTION, 0.0) is not None


def test_an_answer_made_while_news_came_is_not_sent() -> None:
    stamps = Stamps()
    answers = Answers(stamps)
    made = answer(stamps, "town")  # the number was taken, the store was read ...
    stamps.change("town", SETO)  # ... and then there was news
    answers.keep(QUESTION, made)
    assert answers.find(QUESTION, 0.0) is None


def test_an_answer_has_an_end() -> None:
    stamps = Stamps()
    answers = Answers(stamps)
    answers.keep(QUESTION, answer(stamps, "town", until_s=10.0))
    assert answers.find(QUESTION, 9.9) is not None
    assert answers.find(QUESTION, 10.0) is None


def test_all_answers_can_be_dropped_at_once() -> None:
    stamps = Stamps()
    answers = Answers(stamps)
    answers.keep(QUESTION, answer(stamps, "town"))
    stamps.change_all()
    assert answers.find(QUESTION, 0.0) is None


def test_memory_stays_bounded_and_keeps_what_is_asked_for() -> None:
    stamps = Stamps()
    answers = Answers(stamps)
    body = bytes(400_000)
    for number in range(200):
        question: Question = ("town", f"/v1/{number}", b"", b"")
        answers.keep(question, answer(stamps, "town", body=body))
        assert answers.find(("town", "/v1/0", b"", b""), 0.0) is not None
    assert answers._bytes <= 48 * 1024 * 1024
    assert len(answers._kept) < 130
    answers.keep(QUESTION, answer(stamps, "town", body=bytes(1_000_000)))
    assert answers.find(QUESTION, 0.0) is None


def test_keeping_again_replaces() -> None:
    stamps = Stamps()
    answers = Answers(stamps)
    for body in (b"a", b"bb", b"ccc"):
        answers.keep(QUESTION, answer(stamps, "town", body=body))
    found = answers.find(QUESTION, 0.0)
    assert found is not None
    assert found.body == b"ccc"
    assert answers._bytes == 3 + 1000


def test_stamps_stay_bounded() -> None:
    stamps = Stamps()
    first = stamps.current(("town", "0"))
    for number in range(200_001):
        stamps.current(("town", str(number)))
    assert len(stamps._numbers) <= 200_000
    assert stamps.current(("town", "0")) != first
