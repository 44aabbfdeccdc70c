"""Alignment of relative depth to points, and the check between neighbours, on synthetic truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.conventions import F32
from reconstruction.errors import InvalidInputError, MissingBackendError, UnliftableInputError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.learned.align import align
from reconstruction.learned.consistency import confirmed, look, observe, unproject
from reconstruction.learned.metric_depth import densify, estimate_depths
from reconstruction.learned.sources import (
    DepthPrediction,
    SourceSettings,
    load_depth_source,
    load_pose_source,
)
from reconstruction.posed_frames import PosedFrames, PoseReport
from tests.reconstruction.walls import HEIGHT, NORMAL, OFFSET, WIDTH, walk, wall_depths


def _truth(rng: np.random.Generator, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    depths = rng.uniform(1.5, 12, count)
    return (1 / depths - 0.07) / 0.013, depths  # 1 / depth = 0.013 value + 0.07


def test_scale_and_shift_survive_forty_percent_of_wrong_points() -> None:
    rng = np.random.default_rng(3)
    values, depths = _truth(rng)
    depths[:80] = rng.uniform(0.5, 40, 80)  # mismatches
    keep = values >= 0

    found = align(values[keep], depths[keep])

    assert found.scale == pytest.approx(0.013, rel=0.01)
    assert found.shift == pytest.approx(0.07, rel=0.02)
    assert 0.5 < found.agreeing_share < 0.75


def test_noise_is_averaged_not_followed() -> None:
    rng = np.random.default_rng(4)
    values, truth = _truth(rng, 400)
    values, truth = values[values >= 0], truth[values >= 0]

    found = align(values, truth * np.exp(rng.normal(0, 0.04, len(truth))))

    # No two of the noisy points give a map this close; it takes all of them.
    assert np.abs(truth * (found.scale * values + found.shift) - 1).max() < 0.006


def test_a_model_that_has_near_and_far_the_wrong_way_round_is_refused() -> None:
    depths = np.linspace(4.0, 4.7, 60)  # little enough for a flat map to agree within a tenth

    with pytest.raises(UnliftableInputError, match="what the model calls near lies far"):
        align(depths + np.random.default_rng(2).normal(0, 0.1, 60), depths)


def test_a_metric_model_is_only_scaled() -> None:
    rng = np.random.default_rng(5)
    depths = rng.uniform(2, 9, 60)
    values = 1 / (1.7 * depths)
    depths[:20] *= 3  # hidden behind what the picture shows

    found = align(values, depths, has_shift=False)

    assert found.shift == 0 and found.scale == pytest.approx(1.7, rel=1e-3)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda v, d, r: (v[:19], d[:19]), "needs 20 points"),
        (lambda v, d, r: (v, r.permutation(d)), "contradicts the points"),
        (lambda v, d, r: (v.max() - v, d), "contradicts the points"),  # depth, not inverse depth
        (lambda v, d, r: (np.full_like(v, np.nan), d), "got 0"),
        (lambda v, d, r: (v, np.full_like(d, 4.0)), "near and far|contradicts"),
    ],
)
def test_too_few_or_contradictory_points_are_refused(spoil, rule) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(6)
    values, depths = _truth(rng)
    values, depths = values[values >= 0], depths[values >= 0]

    with pytest.raises(UnliftableInputError, match=rule):
        align(*spoil(values, depths, rng))


def test_a_point_is_seen_at_its_own_depth_by_other_cameras() -> None:
    cameras = walk()
    depths = wall_depths(cameras)

    points = unproject(depths[0], cameras, 0)
    z, pixels, there = look(points, depths[3], cameras, 3)

    np.testing.assert_allclose(points @ [0.4, 0.2, 1.0], -5, atol=1e-4)
    assert (there > 0).mean() > 0.5
    np.testing.assert_allclose(there[there > 0], z[there > 0], rtol=0.02)
    assert pixels[there > 0].max(axis=0)[0] < WIDTH


def test_what_floats_in_front_is_dropped_and_what_is_hidden_stays() -> None:
    cameras = walk()
    depths = wall_depths(cameras)
    depths[2, 10:20, 15:30] *= 0.6  # floats before the wall that the others see
    depths[2, 25:35, 35:50] *= 1.5  # behind the wall: might be hidden
    depths[2, 0, 0] = 0

    kept = confirmed(depths, cameras)

    assert not kept[2, 10:20, 15:30].any()
    assert kept[2, 25:35, 35:50].all()
    assert not kept[2, 0, 0]
    untouched = np.ones((HEIGHT, WIDTH), bool)
    untouched[10:20, 15:30] = untouched[0, 0] = False
    assert kept[2][untouched].all()


def test_observations_hold_the_true_pixels() -> None:
    cameras = walk()

    points, seen = observe(wall_depths(cameras), cameras)

    for frame, point, pixel in list(zip(seen.frames, seen.points, seen.pixels, strict=True))[::97]:
        x_cam = cameras.viewmats[frame] @ np.append(points[point], 1)
        projected = cameras.Ks[frame] @ x_cam[:3]
        np.testing.assert_allclose(pixel, projected[:2] / projected[2], atol=1e-3)
    assert len(seen.points) > 3 * len(points)


class _Relative:
    """A source that knows the truth up to a factor and an offset of each picture's own."""

    def __init__(self, depths: F32, kind: str = "relative") -> None:
        self.depths, self.kind = depths, kind

    def __call__(self, images, cameras, progress=None) -> DepthPrediction:  # type: ignore[no-untyped-def]
        factors = np.arange(1, len(images) + 1, dtype=np.float32)[:, None, None] * 7
        if self.kind == "metric":
            return DepthPrediction((1 / (self.depths * factors)).astype(np.float32), "metric")
        inverse = (1 / self.depths - 0.05) * factors
        return DepthPrediction(inverse.astype(np.float32), "relative")


