from __future__ import annotations

import pytest

from reconstruction.errors import InvalidInputError
from reconstruction.frames import FrameSequence
from reconstruction.lens import lens_prior
from reconstruction.poses import estimate_poses
from tests.reconstruction.textured import room_walk

TRUE_OVER_EDGE = 0.7


@pytest.fixture(scope="module")
def walk() -> FrameSequence:
    return room_walk(10, focal_over_edge=TRUE_OVER_EDGE)[0]


@pytest.mark.parametrize(("off", "is_believed"), [(0.88, True), (1.14, True), (0.86, False), (1.16, False)])
def test_a_lens_within_15_percent_of_its_record_is_believed(off: float, is_believed: bool) -> None:
    prior = lens_prior(320, 200, is_video=False, focal_px=300.0)

    assert (prior.complaint(300.0 * off, 320) is None) == is_believed


def test_without_a_record_only_an_absurd_lens_is_a_complaint() -> None:
    prior = lens_prior(200, 320, is_video=False, focal_px=None)

    assert prior.focal_px == pytest.approx(1.2 * 320)
    assert prior.complaint(0.5 * 320, 200) is None
    # 200 px wide at a focal length of 8 * 320 px: 2 atan(100 / 2560).
    assert "see 4 degrees across" in str(prior.complaint(8 * 320, 200))


def test_a_record_that_is_a_little_off_is_corrected_by_the_pictures(walk) -> None:
    posed = estimate_poses(walk, is_video=False, focal_px=1.11 * TRUE_OVER_EDGE * 320)

    # Undistorting widens the focal length by up to 4 %.
    assert posed.frames.cameras.Ks[0, 0, 0] / 320 == pytest.approx(TRUE_OVER_EDGE, rel=0.05)
    assert any("its camera recorded 66" in note for note in posed.report.notes)  # 2 atan(1 / 1.554)


def test_a_lens_far_from_its_record_is_not_accepted_and_said(walk) -> None:
    posed = estimate_poses(walk, is_video=False, focal_px=2 * TRUE_OVER_EDGE * 320)

    assert posed.frames.cameras.Ks[0, 0, 0] == pytest.approx(2 * TRUE_OVER_EDGE * 320)
    (said,) = [note for note in posed.report.notes if "the record is kept" in note]
    assert "its camera recorded 39" in said  # 2 atan(1 / 2.8)


@pytest.mark.parametrize("focal_px", [0.0, -3.0, float("nan"), float("inf")])
def test_a_focal_length_must_be_one(walk, focal_px: float) -> None:
    with pytest.raises(InvalidInputError, match="focal_px must be a positive number"):
        estimate_poses(walk, is_video=True, focal_px=focal_px)


def test_the_lens_of_a_clip_is_found_where_the_clip_fixes_it(walk) -> None:
    posed = estimate_poses(walk, is_video=True)

    # The guess before is 1.0, 43 % off.
    assert posed.frames.cameras.Ks[0, 0, 0] / 320 == pytest.approx(TRUE_OVER_EDGE, rel=0.07)
    assert any("lens is estimated" in note for note in posed.report.notes)


def test_halves_that_disagree_leave_the_lens_as_assumed(walk, monkeypatch) -> None:
    # Every clip's halves disagree by some thousandths.
    monkeypatch.setattr("reconstruction.refinement.HALVES_AGREE", 1e-4)

    posed = estimate_poses(walk, is_video=True)

    assert posed.frames.cameras.Ks[0, 0, 0] == 320
    assert any("lens is assumed" in note for note in posed.report.notes)


def test_a_clip_whose_record_contradicts_its_pictures_keeps_the_record(walk) -> None:
    posed = estimate_poses(walk, is_video=True, focal_px=2 * TRUE_OVER_EDGE * 320)

    assert posed.frames.cameras.Ks[0, 0, 0] == pytest.approx(2 * TRUE_OVER_EDGE * 320)
