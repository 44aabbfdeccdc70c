"""Everything in one file and back: nothing lost, nothing overwritten, no trick followed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from immersive.archive import write_archive
from immersive.catalog import Catalog
from immersive.errors import ArchiveError, DiskFullError
from immersive.jobs.job import Charge
from immersive.jobs.queue import Jobs
from immersive.restore import restore_archive
from immersive.share import Links
from tests.conftest import run_cli
from tests.streaming.opaque_asset import opaque_asset


@dataclass
class Full:
    """A catalog with something of everything, and its archive."""

    catalog: Catalog
    scenes: list[str]
    secret: tuple[str, str]
    file: Path


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Full]:
    catalog = Catalog(tmp_path / "home")
    scenes = [catalog.publish(opaque_asset(seed=seed), prompt=f"place {seed}").id for seed in range(3)]
    catalog.rename(scenes[1], "Renamed, in «words»")
    catalog.connect(scenes[0], [scenes[2], scenes[1]])
    link = Links(catalog).create(scenes[0])
    Links(catalog).revoke(Links(catalog).create(scenes[1]).id)
    jobs = Jobs(catalog)
    job = jobs.submit({"prompt": "a hut"})
    jobs.take("w")
    jobs.charge(job.id, 1, Charge("done", 12.5, 0.25, 20.0, 4096, 1 << 30))
    jobs.finish(job.id, "w", scenes[2])
    pictures = catalog.home / "pictures" / scenes[1]
    pictures.mkdir(parents=True)
    (pictures / "view-03.png").write_bytes(b"not really a picture")
    file = tmp_path / "all.zip"
    write_archive(catalog, file)
    assert link.secret is not None
    yield Full(catalog, scenes, (link.id, link.secret), file)
    catalog.close()


def rows(catalog: Catalog) -> dict[str, list[dict]]:
    return {
        name: sorted((dict(row) for row in catalog.database.read(f"SELECT * FROM {name}")), key=repr)
        for name in catalog.database.tables()
        if name != "job_event"
    }


def test_another_program_reads_the_archive_and_its_hashes(full: Full) -> None:
    with zipfile.ZipFile(full.file) as file:
        assert file.testzip() is None
        members = json.loads(file.read("manifest.json"))["members"]
        for name, facts in members.items():
            data = file.read(name)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (facts["byte_length"], facts["sha256"])
        names = set(file.namelist())
        whole = b"".join(file.read(name) for name in names)
    assert names == {*members, "manifest.json"}
    assert full.secret[1].encode() not in whole  # hashes only
    assert full.file.stat().st_mode & 0o77 == 0
    assert not list(full.catalog.home.glob("archiving-*"))


def test_a_fresh_catalog_becomes_equal(full: Full, tmp_path: Path) -> None:
    other = Catalog(tmp_path / "other")
    taken = restore_archive(other, full.file)

    assert rows(other) == rows(full.catalog)
    assert (taken.scenes, taken.links) == (3, 2)
    assert taken.byte_length == sum(len(opaque_asset(seed=seed).pack) for seed in range(3))
    for seed, scene in enumerate(full.scenes):
        assert other.asset(scene).pack == opaque_asset(seed=seed).pack
    picture = other.home / "pictures" / full.scenes[1] / "view-03.png"
    assert picture.read_bytes() == b"not really a picture"
    # What was archived from there is the same file again.
    write_archive(other, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == full.file.read_bytes()
    # Last, for an open is counted and noted.
    assert Links(other).open(*full.secret).scene_id == full.scenes[0]
    other.close()


def test_restoring_adds_and_overwrites_nothing(full: Full, tmp_path: Path) -> None:
    other = Catalog(tmp_path / "other")
    same = other.publish(opaque_asset(seed=2), prompt="mine")  # as the archive's third, with another id
    own = other.publish(opaque_asset(seed=9))
    other.rename(same.id, "My own title")
    taken = restore_archive(other, full.file)

    assert taken.scenes == 2 and len(other.list()) == 4
    assert other.get(same.id).title == "My own title" and other.get(own.id) == own
    assert other.portals(full.scenes[0]) == {0: same.id, 1: full.scenes[1]}  # follows to the scene here
    before = rows(other)
    again = restore_archive(other, full.file)
    assert (again.scenes, again.links, again.rows) == (0, 0, 0) and rows(other) == before
    other.close()


def test_a_scene_that_was_deleted_and_one_that_lost_its_pack_come_back(full: Full) -> None:
    full.catalog.delete(full.scenes[0])
    full.catalog.blobs.delete(full.catalog.get(full.scenes[1]).version)
    restore_archive(full.catalog, full.file)
    assert full.catalog.asset(full.scenes[0]).pack == opaque_asset(seed=0).pack
    assert full.catalog.asset(full.scenes[1]).manifest.title == "Renamed, in «words»"
    assert Links(full.catalog).open(*full.secret).scene_id == full.scenes[0]


def remade(source: Path, target: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Write an archive whose members were changed and whose manifest agrees with them."""
    with zipfile.ZipFile(source) as file:
        members = {name: file.read(name) for name in file.namelist() if name != "manifest.json"}
        manifest = json.loads(file.read("manifest.json"))
    change(members)
    manifest["members"] = {
        name: {"byte_length": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for name, data in {**members, "manifest.json": json.dumps(manifest).encode()}.items():
            file.writestr(name, data)
    return target


def pack_name(members: dict[str, bytes]) -> str:
    return next(name for name in members if name.endswith("pack.bin"))


def edit_rows(table: str, **values: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        name = f"tables/{table}.jsonl"
        lines = [json.loads(line) | values for line in members[name].splitlines()]
        members[name] = b"\n".join(json.dumps(line).encode() for line in lines)

    return change


TRICKS: dict[str, Callable[[dict[str, bytes]], object]] = {
    "climbs": lambda m: m.update({"pictures/../../evil.png": b"x"}),
    "absolute": lambda m: m.update({"/etc/evil": b"x"}),
    "backslash": lambda m: m.update({"pictures\\evil.png": b"x"}),
    "key": lambda m: m.update({"owner-token.sha256": b"x"}),
    "other table": lambda m: m.update({"tables/sqlite_master.jsonl": b'{"name": "x"}'}),
    "events": lambda m: m.update({"tables/job_event.jsonl": b""}),
    "pack cut": lambda m: m.update({pack_name(m): m[pack_name(m)][:-1]}),
    "pack changed": lambda m: m.update({pack_name(m): b"X" + m[pack_name(m)][1:]}),
    "pack gone": lambda m: m.pop(pack_name(m)),
    "manifest changed": lambda m: m.update(
        {
            n: d.replace(b"Cabin by a lake", b"Cabin by a fake")
            for n, d in m.items()
            if n.endswith("/manifest.json")
        }
    ),
    "column": edit_rows("link", **{"id) VALUES (1); DROP TABLE scene; --": 1}),
    "no json": lambda m: m.update({"tables/link.jsonl": b"{"}),
    "a list": lambda m: m.update({"tables/link.jsonl": b'{"id": [1]}'}),
    "deep": lambda m: m.update({"tables/link.jsonl": b"[" * 100_000}),
    "scene id": edit_rows("scene", id="../../../x"),
    "length": edit_rows("scene", byte_length=1),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_is_refused_and_nothing_is_taken(full: Full, tmp_path: Path, trick: str) -> None:
    bad = remade(full.file, tmp_path / "bad.zip", TRICKS[trick])
    other = Catalog(tmp_path / "other")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(ArchiveError):
        restore_archive(other, bad)
    assert other.list() == [] and not any(rows(other).values())
    assert sorted(str(p) for p in tmp_path.rglob("*") if p.name != "lock") == [
        name for name in before if not name.endswith("lock")
    ]
    other.close()


def test_a_row_that_the_catalog_refuses_takes_the_packs_back(full: Full, tmp_path: Path) -> None:
    bad = remade(full.file, tmp_path / "bad.zip", edit_rows("link", scope="own everything"))
    other = Catalog(tmp_path / "other")
    with pytest.raises(OSError, match="catalog cannot be used"):
        restore_archive(other, bad)
    assert other.list() == [] and not list((other.home / "scenes").glob("??/*"))
    other.close()


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_damage_anywhere_and_a_file_cut_short_are_found(full: Full, tmp_path: Path, place: float) -> None:
    data = bytearray(full.file.read_bytes())
    bad = tmp_path / "bad.zip"
    other = Catalog(tmp_path / "other")
    flipped = data[:]
    flipped[int(len(data) * min(place, 0.95))] ^= 0x40  # behind it lies the zip's own list, with its dates
    for damaged in (data[: int(len(data) * place)], flipped):
        bad.write_bytes(damaged)
        with pytest.raises(ArchiveError):
            restore_archive(other, bad)
    assert other.list() == []
    other.close()


def test_compressed_members_are_refused_before_they_are_read(full: Full, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", b"{}" + b" " * 10_000_000)
    with pytest.raises(ArchiveError, match="compressed"):
        restore_archive(full.catalog, bomb)


def test_an_archive_without_room_leaves_no_file(full: Full, tmp_path: Path, monkeypatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("immersive.archive.os.fsync", full_disk)
    with pytest.raises(DiskFullError):
        write_archive(full.catalog, tmp_path / "more.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.zip", "home"]


def test_the_command_line_takes_everything_along(full: Full, tmp_path: Path) -> None:
    made = run_cli("archive", str(tmp_path / "cli.zip"), home=full.catalog.home)
    assert (made.returncode, made.stderr.split(" (")[0]) == (0, "wrote 3 scenes")
    again = run_cli("archive", str(tmp_path / "cli.zip"), home=full.catalog.home)
    assert again.returncode == 1 and "exists already" in again.stderr
    done = run_cli("restore", str(tmp_path / "cli.zip"), "--json", home=tmp_path / "new")
    assert json.loads(done.stdout)["scenes"] == 3, done.stderr
    none = run_cli("restore", str(tmp_path / "none.zip"), home=tmp_path / "new")
    assert none.returncode == 1 and "not found" in none.stderr
