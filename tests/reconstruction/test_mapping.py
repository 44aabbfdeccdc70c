from __future__ import annotations

import numpy as np
import pytest

from reconstruction.errors import CancelledError
from reconstruction.lens import lens_prior
from reconstruction.mapping import Plan, solve
from reconstruction.matching import match_pictures
from tests.reconstruction.alignment import aligned
from tests.reconstruction.textured import room_walk

COUNT, SIZE = 10, (320, 200)


def _quiet(_share: float, _phrase: str) -> None:
    """Take no notice."""


@pytest.fixture(scope="module")
def matched(tmp_path_factory: pytest.TempPathFactory):
    frames, cameras = room_walk(COUNT, focal_over_edge=0.7)
    return match_pictures(frames, tmp_path_factory.mktemp("walk"), _quiet), cameras


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_each_mapper_finds_the_true_path_with_the_true_lens(matched, mapper) -> None:
    database, truth = matched
    prior = lens_prior(*SIZE, is_video=True, focal_px=0.7 * SIZE[0])

    found = solve(database, COUNT, SIZE, prior, Plan(mapper, is_fixed=True), _quiet)

    assert found is not None
    assert found.kept == list(range(COUNT))
    assert found.complaints == []
    theirs = truth.positions.astype(float)
    extent = np.linalg.norm(np.ptp(theirs, axis=0))
    off = np.linalg.norm(aligned(found.cameras.positions.astype(float), theirs) - theirs, axis=1)
    assert off.max() < 0.02 * extent
    assert found.colors.std() > 10  # points have the pictures' colours


def test_refining_brings_a_wrong_lens_near_the_true_one_and_straightens_the_path(matched) -> None:
    database, truth = matched
    prior = lens_prior(*SIZE, is_video=True, focal_px=None)

    bent = solve(database, COUNT, SIZE, prior, Plan("global", is_fixed=True), _quiet)
    found = solve(database, COUNT, SIZE, prior, Plan("global", is_fixed=True, refine_after=True), _quiet)

    theirs = truth.positions.astype(float)
    off = [
        np.linalg.norm(aligned(s.cameras.positions.astype(float), theirs) - theirs, axis=1).max()
        for s in (bent, found)
    ]
    assert bent.camera.focal_length_x == SIZE[0]
    assert found.camera.focal_length_x == pytest.approx(0.7 * SIZE[0], rel=0.05)
    assert off[1] < 0.5 * off[0]


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_cancelling_a_mapper_is_passed_on(matched, mapper) -> None:
    def stop(share: float, phrase: str) -> None:
        raise CancelledError("stopped")

    prior = lens_prior(*SIZE, is_video=True, focal_px=None)
    with pytest.raises(CancelledError):
        solve(matched[0], COUNT, SIZE, prior, Plan(mapper, is_fixed=True), stop)
