"""The quality report tells good from bad, and pictures under wrong poses are bad."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.errors import InvalidArrayError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.optimize import FitSettings, fit
from reconstruction.quality import QualityFigures, assess, held_out_pairs, judge, nearest_known_views
from reconstruction.rasterizers.draw import draw
from reconstruction.schedule import Rates
from reconstruction.spherical_harmonics import SH_C0
from reconstruction.splats import SplatCloud

_HELD_OUT = (2, 5, 7)


def _cloud() -> SplatCloud:
    """A lopsided hall of coloured splats around the cameras."""
    random = np.random.default_rng(11)
    count = 9000
    ways = random.normal(size=(count, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    means = ways * np.array([6.0, 3.5, 8.0]) + np.array([1.0, 0.4, -1.5])
    colors = 0.5 + 0.2 * np.sin(means @ random.normal(0, 1.4, (3, 3)) + np.array([0.0, 1.0, 2.0]))
    colors = np.clip(colors + random.normal(0, 0.25, (count, 3)), 0, 1)  # detail that a blur destroys
    return SplatCloud(
        means=means.astype(np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        scales=random.uniform(0.1, 0.18, (count, 3)).astype(np.float32),
        opacities=np.full(count, 0.95, np.float32),
        sh=((colors[:, None] - 0.5) / SH_C0).astype(np.float32),
    )


def _frames(cloud: SplatCloud, count: int, held_out: tuple[int, ...]) -> FrameSequence:
    """Pictures of the hall to all sides, from a place that moves on."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    viewmats = []
    for k, angle in enumerate(angles):
        eye = np.array([2.7 * k / count, 0.2 * np.sin(angle), 0.0])
        viewmats.append(look_at_viewmat(eye, eye + np.array([np.sin(angle), 0.1, -np.cos(angle)])))
    K = intrinsics(90.0, 120, 68)
    cameras = Cameras(np.stack(viewmats), np.repeat(K[None], count, axis=0), 120, 68)
    images = np.rint(np.clip(draw(cloud, cameras).images, 0, 1) * 255).astype(np.uint8)
    return FrameSequence(images, Provenance("procedural", True), cameras, held_out=held_out)


@pytest.fixture(scope="module")
def scene() -> tuple[SplatCloud, FrameSequence]:
    cloud = _cloud()
    return cloud, _frames(cloud, 9, _HELD_OUT)


def test_splats_that_made_the_pictures_are_good(scene) -> None:
    cloud, frames = scene

    report = assess(cloud, frames)

    assert report.psnr_db > 45  # only the rounding to 8 bits differs
    assert report.ssim > 0.99
    assert report.held_out_frames == 3
    assert report.splat_count == 9000
    assert report.coverage > 0.99
    assert report.verdict == "good"
    assert report.reasons


def test_pictures_under_shuffled_poses_are_poor(scene) -> None:
    cloud, frames = scene
    order = np.roll(np.arange(9), 2)
    shuffled = replace(frames, cameras=frames.cameras.subset(order.tolist()))

    report = assess(cloud, shuffled)

    assert report.verdict == "poor"
    assert "worse than a heavy blur" in report.reasons[0]


def test_a_fit_to_shuffled_poses_is_poor_and_to_true_ones_is_not(scene) -> None:
    # Colours are unknown before the fit; what it learns is decided by the poses alone.
    cloud, _ = scene
    frames = _frames(cloud, 27, (4, 11, 17, 22))
    grey = replace(cloud, sh=np.zeros_like(cloud.sh))
    settings = FitSettings(iterations=300, seed=1, coarse_share=0.0, rates=Rates(sh=0.04))
    order = np.random.default_rng(6).permutation(27)
    shuffled = replace(frames, cameras=frames.cameras.subset(order.tolist()))

    honest = assess(fit(frames, grey, settings).cloud, frames)
    wrong = assess(fit(shuffled, grey, settings).cloud, shuffled)

    assert honest.verdict != "poor"
    assert wrong.verdict == "poor"
    assert wrong.psnr_db < honest.psnr_db - 8


def test_a_small_shift_of_every_splat_costs_the_good_verdict(scene) -> None:
    cloud, frames = scene
    shifted = replace(cloud, means=cloud.means + np.float32(0.2))

    report = assess(shifted, frames)

    assert report.verdict in ("usable", "poor")
    assert report.psnr_db < 35


def test_a_cloud_with_a_hole_says_how_much_of_the_view_is_empty(scene) -> None:
    cloud, frames = scene
    holed = cloud.subset(cloud.means[:, 0] < 3.0)

    report = assess(holed, frames)

    assert report.coverage < 0.97
    assert any("is empty" in reason for reason in report.reasons)


