"""One contract, two kinds of stores: a folder, and PostgreSQL with a bucket. The same tests hold for both.

Those of jobs and reports are the very functions of their own modules, over this module's `catalog`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from immersive.archive import write_archive
from immersive.catalog import Catalog
from immersive.errors import ExpiredLinkError, StoreError, UnknownLinkError, UnknownSceneError
from immersive.garbage import collect
from immersive.jobs.queue import Jobs
from immersive.restore import restore_archive
from immersive.share import Links
from immersive.stores import open_stores
from tests.immersive import cluster
from tests.immersive.test_growing import (  # noqa: F401
    test_a_growing_scene_has_links_and_nothing_else_yet,
    test_an_equal_scene_takes_over_the_links,
    test_an_interrupted_making_goes_on_with_the_same_scene_and_ends_some_day,
    test_each_version_takes_the_place_of_the_one_before_and_the_id_stays,
    test_it_is_watched_while_somebody_asks,
    test_two_who_make_the_same_scene_make_one,
)
from tests.immersive.test_jobs import (  # noqa: F401
    Clock,
    clock,
    jobs,
    test_a_cancelled_job_whose_worker_vanished_ends_cancelled,
    test_a_lost_lease_is_taken_again_and_its_late_worker_changes_nothing,
    test_a_stopped_server_costs_a_job_no_attempt,
    test_a_waiting_job_is_cancelled_at_once_and_a_finished_one_stays,
    test_each_attempt_waits_twice_as_long_and_there_is_a_last,
    test_jobs_are_taken_in_their_order_and_no_more_at_once_than_allowed,
    test_old_jobs_are_forgotten_and_their_costs_are_not,
    test_progress_tells_what_is_left_from_the_last_job_of_its_kind,
    test_the_queue_has_an_end,
    test_what_is_being_made_or_was_made_is_not_made_again,
)
from tests.immersive.test_reports import (  # noqa: F401
    test_a_decision_reaches_copies_made_before_and_after_under_any_title,
    test_a_doorway_to_what_is_hidden_leads_nowhere,
    test_an_appeal_turns_a_decision_round_once,
    test_nothing_is_hidden_before_a_decision_and_everything_after_48_hours,
    test_what_is_to_be_decided_comes_first_and_a_flood_ends,
)
from tests.streaming.opaque_asset import opaque_asset


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[str, dict[str, str]]]:
    if cluster.postgres_programs() is None:
        pytest.skip("needs PostgreSQL (apt-get install postgresql)")
    with cluster.postgres() as folder, cluster.s3() as bucket:
        yield folder, bucket


@pytest.fixture(params=["folder", "cluster"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "cluster":
        folder, bucket = request.getfixturevalue("servers")
        for name, value in cluster.fresh_stores(folder, bucket).items():
            monkeypatch.setenv(name, value)
    return str(request.param)


@pytest.fixture
def catalog(kind: str, tmp_path: Path, clock: Clock) -> Iterator[Catalog]:  # noqa: F811
    made = Catalog(tmp_path / "home", now=clock)
    yield made
    made.close()


@pytest.fixture
def other(kind: str, catalog: Catalog, tmp_path: Path, clock: Clock) -> Iterator[Catalog]:  # noqa: F811
    """The same catalog as another process sees it; with a cluster, from another machine's folder."""
    made = Catalog(tmp_path / ("home" if kind == "folder" else "elsewhere"), now=clock)
    yield made
    made.close()


def test_what_one_publishes_another_opens(catalog: Catalog, other: Catalog) -> None:
    asset = opaque_asset()
    record = catalog.publish(asset, prompt="a cabin, «ein Häuschen»", recipe_digest="ab" * 32)

    assert other.get(record.id[:6]) == record and other.asset(record.id) == asset
    assert other.publish(asset) == record
    assert other.rename(record.id, "Winter").title == catalog.get(record.id).title == "Winter"
    assert other.asset(record.id).manifest.title == "Winter"


def test_deleting_takes_everything_along(catalog: Catalog, other: Catalog, clock: Clock) -> None:  # noqa: F811
    clock.at += 1
    kept, gone = catalog.publish(opaque_asset(seed=1)), catalog.publish(opaque_asset(seed=2))
    catalog.connect(kept.id, [gone.id, kept.id])
    link = Links(catalog).create(gone.id)
    other.asset(gone.id)
    other.delete(gone.id)

    assert catalog.list() == [kept] and not catalog.blobs.has(gone.version)
    assert catalog.portals(kept.id) == {1: kept.id}
    with pytest.raises(UnknownLinkError):
        Links(catalog).get(link.id)
    with pytest.raises(UnknownSceneError):
        catalog.asset(gone.id)


