"""The case runner finds what it is there to find, and says it so that an author can mend it."""

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cityos.errors import InvalidPlugin
from cityos.plugins.discovery import find
from cityos.testing import case_files, cases
from cityos.testing.cases import CaseFailed
from tests.made_plugins import write_plugin

KEYS = {
    "decoder": 'observes = ["water_level", "open"]',
    "feed": 'observes = ["water_level"]\nurls = ["https://x.example"]\nevery_s = 60\n'
    'data_licence = "CC0"',
    "service": 'consumes = ["water_level"]',
}
DECODER = """\
from cityos.domain.observation import Observation
from cityos.errors import UndecodablePayload

class Plugin:
    def decode(self, payload, receipt):
        if payload == b"bad":
            raise UndecodablePayload("it is bad", path="$.x", hint="make it good")
        yield Observation("water_level", float(payload), "cm", receipt.received_at)
"""
EXPECTED = [
    {
        "observed_property": "water_level",
        "value": 12,
        "unit": "cm",
        "observed_at": "2026-01-01T00:00:00Z",
    }
]
SERVICE = """\
from dataclasses import dataclass
from cityos.domain.alert_level import AlertLevel
from cityos.testing import builders as b

@dataclass(frozen=True)
class Plugin:
    danger_m: float = 4.0

    def react(self, event, city):
        gauge = city.entity(event.reading.entity)
        seen = city.latest(event.reading.entity, "water_level")
        known = city.situation("flood/x")
        if gauge is None or seen.value < self.danger_m or known is not None:
            return []
        return [b.assessment("flood/x", AlertLevel.EVACUATE, event.at)]
"""
GAUGE = {"id": "urn:ngsi-ld:WaterLevelGauge:town:seto", "type": "WaterLevelGauge"}

Make = Callable[..., Path]
_numbers = itertools.count()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    def make(code: str = DECODER, kind: str = "decoder", **files: object) -> Path:
        name = f"cased_{next(_numbers)}"
        folder = tmp_path / name
        write_plugin(folder, code, kind=kind, keys=KEYS[kind])
        case = folder / "cases" / "one"
        case.mkdir(parents=True)
        for file, content in files.items():
            where = case / file.replace("__", ".")
            if isinstance(content, bytes):
                where.write_bytes(content)
            else:
                text = content if isinstance(content, str) else json.dumps(content)
                where.write_text(text, encoding="utf-8")
        return folder

    yield make
    for name in [name for name in sys.modules if ".cased_" in name]:
        del sys.modules[name]


def run(folder: Path) -> None:
    for case in cases.cases_of(find(folder)):
        case.run()


def failure(folder: Path) -> str:
    with pytest.raises(CaseFailed) as caught:
        run(folder)
    return str(caught.value)


def wrong(folder: Path) -> str:
    with pytest.raises(InvalidPlugin) as caught:
        run(folder)
    return str(caught.value)


# --- adapters -----------------------------------------------------------------------------------


def test_a_case_that_holds(make: Make) -> None:
    run(make(input__txt="12", expected__json=EXPECTED))


def test_hex_digits_with_comments(make: Make) -> None:
    run(make(input__hex="# twelve\n31 # one\n32\n", expected__json=EXPECTED))


def test_an_expected_error(make: Make) -> None:
    run(make(input__txt="bad", expected_error__txt="$.x: it is bad\n\nmake it good\n"))


def test_the_receipt_of_the_case_counts(make: Make) -> None:
    later = [{**EXPECTED[0], "observed_at": "2026-11-22T01:02:03Z"}]
    receipt = {"received_at": "2026-11-22T10:02:03+09:00"}
    run(make(input__txt="12", receipt__json=receipt, expected__json=later))


def test_a_difference_is_shown(make: Make) -> None:
    text = failure(make(input__txt="13", expected__json=EXPECTED))
    assert "is not what expected.json says" in text
    assert '-    "value": 12.0' in text
    assert '+    "value": 13.0' in text


def test_a_plugin_that_remembers_is_found_out(make: Make) -> None:
    code = DECODER.replace("class Plugin:", "SEEN = []\n\nclass Plugin:").replace(
        "        yield", "        SEEN.append(1)\n        payload = len(SEEN) + 11\n        yield"
    )
    text = failure(make(code, input__txt="12", expected__json=EXPECTED))
    assert "the plugin remembers something" in text


def test_a_plugin_that_refuses_the_second_time_is_found_out(make: Make) -> None:
    code = DECODER.replace("class Plugin:", "SEEN = []\n\nclass Plugin:").replace(
        "        if payload", "        SEEN.append(1)\n        if len(SEEN) > 1 or payload"
    )
    assert "refused once and read once" in failure(make(code, input__txt="12", expected__json=[]))


