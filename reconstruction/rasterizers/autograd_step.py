"""A training step through torch autograd, for rasterisers that are not ours. Same steps as `fused_step`."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d

from ..conventions import F32
from ..kernels.binding import ROW_MEANS, ROW_OPACITY, ROW_QUATS, ROW_SCALES, ROW_SH
from ..schedule import Rates
from ..splats import SplatCloud
from .backend import Rasterizer, Rendering
from .fused_step import StepWeights, cloud_from_columns, columns_from_cloud

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-15


class AutogradStep:
    """The splats of one fit as torch tensors [N, columns], with their Adam moments."""

    def __init__(
        self, rasterizer: Rasterizer, device: str, cloud: SplatCloud, sh_bases: int, scale_max: float
    ) -> None:
        self._rasterize, self._device, self._scale_max = rasterizer, torch.device(device), scale_max
        self._steps = 0
        self.replace(columns_from_cloud(cloud, sh_bases), np.full(len(cloud), -1))

    def __len__(self) -> int:
        return len(self._values)

    def replace(self, columns: F32, source: NDArray[np.int64]) -> None:
        """Exchange the splats; see `FusedStep.replace`."""
        values = torch.from_numpy(columns.copy()).to(self._device)
        values[:, ROW_SCALES:ROW_QUATS] = values[:, ROW_SCALES:ROW_QUATS].clamp(2e-7, self._scale_max).log()
        values[:, ROW_OPACITY] = torch.logit(values[:, ROW_OPACITY].clamp(1e-5, 1 - 1e-5))
        first, second = torch.zeros_like(values), torch.zeros_like(values)
        old = torch.from_numpy(source >= 0).to(self._device)
        if bool(old.any()):
            kept = torch.from_numpy(source[source >= 0]).to(self._device)
            first[old], second[old] = self._first[kept], self._second[kept]
        self._values, self._first, self._second = values, first, second

    def columns(self) -> F32:
        """Return the activated values [N, 11 + 3 K]."""
        return self._activated(self._values).cpu().numpy()

    def draw(self, viewmat: F32, K: F32, width: int, height: int, antialias: bool) -> tuple[F32, F32, F32]:
        """Return image, alpha and expected depth; see `FusedStep.draw`."""
        with torch.no_grad():
            drawn = self._draw(self._activated(self._values), viewmat, K, width, height, antialias)
        alpha = drawn.alpha.cpu().numpy()
        depth = drawn.depth.cpu().numpy() / np.maximum(alpha, 0.5)
        return drawn.image.cpu().numpy(), alpha, np.where(alpha < 0.5, 0, depth).astype(np.float32)

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
        """Fit one picture; see `FusedStep.step`."""
        height, width = target.shape[:2]
        values = self._values.clone().requires_grad_(True)
        activated = self._activated(values)
        drawn = self._draw(activated, viewmat, K, width, height, weights.antialias)
        gain_bias = torch.tensor(
            [[1.0] * 3, [0.0] * 3] if exposure is None else exposure, device=self._device
        )
        gain_bias.requires_grad_(True)
        image = drawn.image * gain_bias[0] + gain_bias[1]
        truth = torch.from_numpy(target).to(self._device)
        counting = torch.ones_like(truth[..., :1])
        if trust is not None:
            counting = torch.from_numpy(trust).to(self._device)[..., None]
        similarity = (counting * ssim_map(image, truth)).mean()
        absolute = (counting * (image - truth).abs()).mean()
        loss = (1 - weights.ssim) * absolute + weights.ssim * (counting.mean() - similarity)
        seen = activated[drawn.visible]
        pull = (
            weights.opacity * seen[:, ROW_OPACITY].sum() + weights.scale * seen[:, ROW_SCALES:ROW_QUATS].sum()
        )
        if depth is not None and weights.depth > 0:
            metres = torch.from_numpy(depth).to(self._device)
            known = (metres > 0) & torch.isfinite(metres)
            gap = drawn.depth / torch.where(known, metres, torch.ones_like(metres)) - drawn.alpha
            pull = pull + weights.depth * torch.where(known, gap.abs(), torch.zeros_like(gap)).mean()
        (loss + pull).backward()
        assert values.grad is not None and gain_bias.grad is not None
        self._adam(values.grad, drawn.visible, activated.detach(), rates)
        with torch.no_grad():
            errors = [absolute, similarity, (counting * (image - truth) ** 2).mean()]
        return np.array([*(float(x.detach()) for x in errors), *gain_bias.grad.flatten().tolist()])

    def cloud(self) -> SplatCloud:
        """Return the splats as they are now."""
        return cloud_from_columns(self.columns())

    def _activated(self, values: Tensor) -> Tensor:
        return torch.cat(
            [
                values[:, :ROW_SCALES],
                values[:, ROW_SCALES:ROW_QUATS].exp(),
                values[:, ROW_QUATS:ROW_OPACITY],
                values[:, ROW_OPACITY : ROW_OPACITY + 1].sigmoid(),
                values[:, ROW_SH:],
            ],
            1,
        )

    def _draw(
        self, columns: Tensor, viewmat: F32, K: F32, width: int, height: int, antialias: bool
    ) -> Rendering:
        return self._rasterize(
            columns[:, ROW_MEANS:ROW_SCALES],
            columns[:, ROW_QUATS:ROW_OPACITY],
            columns[:, ROW_SCALES:ROW_QUATS],
            columns[:, ROW_OPACITY],
            columns[:, ROW_SH:].reshape(len(columns), -1, 3),
            torch.tensor(viewmat, device=self._device),
            torch.tensor(K, device=self._device),
            width,
            height,
            antialias=antialias,
        )

    def _adam(self, gradient: Tensor, visible: Tensor, activated: Tensor, rates: Rates) -> None:
        self._steps += 1
        rate = torch.zeros_like(gradient)
        rate[:, :ROW_SCALES] = rates.means * activated[:, ROW_SCALES:ROW_QUATS].mean(1, keepdim=True)
        rate[:, ROW_SCALES:ROW_QUATS] = rates.log_scales
        rate[:, ROW_QUATS:ROW_OPACITY] = rates.quats
        rate[:, ROW_OPACITY] = rates.opacity_logits
        rate[:, ROW_SH : ROW_SH + 3] = rates.sh
        rate[:, ROW_SH + 3 :] = rates.sh_rest
        row = visible[:, None]
        first = _BETA1 * self._first + (1 - _BETA1) * gradient
        second = _BETA2 * self._second + (1 - _BETA2) * gradient**2
        self._first = torch.where(row, first, self._first)
        self._second = torch.where(row, second, self._second)
        correction1, correction2 = 1 - _BETA1**self._steps, 1 - _BETA2**self._steps
        move = rate / correction1 * first / ((second / correction2).sqrt() + _EPSILON)
        self._values = torch.where(row, self._values - move, self._values)
        self._values[:, ROW_SCALES:ROW_QUATS].clamp_(-16.0, float(np.log(self._scale_max)))
        self._values[:, ROW_OPACITY].clamp_(-12.0, 12.0)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean structural similarity of two pictures [H, W, 3]."""
    return ssim_map(a, b).mean()


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """Return the structural similarity [H, W, 3] of two pictures, zeros outside them; see `loss.h`."""
    tap = torch.exp(-((torch.arange(11, device=a.device) - 5.0) ** 2) / 4.5).to(a.dtype)
    tap = tap / tap.sum()
    window = (tap[:, None] * tap)[None, None].repeat(3, 1, 1, 1)

    def blur(x: Tensor) -> Tensor:
        return conv2d(x.permute(2, 0, 1)[None], window, padding=5, groups=3)

    mean_a, mean_b = blur(a), blur(b)
    variance = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + 1e-4) * (2 * covariance + 9e-4)
    similarity = above / ((mean_a**2 + mean_b**2 + 1e-4) * (variance + 9e-4))
    return similarity[0].permute(1, 2, 0)
