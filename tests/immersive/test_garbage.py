"""Collecting garbage takes what nothing mentions, and can take nothing else, whatever runs beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immersive.catalog import Catalog, version_of
from immersive.garbage import collect
from immersive.jobs.queue import Jobs
from streaming.pack import write_pack
from tests.conftest import run_cli
from tests.streaming.opaque_asset import opaque_asset

ROOT = Path(__file__).resolve().parents[2]
ASSETS = {seed: opaque_asset(seed=seed) for seed in range(4)}
_ACTS = st.lists(
    st.tuples(st.sampled_from(("publish", "delete", "die", "collect", "rename")), st.integers(0, 3)),
    max_size=25,
)


@given(_ACTS)
@settings(max_examples=25, deadline=None)
def test_whatever_happens_a_scene_that_is_listed_opens(acts: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(Path(folder))
        here: dict[int, str] = {}
        for act, seed in acts:
            asset = ASSETS[seed]
            if act == "publish":
                here[seed] = catalog.publish(asset).id
            elif act == "delete" and seed in here:
                catalog.delete(here.pop(seed))
            elif act == "rename" and seed in here:
                catalog.rename(here[seed], f"place {seed}")
            elif act == "die":  # a publication whose process was killed before the row was written
                catalog.blobs.put(version_of(asset), lambda folder, asset=asset: write_pack(asset, folder))
            elif act == "collect":
                collect(catalog)
                packs = {path.name for path in Path(folder, "scenes").glob("??/*")}
                assert packs == {version_of(ASSETS[known]) for known in here}
        assert {record.id for record in catalog.list()} == set(here.values())
        for known, scene in here.items():
            assert catalog.asset(scene).pack == ASSETS[known].pack
        catalog.close()


_COLLECT = """
import sys
from pathlib import Path
from immersive.catalog import Catalog
from immersive.garbage import collect
catalog = Catalog(Path(sys.argv[1]))
print("ready", flush=True)
while not Path(sys.argv[1], "stop").exists():
    collect(catalog)
"""


def test_collectors_beside_publishers_take_no_pack_that_is_mentioned(tmp_path: Path) -> None:
    collectors = [
        subprocess.Popen([sys.executable, "-c", _COLLECT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        for collector in collectors:
            assert collector.stdout is not None and collector.stdout.readline() == b"ready\n"
        catalog = Catalog(tmp_path)
        made = [catalog.publish(opaque_asset(seed=seed)) for seed in range(25)]
        (tmp_path / "stop").touch()
        for collector in collectors:
            assert collector.wait(120) == 0
    finally:
        for collector in collectors:
            collector.kill()
            collector.communicate()

    for seed, record in enumerate(made):
        assert catalog.asset(record.id).pack == opaque_asset(seed=seed).pack
    catalog.close()


def test_everything_that_is_left_behind_goes_and_the_rest_stays(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    record = catalog.publish(opaque_asset())
    job = Jobs(catalog).submit({"prompt": "a hut"})
    catalog.close()
    stay = [
        tmp_path / "stages" / "abc" / "facts.json",
        tmp_path / "stages" / ".writing-new" / "a.npy",
        tmp_path / "pictures" / record.id / "0.png",
        tmp_path / "jobs" / f"{job.id}.log",
        tmp_path / "owner-token.sha256",
    ]
    go = [
        tmp_path / "stages" / ".writing-old" / "a.npy",
        tmp_path / "pictures" / ("0" * 12) / "0.png",
        tmp_path / "jobs" / "000000000000.log",
        tmp_path / "scenes" / "tmp" / "draft" / "pack.bin",
    ]
    for path in stay + go:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 500_000)
    os.utime(tmp_path / "stages" / ".writing-old", (1e9, 1e9))

    done = run_cli("gc", home=tmp_path)

    assert (done.returncode, done.stderr.strip()) == (0, "freed 2.0 MB")
    assert all(path.exists() for path in stay) and not any(path.exists() for path in go)


def test_a_collector_that_reads_too_early_would_be_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rule behind the tests above: what is referenced is read inside the lock.
    catalog = Catalog(tmp_path)
    early = {row["version"] for row in catalog.database.read("SELECT version FROM scene")}
    record = catalog.publish(opaque_asset())
    with catalog.blobs.exclusive():
        catalog.blobs.sweep(early)
    assert not catalog.blobs.folder(record.version).exists()
    catalog.close()
