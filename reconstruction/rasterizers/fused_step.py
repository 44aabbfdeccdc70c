"""A training step on the kernels alone: draw, compare, differentiate and move, with no autograd between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..conventions import F32
from ..kernels.binding import (
    ROW_MEANS,
    ROW_OPACITY,
    ROW_QUATS,
    ROW_SCALES,
    ROW_SH,
    AdamStep,
    SplatRaster,
    padded,
)
from ..schedule import Rates
from ..splats import SplatCloud


@dataclass(frozen=True, slots=True)
class StepWeights:
    """What the loss is made of."""

    ssim: float
    opacity: float  # pull of opacities to zero, per splat
    scale: float  # pull of scales to zero, per splat and metre
    antialias: bool
    depth: float = 0.0  # mean relative error of depths


def depth_gradients(alpha: F32, metres: F32, truth: F32, weight: float) -> tuple[F32, F32]:
    """Return d/d(alpha) and d/d(depth sum) of `weight` x mean |depth sum / truth - alpha|.

    Against the truth weighted by alpha, so that a pixel that light passes through is not pulled nearer.
    """
    known = (truth > 0) & np.isfinite(truth)
    inverse = np.zeros_like(truth)
    np.divide(1, truth, out=inverse, where=known)
    slope = np.sign(metres * inverse - alpha) * (weight / truth.size) * known
    return (-slope).astype(np.float32), (slope * inverse).astype(np.float32)


def columns_from_cloud(cloud: SplatCloud, sh_bases: int) -> F32:
    """Return [N, 11 + 3 `sh_bases`] in the order of the kernel rows; missing SH degrees are zero."""
    sh = np.zeros((len(cloud), sh_bases, 3), np.float32)
    shared = min(sh_bases, cloud.sh.shape[1])
    sh[:, :shared] = cloud.sh[:, :shared]
    parts = [cloud.means, cloud.scales, cloud.quats, cloud.opacities[:, None], sh.reshape(len(cloud), -1)]
    return np.concatenate(parts, 1)


def cloud_from_columns(columns: F32) -> SplatCloud:
    """Return the cloud of activated columns; quaternions are brought to unit length."""
    quats = columns[:, ROW_QUATS:ROW_OPACITY].astype(np.float64)
    quats /= np.maximum(np.linalg.norm(quats, axis=1, keepdims=True), 1e-12)
    return SplatCloud(
        means=columns[:, ROW_MEANS:ROW_SCALES].copy(),
        quats=quats.astype(np.float32),
        scales=columns[:, ROW_SCALES:ROW_QUATS].copy(),
        opacities=columns[:, ROW_OPACITY].copy(),
        sh=columns[:, ROW_SH:].reshape(len(columns), -1, 3).copy(),
    )


class FusedStep:
    """The splats of one fit as kernel rows, with their Adam moments."""

    def __init__(
        self, cloud: SplatCloud, sh_bases: int, scale_max: float, threads: int | None = None
    ) -> None:
        self._raster = SplatRaster(threads)
        self._scale_max = scale_max
        self._steps = 0
        self._pictures: dict[tuple[int, ...], tuple[F32, F32]] = {}  # image and gradient, by shape
        self.replace(columns_from_cloud(cloud, sh_bases), np.full(len(cloud), -1))

    def __len__(self) -> int:
        return self._count

    def replace(self, columns: F32, source: NDArray[np.int64]) -> None:
        """Exchange the splats.

        Args:
            columns: [N, 11 + 3 K] activated values in the order of the kernel rows.
            source: [N] which present splat each continues, and so whose Adam moments; -1 for none.
        """
        count, stride = len(columns), padded(len(columns))
        params = np.zeros((columns.shape[1], stride), np.float32)
        params[:, :count] = columns.T
        np.clip(
            params[ROW_SCALES:ROW_QUATS, :count],
            2e-7,
            self._scale_max,
            out=params[ROW_SCALES:ROW_QUATS, :count],
        )
        np.clip(params[ROW_OPACITY, :count], 1e-5, 1 - 1e-5, out=params[ROW_OPACITY, :count])
        first, second = np.zeros_like(params), np.zeros_like(params)
        old = source >= 0
        if old.any():
            first[:, :count][:, old] = self._first[:, source[old]]
            second[:, :count][:, old] = self._second[:, source[old]]
        raw = np.zeros((4, stride), np.float32)
        raw[:3, :count] = np.log(params[ROW_SCALES:ROW_QUATS, :count])
        opacity = params[ROW_OPACITY, :count]
        raw[3, :count] = np.log(opacity / (1 - opacity))
        self._params, self._raw, self._first, self._second = params, raw, first, second
        self._gradients = np.zeros_like(params)
        self._visible = np.zeros(stride, np.uint8)
        self._count = count

    def columns(self) -> F32:
        """Return the activated values [N, 11 + 3 K]."""
        return np.ascontiguousarray(self._params[:, : self._count].T)

    def draw(self, viewmat: F32, K: F32, width: int, height: int, antialias: bool) -> tuple[F32, F32, F32]:
        """Return image [H, W, 3], alpha [H, W] and expected depth [H, W], 0 where alpha < 0.5."""
        image = np.empty((height, width, 3), np.float32)
        alpha, depth = np.empty((2, height, width), np.float32)
        self._raster.look(viewmat, K, width, height, antialias=antialias)
        self._raster.forward(self._params, self._count, image, alpha, depth)
        return image, alpha, np.where(alpha < 0.5, 0, depth / np.maximum(alpha, 0.5)).astype(np.float32)

    def step(
        self,
        viewmat: F32,
        K: F32,
        target: F32,
        weights: StepWeights,
        rates: Rates,
        exposure: F32 | None,
        depth: F32 | None = None,
        trust: F32 | None = None,
    ) -> NDArray[np.float64]:
        """Fit one picture [H, W, 3] and return the report of `SplatRaster.loss`.

        Args:
            depth: [H, W] metres to pull surfaces to, 0 or infinite where there is none; None for no pull.
            trust: [H, W] how much each pixel of the picture counts, 0..1; None for all alike.
        """
        height, width = target.shape[:2]
        if target.shape not in self._pictures:
            self._pictures[target.shape] = np.empty_like(target), np.empty_like(target)
        image, gradient = self._pictures[target.shape]
        raster, params, count = self._raster, self._params, self._count
        raster.look(viewmat, K, width, height, antialias=weights.antialias)
        d_alpha = d_depth = None
        if depth is None or weights.depth == 0:
            raster.forward(params, count, image)
        else:
            alpha, metres = np.empty((2, height, width), np.float32)
            raster.forward(params, count, image, alpha, metres)
            d_alpha, d_depth = depth_gradients(alpha, metres, depth, weights.depth)
        report = raster.loss(image, target, weights.ssim, gradient, exposure, trust)
        raster.backward(
            params, count, gradient, self._gradients, self._visible, d_alpha=d_alpha, d_depth=d_depth
        )
        self._steps += 1
        raster.adam(
            self._adam_step(rates, weights),
            count,
            params,
            self._raw,
            self._gradients,
            self._first,
            self._second,
            self._visible,
        )
        return report

    def cloud(self) -> SplatCloud:
        """Return the splats as they are now."""
        return cloud_from_columns(self.columns())

    def _adam_step(self, rates: Rates, weights: StepWeights) -> AdamStep:
        step = AdamStep(
            sh_rate=rates.sh,
            sh_rest_rate=rates.sh_rest,
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-15,
            correction1=1 - 0.9**self._steps,
            correction2=1 - 0.999**self._steps,
            opacity_weight=weights.opacity,
            scale_weight=weights.scale,
            scale_max=self._scale_max,
        )
        step.rate[:] = [
            *[rates.means] * 3,
            *[rates.log_scales] * 3,
            *[rates.quats] * 4,
            rates.opacity_logits,
        ]
        return step
