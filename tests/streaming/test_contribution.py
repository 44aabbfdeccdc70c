from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.cameras import Cameras
from reconstruction.kernels import build
from reconstruction.kernels.binding import SplatRaster, load_kernels, planar
from reconstruction.rasterizers.draw import draw
from reconstruction.splats import SplatCloud
from streaming.contribution import contributions, removal_costs
from streaming.refine import viewpoints
from tests.streaming.splat_clouds import lopsided_cloud


def _scene(degree: int = 1) -> tuple[SplatCloud, Cameras]:
    cloud = lopsided_cloud(900, degree=degree)
    views = viewpoints(cloud.means, [], seed=3)
    # Odd sides: part of a tile and of a vector lies outside, and must count for nobody.
    K = views.Ks[:7] * np.array([[0.4], [0.35], [1]], np.float32)
    return cloud, Cameras(views.viewmats[:7], K, 77, 51)


def test_weights_add_up_to_what_the_pictures_cover() -> None:
    cloud, views = _scene()

    sums, squares = contributions(cloud, views)

    assert sums.sum() == pytest.approx(draw(cloud, views).alphas.sum(dtype=np.float64), rel=1e-5)
    assert ((squares >= 0) & (squares <= sums)).all()


def test_each_splat_counts_as_pictures_change_when_it_alone_is_painted_over() -> None:
    cloud, views = _scene(degree=0)
    cloud = replace(cloud, sh=np.abs(cloud.sh))  # no channel is cut off at black
    sums, squares = contributions(cloud, views)
    before = draw(cloud, views).images.astype(np.float64)
    seen = np.argsort(sums)[[-1, -40, -300]]

    for splat in seen:
        sh = cloud.sh.copy()
        sh[splat, 0] += 1 / 0.28209479177  # every channel brighter by 1
        change = draw(replace(cloud, sh=sh), views).images.astype(np.float64)[..., 2] - before[..., 2]
        assert sums[splat] == pytest.approx(change.sum(), rel=2e-3)
        assert squares[splat] == pytest.approx((change**2).sum(), rel=2e-3)


def test_cost_of_removal_is_the_squared_change_when_it_alone_is_taken_away() -> None:
    cloud, views = _scene()
    costs = removal_costs(cloud, views)
    before = draw(cloud, views).images.astype(np.float64)

    for splat in np.argsort(costs)[[-1, -30, -400]]:
        rest = cloud.subset(np.delete(np.arange(len(cloud)), splat))
        after = draw(rest, views).images.astype(np.float64)
        assert costs[splat] == pytest.approx(((after - before) ** 2).sum(), rel=1e-4)


def test_what_stands_behind_a_camera_or_a_wall_is_worth_nothing() -> None:
    cloud, views = _scene(degree=0)
    hidden = 5
    means, opacities = cloud.means.copy(), cloud.opacities.copy()
    means[hidden] = [400, 900, 400]
    opacities[9] = 1e-6
    sums, squares = contributions(replace(cloud, means=means, opacities=opacities), views)

    assert sums[hidden] == squares[hidden] == sums[9] == 0


def test_contributions_are_bitwise_the_same_for_any_number_of_threads_and_close_for_any_processor() -> None:
    cloud, views = _scene()
    rows, picture = planar(cloud), np.empty((views.height, views.width, 3), np.float32)
    levels = build.levels()[: load_kernels("baseline").raster_cpu_level() + 1]
    found = {}
    for level, threads in [(level, threads) for level in levels for threads in (1, 3)]:
        raster = SplatRaster(threads, level)
        totals = np.zeros((3, len(cloud)))
        raster.look(views.viewmats[2], views.Ks[2], views.width, views.height)
        raster.forward(rows, len(cloud), picture)
        raster.add_shares(totals)
        found[level, threads] = totals

    for level in levels:
        np.testing.assert_array_equal(found[level, 1], found[level, 3])
        np.testing.assert_allclose(found[level, 1], found[levels[0], 1], rtol=2e-3, atol=1e-4)


def test_shares_of_no_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="none was drawn"):
        SplatRaster(1).add_shares(np.zeros((3, 4)))
