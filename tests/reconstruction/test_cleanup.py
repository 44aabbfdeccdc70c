"""Planted floaters, near sky, needles and unseen splats go; what pictures need stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from reconstruction.cleanup import CleanupSettings, clean
from reconstruction.conventions import quats_from_rotmats
from reconstruction.errors import InvalidArrayError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.fusion import join
from reconstruction.lifting import LiftSettings, lift
from reconstruction.optimize import FitSettings, fit
from reconstruction.quality import cleanup_effect
from reconstruction.rasterizers.draw import draw
from reconstruction.schedule import Rates
from reconstruction.spherical_harmonics import SH_C0
from reconstruction.splats import SplatCloud
from tests.reconstruction.rooms import cameras_along, depths_of, floor, points_of, walls_around

_PATH = [(1.2, 1.0), (4.6, 2.9), (1.1, 3.2), (4.9, 1.0), (1.4, 5.6), (3.9, 3.2)]
_HELD_OUT = tuple(range(30, 36))  # all views from the last place: away from the others


@pytest.fixture(scope="module")
def yard() -> FrameSequence:
    """A yard with a low wall on three sides and a hut in it; over the wall and on the fourth side is sky."""
    hut = walls_around([(2.4, 1.6), (3.3, 1.6), (3.3, 2.5), (2.4, 2.5)], 0.0, 1.9)
    outline = walls_around([(-4.0, 9.0), (-4.0, -5.0), (9.0, -5.0), (9.0, 9.0)], 0.0, 2.2).subset(
        np.arange(6)
    )
    mesh = join(
        [floor(-4, 9, -5, 9), hut, outline, walls_around([(2.4, 2.5), (3.3, 2.5), (3.3, 1.6), (2.4, 1.6)])]
    )
    cameras = cameras_along(_PATH, turns=6, width=160, height=90, pitch=0.0)
    depths = depths_of(mesh, cameras)
    points = points_of(np.where(np.isfinite(depths), depths, 1e3), cameras)
    pattern = np.sin(points @ np.array([[3.0, 1.0, 2.0], [2.0, 5.0, 1.0], [1.0, 2.0, 4.0]]))
    colors = np.where(np.isfinite(depths)[..., None], 0.45 + 0.3 * pattern, [0.55, 0.7, 0.95])
    images = np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8)
    return FrameSequence(
        images, Provenance("procedural", True), cameras, depths.astype(np.float32), held_out=_HELD_OUT
    )


@pytest.fixture(scope="module")
def clean_cloud(yard: FrameSequence) -> SplatCloud:
    cloud = lift(yard, LiftSettings(splat_count=25_000, opacity=0.8, scale=0.9))
    return clean(cloud, yard)[0]


def _added(cloud: SplatCloud, means, scales, quats, opacity: float) -> SplatCloud:
    """Put magenta splats behind the others in the arrays."""
    count = len(means)
    color = (np.array([0.95, 0.1, 0.8]) - 0.5) / SH_C0
    return SplatCloud(
        np.concatenate([cloud.means, means]).astype(np.float32),
        np.concatenate([cloud.quats, quats]).astype(np.float32),
        np.concatenate([cloud.scales, scales]).astype(np.float32),
        np.concatenate([cloud.opacities, np.full(count, opacity)]).astype(np.float32),
        np.concatenate([cloud.sh, np.tile(color, (count, 1, 1))]).astype(np.float32),
    )


def _upright(count: int) -> NDArray[np.float64]:
    return np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))


def _turned(axes: NDArray) -> NDArray:
    """Quaternions whose local x axis points along `axes` [M, 3]."""
    x = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    y = np.cross(x, np.array([0.31, 0.9, -0.2]))
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return quats_from_rotmats(np.stack([x, y, np.cross(x, y)], axis=-1))


def _off_the_hut(points: NDArray) -> NDArray[np.bool_]:
    return (abs(points[:, 0] - 2.85) > 0.9) | (abs(points[:, 2] - 2.05) > 0.9)


def _floaters(random: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Middles in the free space between the places and over the ground, and sizes of 2 to 6 cm."""
    means = random.uniform([-1.0, 0.5, -1.5], [6.5, 1.5, 6.5], (400, 3))
    means = means[_off_the_hut(means)]
    return means, random.uniform(0.02, 0.06, (len(means), 3))


def _kept(means: NDArray, others: NDArray) -> NDArray[np.bool_]:
    """Return which of `means` [N, 3] are among `others`."""
    known = {tuple(mean) for mean in others.astype(np.float32)}
    return np.array([tuple(mean) in known for mean in means.astype(np.float32)])


