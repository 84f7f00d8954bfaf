"""From proposal to alert over HTTP, and alerts in every form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Exercise, Occasion
from cityos.ports import DeadLetter, IngestBatch
from cityos.testing import builders as a
from tests.api_town import Town, api_town

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


@pytest.fixture
def town(database_url: str) -> Iterator[Town]:
    with api_town(database_url) as town:
        yield town


def decide(
    town: Town, proposal_id: str, decision: str, role: str = "official", **body: str
) -> Any:
    path = f"/v1/proposals/{proposal_id}/{decision}"
    return town.client.post(path, headers=town.headers(role, {}), json=body or None)


def test_a_proposal_shows_what_it_stands_on(town: Town) -> None:
    made = town.alerts.propose(a.assessment("flood/seto"))
    assert made is not None
    [listed] = town.get("/v1/proposals?state=pending", "official").json()["items"]
    assert listed["id"] == made.id
    assert (listed["status"], listed["run"], listed["state"]) == ("Actual", None, "pending")
    assessment = listed["assessment"]
    assert (assessment["level"], assessment["hazard"]) == (4, "flood")
    [evidence] = assessment["evidence"]
    assert (evidence["value"], evidence["threshold"], evidence["unit"]) == (4.2, 4.0, "m")
    assert town.get(f"/v1/proposals/{made.id}", "official").json() == listed


def test_an_approval_issues_the_alert(town: Town) -> None:
    made = town.alerts.propose(a.assessment("flood/seto"))
    assert made is not None
    answer = decide(town, made.id, "approve", note="確認済")
    assert answer.status_code == 200
    alert = answer.json()
    assert (alert["status"], alert["message_type"], alert["level"]) == ("Actual", "Alert", 4)
    assert alert["sender"] == "town.example.jp"
    assert alert["infos"][0]["severity"] == "Extreme"
    assert answer.headers["location"] == f"/v1/alerts/{alert['identifier']}"
    assert town.get(answer.headers["location"]).json() == alert
    assert town.get("/v1/alerts?in_force=true&ours=true").json()["items"] == [alert]
    kept = town.get(f"/v1/proposals/{made.id}", "official").json()
    assert (kept["state"], kept["decision_note"]) == ("approved", "確認済")
    assert kept["decided_by"].startswith("the official (")
    assert kept["alert_identifier"] == alert["identifier"]


def test_a_decision_is_taken_once(town: Town) -> None:
    made = town.alerts.propose(a.assessment("flood/seto"))
    assert made is not None
    assert decide(town, made.id, "reject", "admin").json()["state"] == "rejected"
    again = decide(town, made.id, "approve")
    assert again.status_code == 409
    assert "rejected already" in again.json()["detail"]
    assert town.get("/v1/alerts").json()["items"] == []


def end(town: Town, identifier: str, **body: str) -> Any:
    path = f"/v1/alerts/{identifier}/cancel"
    return town.client.post(path, headers=town.headers("official", {}), json=body)


def ordered(town: Town, key: str = "flood/seto", occasion: Occasion | None = None) -> Any:
    made = town.alerts.propose(a.assessment(key), occasion=occasion)
    assert made is not None
    return decide(town, made.id, "approve").json()


def test_an_official_ends_an_order_at_any_time(town: Town) -> None:
    order = ordered(town)
    lifting = town.alerts.propose(a.assessment("flood/seto", AlertLevel.NONE))
    assert lifting is not None
    decide(town, lifting.id, "reject", note="まだ早い")
    answer = end(town, order["identifier"], reason=" 水位計の故障 ")
    assert answer.status_code == 200
    cancel = answer.json()
    assert (cancel["status"], cancel["message_type"], cancel["level"]) == ("Actual", "Cancel", 0)
    assert [each["identifier"] for each in cancel["references"]] == [order["identifier"]]
    assert town.get(answer.headers["location"]).json() == cancel
    assert town.get("/v1/alerts?in_force=true").json()["items"] == []
    assert "故障" not in answer.text
    newest = town.get("/v1/proposals?state=approved", "official").json()["items"][0]
    assert (newest["decision_note"], newest["alert_identifier"]) == (
        "水位計の故障",
        cancel["identifier"],
    )
    assert newest["decided_by"].startswith("the official (")
    feed = town.get("/v1/alerts.atom").text
    assert feed.index(cancel["identifier"]) < feed.index(order["identifier"])
    document = etree.fromstring(town.get(f"/v1/alerts/{cancel['identifier']}.cap").content)
    assert document.findtext(f"{CAP}msgType") == "Cancel"
    assert f",{order['identifier']}," in (document.findtext(f"{CAP}references") or "")


def test_what_cannot_be_ended_says_why(town: Town) -> None:
    order = ordered(town, occasion=Exercise("drill"))["identifier"]
    town.alerts.hear(a.alert("jma-1"))
    cancel = end(town, order, reason="over").json()
    assert (cancel["status"], cancel["run"]) == ("Exercise", "drill")
    for identifier, status, why in (
        ("none", 404, "no alert 'none' in this city"),
        ("jma-1", 409, "only its sender, authority.example.jp"),
        (order, 409, f"ended already, by the Cancel {cancel['identifier']}"),
        (cancel["identifier"], 409, "this is a Cancel"),
    ):
        answer = end(town, identifier, reason="once more")
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert why in answer.json()["detail"]


def test_the_end_of_an_order_needs_a_reason(town: Town) -> None:
    order = ordered(town)["identifier"]
    for body in ({}, {"reason": ""}, {"reason": " \n"}, {"reason": "x" * 2001}, {"note": "x"}):
        refused = end(town, order, **body)
        assert refused.status_code == 400
        assert "reason" in refused.json()["detail"]
    assert end(town, order, reason="a\0b").status_code == 400
    assert end(town, order, reason="over").status_code == 200


def reassess(town: Town, proposal_id: str, **body: str) -> Any:
    path = f"/v1/proposals/{proposal_id}/reassess"
    return town.client.post(path, headers=town.headers("official", {}), json=body)


def test_a_decision_is_taken_back_with_a_reason(town: Town) -> None:
    made = town.alerts.propose(a.assessment("flood/seto"))
    assert made is not None
    assert "waits for a decision" in reassess(town, made.id, reason="r").json()["detail"]
    rejected = decide(town, made.id, "reject", note="訓練と思った").json()
    assert rejected["reassessment"] is None
    assert town.get("/v1/proposals?reassessable=true", "official").json()["items"] == [rejected]
    for body in ({}, {"reason": " "}, {"reason": "a", "note": "b"}):
        assert reassess(town, made.id, **body).status_code == 400
    answer = reassess(town, made.id, reason=" 誤って却下した ")
    assert answer.status_code == 200
    kept = answer.json()
    assert kept == town.get(f"/v1/proposals/{made.id}", "official").json()
    assert kept["reassessment"]["reason"] == "誤って却下した"
    assert kept["reassessment"]["by"].startswith("the official (")
    assert {**kept, "reassessment": None} == rejected
    assert town.get("/v1/proposals?reassessable=true", "official").json()["items"] == []
    again = reassess(town, made.id, reason="once more")
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert "stands at no level" in again.json()["detail"]
    assert reassess(town, "none", reason="r").status_code == 404
    assert town.alerts.propose(a.assessment("flood/seto")) is not None


def end_exercise(town: Town, run: str, **body: str) -> Any:
    path = f"/v1/exercises/{run}/end"
    return town.client.post(path, headers=town.headers("official", {}), json=body or None)


def test_an_exercise_is_ended(town: Town) -> None:
    drill, real = Exercise("drill"), ordered(town)
    order = ordered(town, occasion=drill)
    waiting = town.alerts.propose(a.assessment("flood/other"), occasion=drill)
    assert waiting is not None
    answer = end_exercise(town, "drill", reason="訓練終了")
    assert answer.status_code == 200
    ended = answer.json()
    assert (ended["run"], ended["superseded"]) == ("drill", 1)
    [cancel] = ended["alerts"]
    assert (cancel["status"], cancel["message_type"]) == ("Exercise", "Cancel")
    assert [each["identifier"] for each in cancel["references"]] == [order["identifier"]]
    assert town.get("/v1/alerts?in_force=true").json()["items"] == [real]
    assert town.get("/v1/alerts?status=Exercise&in_force=true").json()["items"] == []
    kept = town.get(f"/v1/proposals/{waiting.id}", "official").json()
    assert (kept["state"], kept["decision_note"]) == ("superseded", "訓練終了")
    assert kept["decided_by"].startswith("the official (")
    again = end_exercise(town, "drill")
    assert (again.status_code, again.json()) == (
        200,
        {"run": "drill", "superseded": 0, "alerts": []},
    )
    for run, status in (("never", 404), ("No name", 400), ("x" * 65, 400)):
        assert end_exercise(town, run).status_code == status


def test_notes_have_limits(town: Town) -> None:
    made = town.alerts.propose(a.assessment("flood/seto"))
    assert made is not None
    for note in ("x" * 2001, "a\0b", "\ud800"):
        path = f"/v1/proposals/{made.id}/approve"
        content = b'{"note": "%s"}' % note.encode("unicode_escape").replace(b"\\x00", b"\\u0000")
        headers = {**town.headers("official", {}), "Content-Type": "application/json"}
        assert town.client.post(path, headers=headers, content=content).status_code == 400
    assert decide(town, made.id, "approve", nota="x").status_code == 400
    assert decide(town, made.id, "approve").status_code == 200


def test_a_rehearsal_is_asked_for_by_name(town: Town) -> None:
    for key, occasion in (("a", None), ("b", Exercise("typhoon")), ("c", Exercise("flood"))):
        made = town.alerts.propose(a.assessment(key), occasion=occasion)
        assert made is not None
        town.alerts.clock.advance(1)
        assert decide(town, made.id, "approve").status_code == 200

    def runs(query: str) -> list[tuple[str, str | None]]:
        found = town.get(f"/v1/alerts?{query}").json()["items"]
        return [(each["status"], each["run"]) for each in found]

    assert runs("") == [("Actual", None)]
    assert runs("status=Actual") == [("Actual", None)]
    assert runs("status=Exercise") == [("Exercise", "flood"), ("Exercise", "typhoon")]
    assert runs("status=Exercise&run=typhoon") == [("Exercise", "typhoon")]
    proposals = town.get("/v1/proposals?status=Exercise", "official").json()["items"]
    assert {each["run"] for each in proposals} == {"typhoon", "flood"}


def test_proposals_go_on_where_a_page_ended(town: Town) -> None:
    made = [town.alerts.propose(a.assessment(f"flood/{number}")) for number in range(5)]
    found, path = [], "/v1/proposals?state=pending&limit=2"
    while path:
        page = town.get(path, "official").json()
        assert 0 < len(page["items"]) <= 2
        found += [each["id"] for each in page["items"]]
        path = page["next"]
    assert sorted(found) == sorted(one.id for one in made if one)


def test_in_a_practice_city_exercises_are_what_there_is(town: Town) -> None:
    made = town.alerts.propose(
        a.assessment("flood/x"), occasion=Exercise("practice"), tenant="drill"
    )
    assert made is not None
    town.alerts.approve(made, tenant="drill")
    [alert] = town.get("/v1/alerts", CityOS_Tenant="drill").json()["items"]
    assert alert["status"] == "Exercise"
    assert "EXERCISE" in alert["infos"][0]["headline"]["en"]


def test_alerts_page_by_page(town: Town) -> None:
    for number in range(5):
        sent = a.NOON + timedelta(minutes=number // 2)  # some in the same second
        town.alerts.hear(a.alert(f"alert-{number}", sent))
    got, path = [], "/v1/alerts?limit=2&ours=false"
    while path:
        page = town.get(path).json()
        got += [alert["identifier"] for alert in page["items"]]
        path = page["next"]
    assert got == ["alert-4", "alert-3", "alert-2", "alert-1", "alert-0"]
    assert town.get("/v1/alerts?ours=true").json()["items"] == []


def test_an_alert_as_cap(town: Town) -> None:
    town.alerts.hear(a.alert("jma-1", infos=(a.info(level=AlertLevel.EVACUATE),)))
    for response in (
        town.get("/v1/alerts/jma-1", Accept="application/cap+xml"),
        town.get("/v1/alerts/jma-1.cap"),
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("application/cap+xml")
        document = etree.fromstring(response.content)
        assert document.findtext(f"{CAP}identifier") == "jma-1"
        assert document.findtext(f"{CAP}status") == "Actual"
    assert town.get("/v1/alerts/jma-1").json()["identifier"] == "jma-1"
    assert town.get("/v1/alerts/none").status_code == 404


def test_refused_messages_are_shown_to_administrators(town: Town) -> None:
    letters = [
        DeadLetter("town", number, a.NOON, "acme", "d1", "t", payload, "too_large", "w", "$", "h")
        for number, payload in enumerate((b"text", b"\xff\x00"))
    ]
    town.writer.store(IngestBatch(dead_letters=letters))
    first = town.get("/v1/dead-letters?limit=1", "admin").json()
    [binary] = first["items"]
    assert (binary["payload"], binary["payload_base64"]) == (None, "/wA=")
    [text] = town.get(first["next"], "admin").json()["items"]
    assert (text["payload"], text["reason"], text["vendor"]) == ("text", "too_large", "acme")
