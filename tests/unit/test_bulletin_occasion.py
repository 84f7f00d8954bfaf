"""Another authority's message becomes an alert of an occasion, apart from the real one."""

from __future__ import annotations

import re

import pytest

from cityos.domain.alert import ActualAlert, ExerciseAlert
from cityos.domain.occasion import Actual, Exercise, Occasion
from cityos.testing import builders as a

EARLIER = a.alert("jma-0").reference


@pytest.mark.parametrize(
    ("drill", "occasion", "run"),
    [
        (False, Exercise("typhoon-2019"), "typhoon-2019"),
        (True, Exercise("typhoon-2019"), "typhoon-2019"),
        (True, Actual(), "sender-drill"),
    ],
)
def test_an_exercise_has_identifiers_of_its_own(
    drill: bool,
    occasion: Occasion,
    run: str,
) -> None:
    alert = a.bulletin("jma-1", drill=drill, references=(EARLIER,)).on(occasion)
    assert isinstance(alert, ExerciseAlert)
    assert alert.run == run
    assert alert.identifier == f"jma-1.exercise.{run}"
    [reference] = alert.references
    assert reference.identifier == f"jma-0.exercise.{run}"
    assert (reference.sender, reference.sent) == (EARLIER.sender, EARLIER.sent)
    assert not re.search(r"[\s,<&]", alert.identifier)  # CAP 1.2, 3.2.1


def test_a_chain_of_messages_stays_a_chain_in_an_exercise() -> None:
    first = a.bulletin("jma-1")
    second = a.bulletin("jma-2", references=(first.reference,))
    for occasion in (Actual(), Exercise("x")):
        assert second.on(occasion).references == (first.on(occasion).reference,)
    assert first.on(Exercise("x")).identifier != first.on(Exercise("y")).identifier


def test_the_real_one_keeps_its_identifier() -> None:
    alert = a.bulletin("jma-1", references=(EARLIER,)).on(Actual())
    assert isinstance(alert, ActualAlert)
    assert (alert.identifier, alert.references) == ("jma-1", (EARLIER,))
