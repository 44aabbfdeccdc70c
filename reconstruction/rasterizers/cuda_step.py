"""A training step for the GPU. Same steps as `fused_step`, with nothing that makes the host wait for it.

Pictures stay on the device; loss and Adam are one kernel each per pass, not chains of small ones; and the
report is read one step late, when it has long arrived.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..conventions import F32
from ..errors import MissingBackendError
from ..kernels.binding import ROW_MEANS, ROW_OPACITY, ROW_QUATS, ROW_SCALES, ROW_SH
from ..schedule import Rates
from ..splats import SplatCloud
from .backend import Rendering
from .fused_step import StepWeights, cloud_from_columns, columns_from_cloud
from .gsplat_cuda import load, selective_adam

_BETAS, _EPSILON = (0.9, 0.999), 1e-15
_COLUMNS = {
    "means": slice(ROW_MEANS, ROW_SCALES),
    "log_scales": slice(ROW_SCALES, ROW_QUATS),
    "quats": slice(ROW_QUATS, ROW_OPACITY),
    "opacity_logits": slice(ROW_OPACITY, ROW_SH),
    "sh": slice(ROW_SH, ROW_SH + 3),
    "sh_rest": slice(ROW_SH + 3, None),
}


class Operations(NamedTuple):
    """What a step is made of."""

    draw: Callable[..., Rendering]  # `gsplat_cuda.rasterize`
    adam: Callable[..., None]  # `gsplat_cuda.selective_adam`
    picture_loss: Callable[[int, int, torch.device], Callable[..., tuple[Tensor, Tensor]]]  # `PictureLoss`


@functools.cache
def gsplat_operations() -> Operations:
    """Return the operations of gsplat and Triton, compiled: a first use takes minutes that no budget has.

    Raises:
        MissingBackendError: There is no CUDA device, or a package is not installed.
    """
    if torch.cuda.is_available() and importlib.util.find_spec("triton") is None:
        hint = "Install PyTorch's CUDA build for Linux, or use the rasterizer 'cpu'."
        raise MissingBackendError("gsplat", "needs triton to train, which is not installed", hint)
    draw = load()
    from .triton_loss import PictureLoss

    operations = Operations(draw, selective_adam, PictureLoss)
    _step_once(operations)
    return operations


def _step_once(operations: Operations) -> None:
    one = np.ones((1, 3), np.float32)
    cloud = SplatCloud(2 * one, np.ones((1, 4), np.float32), one, one[:, 0] / 2, one[:, None])
    stepper = CudaStep(operations, "cuda", cloud, 1, 1.0)
    weights = StepWeights(ssim=0.2, opacity=0.0, scale=0.0, antialias=True)
    picture = stepper.keep(np.zeros((16, 16, 3), np.float32))
    stepper.step(np.eye(4, dtype=np.float32), np.eye(3, dtype=np.float32), picture, weights, Rates(), None)


class CudaStep:
    """The splats of one fit as tensors on a device, one for each learning rate, with their Adam moments."""

    def __init__(
        self, operations: Operations, device: str, cloud: SplatCloud, sh_bases: int, scale_max: float
    ) -> None:
        self._operations, self._device = operations, torch.device(device)
        self._scale_max, self._steps = scale_max, 0
        self._losses: dict[tuple[int, ...], Callable[..., tuple[Tensor, Tensor]]] = {}
        self._cameras: dict[bytes, tuple[Tensor, Tensor]] = {}
        self._share = 1.0  # of the picture before that is trusted
        self._report = torch.zeros(3, dtype=torch.float32)
        if self._device.type == "cuda":
            self._report = self._report.pin_memory()
        self.replace(columns_from_cloud(cloud, sh_bases), np.full(len(cloud), -1))

    def __len__(self) -> int:
        return len(self._values["means"])

    def keep(self, plane: F32) -> Tensor:
        """Bring a picture [H, W, 3] or its depths [H, W] to the device, for `step`."""
        return torch.from_numpy(np.ascontiguousarray(plane)).to(self._device)

    def replace(self, columns: F32, source: NDArray[np.int64]) -> None:
        """Exchange the splats; see `FusedStep.replace`."""
        rows = torch.from_numpy(columns.copy()).to(self._device)
        rows[:, ROW_SCALES:ROW_QUATS] = rows[:, ROW_SCALES:ROW_QUATS].clamp(2e-7, self._scale_max).log()
        rows[:, ROW_OPACITY] = torch.logit(rows[:, ROW_OPACITY].clamp(1e-5, 1 - 1e-5))
        values = {
            name: rows[:, place].clone(memory_format=torch.contiguous_format)
            for name, place in _COLUMNS.items()
        }
        moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in values.items()}
        old = torch.from_numpy(source >= 0).to(self._device)
        kept = torch.from_numpy(source[source >= 0]).to(self._device)
        if len(kept):
            for name, pair in moments.items():
                for new, present in zip(pair, self._moments[name], strict=True):
                    new[old] = present[kept]
        self._values, self._moments = values, moments

    def columns(self) -> F32:
        """Return the activated values [N, 11 + 3 K]."""
        values = self._values
        activated = {
            **values,
            "log_scales": values["log_scales"].exp(),
            "opacity_logits": values["opacity_logits"].sigmoid(),
        }
        return torch.cat([activated[name] for name in _COLUMNS], 1).cpu().numpy()

    def draw(self, viewmat: F32, K: F32, width: int, height: int, antialias: bool) -> tuple[F32, F32, F32]:
        """Return image, alpha and expected depth; see `FusedStep.draw`."""
        with torch.no_grad():
            drawn, _ = self._draw(self._values, viewmat, K, width, height, antialias, with_depth=True)
        alpha = drawn.alpha.cpu().numpy()
        depth = drawn.depth.cpu().numpy() / np.maximum(alpha, 0.5)
        return drawn.image.cpu().numpy(), alpha, np.where(alpha < 0.5, 0, depth).astype(np.float32)

    def step(
        self,
        viewmat: F32,
        K: F32,
        target: Tensor,
        weights: StepWeights,
        rates: Rates,
        exposure: F32 | None,
        depth: Tensor | None = None,
        trust: F32 | None = None,
    ) -> NDArray[np.float64]:
        """Fit one picture that `keep` brought here, and its depths if given; see `FusedStep.step`.

        The report is that of the step before (the first step's is its own), except with an exposure, whose
        gradient is of no use a step late.
        """
        height, width = target.shape[:2]
        leaves = {name: value.requires_grad_(True) for name, value in self._values.items()}
        pull_depth = depth is not None and weights.depth > 0
        drawn, scales = self._draw(leaves, viewmat, K, width, height, weights.antialias, pull_depth)
        # The drawing waited for the device, so what was sent before it is here.
        share = 1.0 if trust is None else max(float(trust.mean()), 1e-6)
        # As if of this picture: callers divide by its own share of trusted pixels.
        late = self._report.numpy().astype(np.float64) * (share / self._share)
        self._share = share
        image, gain_bias = drawn.image, None
        if exposure is not None:
            gain_bias = torch.from_numpy(exposure).to(self._device).requires_grad_(True)
            image = image * gain_bias[0] + gain_bias[1]
        if target.shape not in self._losses:
            self._losses[target.shape] = self._operations.picture_loss(height, width, self._device)
        counting = None
        if trust is not None:
            # Not pinned, so it is read before the call returns; without the flag the host waits for all work.
            counting = torch.from_numpy(trust).to(self._device, non_blocking=True)
        loss = self._losses[target.shape]
        gradient, report = loss(image.detach().contiguous(), target, weights.ssim, counting)
        outputs, slopes = [image], [gradient]
        pull = self._pull(drawn, scales, leaves, weights, depth if pull_depth else None)
        if pull is not None:
            outputs, slopes = [image, pull], [gradient, torch.ones_like(pull)]
        torch.autograd.backward(outputs, slopes)
        self._report.copy_(report, non_blocking=True)
        self._adam(drawn.visible, scales.detach(), rates)
        if gain_bias is None and self._steps > 1:
            return np.concatenate([late, np.zeros(6)])
        assert exposure is None or gain_bias is not None
        slope = np.zeros(6) if gain_bias is None else gain_bias.grad.flatten().cpu().numpy()
        return np.concatenate([report.cpu().numpy().astype(np.float64), slope])

    def cloud(self) -> SplatCloud:
        """Return the splats as they are now."""
        return cloud_from_columns(self.columns())

    def _draw(
        self,
        values: dict[str, Tensor],
        viewmat: F32,
        K: F32,
        width: int,
        height: int,
        antialias: bool,
        with_depth: bool,
    ) -> tuple[Rendering, Tensor]:
        """Draw, and return the scales [N, 3] too."""
        scales = values["log_scales"].exp()
        sh = values["sh"][:, None]
        if values["sh_rest"].shape[1]:
            sh = torch.cat([sh, values["sh_rest"].reshape(len(sh), -1, 3)], 1)
        key = viewmat.tobytes() + K.tobytes()
        if key not in self._cameras:
            self._cameras[key] = tuple(torch.tensor(matrix, device=self._device) for matrix in (viewmat, K))
        drawn = self._operations.draw(
            values["means"],
            values["quats"],
            scales,
            values["opacity_logits"][:, 0].sigmoid(),
            sh,
            *self._cameras[key],
            width,
            height,
            antialias=antialias,
            with_depth=with_depth,
        )
        return drawn, scales

    def _pull(
        self,
        drawn: Rendering,
        scales: Tensor,
        leaves: dict[str, Tensor],
        weights: StepWeights,
        metres: Tensor | None,
    ) -> Tensor | None:
        """Return the part of the loss that is not about colours; None if it has no weight."""
        parts = []
        if weights.opacity > 0:
            parts.append(weights.opacity * (leaves["opacity_logits"][:, 0].sigmoid() * drawn.visible).sum())
        if weights.scale > 0:
            parts.append(weights.scale * (scales.sum(1) * drawn.visible).sum())
        if metres is not None:
            known = (metres > 0) & torch.isfinite(metres)
            gap = drawn.depth / torch.where(known, metres, torch.ones_like(metres)) - drawn.alpha
            parts.append(weights.depth * torch.where(known, gap.abs(), torch.zeros_like(gap)).mean())
        return torch.stack(parts).sum() if parts else None

    @torch.no_grad()
    def _adam(self, visible: Tensor, scales: Tensor, rates: Rates) -> None:
        self._steps += 1
        # The kernel does not correct for the moments' start at zero: the same as another rate and epsilon.
        correction = (1 - _BETAS[1] ** self._steps) ** 0.5
        epsilon = _EPSILON * correction
        correction /= 1 - _BETAS[0] ** self._steps
        rate_of = {
            "means": rates.means,
            "log_scales": rates.log_scales,
            "quats": rates.quats,
            "opacity_logits": rates.opacity_logits,
            "sh": rates.sh,
            "sh_rest": rates.sh_rest,
        }
        for name, value in self._values.items():
            gradient = value.grad
            value.requires_grad_(False)
            value.grad = None
            if gradient is None or not value.numel():
                continue
            rate = rate_of[name] * correction
            # Means move by shares of the splat's own size.
            moved = torch.zeros_like(value) if name == "means" else value
            self._operations.adam(
                moved, gradient.contiguous(), *self._moments[name], visible, rate, _BETAS, epsilon
            )
            if name == "means":
                value.addcmul_(moved, scales.mean(1, keepdim=True))
        self._values["log_scales"].clamp_(-16.0, float(np.log(self._scale_max)))
        self._values["opacity_logits"].clamp_(-12.0, 12.0)
