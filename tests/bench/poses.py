"""How near estimated cameras come to true ones, on rendered walks whose cameras are known.

Run from the repository root: python -m tests.bench.poses
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from reconstruction import matching
from reconstruction.cameras import Cameras
from reconstruction.lens import lens_prior
from reconstruction.mapping import Plan, solve
from reconstruction.matching import match_pictures
from reconstruction.poses import estimate_poses
from reconstruction.video import read_clip
from tests.bench.rows import Row, at_most, cpu_seconds, publish
from tests.reconstruction.alignment import aligned
from tests.reconstruction.clips import write_clip
from tests.reconstruction.textured import pictures_of_room, room_cameras_along, room_walk

LENS = 0.7


def _round(angle: NDArray) -> Cameras:
    """Return cameras on a round about the room's pillar that look across it."""
    eyes = np.stack(
        [3 + 1.7 * np.cos(angle), 1.5 + 0.08 * np.sin(3 * angle), 2.1 + 1.3 * np.sin(angle)], axis=1
    )
    ahead = np.stack([-np.cos(angle + 0.7), np.full(len(angle), -0.12), -np.sin(angle + 0.7)], axis=1)
    return room_cameras_along(eyes, eyes + ahead, focal_over_edge=LENS)


def _errors_mm(ours: Cameras, truth: NDArray) -> NDArray:
    return 1000 * np.linalg.norm(aligned(ours.positions.astype(float), truth) - truth, axis=1)


def uneven_clip() -> list[Row]:
    """240 frames that rest, hurry and shake; which frames were chosen is told by their pictures."""
    speed = np.ones(240)
    speed[:70] = speed[120:170] = 0.03
    speed[170:200] = 3.0
    way = np.cumsum(speed) - speed[0]
    cameras = _round(way / way[-1] * 2 * np.pi * 0.9)
    images = pictures_of_room(cameras).images.copy()
    for index in np.flatnonzero(np.random.default_rng(1).random(240) < 0.25):
        images[index] = uniform_filter1d(images[index].astype(float), 9, axis=1).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        frames = read_clip(write_clip(Path(folder) / "walk.webm", images))
    small = images[:, ::8, ::8].astype(np.int32)
    chosen = [int(np.abs(small - one[::8, ::8]).mean(axis=(1, 2, 3)).argmin()) for one in frames.images]
    cost, posed = cpu_seconds(lambda: estimate_poses(frames, is_video=True))
    share = posed.report.used / posed.report.given
    rows = [Row("uneven clip, placed", share, "share"), Row("uneven clip, finding cameras", cost, "CPU-s")]
    if share == 1:
        errors = _errors_mm(posed.frames.cameras, cameras.positions.astype(float)[chosen])
        rows.append(Row("uneven clip, mean error of a place", float(errors.mean()), "mm"))
        rows.append(at_most("uneven clip, largest error of a place", float(errors.max()), "mm", 100))
    return rows


def round_walk() -> list[Row]:
    """80 frames once about and on: with neighbours only, with look-alikes, and with every pair."""
    cameras = _round(np.linspace(0, 2.3 * np.pi, 80))
    frames, truth = pictures_of_room(cameras), cameras.positions.astype(float)
    size = (cameras.width, cameras.height)
    prior = lens_prior(*size, is_video=True, focal_px=LENS * cameras.width)
    rows = []
    for name, exhaustive_up_to, alike in (
        ("neighbours", 60, 0),
        ("look-alikes", 60, 8),
        ("every pair", 80, 8),
    ):
        with (
            tempfile.TemporaryDirectory() as scratch,
            patch.object(matching, "EXHAUSTIVE_UP_TO", exhaustive_up_to),
            patch.object(matching, "LOOK_ALIKES", alike),
        ):
            cost, database = cpu_seconds(lambda s=scratch: match_pictures(frames, Path(s), _quiet))
            found = solve(database, 80, size, prior, Plan("incremental", is_fixed=True), _quiet)
        assert found is not None  # a textured room
        worst = float(_errors_mm(found.cameras, truth[found.kept]).max())
        rows += [
            Row(f"round walk, {name}, largest error", worst, "mm"),
            Row(f"round walk, {name}, matching", cost, "CPU-s"),
        ]
    return rows


def lenses() -> list[Row]:
    """Ten frames, taken as a clip: the guess before is 1.0."""
    rows = []
    for true in (0.55, 0.7, 0.85):
        cameras = estimate_poses(room_walk(10, focal_over_edge=true)[0], is_video=True).frames.cameras
        assert cameras is not None  # estimated poses always have them
        off = abs(float(cameras.Ks[0, 0, 0]) / cameras.width / true - 1)
        rows.append(at_most(f"lens of {true:g}, off by", 100 * off, "%", 10))
    return rows


def _quiet(_share: float, _phrase: str) -> None:
    """Take no notice."""


def rows() -> list[Row]:
    """Run all."""
    return [*uneven_clip(), *round_walk(), *lenses()]


def main() -> int:
    """Publish as `poses`; exit status 1 if a goal was missed."""
    found = rows()
    publish("poses", found)
    return 1 if any(row.met is False for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
