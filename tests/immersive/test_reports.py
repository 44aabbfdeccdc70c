"""Reports: who may file them, the clock, identical copies, decisions and appeals, in the CLI and by REST."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from immersive.archive import write_archive
from immersive.catalog import Catalog
from immersive.client import open_link
from immersive.errors import QueueFullError, UnknownLinkError, UnknownReportError
from immersive.reports import CLOCK_S, MOST_OPEN_PER_SCENE, Reports
from immersive.restore import restore_archive
from immersive.server.run import start_in_thread
from immersive.share import Links
from reconstruction.errors import ImmersiveError, InvalidInputError
from streaming.asset import SplatAsset
from tests.conftest import run_cli
from tests.immersive.test_jobs import Clock
from tests.streaming.opaque_asset import opaque_asset


def copy_of(asset: SplatAsset, title: str) -> SplatAsset:
    return replace(asset, manifest=replace(asset.manifest, title=title))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog(tmp_path: Path, clock: Clock) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "home", now=clock)
    yield made
    made.close()


def file(catalog: Catalog, scene: str) -> str:
    return Reports(catalog).file(scene, reason="privacy", statement="This is my garden.").id


def test_nothing_is_hidden_before_a_decision_and_everything_after_48_hours(
    catalog: Catalog, clock: Clock
) -> None:
    scene, other = catalog.publish(opaque_asset()), catalog.publish(opaque_asset(seed=8))
    report = Reports(catalog).get(file(catalog, scene.id))
    assert report.due_at - report.created_at == 48 * 3600
    clock.at += CLOCK_S - 1
    assert not catalog.is_taken_down(scene.id)
    clock.at += 1
    assert catalog.is_taken_down(scene.id) and not catalog.is_taken_down(other.id)
    Reports(catalog).decide(report.id, "dismiss")  # late, and still the owner's decision
    assert not catalog.is_taken_down(scene.id)


def test_a_decision_reaches_copies_made_before_and_after_under_any_title(
    catalog: Catalog, tmp_path: Path
) -> None:
    asset = opaque_asset()
    first, before = catalog.publish(asset), catalog.publish(copy_of(asset, "Another name"))
    assert first.version != before.version
    write_archive(catalog, tmp_path / "all.zip")
    report = file(catalog, first.id)
    Reports(catalog).decide(report, "uphold")
    after = catalog.publish(copy_of(asset, "A third name"))
    catalog.delete(before.id)
    restore_archive(catalog, tmp_path / "all.zip")

    for scene in (first, before, after):
        link = Links(catalog).create(scene.id)
        with pytest.raises(UnknownLinkError):
            Links(catalog).check_way(link, scene.id)
    found = [record.id for record in Reports(catalog).copies(Reports(catalog).get(report))]
    assert sorted(found) == sorted([first.id, before.id, after.id])
    assert catalog.asset(first.id).pack == asset.pack  # kept for the appeal


def test_an_appeal_turns_a_decision_round_once(catalog: Catalog) -> None:
    scene, reports = catalog.publish(opaque_asset()), Reports(catalog)
    for decision, hidden in (("uphold", True), ("dismiss", False)):
        report = file(catalog, scene.id)
        with pytest.raises(InvalidInputError, match="not decided"):
            reports.appeal(report, "No.")
        with pytest.raises(InvalidInputError, match="uphold or dismiss"):
            reports.decide(report, "grant")
        reports.decide(report, decision, "because")
        assert catalog.is_taken_down(scene.id) == hidden
        reports.appeal(report, "It is my own garden.")
        assert catalog.is_taken_down(scene.id) == hidden  # until it is decided
        with pytest.raises(InvalidInputError, match="appealed before"):
            reports.appeal(report, "Again.")
        granted = reports.decide(report, "grant")
        assert (granted.appeal_granted, granted.note) == (True, "because")
        assert catalog.is_taken_down(scene.id) != hidden
        with pytest.raises(InvalidInputError, match="grant or refuse"):
            reports.decide(report, "refuse")


def test_a_refused_appeal_changes_nothing(catalog: Catalog) -> None:
    scene, reports = catalog.publish(opaque_asset()), Reports(catalog)
    report = file(catalog, scene.id)
    reports.decide(report, "uphold")
    reports.appeal(report, "Please.")
    reports.decide(report, "refuse")
    assert catalog.is_taken_down(scene.id)


def test_a_doorway_to_what_is_hidden_leads_nowhere(catalog: Catalog) -> None:
    hall, room = catalog.publish(opaque_asset()), catalog.publish(opaque_asset(seed=8))
    catalog.connect(hall.id, [room.id])
    assert catalog.leads_to(hall.id, room.id)
    Reports(catalog).decide(file(catalog, room.id), "uphold")
    assert catalog.leads_to(hall.id, hall.id) and not catalog.leads_to(hall.id, room.id)


def test_what_is_to_be_decided_comes_first_and_a_flood_ends(catalog: Catalog, clock: Clock) -> None:
    scene, other = catalog.publish(opaque_asset()), catalog.publish(opaque_asset(seed=8))
    made = []
    for _ in range(MOST_OPEN_PER_SCENE):
        clock.at += 10
        made.append(file(catalog, scene.id))
    with pytest.raises(QueueFullError):
        file(catalog, scene.id)
    Reports(catalog).decide(made[0], "dismiss")
    clock.at += 10
    made.append(file(catalog, other.id))
    assert [report.id for report in Reports(catalog).list()] == [*made[1:], made[0]]


@pytest.mark.parametrize(
    ("reason", "statement"), [("dislike", "x"), ("other", "  "), ("other", "x" * 5_001), ("other", "a\0b")]
)
def test_a_report_that_says_nothing_is_refused(catalog: Catalog, reason: str, statement: str) -> None:
    scene = catalog.publish(opaque_asset())
    with pytest.raises(ImmersiveError):
        Reports(catalog).file(scene.id, reason=reason, statement=statement)
    with pytest.raises(UnknownReportError):
        Reports(catalog).get("nope")
    assert Reports(catalog).list() == []


def test_scenes_of_older_catalogs_are_found_by_their_bytes(catalog: Catalog) -> None:
    asset = opaque_asset()
    first, second = catalog.publish(asset), catalog.publish(copy_of(asset, "Another name"))
    with sqlite3.connect(catalog.home / "catalog.sqlite") as old:
        old.execute("UPDATE scene SET content_sha256 = NULL")
    old.close()
    Reports(catalog).decide(file(catalog, first.id), "uphold")
    assert catalog.is_taken_down(second.id)


def test_a_visitor_reports_and_the_owner_decides_over_rest(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    scene = catalog.publish(opaque_asset())
    link = Links(catalog).create(scene.id)
    with start_in_thread(tmp_path) as info, httpx.Client(base_url=info.url, trust_env=False) as client:
        owner = {"Authorization": f"Bearer {info.owner_token}"}
        body = {"link": link.id, "secret": link.secret, "reason": "intimate", "statement": "That is me."}
        wrong = client.post("/api/reports", json={**body, "secret": "x"})
        assert wrong.status_code == 404
        filed = client.post("/api/reports", json=body)
        assert filed.status_code == 201
        report = filed.json()["report"]
        assert report["state"] == "open" and "statement" not in report
        path = f"/api/reports/{report['id']}"
        for method, where in (("GET", "/api/reports"), ("POST", f"{path}/decide")):
            assert client.request(method, where, json={"decision": "dismiss"}).status_code == 401
        listed = client.get("/api/reports", headers=owner).json()["reports"]
        assert [(found["statement"], found["copies"]) for found in listed] == [("That is me.", [scene.id])]
        open_link(info.link(link.path))  # still to be seen
        decided = client.post(f"{path}/decide", json={"decision": "uphold"}, headers=owner)
        assert decided.json()["report"]["state"] == "upheld"
        answer = client.post(f"/api/links/{link.id}/open", json={"secret": link.secret})
        assert answer.status_code == 404
        assert client.post(f"{path}/appeal", json={"statement": "No!"}).status_code == 200
        assert client.get(path).json()["report"]["appeal_granted"] is None
        client.post(f"{path}/decide", json={"decision": "grant"}, headers=owner)
        open_link(info.link(link.path))
        codes = {client.post("/api/reports", json=body).status_code for _ in range(12)}
        assert codes == {201, 429}
    catalog.close()


def test_the_command_line_files_shows_decides_and_appeals(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    scene = catalog.publish(opaque_asset())
    options = ("--reason", "copyright", "--statement", "My design.")
    report = run_cli("reports", "file", scene.id[:6], *options, home=tmp_path).stdout.strip()
    assert "within 48 h" in run_cli("reports", "list", home=tmp_path).stdout
    assert "upheld; 1 scenes" in run_cli("reports", "decide", report, "uphold", home=tmp_path).stderr
    assert catalog.is_taken_down(scene.id)
    assert "upheld, appealed" in run_cli("reports", "appeal", report, "It is mine.", home=tmp_path).stderr
    shown = json.loads(run_cli("reports", "show", report, "--json", home=tmp_path).stdout)
    assert (shown["appeal"], shown["copies"]) == ("It is mine.", [scene.id])
    wrong = run_cli("reports", "decide", report, "maybe", home=tmp_path)
    assert wrong.returncode == 1 and "grant or refuse" in wrong.stderr
    catalog.close()
