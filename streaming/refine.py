"""Coarse levels learn to look like the finest one, and what they still get wrong is measured.

Both from the same small pictures: some seconds of the CPU rasteriser's own gradients, without torch. Every
splat keeps its place in the tree; its position, shape, opacity and colour move. The same pictures tell the
tree what is hidden, before it is built. Figures in README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.kernels.binding import (
    ROW_MEANS,
    ROW_OPACITY,
    ROW_QUATS,
    ROW_SCALES,
    ROW_SH,
    AdamStep,
    SplatRaster,
    planar,
)
from reconstruction.spherical_harmonics import SH_C0
from reconstruction.splats import SplatCloud

from .lod import Level, areas_of_scales
from .transform import unit_quats

_WIDTH_PX, _HEIGHT_PX = 320, 240  # 192 x 144 hides what large levels get wrong: 1.3 dB less of 60 000 splats
_FOV_DEG = 75.0  # between a phone's and a headset's
_MAX_STOPS = 24
_HEADINGS = 3
_ROAMING_M = 0.3  # people stand beside the path, not on it
_PITCH = -0.1  # a little down, as people look
_SURFACE_POINTS = 20_000
_CLEAR = 0.15  # of the scene's half extent: eyes are at least this far from its splats
_TRIES = 8

_STEPS_OF_SMALL, _SMALL = 2048, 2_000  # on pictures of half the size, which cost a quarter
_STEPS, _LARGE = 1024, 10_000  # splats
_STEPS_OF_LARGE = 384  # half the gain is in the first tenth; large levels pay more per step
# Scenes that arrive in a moment anyway need less work.
_WHOLE_SCENE = 100_000  # splats
_LEAST_WORK = 0.125
_LAST_RATE = 0.1  # of the first
_BETA1, _BETA2 = 0.9, 0.99
_MIN_OPACITY, _MAX_OPACITY = 0.01, 0.99
# What no picture shows still has an error; it counts this much of what the tree's arithmetic expects.
_UNSEEN_WEIGHT = 0.05
_UNSURE_LOOKS = 0.5  # of nothing wrong: one glimpse is not a measurement
_LEAST_VISIBLE = 0.03  # somebody may still look behind
_NOTHING = 1e-6
_NEAREST_M = 0.1
_RIM = 0.55  # of a picture's width or height from its middle: a splat just outside still shows
_SH_STEP = 3  # as above, for what is lost without view-dependent colour

Pictures = NDArray[np.floating]  # [F, H, W, 3]


@dataclass(frozen=True, slots=True)
class Rates:
    """Adam's first rates of change per step, as suits splats that were just merged."""

    mean: float = 0.03  # metres
    scale: float = 0.05  # of the logarithm
    quat: float = 0.01
    opacity: float = 0.05  # of the logit
    dc: float = 0.02
    rest: float = 0.0  # of SH above degree 0


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The finest level as visitors will see it."""

    cameras: Cameras
    pictures: Pictures
    attention: NDArray[np.float64]  # [N] pixels of a picture, on average, for each m^2 that a splat covers

    def subset(self, step: int) -> tuple[Cameras, Pictures]:
        """Return every `step`-th view."""
        return self.cameras.subset(range(0, len(self.cameras), step)), self.pictures[::step]


def viewpoints(
    means: NDArray[np.float32], stops: Sequence[tuple[float, float, float, float]], *, seed: int = 0
) -> Cameras:
    """Return small cameras where visitors will be.

    Args:
        means: [N, 3] of the cloud; used where there is no path.
        stops: x, y, z of eyes in metres and yaw in degrees. Empty: a quarter of the views look from around
            the scene's middle outwards, where there is room for a head, the others from outside inwards.
        seed: Of the strolling about each stop.
    """
    rng = np.random.default_rng(seed)
    eyes, targets = [], []
    if stops:
        chosen = np.unique(np.linspace(0, len(stops) - 1, min(_MAX_STOPS, len(stops))).round().astype(int))
        for x, y, z, yaw_deg in (stops[i] for i in chosen):
            for turn in range(_HEADINGS):
                eye = np.array([x, y, z]) + rng.normal(0, _ROAMING_M, 3) * [1, 0.2, 1]
                yaw = np.radians(yaw_deg) + 2 * np.pi * turn / _HEADINGS
                eyes.append(eye)
                targets.append(eye + [-np.sin(yaw), _PITCH, -np.cos(yaw)])
    else:
        eyes, targets = _around(means, rng)
    viewmats = np.stack([look_at_viewmat(eye, target) for eye, target in zip(eyes, targets, strict=True)])
    focal_px = 0.5 * _WIDTH_PX / np.tan(np.radians(_FOV_DEG) / 2)
    K = intrinsics(focal_px, _WIDTH_PX, _HEIGHT_PX)
    return Cameras(viewmats, np.repeat(K[None], len(viewmats), axis=0), _WIDTH_PX, _HEIGHT_PX)


def _around(means: NDArray[np.float32], rng: np.random.Generator) -> tuple[list[NDArray], list[NDArray]]:
    """Return eyes and targets about a scene without a path, none of them inside what it shows."""
    low, high = np.percentile(means, [5, 95], axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-3)
    # Splats hidden in a thing would fill a picture from there with what nobody sees.
    surface = cKDTree(means[:: max(1, len(means) // _SURFACE_POINTS)])
    eyes: list[NDArray] = []
    targets: list[NDArray] = []
    for view in range(_MAX_STOPS * _HEADINGS):
        for tried in range(_TRIES):
            yaw = 2 * np.pi * rng.random()
            around = np.array([-np.sin(yaw), rng.uniform(-0.2, 0.4), -np.cos(yaw)])
            # It may be a room; where its middle has no room for a head, it is a thing.
            is_within = view % 4 == 0 and tried < _TRIES // 2
            near, far = half * rng.uniform(-0.3, 0.3, 3), around * half.max() * rng.uniform(0.8, 3.0)
            eye = middle + (near if is_within else far)
            if surface.query(eye)[0] > _CLEAR * half.max():
                break
        eyes.append(eye)
        targets.append(eye + around if is_within else middle + half * rng.uniform(-0.3, 0.3, 3))
    return eyes, targets


def observe(cloud: SplatCloud, cameras: Cameras) -> Observed:
    """Draw the pictures that coarse levels shall look like.

    Raises:
        MissingBackendError: The rasteriser is not compiled and there is no compiler.
    """
    pictures = np.empty((len(cameras), cameras.height, cameras.width, 3), np.float32)
    ones = np.ones_like(pictures[0])

    def keep(view: int, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        pictures[view] = picture
        return ones

    seen, looks = _shares(SplatRaster(), cloud, cameras, keep)
    # Splats finer than a pixel cover more of a picture than their own area; it must not make them dear.
    whole = 2 * np.pi / np.sqrt(3) * cloud.opacities * areas_of_scales(cloud.scales) + 1e-24
    visible = np.clip((seen / whole + 0.1) / (looks + 1), _LEAST_VISIBLE, 1.0)
    return Observed(cameras, pictures, visible * _pixels_per_m2(cloud.means, cameras))


def _pixels_per_m2(means: NDArray[np.float32], cameras: Cameras) -> NDArray[np.float64]:
    """Return how many pixels [N] a square metre at each place has, on average over all pictures, > 0.

    Over all of them and whatever hides what: neighbours that differ here would not merge.
    """
    total = np.zeros(len(means), np.float32)
    for viewmat, K in zip(cameras.viewmats.astype(np.float32), cameras.Ks, strict=True):
        x, y, z = viewmat[:3, :3] @ means.T + viewmat[:3, 3:]
        focal = np.float32(K[0, 0])
        depths = np.maximum(z, np.float32(_NEAREST_M))
        aside = np.maximum(np.abs(x) / cameras.width, np.abs(y) / cameras.height) * focal / depths
        total += np.where((z > _NEAREST_M) & (aside < _RIM), (focal / depths) ** 2, 0)
    found = total.astype(np.float64) / len(cameras)
    # What no picture shows merges before everything else.
    return np.maximum(found, _NOTHING * max(float(np.median(found)), 1.0))


def refine(levels: Sequence[Level], observed: Observed) -> tuple[Level, ...]:
    """Return the tree with coarse clouds fitted to pictures of the finest and errors measured on them."""
    raster = SplatRaster()
    cameras, pictures = observed.cameras, observed.pictures
    work = float(np.clip(len(levels[-1].cloud) / _WHOLE_SCENE, _LEAST_WORK, 1))
    refined = []
    for level in levels[:-1]:
        count = len(level.cloud)
        if count <= _SMALL:
            cloud = fit(raster, level.cloud, *_halved(cameras, pictures), steps=round(work * _STEPS_OF_SMALL))
        else:
            steps = _STEPS if count <= _LARGE else _STEPS_OF_LARGE
            cloud = fit(raster, level.cloud, cameras, pictures, steps=round(work * steps))
        seen = _errors(raster, cloud, cameras, pictures)
        expected = level.errors.astype(np.float64)
        errors = seen + _UNSEEN_WEIGHT * expected * (seen.sum() / max(expected.sum(), 1e-30))
        refined.append(replace(level, cloud=cloud, errors=errors.astype(np.float32)))
    return (*refined, levels[-1])


def harmonics_errors(cloud: SplatCloud, observed: Observed) -> NDArray[np.float32]:
    """Return per splat of the finest level [N] the error, as of levels, of showing its colour of degree 0."""
    flat = replace(cloud, sh=cloud.sh[:, :1].copy())
    return _errors(SplatRaster(), flat, *observed.subset(_SH_STEP)).astype(np.float32)


def _halved(cameras: Cameras, pictures: Pictures) -> tuple[Cameras, Pictures]:
    """Return pictures of half the size, each pixel the mean of four."""
    frames, height, width, _ = pictures.shape
    half = pictures.reshape(frames, height // 2, 2, width // 2, 2, 3).mean(axis=(2, 4))
    return cameras.resized(width // 2, height // 2), half


def fit(
    raster: SplatRaster,
    cloud: SplatCloud,
    cameras: Cameras,
    targets: Pictures,
    *,
    steps: int,
    rates: Rates = Rates(),
    background: Sequence[float] = (0.0, 0.0, 0.0),
) -> SplatCloud:
    """Fit a cloud to pictures [F, H, W, 3] by Adam on the squared error, a picture a step; deterministic."""
    count = len(cloud)
    rows = planar(cloud)
    raw = np.zeros((4, rows.shape[1]), np.float32)
    raw[:3, :count] = np.log(cloud.scales).T
    opacities = np.clip(cloud.opacities, _MIN_OPACITY, _MAX_OPACITY)
    raw[3, :count] = np.log(opacities / (1 - opacities))
    rows[ROW_OPACITY, :count] = opacities
    gradients, first, second = np.zeros_like(rows), np.zeros_like(rows), np.zeros_like(rows)
    visible = np.zeros(count, np.uint8)
    picture = np.empty(targets.shape[1:], np.float32)
    rng = np.random.default_rng(count)
    views = np.concatenate([rng.permutation(len(cameras)) for _ in range(steps // len(cameras) + 1)])[:steps]
    for number, view in enumerate(views):
        viewmat, K = cameras.viewmats[view], cameras.Ks[view]
        raster.look(viewmat, K, cameras.width, cameras.height, background=background)
        raster.forward(rows, count, picture)
        raster.backward(rows, count, 2 / picture.size * (picture - targets[view]), gradients, visible)
        raster.adam(_step(rates, number, steps), count, rows, raw, gradients, first, second, visible)
    return SplatCloud(
        rows[ROW_MEANS:ROW_SCALES, :count].T.copy(),
        unit_quats(rows[ROW_QUATS:ROW_OPACITY, :count].T),
        rows[ROW_SCALES:ROW_QUATS, :count].T.copy(),
        np.clip(rows[ROW_OPACITY, :count], _MIN_OPACITY, _MAX_OPACITY),
        rows[ROW_SH:, :count].T.reshape(count, -1, 3).copy(),
    )


def _step(rates: Rates, number: int, steps: int) -> AdamStep:
    decay = _LAST_RATE ** (number / steps)
    step = AdamStep()
    step.rate[ROW_MEANS:ROW_SCALES] = [rates.mean * decay] * 3
    step.rate[ROW_SCALES:ROW_QUATS] = [rates.scale * decay] * 3
    step.rate[ROW_QUATS:ROW_OPACITY] = [rates.quat * decay] * 4
    step.rate[ROW_OPACITY] = rates.opacity * decay
    step.sh_rate, step.sh_rest_rate = rates.dc * decay, rates.rest * decay
    step.beta1, step.beta2, step.epsilon = _BETA1, _BETA2, 1e-15
    step.correction1, step.correction2 = 1 - _BETA1 ** (number + 1), 1 - _BETA2 ** (number + 1)
    step.scale_max = 1e4
    return step


def _errors(
    raster: SplatRaster, cloud: SplatCloud, cameras: Cameras, targets: Pictures
) -> NDArray[np.float64]:
    """Return per splat [N] the squared error of the pixels it shows, in m^2, the mean over looks at it."""
    total, looks = _shares(
        raster,
        cloud,
        cameras,
        lambda view, picture: np.repeat(((picture - targets[view]) ** 2).sum(axis=2, keepdims=True), 3, 2),
    )
    return total / (looks + _UNSURE_LOOKS)


def _shares(
    raster: SplatRaster,
    cloud: SplatCloud,
    cameras: Cameras,
    values: Callable[[int, NDArray[np.float32]], NDArray[np.float32]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per splat [N] its share of what `values` makes of each picture, and in how many it was in view.

    Shares are summed over the pictures, times the area of a pixel at the splat's distance in m^2. A colour's
    gradient is the sum of its blend weights times whatever the picture's gradient is set to, so setting that
    to the values shares each pixel's among the splats that made it.
    """
    count = len(cloud)
    rows = planar(cloud)
    gradients = np.zeros_like(rows)
    visible = np.zeros(count, np.uint8)
    picture = np.empty((cameras.height, cameras.width, 3), np.float32)
    total, looks = np.zeros(count), np.zeros(count)
    for view, (viewmat, K) in enumerate(zip(cameras.viewmats, cameras.Ks, strict=True)):
        raster.look(viewmat, K, cameras.width, cameras.height)
        raster.forward(rows, count, picture)
        gradients[ROW_SH : ROW_SH + 3] = 0
        raster.backward(rows, count, values(view, picture), gradients, visible)
        # A channel that is cut off at black has no gradient; the brightest one always has.
        shown = gradients[ROW_SH : ROW_SH + 3, :count].max(axis=0) / SH_C0
        depths = cloud.means @ viewmat[2, :3] + viewmat[2, 3]
        total += np.where(visible > 0, shown * (depths / K[0, 0]) ** 2, 0.0)
        looks += visible
    return total, looks
