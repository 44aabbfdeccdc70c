"""Publishing is all or nothing: full disks, crashes, equal scenes, two processes."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from immersive.blobs import Blobs
from immersive.catalog import Catalog, version_of
from immersive.database import Database
from immersive.errors import DiskFullError, StoreError, UnknownSceneError
from immersive.home import home_folder
from immersive.share import Links
from reconstruction.errors import InvalidInputError
from streaming.asset import SplatAsset
from tests.streaming.opaque_asset import opaque_asset


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    ticks = iter(range(1_000_000))
    made = Catalog(tmp_path / "home", now=lambda: 1_700_000_000.0 + next(ticks))
    yield made
    made.close()


def stored_files(home: Path) -> list[str]:
    return sorted(str(p.relative_to(home)) for p in (home / "scenes").rglob("*") if p.name != "lock")


def test_a_published_scene_comes_back_whole_from_another_process(catalog: Catalog) -> None:
    asset = opaque_asset()
    record = catalog.publish(asset, prompt="a cabin", backend="procedural", recipe_digest="ab" * 32)

    again = Catalog(catalog.home)
    assert again.get(record.id) == record
    assert again.asset(record.id) == asset
    assert record.quality == asset.manifest.quality
    assert (record.prompt, record.backend, record.is_generated) == ("a cabin", "procedural", True)
    assert record.byte_length == len(asset.pack)
    again.close()


def test_an_equal_asset_is_the_same_scene_and_another_is_not(catalog: Catalog) -> None:
    first = catalog.publish(opaque_asset(seed=1))
    assert catalog.publish(opaque_asset(seed=1)) == first
    other = catalog.publish(opaque_asset(seed=2))
    assert [record.id for record in catalog.list()] == [other.id, first.id]


def test_a_version_depends_on_manifest_and_bytes() -> None:
    asset = opaque_asset()
    renamed = dataclasses.replace(asset, manifest=dataclasses.replace(asset.manifest, title="Other"))
    assert len({version_of(asset), version_of(renamed), version_of(opaque_asset(seed=9))}) == 3


def test_a_beginning_of_an_id_is_enough_unless_it_is_two(catalog: Catalog) -> None:
    ids = [catalog.publish(opaque_asset(seed=seed)).id for seed in range(3)]
    assert catalog.get(ids[1][:8]).id == ids[1]
    for bad in ("", "%", "_", "zzzz", ids[0] + "0"):
        with pytest.raises(UnknownSceneError):
            catalog.get(bad)


def test_a_beginning_of_two_ids_is_refused(catalog: Catalog) -> None:
    for seed in range(17):  # 16 hex digits: two ids share their first
        catalog.publish(opaque_asset(seed=seed))
    first_digits = [record.id[0] for record in catalog.list()]
    twice = next(digit for digit in first_digits if first_digits.count(digit) > 1)
    with pytest.raises(UnknownSceneError, match="more than one"):
        catalog.get(twice)


def test_renaming_changes_what_viewers_are_told(catalog: Catalog) -> None:
    record = catalog.publish(opaque_asset())
    assert catalog.rename(record.id, "  Winter lake  ").title == "Winter lake"
    assert catalog.asset(record.id).manifest.title == "Winter lake"


@pytest.mark.parametrize("title", ["", "   ", "two\nlines", "x" * 201, "bell\a"])
def test_titles_that_are_not_one_line_are_refused(catalog: Catalog, title: str) -> None:
    record = catalog.publish(opaque_asset())
    with pytest.raises(InvalidInputError, match="title"):
        catalog.rename(record.id, title)
    assert catalog.get(record.id).title == record.title


def test_deleting_removes_scene_links_and_pack(catalog: Catalog) -> None:
    kept, gone = catalog.publish(opaque_asset(seed=1)), catalog.publish(opaque_asset(seed=2))
    link = Links(catalog).create(gone.id)

    catalog.delete(gone.id)

    assert catalog.list() == [kept]
    assert not catalog.blobs.folder(gone.version).exists()
    assert catalog.asset(kept.id).pack == opaque_asset(seed=1).pack
    assert catalog.database.read("SELECT * FROM link WHERE id = ?", (link.id,)) == []
    with pytest.raises(UnknownSceneError):
        catalog.delete(gone.id)


@pytest.mark.parametrize("failing_flush", range(5))
def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path, failing_flush: int) -> None:
    catalog = Catalog(tmp_path)
    calls = iter(range(100))

    def flush(descriptor: int) -> None:
        if next(calls) == failing_flush:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.fsync(descriptor)

    catalog.blobs = Blobs(tmp_path / "scenes", flush=flush)

    with pytest.raises(DiskFullError, match="no room") as caught:
        catalog.publish(opaque_asset())

    assert "Free some space" in str(caught.value.hint)
    assert catalog.list() == []
    assert [name for name in stored_files(tmp_path) if len(Path(name).parts) > 2] == []
    catalog.blobs = Blobs(tmp_path / "scenes")
    assert catalog.publish(opaque_asset()).splat_count == 5770
    catalog.close()


def test_a_full_disk_while_writing_the_pack_leaves_nothing(catalog: Catalog, monkeypatch) -> None:
    def write_half(asset: SplatAsset, folder: Path) -> None:
        (folder / "pack.bin").write_bytes(asset.pack[:1000])
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr("immersive.catalog.write_pack", write_half)
    with pytest.raises(DiskFullError):
        catalog.publish(opaque_asset())
    assert stored_files(catalog.home) == ["scenes/tmp"]


def test_a_catalog_without_room_takes_the_pack_back(catalog: Catalog) -> None:
    # The page limit makes SQLite itself report a full disk.
    pages = catalog.database.read("PRAGMA page_count")[0][0]
    catalog.database.read(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFullError):
        for seed in range(200):
            catalog.publish(opaque_asset(seed=seed), prompt="long " * 400)
    versions = {record.version for record in catalog.list()}
    assert {path.name for path in (catalog.home / "scenes").glob("??/*")} == versions


def test_a_bad_title_is_refused_before_anything_is_written(catalog: Catalog) -> None:
    with pytest.raises(InvalidInputError):
        catalog.publish(opaque_asset(title=" "))
    assert stored_files(catalog.home) == ["scenes/tmp"]


def test_sweeping_removes_what_nothing_mentions_and_keeps_the_rest(catalog: Catalog) -> None:
    kept = catalog.publish(opaque_asset())
    orphan = catalog.blobs.put("ab" * 32, lambda folder: (folder / "pack.bin").write_bytes(b"x"))
    (catalog.home / "scenes" / "tmp" / "draft").mkdir()

    catalog.sweep()

    assert not orphan.exists()
    assert list((catalog.home / "scenes" / "tmp").iterdir()) == []
    assert catalog.asset(kept.id) == opaque_asset()


def test_a_lost_pack_is_said_and_publishing_again_restores_it(catalog: Catalog) -> None:
    record = catalog.publish(opaque_asset())
    catalog.blobs.delete(record.version)
    with pytest.raises(StoreError, match="lost its pack"):
        catalog.asset(record.id)
    assert catalog.publish(opaque_asset()) == record
    assert catalog.asset(record.id) == opaque_asset()


@pytest.mark.parametrize("version", ["../../etc", "ab" * 31, "AB" * 32, "ab" * 32 + "/x"])
def test_a_version_cannot_name_a_path(catalog: Catalog, version: str) -> None:
    with pytest.raises(StoreError, match="64 hex digits"):
        catalog.blobs.folder(version)


def test_a_catalog_from_the_future_and_one_that_is_no_catalog_are_refused(tmp_path: Path) -> None:
    Catalog(tmp_path / "a").close()
    with sqlite3.connect(tmp_path / "a" / "catalog.sqlite") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreError, match="format"):
        Catalog(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "catalog.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="catalog"):
        Catalog(tmp_path / "b")


def test_the_data_folder_is_private_and_named_by_one_variable(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "x"))
    assert home_folder() == tmp_path / "x"
    monkeypatch.delenv("IMMERSIVE_HOME")
    assert home_folder() == Path.home() / ".immersive"

    Catalog(tmp_path / "x").close()
    assert (tmp_path / "x").stat().st_mode & 0o077 == 0
    assert (tmp_path / "x" / "catalog.sqlite").stat().st_mode & 0o077 == 0


_PUBLISH_FOR_EVER = """
import itertools, os, sys
from pathlib import Path
from immersive.catalog import Catalog
from tests.streaming.opaque_asset import opaque_asset
catalog = Catalog(Path(sys.argv[1]))
catalog.sweep()
for seed in itertools.count(int(sys.argv[2])):
    os.write(1, (catalog.publish(opaque_asset(seed=seed)).id + "\\n").encode())