def test_only_held_out_frames_decide(scene) -> None:
    cloud, frames = scene
    images = frames.images.copy()
    images[list(frames.train)] = 255 - images[list(frames.train)]

    spoiled = assess(cloud, replace(frames, images=images))

    assert spoiled.psnr_db == assess(cloud, frames).psnr_db
    assert spoiled.train_psnr_db < 20


def test_pairs_show_truth_left_and_render_right(scene) -> None:
    cloud, frames = scene

    pairs = dict(held_out_pairs(cloud.subset(np.arange(100)), frames))

    assert sorted(pairs) == sorted(_HELD_OUT)
    assert pairs[5].shape == (68, 240, 3)
    np.testing.assert_array_equal(pairs[5][:, :120], frames.images[5])
    assert (pairs[5][:, 120:] == 0).mean() > 0.5


def test_views_between_known_ones_are_said_to_flatter(scene) -> None:
    cloud, _ = scene
    # A walk of 4 m: every third frame held out, half a step from its neighbours, or all of one far corner.
    eyes = np.stack([np.linspace(0, 4, 13), np.full(13, 0.1), np.zeros(13)], axis=1)
    eyes[12] = [4.0, 0.1, 3.0]
    turns = np.radians([0.0] * 12 + [35.0])
    heads = np.stack([np.sin(turns), np.full(13, -0.1), -np.cos(turns)], axis=1)
    viewmats = np.stack([look_at_viewmat(eye, eye + head) for eye, head in zip(eyes, heads, strict=True)])
    cameras = Cameras(viewmats, np.repeat(intrinsics(90.0, 120, 68)[None], 13, axis=0), 120, 68)
    images = np.zeros((13, 68, 120, 3), np.uint8)

    def found(held_out: tuple[int, ...], shift_m: float = 0.0):
        moved = viewmats.copy()
        moved[list(held_out), 0, 3] += shift_m
        views = replace(cameras, viewmats=moved)
        return nearest_known_views(FrameSequence(images, Provenance("clip", False), views, held_out=held_out))

    far = found((12,))
    near = found((4, 7), shift_m=-0.25)
    np.testing.assert_allclose(far.distances_m, [np.hypot(4 / 12, 3.0)], atol=1e-3)
    np.testing.assert_allclose(far.turns_deg, [35.0], atol=0.3)
    assert "3.02 m and 35 degrees from" in far.sentence
    np.testing.assert_allclose(near.distances_m, np.full(2, 1 / 3 - 0.25), atol=1e-3)
    assert "2 of 2 unknown views stand beside known ones" in near.sentence
    assert "flatters" in near.sentence
    report = assess(cloud, replace(_frames(cloud, 9, (2,))), notes=("a note",))
    assert report.reasons[-1] == "a note"
    assert report.held_out_turn_deg == pytest.approx(40.0, abs=1.0)
    assert report.held_out_distance_m == pytest.approx(np.hypot(0.3, 0.2 * 0.36), abs=0.05)
    assert "unknown views are 0.3" in report.reasons[-2]


_FINE = QualityFigures(
    psnr_db=22.0,
    ssim=0.6,
    train_psnr_db=24.0,
    coverage=0.99,
    slight_blur_db=21.3,
    heavy_blur_db=19.4,
)


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({}, "good", "slight blur"),
        ({"psnr_db": 20.5}, "usable", "softer than a slight blur"),
        ({"psnr_db": 19.0}, "poor", "worse than a heavy blur"),
        ({"train_psnr_db": 27.0}, "usable", "5.0 dB better"),
        ({"train_psnr_db": 31.5}, "poor", "9.5 dB better"),
        ({"coverage": 0.9}, "usable", "10% of the unknown views is empty"),
        ({"coverage": 0.7}, "poor", "30% of the unknown views is empty"),
        # A plain wall: even a heavy blur scores 38 dB, and 31 dB still looks right.
        ({"psnr_db": 31.0, "slight_blur_db": 41.0, "heavy_blur_db": 38.0}, "good", "31.0 dB"),
        ({"psnr_db": 14.0, "slight_blur_db": 13.0, "heavy_blur_db": 12.0}, "poor", "15.0 dB"),
    ],
)
def test_verdicts_follow_the_written_thresholds(change, verdict, words) -> None:
    found, reasons = judge(replace(_FINE, **change))

    assert found == verdict
    assert any(words in reason for reason in reasons)


def test_frames_that_hold_nothing_out_are_refused(scene) -> None:
    cloud, frames = scene
    with pytest.raises(InvalidArrayError, match="at least one frame"):
        assess(cloud, replace(frames, held_out=()))
    with pytest.raises(InvalidArrayError, match="must have cameras"):
        assess(cloud, replace(frames, cameras=None))
    with pytest.raises(InvalidArrayError, match="not all be held out"):
        assess(cloud, replace(frames, held_out=tuple(range(9))))
