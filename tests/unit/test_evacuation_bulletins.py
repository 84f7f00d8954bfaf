"""The service ``evacuation_alert`` and what other authorities announce."""

from __future__ import annotations

import dataclasses

import pytest

from cityos.domain.alert import (
    Alert,
    AlertArea,
    MessageType,
)
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Name
from cityos.domain.event import AlertReceived
from cityos.domain.occasion import Actual, Exercise
from cityos.testing.city import ReceivedBulletin
from tests.evacuation_town import GAUGE, TOWN, Town, area, bulletin, gauge, minute, town


def test_a_bulletin_for_the_municipality_proposes_its_level() -> None:
    here = Town(town())
    (said,) = here.receive(bulletin("a", 4, 0))
    assert (said.situation, said.level, said.hazard) == (f"landslide/{TOWN}", 4, Hazard.LANDSLIDE)
    assert said.area.entity == TOWN
    assert said.area.geocodes == {"municipality": ("22212",), "jma_area": ("2221200",)}
    assert len(said.area.polygons) == 1
    (evidence,) = said.evidence
    assert (evidence.kind, evidence.source, evidence.level) == ("alert", "a", 4)
    assert evidence.summary.ja == (
        "静岡地方気象台「レベル４土砂災害危険警報」警戒レベル4相当（9月1日9時00分）。"
    )


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (AlertArea(name=NO_NAME, geocodes={"jma_area": ("2210000", "2221200")}), True),
        (AlertArea(name=NO_NAME, geocodes={"municipality": ("222127",)}), True),
        (AlertArea(name=NO_NAME, entity=TOWN), True),
        (AlertArea(name=NO_NAME, geocodes={"jma_tsunami_area": ("380",)}), True),
        (AlertArea(name=NO_NAME, geocodes={"jma_quake_area": ("380",)}), False),
        (AlertArea(name=Name("", "川沿い地区")), True),
        (AlertArea(name=Name("", "川沿い地区"), geocodes={"jma_area": ("2221300",)}), False),
        (AlertArea(name=Name("", "川沿い地区"), geocodes={"jma_river": ("8505",)}), False),
        (AlertArea(name=NO_NAME), False),
        (AlertArea(name=Name("", "別の町")), False),
    ],
)
def test_a_bulletin_speaks_for_a_municipality_by_code_or_else_by_name(
    place: AlertArea, *, expected: bool
) -> None:
    here = Town(town())
    assert bool(here.receive(bulletin("a", 4, 0, areas=[place]))) is expected


def test_a_bulletin_that_lowers_or_lifts_takes_the_level_down_at_once() -> None:
    here = Town(town())
    here.receive(bulletin("a", 4, 0), "matter")
    here.receive(bulletin("b", 3, 10), "matter")
    (said,) = here.receive(bulletin("c", 0, 20), "matter")
    assert here.levels() == [4, 3, 0]
    assert "9月1日9時20分）により、この区域に該当する発表なし。" in said.reason.ja
    assert "警戒レベル4に該当する観測値・情報はない。" in here.said[1].reason.ja
    assert [item.source for item in said.evidence] == ["c"]


def test_a_bulletin_lowered_below_what_is_proposed_is_a_stand_down_that_says_so() -> None:
    here = Town(town())
    here.receive(bulletin("a", 4, 0), "matter")
    (said,) = here.receive(bulletin("b", 2, 10), "matter")
    assert said.level is AlertLevel.NONE
    assert "警戒レベル2相当（9月1日9時10分）" in said.reason.ja
    assert said.reason.ja.endswith("引き続き警戒レベル2に相当する状況のため注意。")


@pytest.mark.parametrize("repeats", [True, False])
def test_a_cancelled_bulletin_calls_for_nothing(*, repeats: bool) -> None:
    here = Town(town())
    here.receive(bulletin("a", 4, 0), "matter")
    cancel = bulletin("b", 4, 10, message_type=MessageType.CANCEL)
    here.receive(cancel if repeats else dataclasses.replace(cancel, infos=()), "matter")
    assert here.levels() == [4, 0]
    assert "この区域に該当する発表なし" in here.said[-1].reason.ja


def test_a_bulletin_that_names_fewer_towns_lifts_the_ones_it_leaves_out() -> None:
    here = Town(town())
    here.receive(bulletin("a", 4, 0), "matter")
    elsewhere = AlertArea(name=NO_NAME, geocodes={"jma_area": ("2213000",)})
    (said,) = here.receive(bulletin("b", 4, 10, areas=[elsewhere]), "matter")
    assert said.level is AlertLevel.NONE
    assert [item.source for item in said.evidence] == ["b"]
    assert "9月1日9時10分時点で、警戒レベル4に該当する観測値・情報はない。" in said.reason.ja


def test_a_bulletin_that_ran_out_is_noticed_with_the_next_event() -> None:
    here = Town(town(), gauge(area=TOWN))
    alert = bulletin("a", 4, 0, hazard=Hazard.FLOOD)
    here.city.bulletins.append(ReceivedBulletin(alert, "a", valid_until=minute(60)))
    here.hear(AlertReceived(id=1, occasion=Actual(), at=alert.sent, alert=alert))
    here.observe(50, 1.0)
    assert here.levels() == [4]
    (said,) = here.observe(60, 1.0)
    assert said.level is AlertLevel.NONE
    assert "9月1日10時00分時点で、警戒レベル4に該当する観測値・情報はない。" in said.reason.ja
    assert said.evidence[0].source == GAUGE