"""


def test_kill_9_while_publishing_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for round_ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _PUBLISH_FOR_EVER, str(tmp_path), str(1000 * round_)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[2],
        )
        assert process.stdout is not None
        for _ in range(4 + 3 * round_):  # killed wherever the next publication happens to be
            acknowledged.add(process.stdout.readline().decode().strip())
        process.send_signal(signal.SIGKILL)
        acknowledged.update(process.stdout.read().decode().split())
        process.stdout.close()
        process.wait()

    catalog = Catalog(tmp_path)
    catalog.sweep()
    assert len(acknowledged) >= 21
    assert acknowledged <= {record.id for record in catalog.list()}
    for record in catalog.list():
        catalog.asset(record.id)  # checks every sha256
    assert len(list((tmp_path / "scenes").glob("??/*"))) == len(catalog.list())
    assert catalog.database.read("PRAGMA integrity_check")[0][0] == "ok"
    catalog.close()


def test_a_file_that_others_hold_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    # Who writes while the journal is to be changed: SQLite itself refuses to wait in that case.
    path = tmp_path / "catalog.sqlite"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("CREATE TABLE held (x)")
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("INSERT INTO held VALUES (1)")
    timer = threading.Timer(0.3, lambda: holder.execute("COMMIT"))
    timer.start()
    database = Database(path)
    assert database.read("PRAGMA journal_mode")[0][0] == "wal"
    assert [row["x"] for row in database.read("SELECT x FROM held")] == [1]  # what the other wrote is there
    database.close()
    timer.join()
    holder.close()