def test_any_other_exception_fails(make: Make) -> None:
    text = failure(make(input__txt="twelve", expected__json=EXPECTED))
    assert "raised ValueError: could not convert string" in text
    assert "only UndecodablePayload may come out" in text


def test_reading_what_must_be_refused_fails(make: Make) -> None:
    assert "must be refused, but was read" in failure(
        make(input__txt="12", expected_error__txt="bad")
    )


def test_refusing_what_must_be_read_fails(make: Make) -> None:
    text = failure(make(input__txt="bad", expected__json=EXPECTED))
    assert "must be read, but was refused:\n  $.x: it is bad (make it good)" in text


def test_another_error_than_expected_fails(make: Make) -> None:
    text = failure(make(input__txt="bad", expected_error__txt="it is late"))
    assert "the error does not say ['it is late']" in text


@pytest.mark.parametrize(
    ("observation", "says"),
    [
        ('"water_lvl", 1.0', "'water_lvl' is not in the list of observed properties"),
        ('"speed", 1.0', "observes speed, which the manifest does not list"),
        ('"water_level", True', "water_level is a number, the value is a bool"),
        ('"water_level", "1"', "water_level is a number, the value is a str"),
        ('"open", 1.0', "open is a boolean, the value is a float"),
        ('"water_level", float("nan")', "the value is not finite"),
        (
            '"water_level", 1.0, "furlong"',
            "unit 'furlong' is none of the UCUM codes that are read here",
        ),
        ('"water_level", 1.0, "s"', "measures time, 'm' measures length"),
        ('"water_level", 1.0, "m", datetime(2026, 1, 1)', "is not aware UTC"),
        ('"water_level", 1.0, "m", None, "a\\0b"', "NUL in a text"),
    ],
)
def test_results_that_break_the_contract_fail(make: Make, observation: str, says: str) -> None:
    code = (
        "from datetime import datetime\nfrom cityos.domain.observation import Observation\n"
        "class Plugin:\n    def decode(self, payload, receipt):\n"
        f"        return [Observation({observation})]\n"
    )
    assert says in failure(make(code, input__txt="x", expected__json=[]))


def test_a_decoder_yields_observations_only(make: Make) -> None:
    code = (
        "class Plugin:\n    def decode(self, payload, receipt):\n        return [{'value': 1}]\n"
    )
    assert "a decoder must not return a dict" in failure(
        make(code, input__txt="x", expected__json=[])
    )


def test_a_feed_yields_bulletins_only_where_its_manifest_says_so(make: Make) -> None:
    code = (
        "from cityos.testing import builders as b\nfrom cityos.plugins.contract import Fetch\n"
        "class Plugin:\n    def read(self, document, receipt):\n"
        "        return [Fetch('ftp://x'), b.bulletin()]\n"
    )
    text = failure(make(code, kind="feed", input__xml="<a/>", expected__json=[]))
    assert "[0]: Fetch without URL" in text
    assert "[1]: yields a Bulletin, but the manifest has no alerts" in text


# --- services -----------------------------------------------------------------------------------


def event(value: float, minute: int = 0) -> dict[str, object]:
    time = f"2026-11-22T01:{minute:02}:00Z"
    prop = "water_level"
    return {
        "reading": {
            "entity": GAUGE["id"],
            "observed_property": prop,
            "value": value,
            "observed_at": time,
        }
    }


def written(folder: Path) -> list[list[dict[str, object]]]:
    """Have the runner write what comes out, and return it."""
    for case in cases.cases_of(find(folder)):
        case.write()
        case.run()
    text = (folder / "cases" / "one" / "expected.json").read_text(encoding="utf-8")
    found: list[list[dict[str, object]]] = json.loads(text)
    return found


def test_a_service_sees_what_happened_and_what_it_proposed(make: Make) -> None:
    """The second event finds the situation that the first one's effect opened."""
    folder = make(
        SERVICE,
        kind="service",
        city__json={"entities": [GAUGE]},
        events__json=[event(1.0), event(4.5, 10), event(4.6, 20)],
    )
    answers = written(folder)
    assert [len(effects) for effects in answers] == [0, 1, 0]
    assert answers[1][0]["at"] == "2026-11-22T01:10:00Z"


def test_settings_of_a_case_set_the_fields_of_the_class(make: Make) -> None:
    run(
        make(
            SERVICE,
            kind="service",
            city__json={"entities": [GAUGE]},
            settings__json={"danger_m": 5.0},
            event__json=event(4.5),
            expected__json=[],
        )
    )


