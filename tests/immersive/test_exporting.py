from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from immersive import fitted_export
from immersive.exporting import (
    FOLDER_FILES,
    SINGLE_FILES,
    check_target,
    export_asset,
    export_fitted,
    limits_from,
)
from immersive.request import bytes_from
from reconstruction.errors import InvalidInputError
from streaming import gltf
from streaming.fit_limits import Effort
from streaming.validate import ENCODERS, FOLDER_ENCODERS, inspect
from tests.streaming.scenes import small_asset


def test_command_line_and_writers_know_the_same_endings() -> None:
    assert set(SINGLE_FILES) == set(ENCODERS) and set(FOLDER_FILES) == set(FOLDER_ENCODERS)
    for endings in (SINGLE_FILES, tuple(ENCODERS)):
        for i, ending in enumerate(endings):
            assert not any(ending.endswith(earlier) for earlier in endings[:i]), "the longer comes first"


@pytest.mark.parametrize("name", [*(f"scene{ending}" for ending in SINGLE_FILES), *FOLDER_FILES])
def test_scene_leaves_in_every_format(name: str, tmp_path: Path) -> None:
    asset = small_asset(1_200)

    written = export_asset(asset, tmp_path / name)

    files = {path.name for path in tmp_path.iterdir()}
    assert written.name in files
    if name == "tileset.json":
        written = tmp_path / "splats.glb"
    report = inspect(written)
    assert report.splat_count == 1_200
    # Only glTF of our own layout has room for the rest.
    assert report.has_collider == report.is_labelled_generated == name.endswith(("scene.glb", "compact.glb"))
    assert (len(files) == 1) == (name not in FOLDER_FILES)


@pytest.mark.parametrize("name", ["scene.obj", "scene.gltf", "tiles.json", "scene.sog.zip"])
def test_other_endings_are_refused_with_those_that_are_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"\.compact\.glb, .* tileset\.json or into a folder, got"):
        check_target(tmp_path / name)


class _Notes:
    """A reporter that may be told to interrupt, as Ctrl-C does."""

    def __init__(self, interrupt_at: float = 2.0) -> None:
        self.begun: list[str] = []
        self._interrupt_at = interrupt_at

    def begin(self, stage: str, label: str) -> None:
        self.begun.append(stage)

    def update(self, share: float, note: str = "") -> None:
        if share >= self._interrupt_at:
            raise KeyboardInterrupt

    def end(self, cpu_seconds: float, note: str = "") -> None:
        self.begun.append("end")


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    little = Effort(rounds=1, draft_steps=8, steps=24, measuring_px=(80, 60))
    monkeypatch.setattr(fitted_export, "EFFORT", little)


@pytest.mark.parametrize("name", [*(f"scene{ending}" for ending in SINGLE_FILES), *FOLDER_FILES])
def test_every_format_is_made_to_fit_and_never_larger(name: str, tmp_path: Path) -> None:
    asset, whole = small_asset(1_200), tmp_path / "whole"
    whole.mkdir()
    export_asset(asset, whole / name)
    asked = int(0.6 * sum(path.stat().st_size for path in whole.iterdir()))
    target = tmp_path / "fitted"
    target.mkdir()
    notes = _Notes()

    size, loss = export_fitted(asset, target / name, limits_from(f"{asked}B", None, None), notes)

    assert size == sum(path.stat().st_size for path in target.iterdir()) <= asked
    assert size > 0.95 * asked
    splats = target / ("splats.glb" if name == "tileset.json" else name)
    report = inspect(splats)
    assert report.splat_count == loss.splats < loss.of_splats == 1_200
    assert 10 < loss.worst_psnr_db <= loss.psnr_db < 99
    assert notes.begun == ["fit", "end"]
    if report.has_collider:
        (packet,) = gltf.decode(splats.read_bytes()).document["extensions"]["KHR_xmp_json_ld"]["packets"]
        assert json.loads(packet["immersive:loss"]) == asdict(loss)
        assert report.is_labelled_generated


def test_an_interrupted_export_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "scene.spz"
    path.write_bytes(b"older")

    with pytest.raises(KeyboardInterrupt):
        export_fitted(small_asset(1_200), path, limits_from("9KB", None, None), _Notes(interrupt_at=0.5))

    assert [found.name for found in tmp_path.iterdir()] == ["scene.spz"] and path.read_bytes() == b"older"


def test_limits_are_those_of_the_device_and_what_is_asked_for_besides() -> None:
    quest = limits_from(None, None, "quest3")
    both = limits_from("1.5MiB", 31.5, "glasses")

    assert quest.max_splats == 350_000 and quest.max_sh_degree == 0 and quest.min_psnr_db is None
    assert both.max_bytes == 1_500_000 and both.min_psnr_db == 31.5 and both.max_splats == 60_000
    assert limits_from("800KB", None, "glasses").max_bytes == 800_000
    assert limits_from(None, None, None) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("8 bananas", None, None), "max-bytes must be a size such as 8MB, 800KB or 1.5MiB, got '8 bananas'"),
        ((None, 0.0, None), "min-psnr must be 1 to 90 dB, got 0"),
        ((None, float("nan"), None), "min-psnr must be 1 to 90 dB, got nan"),
        (
            (None, None, "quest9"),
            "device must be one of quest3, phone, glasses, desktop, software, got 'quest9'",
        ),
    ],
)
def test_limits_that_are_none_are_refused(asked, said: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(said)):
        limits_from(*asked)


def test_sizes_are_read_as_people_write_them() -> None:
    written = ("8MB", "800KB", "1.5MiB", "2 gb", "12kib", "500000", "77B", "0.5mb")

    assert [bytes_from("max-bytes", text) for text in written] == [
        *(8_000_000, 800_000, 1_572_864, 2_000_000_000, 12_288, 500_000, 77, 500_000)
    ]
    for nonsense in ("", "MB", "8TB", "-8MB", "0", "0KB", "1e6", "8MBs", "8,5MB", "inf", "nan"):
        with pytest.raises(InvalidInputError):
            bytes_from("max-bytes", nonsense)
