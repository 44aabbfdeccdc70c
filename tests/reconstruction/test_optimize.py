"""Fitting improves held-out views, never looks at them, and repeats itself exactly."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.density import dead, morton_order, seeds
from reconstruction.errors import InvalidArrayError, InvalidInputError, UnliftableInputError
from reconstruction.exposure import Exposures
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.optimize import FitProgress, FitSettings, fit
from reconstruction.rasterizers.draw import draw
from reconstruction.schedule import Rates, shrink_factor
from reconstruction.splats import SplatCloud

WIDTH, HEIGHT = 64, 46
SHORT = FitSettings(iterations=60, seed=3, max_splats=700)


def truth_cloud(count: int = 700) -> SplatCloud:
    rng = np.random.default_rng(8)
    means = rng.normal(size=(count, 3)) * [1.1, 0.7, 0.8]
    quats = rng.normal(size=(count, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    colors = 0.5 + 0.4 * np.sin(means * [3, 4, 5] + [0, 1, 2])
    arrays = (
        means,
        quats,
        rng.uniform(0.05, 0.16, (count, 3)),
        rng.uniform(0.5, 0.95, count),
        ((colors - 0.5) / 0.2820948)[:, None],
    )
    return SplatCloud(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def scene(held_out: tuple[int, ...] = (2, 7)) -> FrameSequence:
    eyes = [[4 * np.sin(a), 0.4 + 0.3 * np.cos(3 * a), 4 * np.cos(a)] for a in np.linspace(-1.1, 1.2, 10)]
    cameras = Cameras(
        np.stack([look_at_viewmat(np.array(eye), np.array([0.1, 0, 0])) for eye in eyes]),
        np.stack([intrinsics(62, WIDTH, HEIGHT)] * 10),
        WIDTH,
        HEIGHT,
    )
    images = np.rint(draw(truth_cloud(), cameras).images.clip(0, 1) * 255).astype(np.uint8)
    return FrameSequence(images, Provenance("procedural", True), cameras, None, held_out)


def spoiled_start() -> SplatCloud:
    """The true places with grey, round, faint splats."""
    cloud = truth_cloud()
    quats = np.zeros_like(cloud.quats)
    quats[:, 0] = 1
    return SplatCloud(
        cloud.means + np.float32(0.02),
        quats,
        np.full_like(cloud.scales, 0.08),
        np.full_like(cloud.opacities, 0.4),
        np.zeros_like(cloud.sh),
    )


def held_out_psnr(cloud: SplatCloud, frames: FrameSequence) -> float:
    hidden = list(frames.held_out)
    images = draw(cloud, frames.cameras.subset(hidden)).images.clip(0, 1)
    return float(-10 * np.log10(np.mean((images - frames.images[hidden] / 255) ** 2)))


def test_fitting_shows_held_out_views_better():
    frames = scene()

    result = fit(frames, spoiled_start(), replace(SHORT, iterations=300), rasterizer="cpu")

    before, after = held_out_psnr(spoiled_start(), frames), held_out_psnr(result.cloud, frames)
    assert after > before + 10 and after > 24
    assert result.iterations == 300 and result.rasterizer == "cpu" and result.cpu_seconds > 0
    assert result.train_psnr_db > 24


def test_held_out_pixels_change_nothing():
    frames, other = scene(), scene()
    other.images[[2, 7]] = 255 - other.images[[2, 7]]
    settings = replace(SHORT, max_splats=800, exposure=True)

    a, b = (fit(f, spoiled_start(), settings, rasterizer="cpu").cloud for f in (frames, other))

    for name in ("means", "quats", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    other.images[4] = 255 - other.images[4]  # and a training frame does change it
    assert (fit(other, spoiled_start(), settings, rasterizer="cpu").cloud.sh != a.sh).any()


def test_a_seed_and_a_number_of_steps_decide_every_bit():
    frames = scene()
    runs = [
        fit(frames, spoiled_start(), replace(SHORT, seed=seed, threads=threads), rasterizer="cpu").cloud
        for seed, threads in ((3, 1), (3, 3), (4, 1))
    ]

    np.testing.assert_array_equal(runs[0].means, runs[1].means)
    np.testing.assert_array_equal(runs[0].sh, runs[1].sh)
    assert (runs[0].means != runs[2].means).any()


def test_the_budget_in_cpu_seconds_is_kept():
    result = fit(scene(), spoiled_start(), FitSettings(budget_cpu_s=0.5), rasterizer="cpu")

    assert 0.5 <= result.cpu_seconds < 1.0 and result.iterations > 5


def test_a_fit_that_is_good_enough_settles_and_ends_early():
    frames, settings = scene(), FitSettings(iterations=2_000, growth_rounds=0)

    told: list[FitProgress] = []
    enough = fit(frames, spoiled_start(), replace(settings, enough_db=22.0), told.append, rasterizer="cpu")
    never = fit(frames, spoiled_start(), replace(settings, iterations=300, enough_db=60.0), rasterizer="cpu")

    assert 100 < enough.iterations < 1_500 and never.iterations == 300
    assert enough.train_psnr_db > 22
    assert told[-1].fraction == 1
    # As good as a fit that knew from the start how long it would take: the rates have settled.
    planned = fit(frames, spoiled_start(), replace(settings, iterations=enough.iterations), rasterizer="cpu")
    assert held_out_psnr(enough.cloud, frames) > held_out_psnr(planned.cloud, frames) - 0.3
    with pytest.raises(InvalidArrayError, match="enough_db must be 1 to 100 dB, got nan"):
        FitSettings(enough_db=float("nan"))


def test_growth_reaches_its_limit_and_helps():
    frames = scene()
    few = spoiled_start().subset(np.arange(0, 700, 7))
    settings = replace(SHORT, iterations=400)

    as_many = fit(frames, few, replace(settings, max_splats=100), rasterizer="cpu").cloud
    grown = fit(frames, few, replace(settings, max_splats=600), rasterizer="cpu").cloud

    assert len(as_many) <= 100 and 500 < len(grown) <= 600
    assert held_out_psnr(grown, frames) > held_out_psnr(as_many, frames) + 0.4


def test_a_sparse_start_grows_by_itself_as_far_as_the_pixels_go():
    settings = replace(SHORT, max_splats=None)

    grown = fit(scene(), spoiled_start().subset(np.arange(50)), settings, rasterizer="cpu").cloud

    assert 1000 < len(grown) <= 8 * WIDTH * HEIGHT // 16


def test_depths_pull_surfaces_to_where_they_are():
    frames = scene()
    depths = draw(truth_cloud(), frames.cameras).depths
    frames = replace(frames, depths=depths)
    moved = spoiled_start()
    settings = replace(SHORT, iterations=300)

    def depth_error(cloud: SplatCloud) -> float:
        drawn = draw(cloud, frames.cameras).depths
        known = (drawn > 0) & (depths > 0)
        return float(np.abs(drawn[known] / depths[known] - 1).mean())

    free = fit(frames, moved, settings, rasterizer="cpu").cloud
    pulled = fit(frames, moved, replace(settings, depth_weight=0.3), rasterizer="cpu").cloud

    assert depth_error(pulled) < 0.7 * depth_error(free)


def test_higher_harmonics_are_fitted_when_asked_for():
    cloud = fit(scene(), spoiled_start(), replace(SHORT, sh_degree=2), rasterizer="cpu").cloud

    assert cloud.sh_degree == 2 and np.abs(cloud.sh[:, 1:]).max() > 1e-3


def test_exposure_is_told_apart_from_colour():
    frames = scene()
    gains = np.random.default_rng(1).uniform(0.75, 1.25, 10)
    gains[[2, 7]] = 1
    gains /= gains[list(frames.train)].mean()
    images = np.rint(frames.images * gains[:, None, None, None]).clip(0, 255).astype(np.uint8)
    changed = replace(frames, images=images)
    settings = replace(SHORT, iterations=500)

    ignored = fit(changed, spoiled_start(), settings, rasterizer="cpu").cloud
    told = fit(changed, spoiled_start(), replace(settings, exposure=True), rasterizer="cpu").cloud

    assert held_out_psnr(told, frames) > held_out_psnr(ignored, frames) + 1


def test_exposures_keep_their_mean():
    exposures = Exposures((0, 3, 4))
    for step in range(50):
        exposures.move((0, 3, 4)[step % 3], np.array([1, -2, 3, 0.1, 0.5, -0.4]) * (step % 3 - 0.3), 0.1)

    values = np.stack([exposures[frame] for frame in (0, 3, 4)])

    np.testing.assert_allclose(values.mean(0), [[1, 1, 1], [0, 0, 0]], atol=1e-5)
    assert np.abs(values[0] - values[1]).max() > 0.01


def test_pixels_of_no_weight_are_not_learned():
    frames = scene()
    images, weights = frames.images.copy(), np.ones((10, HEIGHT, WIDTH), np.float32)
    for index in frames.train:
        row, column = 3 + 2 * index, 5 + 3 * index
        images[index, row : row + 17, column : column + 21] = (230, 30, 200)
        weights[index, row : row + 17, column : column + 21] = 0
    painted, settings = replace(frames, images=images), replace(SHORT, iterations=300, max_splats=900)

    fooled = fit(painted, spoiled_start(), settings, rasterizer="cpu")
    told = fit(painted, spoiled_start(), settings, rasterizer="cpu", weights=weights)
    clean = fit(frames, spoiled_start(), settings, rasterizer="cpu")

    assert held_out_psnr(told.cloud, frames) > held_out_psnr(fooled.cloud, frames) + 2.5
    assert abs(held_out_psnr(told.cloud, frames) - held_out_psnr(clean.cloud, frames)) < 1.5
    assert told.train_psnr_db > fooled.train_psnr_db + 4


def test_a_frame_of_no_weight_changes_nothing():
    frames, other = scene(), scene()
    other.images[4] = 255 - other.images[4]
    weights = np.ones((10, HEIGHT, WIDTH), np.float32)
    weights[4] = 0
    settings = replace(SHORT, max_splats=800, exposure=True)

    a, b = (
        fit(f, spoiled_start(), settings, rasterizer="cpu", weights=weights).cloud for f in (frames, other)
    )

    np.testing.assert_array_equal(a.sh, b.sh)


def test_the_callers_exception_stops_the_fit():
    seen = []

    def stop(state):
        seen.append(state)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(scene(), spoiled_start(), SHORT, stop, "cpu")

    assert seen[0].splat_count == 700 and 0 <= seen[0].fraction <= 1


def test_progress_ends_at_the_end():
    seen = []

    fit(scene(), spoiled_start(), SHORT, seen.append, "cpu")

    assert seen[-1].fraction == 1 and seen[-1].iteration == 60


def test_the_plain_torch_path_learns_the_same_as_the_kernels(monkeypatch):
    """The loop of gsplat, with the kernels behind autograd in its place."""
    from reconstruction import optimize
    from reconstruction.rasterizers import cpu

    monkeypatch.setattr(optimize, "resolve_rasterizer", lambda name: "pytorch3d")
    monkeypatch.setattr(optimize, "load_rasterizer", lambda name: cpu.rasterize)
    frames, settings = scene(), replace(SHORT, iterations=40, max_splats=750, growth_rounds=2)

    plain = fit(frames, spoiled_start(), settings).cloud
    monkeypatch.undo()
    fused = fit(frames, spoiled_start(), settings, rasterizer="cpu").cloud

    assert abs(held_out_psnr(plain, frames) - held_out_psnr(fused, frames)) < 0.2


def test_fitting_on_the_cpu_loads_no_torch():
    script = (
        "import sys, reconstruction.optimize, reconstruction.lifting, reconstruction.rasterizers.draw; "
        "from reconstruction.rasterizers.backend import resolve_rasterizer; resolve_rasterizer('cpu'); "
        "print(any(name in sys.modules for name in ('torch', 'open3d', 'numba')))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(cameras=None), UnliftableInputError, "must have cameras"),
        (dict(held_out=tuple(range(10))), UnliftableInputError, "at least one for training"),
    ],
)
def test_frames_that_cannot_be_fitted_say_why(change, error, message):
    with pytest.raises(error, match=message):
        fit(replace(scene(), **change), spoiled_start(), SHORT)


def test_wrong_settings_are_refused_before_any_work():
    with pytest.raises(UnliftableInputError, match="at least one splat"):
        fit(scene(), spoiled_start().subset(np.zeros(700, bool)), SHORT)
    with pytest.raises(InvalidInputError, match="rasterizer must be one of"):
        fit(scene(), spoiled_start(), SHORT, rasterizer="vulkan")
    for weights, error, message in (
        (np.ones((10, WIDTH, HEIGHT), np.float32), InvalidArrayError, "weights must have shape"),
        (np.full((10, HEIGHT, WIDTH), 1.5, np.float32), InvalidArrayError, "weights must be in 0..1"),
        (np.full((10, HEIGHT, WIDTH), np.nan, np.float32), InvalidArrayError, "weights must"),
        (np.zeros((10, HEIGHT, WIDTH), np.float32), UnliftableInputError, "at least one training frame"),
    ):
        with pytest.raises(error, match=message):
            fit(scene(), spoiled_start(), SHORT, weights=weights)
    for values in (dict(budget_cpu_s=0.0), dict(iterations=0), dict(sh_degree=4), dict(max_splats=0)):
        with pytest.raises(InvalidArrayError):
            FitSettings(**values)


def test_neighbours_in_space_are_neighbours_in_memory():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5000, 3)).astype(np.float32) * [1, 5, 0.2]
    points[:3] = 1e9

    order = morton_order(points)

    assert sorted(order) == list(range(5000))
    near = points[order][~(points[order] > 1e8).any(1)]
    steps = np.linalg.norm(np.diff(near / [1, 5, 0.2], axis=0), axis=1)
    assert np.median(steps) < 0.35  # 2.2 when shuffled


def test_seeds_stand_where_the_picture_is_wrong():
    rng = np.random.default_rng(0)
    viewmat = look_at_viewmat(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.5, -1.0]))
    K = intrinsics(50, 40, 30)
    image, target = np.zeros((2, 30, 40, 3), np.float32)
    depth = np.full((30, 40), 2.5, np.float32)
    target[4, 31] = (0.2, 0.9, 0.4)
    target[20, 3] = 0.5
    depth[20, 3] = 0  # nobody knows how far
    target[21, 3], depth[21, 3] = 0.5, np.inf

    points, colors, sizes = seeds(image, depth, target, viewmat, K, 10, rng)

    assert points.shape == (1, 3)
    x_cam = viewmat[:3, :3] @ points[0] + viewmat[:3, 3]
    np.testing.assert_allclose(K @ x_cam / 2.5, [31.5, 4.5, 1], rtol=1e-5)
    np.testing.assert_allclose(colors, [[0.2, 0.9, 0.4]])
    assert sizes[0] == pytest.approx(0.5 * 2.5 / 50)
    assert len(seeds(target, depth, target, viewmat, K, 10, rng)[0]) == 0
    trust = np.ones((30, 40), np.float32)
    trust[4, 31] = 0
    assert len(seeds(image, depth, target, viewmat, K, 10, rng, trust)[0]) == 0


def test_faint_splats_are_dead():
    assert dead(np.array([0.001, 0.019, 0.03, 0.9], np.float32)).tolist() == [True, True, False, False]


def test_rates_settle_and_resolution_rises():
    first, middle, last = (Rates().at(fraction) for fraction in (0.0, 0.5, 1.0))

    assert first == Rates()
    assert middle.sh == first.sh and middle.means < 0.2 * first.means
    assert last.means < 0.03 * first.means and last.sh == pytest.approx(0.1 * first.sh)
    assert [shrink_factor(f, step, 10, 0.25) for f, step in ((0, 0), (0.2, 79), (0.2, 80), (0.3, 5))] == [
        2,
        2,
        1,
        1,
    ]
    assert shrink_factor(0, 0, 10, 0) == 1