def _posed(points: F32) -> PosedFrames:
    cameras = walk()
    images = np.zeros((5, HEIGHT, WIDTH, 3), np.uint8)
    frames = FrameSequence(images, Provenance("clip", is_generated=False), cameras)
    report = PoseReport("structure from motion", 5, 5, None, ())
    return PosedFrames(frames, points, np.zeros((len(points), 3), np.uint8), report)


def _sparse(count: int = 80) -> F32:
    cameras = walk()
    points = unproject(wall_depths(cameras)[1], cameras, 1)
    return points[np.random.default_rng(1).choice(len(points), count, replace=False)].astype(np.float32)


@pytest.mark.parametrize("kind", ["relative", "metric"])
def test_a_model_becomes_metric_through_the_points(kind: str) -> None:
    truth = wall_depths(walk())

    depths, confidence, notes = estimate_depths(_posed(_sparse()), _Relative(truth, kind))

    known = depths > 0
    assert known.mean() > 0.9 and notes == ()
    np.testing.assert_allclose(depths[known], truth[known], rtol=0.03)
    assert confidence[known].mean() > 0.95


def test_a_picture_that_fits_no_points_is_left_out_with_a_note() -> None:
    truth = wall_depths(walk())
    wrong = truth.copy()
    wrong[2] = 1 / (1 / truth[2].min() + 0.1 - 1 / truth[2])  # near is far

    depths, _, notes = estimate_depths(_posed(_sparse()), _Relative(wrong))

    assert (depths[2] == 0).all() and (depths[1] > 0).mean() > 0.9
    assert notes == ("depth of 1 of 5 pictures fits no points and is left out",)


def test_points_at_the_depths_lie_on_the_wall_with_the_pictures_colours() -> None:
    posed = _posed(_sparse())
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixel_names = np.stack([u, v, np.zeros_like(u)], axis=-1).astype(np.uint8)
    images = np.tile(pixel_names, (5, 1, 1, 1))
    images[..., 2] = np.arange(5)[:, None, None]
    frames = replace(posed.frames, images=images)

    dense = densify(replace(posed, frames=frames), _Relative(wall_depths(walk())))

    added, colors = dense.points[80:], dense.colors[80:]
    assert len(added) > 10_000 and dense.frames.depths is None
    assert np.abs(added @ NORMAL - OFFSET).max() < 0.15
    assert "depths are guessed by a model" in dense.report.notes
    for frame in range(5):  # each projects into the pixel whose name it carries
        own = colors[:, 2] == frame
        x_cam = added[own] @ walk().viewmats[frame, :3, :3].T + walk().viewmats[frame, :3, 3]
        pixels = x_cam[:, :2] / x_cam[:, 2:] * 52 + [WIDTH / 2, HEIGHT / 2]
        np.testing.assert_allclose(pixels, colors[own][:, :2] + 0.5, atol=0.01)


def test_held_out_pictures_are_not_looked_at() -> None:
    posed = _posed(_sparse())
    posed = replace(posed, frames=replace(posed.frames, held_out=(2,)))
    truth = wall_depths(walk())[[0, 1, 3, 4]]

    depths, confidence, _ = estimate_depths(posed, _Relative(truth))  # has no answer for a fifth picture

    assert (depths[2] == 0).all() and (confidence[2] == 0).all()
    np.testing.assert_allclose(depths[3][depths[3] > 0], truth[2][depths[3] > 0], rtol=0.03)


def test_without_points_there_is_no_depth() -> None:
    with pytest.raises(UnliftableInputError, match=r"no picture's depth fits .* needs 20 points"):
        estimate_depths(_posed(_sparse()[:5]), _Relative(wall_depths(walk())))


def test_unknown_sources_are_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match=r"depth source must be one of .*depth-pro.*, got 'midas'"):
        load_depth_source("midas", SourceSettings("x"))
    with pytest.raises(InvalidInputError, match=r"pose source must be one of .*vggt.*, got 'dust3r'"):
        load_pose_source("dust3r", SourceSettings("x"))
    with pytest.raises(MissingBackendError, match="'vggt' needs a Python environment of its own"):
        load_pose_source("vggt", SourceSettings("x"))