def test_another_authoritys_bulletin_keeps_what_the_first_lifts() -> None:
    here = Town(town())
    here.receive(bulletin("a", 4, 0), "one")
    here.receive(bulletin("b", 3, 5), "two")
    (said,) = here.receive(bulletin("c", 0, 10), "one")
    assert said.level is AlertLevel.ELDERLY_EVACUATE
    assert [item.source for item in said.evidence] == ["b", "c"]


def test_bulletins_and_gauges_of_a_whole_municipality_are_one_situation() -> None:
    here = Town(town(), gauge(area=TOWN))
    here.receive(bulletin("a", 3, 0, hazard=Hazard.FLOOD), "matter")
    here.observe(10, 6.2)
    lifted = bulletin("b", 0, 20, hazard=Hazard.FLOOD)
    assert here.receive(lifted, "matter") == []  # the river still says 4
    for at in (30, 90):
        here.observe(at, 1.0)
    assert [(item.situation, int(item.level)) for item in here.said] == [
        (f"flood/{TOWN}", 3),
        (f"flood/{TOWN}", 4),
        (f"flood/{TOWN}", 0),
    ]


def test_several_hazards_of_one_bulletin_are_several_situations() -> None:
    here = Town(town())
    both = bulletin("a", 4, 0)
    flood = dataclasses.replace(both.infos[0], hazard=Hazard.FLOOD, level=AlertLevel(3))
    here.receive(dataclasses.replace(both, infos=(*both.infos, flood)))
    assert sorted((said.situation, int(said.level)) for said in here.said) == [
        (f"flood/{TOWN}", 3),
        (f"landslide/{TOWN}", 4),
    ]


def tsunami(identifier: str, zone: str, at: float) -> Alert:
    return bulletin(identifier, 4 if zone else 0, at, hazard=Hazard.TSUNAMI, zone=zone)


def test_a_tsunami_warning_that_widens_its_zone_is_a_new_proposal_at_the_same_level() -> None:
    here = Town(town())
    (advisory,) = here.receive(tsunami("a", "shore", 0), "quake")
    assert advisory.situation == f"tsunami/{TOWN}/shore"
    assert advisory.area.name == Name("Shore of Riverside", "川沿い地区の海岸付近")
    assert (advisory.area.entity, advisory.area.polygons) == (TOWN, ())
    assert advisory.headline == Name(
        "Evacuation order (tsunami): Shore of Riverside",
        "【避難指示】川沿い地区の海岸付近（津波）",
    )
    (warning,) = here.receive(tsunami("b", "inundation", 3), "quake")
    assert (warning.situation, warning.level) == (f"tsunami/{TOWN}/inundation", 4)
    assert len(warning.area.polygons) == 1
    (major,) = here.receive(tsunami("c", "maximum", 6), "quake")
    assert major.area.name.ja == "川沿い地区の最大クラスの津波浸水想定区域"
    assert here.receive(tsunami("d", "maximum", 9), "quake") == []
    lowered = here.receive(tsunami("e", "shore", 60), "quake")
    assert [(said.situation.rpartition("/")[2], int(said.level)) for said in lowered] == [
        ("inundation", 0),
        ("maximum", 0),
    ]
    (lifted,) = here.receive(tsunami("f", "", 90), "quake")
    assert (lifted.situation, lifted.level) == (f"tsunami/{TOWN}/shore", 0)
    assert here.city.situations == {}


def test_a_major_tsunami_warning_is_one_proposal_and_the_next_lower_zone_follows_it() -> None:
    here = Town(town())
    assert len(here.receive(tsunami("a", "maximum", 0), "quake")) == 1
    steps = here.receive(tsunami("b", "inundation", 60), "quake")
    assert [(said.situation.rpartition("/")[2], int(said.level)) for said in steps] == [
        ("inundation", 4),
        ("maximum", 0),
    ]


def test_gauges_speak_for_the_whole_municipality_and_not_for_a_zone() -> None:
    here = Town(town(), gauge(area=TOWN))
    here.observe(0, 6.2)
    (said,) = here.receive(bulletin("a", 3, 1, hazard=Hazard.FLOOD, zone="shore"))
    assert (said.level, [item.source for item in said.evidence]) == (3, ["a"])


def test_a_zone_that_is_not_known_is_the_whole_municipality() -> None:
    (said,) = Town(town()).receive(bulletin("a", 4, 0, zone="valley"))
    assert said.situation == f"landslide/{TOWN}"


def test_low_bulletins_propose_nothing_by_themselves() -> None:
    here = Town(town())
    assert here.receive(bulletin("a", 2, 0)) == []
    assert Town(town(), propose_from_level=2).receive(bulletin("a", 2, 0)) != []


def test_a_bulletin_of_an_exercise_stays_in_it() -> None:
    here = Town(town(), occasion=Exercise("typhoon"))
    here.receive(bulletin("real", 5, 0))
    here.city.situations.clear()
    (said,) = here.receive(bulletin("drill", 4, 1, run="typhoon"))
    assert [item.source for item in said.evidence] == ["drill"]


def test_without_a_municipality_bulletins_concern_nobody() -> None:
    assert Town(area()).receive(bulletin("a", 5, 0)) == []
