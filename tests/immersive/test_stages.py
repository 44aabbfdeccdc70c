from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from immersive import stages
from immersive.stages import StageStore, stage_digest


def test_a_stored_stage_comes_back_whole(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "stages")
    arrays = {"means": np.arange(6, dtype=np.float32).reshape(2, 3), "index": np.array([3, 1])}

    store.save("abc", arrays, {"cpu_seconds": 1.5})
    found, facts = store.load("abc")

    assert facts == {"cpu_seconds": 1.5}
    np.testing.assert_array_equal(found["means"], arrays["means"])
    assert found["index"].dtype == arrays["index"].dtype


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StageStore(tmp_path / "stages")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space"):
        store.save("abc", {"means": np.zeros(3)}, {})

    assert list(store.folder.iterdir()) == []


def test_a_damaged_entry_counts_as_missing(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    store.save("abc", {"means": np.arange(100.0)}, {})
    path = tmp_path / "abc" / "means.npy"
    path.write_bytes(path.read_bytes()[:200])

    assert store.load("abc") is None
    assert store.load("never stored") is None


def test_the_least_recently_used_entries_leave_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StageStore(tmp_path)
    monkeypatch.setattr(stages, "KEPT_BYTES", 20_000)
    for age, name in ((300, "old"), (200, "used"), (100, "new")):
        store.save(name, {"a": np.zeros(700)}, {})
        os.utime(tmp_path / name / "facts.json", (1e9 - age, 1e9 - age))
    store.load("old")  # reading counts as use

    store.save("fresh", {"a": np.zeros(700)}, {})

    assert {entry.name for entry in tmp_path.iterdir()} == {"old", "new", "fresh"}


def test_digests_follow_every_input_and_nothing_else() -> None:
    one = stage_digest("fit", {"a": 1, "b": 2}, "x")

    assert one == stage_digest("fit", {"b": 2, "a": 1}, "x")
    assert (
        len({one, stage_digest("fit", {"a": 1, "b": 3}, "x"), stage_digest("lift", {"a": 1, "b": 2}, "x")})
        == 3
    )