def test_links_open_expire_and_are_revoked(catalog: Catalog, other: Catalog, clock: Clock) -> None:  # noqa: F811
    scene = catalog.publish(opaque_asset())
    link = Links(catalog).create(scene.id, expires_in_s=60, visibility="unlisted")
    assert link.secret is not None
    assert Links(other).open(link.id, link.secret).visibility == "unlisted"
    with pytest.raises(UnknownLinkError):
        Links(other).open(link.id, "wrong")
    clock.at += 61
    with pytest.raises(ExpiredLinkError):
        Links(other).open(link.id, link.secret)
    assert Links(other).revoke(link.id).revoked_at == clock.at
    assert [found.id for found in Links(catalog).list(scene.id)] == [link.id]


def test_a_failed_transaction_leaves_nothing(catalog: Catalog) -> None:
    row = "INSERT INTO ledger VALUES ('a', 'b', 1, 2.5, 'done', 1.5, 0.0, 3.5, 4, 5)"
    with pytest.raises(ZeroDivisionError), catalog.database.transaction():
        catalog.database.write(row)
        raise ZeroDivisionError
    assert catalog.database.read("SELECT * FROM ledger") == []
    with pytest.raises(StoreError), catalog.database.transaction():
        catalog.database.write("INSERT INTO job_event (job_id, at, kind, facts) VALUES ('x', 1, 'odd', '')")
    with pytest.raises(StoreError), catalog.database.transaction():  # no such job
        catalog.database.write("INSERT INTO job_event (job_id, at, kind, facts) VALUES ('x', 1, 'state', '')")
    catalog.publish(opaque_asset())  # and the connection still works


def test_publishers_and_collectors_in_each_others_way_lose_nothing(catalog: Catalog, other: Catalog) -> None:
    failures: list[BaseException] = []

    def publish(through: Catalog, seeds: range) -> None:
        try:
            for seed in seeds:
                through.publish(opaque_asset(seed=seed))
                collect(through)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [
        threading.Thread(target=publish, args=(catalog, range(0, 6))),
        threading.Thread(target=publish, args=(other, range(3, 9))),
        threading.Thread(target=publish, args=(catalog, range(6, 10))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    packs = {other.asset(record.id).pack for record in catalog.list()}
    assert packs == {opaque_asset(seed=seed).pack for seed in range(10)}


def test_two_takers_never_take_the_same_job(catalog: Catalog, other: Catalog) -> None:
    for seed in range(12):
        Jobs(catalog).submit({"prompt": "a hut", "seed": seed})
    taken: list[str] = []

    def take(through: Catalog, name: str) -> None:
        while job := Jobs(through).take(f"{name}{len(taken)}", at_once=100):
            taken.append(job.id)

    threads = [threading.Thread(target=take, args=(c, n)) for c, n in ((catalog, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 12


def test_garbage_is_what_nothing_mentions(catalog: Catalog) -> None:
    kept = catalog.publish(opaque_asset())

    def write(folder: Path) -> None:
        for name in ("pack.bin", "manifest.json"):
            (folder / name).write_bytes(b"x" * 700)

    with catalog.blobs.exclusive():
        catalog.blobs.put("ab" * 32, write)
    assert catalog.blobs.has("ab" * 32)
    assert collect(catalog) >= 1400
    assert not catalog.blobs.has("ab" * 32) and catalog.asset(kept.id) == opaque_asset()
    assert catalog.database.is_sound()


def test_an_archive_moves_a_catalog_from_one_kind_to_the_other(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = [catalog.publish(opaque_asset(seed=seed)) for seed in (1, 2)]
    catalog.connect(scenes[0].id, [scenes[1].id])
    link = Links(catalog).create(scenes[0].id)
    Jobs(catalog).submit({"prompt": "a hut"})
    write_archive(catalog, tmp_path / "all.zip")
    for name in ("IMMERSIVE_DATABASE", "IMMERSIVE_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    plain = Catalog(tmp_path / "plain", now=catalog.now)
    restore_archive(plain, tmp_path / "all.zip")
    assert plain.list() == catalog.list() and plain.portals(scenes[0].id) == {0: scenes[1].id}
    write_archive(plain, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "all.zip").read_bytes()
    catalog.delete(scenes[0].id)
    assert restore_archive(catalog, tmp_path / "again.zip").scenes == 1
    assert link.secret is not None
    assert Links(catalog).open(link.id, link.secret).scene_id == scenes[0].id
    plain.close()


def test_a_lost_copy_is_read_from_the_bucket_again(kind: str, catalog: Catalog) -> None:
    if kind == "folder":
        pytest.skip("a folder has no copies")
    record = catalog.publish(opaque_asset())
    for path in (catalog.home / "packs").glob("??/*/pack.bin"):
        path.parent.rename(catalog.home / "gone")
    assert catalog.asset(record.id) == opaque_asset()


def test_settings_that_cannot_be_used_are_explained(tmp_path: Path) -> None:
    for settings, said in (
        ({"IMMERSIVE_DATABASE": "postgresql://x"}, "come together"),
        ({"IMMERSIVE_DATABASE": f"postgresql:///x?host={tmp_path}", "IMMERSIVE_BUCKET": "s3://abc"}, "used"),
    ):
        with pytest.raises(StoreError, match=said):
            open_stores(tmp_path, settings)
    assert "IMMERSIVE_DATABASE" not in os.environ
