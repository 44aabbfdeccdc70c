"""Coarse levels learn to look like the finest one, and what they still get wrong is measured.

Both from the same small pictures: a few seconds of the CPU rasteriser's own gradients, without torch. Every
splat keeps its place in the tree; only its shape, opacity and colour move. Figures in README.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

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

from .lod import Level
from .transform import unit_quats

_WIDTH_PX, _HEIGHT_PX = 192, 144
_FOV_DEG = 75.0  # between a phone's and a headset's
_MAX_STOPS = 16
_HEADINGS = 3
_ROAMING_M = 0.3  # people stand beside the path, not on it
_PITCH = -0.1  # a little down, as people look

_STEPS = 512
_STEPS_OF_LARGE = 256  # half the gain is in the first tenth; large levels pay more per step
_LARGE = 10_000  # splats
_LAST_RATE = 0.1  # of the first
_BETA1, _BETA2 = 0.9, 0.99
_MIN_OPACITY, _MAX_OPACITY = 0.01, 0.99
# What no picture shows still has an error; it counts this much of what the tree's arithmetic expects.
_UNSEEN_WEIGHT = 0.05

Pictures = NDArray[np.floating]  # [F, H, W, 3]


@dataclass(frozen=True, slots=True)
class Rates:
    """Adam's first rates of change per step, as suits splats that were just merged."""

    mean: float = 0.03  # metres
    scale: float = 0.03  # of the logarithm
    quat: float = 0.003
    opacity: float = 0.05  # of the logit
    dc: float = 0.02
    rest: float = 0.0  # of SH above degree 0


def viewpoints(
    means: NDArray[np.float32], stops: Sequence[tuple[float, float, float, float]], *, seed: int = 0
) -> Cameras:
    """Return small cameras where visitors will be.

    Args:
        means: [N, 3] of the cloud; used where there is no path.
        stops: x, y, z of eyes in metres and yaw in degrees. Empty: half of the views look from around the
            scene's middle outwards, half from outside inwards, for it may be a room or a thing.
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
        low, high = np.percentile(means, [5, 95], axis=0)
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-3)
        for view in range(_MAX_STOPS * _HEADINGS):
            yaw = 2 * np.pi * rng.random()
            around = np.array([-np.sin(yaw), rng.uniform(-0.2, 0.4), -np.cos(yaw)])
            inside = middle + half * rng.uniform(-0.3, 0.3, 3)
            outside = middle + around * half.max() * rng.uniform(1.5, 3.0)
            eyes.append(inside if view % 2 else outside)
            targets.append(inside + around if view % 2 else inside)
    viewmats = np.stack([look_at_viewmat(eye, target) for eye, target in zip(eyes, targets, strict=True)])
    focal_px = 0.5 * _WIDTH_PX / np.tan(np.radians(_FOV_DEG) / 2)
    K = intrinsics(focal_px, _WIDTH_PX, _HEIGHT_PX)
    return Cameras(viewmats, np.repeat(K[None], len(viewmats), axis=0), _WIDTH_PX, _HEIGHT_PX)


def refine(levels: Sequence[Level], cameras: Cameras) -> tuple[Level, ...]:
    """Return the tree with coarse clouds fitted to pictures of the finest and errors measured on them.

    Raises:
        MissingBackendError: The rasteriser is not compiled and there is no compiler.
    """
    if len(levels) == 1:
        return tuple(levels)
    raster = SplatRaster()
    targets = _draw(raster, levels[-1].cloud, cameras)
    refined = []
    for level in levels[:-1]:
        steps = _STEPS if len(level.cloud) <= _LARGE else _STEPS_OF_LARGE
        cloud = fit(raster, level.cloud, cameras, targets, steps=steps)
        seen = _measure(raster, cloud, cameras, targets)
        expected = level.errors.astype(np.float64)
        errors = seen + _UNSEEN_WEIGHT * expected * (seen.sum() / max(expected.sum(), 1e-30))
        refined.append(replace(level, cloud=cloud, errors=errors.astype(np.float32)))
    return (*refined, levels[-1])


def _draw(raster: SplatRaster, cloud: SplatCloud, cameras: Cameras) -> Pictures:
    rows = planar(cloud)
    pictures = np.empty((len(cameras), cameras.height, cameras.width, 3), np.float32)
    for view, picture in enumerate(pictures):
        raster.look(cameras.viewmats[view], cameras.Ks[view], cameras.width, cameras.height)
        raster.forward(rows, len(cloud), picture)
    return pictures


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


def _measure(
    raster: SplatRaster, cloud: SplatCloud, cameras: Cameras, targets: Pictures
) -> NDArray[np.float64]:
    """Return per splat the squared error of the pixels it shows, times their area at its distance in m^2.

    A colour's gradient is the sum of its blend weights times whatever the picture's gradient is set to, so
    setting that to the squared error shares each pixel's error among the splats that made it.
    """
    count = len(cloud)
    rows = planar(cloud)
    gradients = np.zeros_like(rows)
    visible = np.zeros(count, np.uint8)
    picture = np.empty(targets.shape[1:], np.float32)
    total = np.zeros(count)
    for view, (viewmat, K) in enumerate(zip(cameras.viewmats, cameras.Ks, strict=True)):
        raster.look(viewmat, K, cameras.width, cameras.height)
        raster.forward(rows, count, picture)
        error = ((picture - targets[view]) ** 2).sum(axis=2, keepdims=True)
        gradients[ROW_SH : ROW_SH + 3] = 0
        raster.backward(rows, count, np.repeat(error, 3, axis=2), gradients, visible)
        # A channel that is cut off at black has no gradient; the brightest one always has.
        shown = gradients[ROW_SH : ROW_SH + 3, :count].max(axis=0) / SH_C0
        depths = cloud.means @ viewmat[2, :3] + viewmat[2, 3]
        total += np.where(visible > 0, shown * (depths / K[0, 0]) ** 2, 0.0)
    return total / len(cameras)