def test_series_of_a_city_are_many_readings(make: Make) -> None:
    code = SERVICE.replace('city.latest(event.reading.entity, "water_level")', "None").replace(
        "seen.value < self.danger_m",
        'len(city.history(gauge.id, "water_level", event.at.replace(hour=0))) != 3',
    )
    series = {
        "entity": GAUGE["id"],
        "observed_property": "water_level",
        "values": [["2026-11-22T00:10:00Z", 1], ["2026-11-22T00:20:00Z", 2]],
    }
    city = {"entities": [GAUGE], "series": [series]}
    folder = make(code, kind="service", city__json=city, events__json=[event(3)])
    assert [len(effects) for effects in written(folder)] == [1]


def test_an_exception_out_of_a_service_fails(make: Make) -> None:
    folder = make(
        SERVICE, kind="service", city__json={}, event__json={"alert": ALERT}, expected__json=[]
    )
    assert "raised AttributeError" in failure(folder)


ALERT = {
    "identifier": "a",
    "sender": "x.example",
    "sent": "2026-11-22T01:00:00Z",
    "message_type": "Alert",
    "infos": [],
}


def test_an_assessment_that_nobody_could_decide_on_fails(make: Make) -> None:
    code = SERVICE.replace(
        "event.at)]", "event.at, evidence=(), rule_version='', headline=b.Name('high', ''))]"
    )
    text = failure(
        make(
            code,
            kind="service",
            city__json={"entities": [GAUGE]},
            event__json=event(9),
            expected__json=[],
        )
    )
    for problem in ("no evidence", "no rule_version", "have to be given in ja"):
        assert problem in text


# --- what is wrong with the files ---------------------------------------------------------------


def test_files_that_are_missing_or_wrong_are_named(make: Make) -> None:
    assert "needs one of expected.json and expected_error.txt" in wrong(make(input__txt="12"))
    both = make(input__txt="12", expected__json=[], expected_error__txt="x")
    assert "needs one of expected.json and expected_error.txt" in wrong(both)
    assert "needs one input.* file, has 0" in wrong(make(expected__json=[]))
    assert "is not JSON" in wrong(make(input__txt="12", expected__json="[1,"))
    assert "is empty; write what" in wrong(make(input__txt="bad", expected_error__txt="\n"))
    assert "non-hexadecimal" in wrong(make(input__hex="zz", expected__json=[]))
    unknown = make(input__txt="12", expected__json=[{**EXPECTED[0], "valeu": 1}])
    assert "expected.json: $[0]: Observation has no valeu" in wrong(unknown)
    service = make(SERVICE, kind="service", expected__json=[])
    assert "needs one of event.json and events.json" in wrong(service)


def test_a_plugin_without_cases_is_refused(make: Make) -> None:
    folder = make(input__txt="12", expected__json=EXPECTED)
    (folder / "cases").rename(folder / "examples")
    assert "has no cases" in wrong(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('origin = "hearsay"\nsource = "x"\n', "'hearsay' is not a valid Origin"),
        ('origin = "made"\nsource = "x"\nday = 1\n', "unexpected keyword argument 'day'"),
        ('origin = "recorded"\nsource = "gauge 7"\n', "a recording the day"),
        ("origin = made\n", "case.toml"),
    ],
)
def test_a_provenance_that_says_nothing_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "case.toml").write_text(text)
    with pytest.raises(InvalidPlugin, match=r"case\.toml") as caught:
        case_files.provenance(tmp_path)
    assert says in str(caught.value)


# --- as a command -------------------------------------------------------------------------------


def test_the_command_counts_failures_and_goes_on(
    make: Make, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good = make(input__txt="12", expected__json=EXPECTED)
    bad = make(input__txt="13", expected__json=EXPECTED)
    assert cases.main([str(good), str(bad), str(tmp_path)]) == 2
    lines = capsys.readouterr().out
    assert f"ok   {good.name}/one" in lines
    assert f"FAIL {bad.name}/one: is not what expected.json says" in lines
    assert "needs one of adapter.toml and service.toml" in lines


def test_the_command_writes_what_comes_out(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make(input__txt="bad", expected__json=EXPECTED)
    assert cases.main([str(folder), "--write"]) == 0
    assert cases.main([str(folder)]) == 0
    assert "wrote" in capsys.readouterr().out
    case = folder / "cases" / "one"
    assert (case / "expected_error.txt").read_text() == "$.x: it is bad (make it good)\n"
    assert not (case / "expected.json").exists()