@pytest.mark.parametrize("opacity", [0.25, 0.9])
def test_floaters_go_and_they_alone(yard: FrameSequence, clean_cloud: SplatCloud, opacity: float) -> None:
    means, scales = _floaters(np.random.default_rng(4))
    dirty = _added(clean_cloud, means, scales, _upright(len(means)), opacity)

    found, report = clean(dirty, yard)

    planted = _kept(means, found.means)
    lost = len(clean_cloud) - (len(found) - planted.sum())
    assert planted.mean() <= 0.05
    assert lost <= 0.01 * len(clean_cloud)
    assert report.floater_count + report.near_sky_count >= 0.95 * len(means)
    assert report.splat_count == len(dirty)
    assert report.removed_count == len(dirty) - len(found)


def test_splats_before_the_sky_go_and_the_shell_stays(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    random = np.random.default_rng(6)
    angle = random.uniform(0, 2 * np.pi, 300)
    far = random.uniform(14.0, 25.0, 300)
    height = 1.6 + far * random.uniform(0.15, 0.4, 300)
    means = np.stack([2.5 + far * np.sin(angle), height, 2.5 + far * np.cos(angle)], axis=1)
    dirty = _added(clean_cloud, means, random.uniform(0.1, 0.4, (300, 3)), _upright(300), 0.6)

    found, report = clean(dirty, yard)

    kept = _kept(means, found.means)
    shell = np.linalg.norm(clean_cloud.means, axis=1) > 40
    assert report.near_sky_count >= 0.95 * 300
    assert kept.mean() <= 0.05
    assert shell.sum() > 1000
    assert _kept(clean_cloud.means[shell], found.means).mean() > 0.99


def test_needles_that_stick_out_are_shortened_and_discs_and_edges_are_not(
    yard: FrameSequence, clean_cloud: SplatCloud
) -> None:
    random = np.random.default_rng(7)
    feet = random.uniform([-0.5, 0.0, -1.0], [6.0, 0.02, 6.0], (200, 3))
    feet = feet[_off_the_hut(feet)]
    count = len(feet)
    up = random.normal(0, 0.25, (count, 3)) + [0.0, 1.0, 0.0]
    needles = _added(clean_cloud, feet, np.tile([0.4, 0.008, 0.01], (count, 1)), _turned(up), 0.8)
    # On the ground: threads that lie in it, and discs as large as the needles are long.
    flat = random.normal(0, 1, (100, 3)) * [1.0, 0.0, 1.0]
    places = random.uniform([-0.5, 0.0, 3.0], [6.0, 0.005, 6.0], (200, 3))
    dirty = _added(needles, places[:100], np.tile([0.25, 0.01, 0.008], (100, 1)), _turned(flat), 0.8)
    discs = np.tile([0.2, 0.004, 0.18], (100, 1))
    dirty = _added(dirty, places[100:], discs, _upright(100), 0.8)

    found, report = clean(dirty, yard)

    before = {tuple(mean): size for mean, size in zip(dirty.means, dirty.scales.max(axis=1), strict=True)}
    shortened = np.array([before[tuple(mean)] for mean in found.means]) > found.scales.max(axis=1)
    is_needle = _kept(found.means, feet)
    assert report.needle_count == shortened.sum()
    assert (shortened & is_needle).sum() + (count - is_needle.sum()) >= 0.95 * count
    assert (shortened & ~is_needle).sum() <= 2
    assert found.scales[is_needle & shortened].max() < 0.03


def test_splats_that_no_picture_shows_go(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    random = np.random.default_rng(9)
    under = random.uniform([-2.0, -3.0, -2.0], [7.0, -0.5, 7.0], (300, 3))
    dirty = _added(clean_cloud, under, np.full((300, 3), 0.02), _upright(300), 0.9)

    found, report = clean(dirty, yard)

    assert report.unseen_count >= 0.95 * 300
    assert _kept(under, found.means).mean() <= 0.05


def test_nothing_visible_changes_in_a_clean_scene(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    found, report = clean(clean_cloud, yard)

    assert report.removed_count <= 0.01 * len(clean_cloud)
    assert report.needle_count <= 0.001 * len(clean_cloud)
    before, after = (draw(cloud, yard.cameras) for cloud in (clean_cloud, found))
    assert np.abs(before.images - after.images).mean() < 1e-4
    assert np.quantile(np.abs(before.images - after.images), 0.999) < 0.02


def test_views_beside_the_path_get_better(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    means, scales = _floaters(np.random.default_rng(5))
    dirty = _added(clean_cloud, means, scales, _upright(len(means)), 0.9)
    found, report = clean(dirty, yard)
    cameras, truth = yard.cameras.subset(list(_HELD_OUT)), yard.images[list(_HELD_OUT)] / 255

    errors = [np.square(draw(cloud, cameras).images - truth).mean() for cloud in (dirty, found, clean_cloud)]

    assert errors[1] < 0.8 * errors[0]
    assert errors[1] == pytest.approx(errors[2], rel=0.03)
    sentence = cleanup_effect(dirty, found, yard, report)
    assert f"took away {report.removed_count:,} of {len(dirty):,} splats" in sentence
    assert "floating in free space" in sentence


def test_faint_floaters_go_without_depths_too(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    means, scales = _floaters(np.random.default_rng(4))
    dirty = _added(clean_cloud, means, scales, _upright(len(means)), 0.25)

    found, report = clean(dirty, replace(yard, depths=None))

    planted = _kept(means, found.means)
    assert planted.mean() < 0.5  # before sky nothing tells a floater
    assert len(clean_cloud) - (len(found) - planted.sum()) <= 0.01 * len(clean_cloud)
    assert report.near_sky_count == 0


def test_held_out_pictures_and_depths_decide_nothing(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    depths = yard.depths.copy()
    depths[list(_HELD_OUT)] = 0.3

    assert clean(clean_cloud, replace(yard, depths=depths))[1] == clean(clean_cloud, yard)[1]


def test_unknown_depths_convict_nobody(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    means, scales = _floaters(np.random.default_rng(4))
    dirty = _added(clean_cloud, means, scales, _upright(len(means)), 0.9)
    # Known nowhere but in one corner, so that the shell can be sized.
    depths = np.zeros_like(yard.depths)
    depths[:, :2, :2] = 5.0

    report = clean(dirty, replace(yard, depths=depths))[1]

    assert report.floater_count + report.near_sky_count == 0


def test_senseless_input_is_refused(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    with pytest.raises(InvalidArrayError, match="must have cameras"):
        clean(clean_cloud, replace(yard, cameras=None))
    with pytest.raises(InvalidArrayError, match="held out"):
        clean(clean_cloud, replace(yard, held_out=tuple(range(len(yard)))))
    with pytest.raises(InvalidArrayError, match="through_share"):
        CleanupSettings(through_share=float("nan"))
    with pytest.raises(InvalidArrayError, match="width_px"):
        CleanupSettings(width_px=0)


def test_a_fit_cleans_before_it_settles(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    means, scales = _floaters(np.random.default_rng(5))
    dirty = _added(clean_cloud, means, scales, _upright(len(means)), 0.9)
    still = Rates(means=0, log_scales=0, quats=0, opacity_logits=0, sh=0, sh_rest=0)
    settings = FitSettings(iterations=20, growth_rounds=0, coarse_share=0, rates=still)

    kept = fit(yard, dirty, settings)
    cleaned = fit(yard, dirty, replace(settings, cleanup=CleanupSettings()))
    expected, report = clean(kept.cloud, yard)

    assert kept.cleanup is None and len(kept.cloud) == len(dirty)
    assert cleaned.cleanup == report and report.floater_count > 0.8 * len(means)
    np.testing.assert_allclose(cleaned.cloud.means, expected.means)
    np.testing.assert_allclose(cleaned.cloud.scales, expected.scales, rtol=1e-5)
    np.testing.assert_array_equal(cleaned.before_cleanup.means, kept.cloud.means)


def test_what_is_left_fills_the_gaps(yard: FrameSequence) -> None:
    cloud = lift(yard, LiftSettings(splat_count=6_000))
    settings = FitSettings(iterations=300, cleanup=CleanupSettings())
    result = fit(yard, cloud, settings)
    train = yard.cameras.subset(list(yard.train))
    truth = yard.images[list(yard.train)] / 255

    at_once, _ = clean(result.before_cleanup, yard)
    errors = [np.square(draw(found, train).images - truth).mean() for found in (at_once, result.cloud)]

    assert errors[1] < errors[0]


def test_a_short_fit_is_cleaned_too(yard: FrameSequence, clean_cloud: SplatCloud) -> None:
    result = fit(yard, clean_cloud, FitSettings(iterations=3, cleanup=CleanupSettings()))

    assert result.cleanup is not None
    assert len(result.cloud) == len(clean_cloud) - result.cleanup.removed_count
