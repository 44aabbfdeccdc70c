"""The C++ kernels as a differentiable torch function, for callers who bring their own loss.

`optimize` does not come through here: it calls the kernels without autograd between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidArrayError
from ..kernels.binding import ROW_MEANS, ROW_OPACITY, ROW_QUATS, ROW_SCALES, ROW_SH, SplatRaster, padded
from .backend import Rasterizer, Rendering


class _Draw(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means, quats, scales, opacities, sh, raster, width, height):  # type: ignore[override]
        count, bases = sh.shape[:2]
        rows = np.zeros((ROW_SH + 3 * bases, padded(count)), np.float32)
        rows[ROW_MEANS:ROW_SCALES, :count] = means.detach().numpy().T
        rows[ROW_SCALES:ROW_QUATS, :count] = scales.detach().numpy().T
        rows[ROW_QUATS:ROW_OPACITY, :count] = quats.detach().numpy().T
        rows[ROW_OPACITY, :count] = opacities.detach().numpy()
        rows[ROW_SH:, :count] = sh.detach().numpy().reshape(count, -1).T
        image = np.empty((height, width, 3), np.float32)
        alpha, depth = np.empty((2, height, width), np.float32)
        raster.forward(rows, count, image, alpha, depth)
        visible = raster.drawn()
        ctx.raster, ctx.rows, ctx.shape = raster, rows, sh.shape
        outputs = tuple(torch.from_numpy(array) for array in (image, alpha, depth, visible))
        ctx.mark_non_differentiable(outputs[3])
        return outputs

    @staticmethod
    def backward(ctx, d_image, d_alpha, d_depth, _):  # type: ignore[override]
        count, bases, _channels = ctx.shape
        gradients = np.zeros_like(ctx.rows)
        d_image, d_alpha, d_depth = (
            np.ascontiguousarray(gradient.numpy(), np.float32) for gradient in (d_image, d_alpha, d_depth)
        )
        ctx.raster.backward(ctx.rows, count, d_image, gradients, d_alpha=d_alpha, d_depth=d_depth)
        columns = torch.from_numpy(np.ascontiguousarray(gradients[:, :count].T))
        return (
            columns[:, ROW_MEANS:ROW_SCALES],
            columns[:, ROW_QUATS:ROW_OPACITY],
            columns[:, ROW_SCALES:ROW_QUATS],
            columns[:, ROW_OPACITY],
            columns[:, ROW_SH:].reshape(count, bases, 3),
            None,
            None,
            None,
        )


def load() -> Rasterizer:
    """Return the rasteriser.

    Raises:
        MissingBackendError: The kernels are not compiled and there is no compiler.
    """
    SplatRaster(threads=1)
    return rasterize


def rasterize(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    viewmat: Tensor,
    K: Tensor,
    width: int,
    height: int,
    *,
    background: Sequence[float] = (0.0, 0.0, 0.0),
    antialias: bool = True,
) -> Rendering:
    """Draw one picture of float32 CPU tensors; see `backend.Rasterizer`.

    Raises:
        InvalidArrayError: A tensor is not finite, or of another shape or type, or on another device; the
            picture size is out of range, or a focal length is not positive.
    """
    count, bases = len(means), sh.shape[1] if sh.ndim == 3 else 1
    splats = dict(means=means, quats=quats, scales=scales, opacities=opacities, sh=sh)
    shapes = dict(means=(count, 3), quats=(count, 4), scales=(count, 3), opacities=(count,))
    shapes["sh"] = (count, bases, 3)
    for name, tensor in splats.items():
        if tensor.shape != shapes[name]:
            rule = f"must have shape {list(shapes[name])}, got {list(tensor.shape)}"
            raise InvalidArrayError(name, rule)
        if tensor.device.type != "cpu" or tensor.dtype != torch.float32:
            raise InvalidArrayError(
                name, f"must be a float32 CPU tensor, got {tensor.dtype} on {tensor.device}"
            )
        if not torch.isfinite(tensor).all():
            raise InvalidArrayError(name, "must be finite")
    if bases not in (1, 4, 9, 16):
        raise InvalidArrayError("sh", f"must hold 1, 4, 9 or 16 coefficients, got {bases}")
    raster = SplatRaster()  # one per picture: it keeps what the backward pass of that picture needs
    raster.look(
        viewmat.detach().numpy(),
        K.detach().numpy(),
        width,
        height,
        background=background,
        antialias=antialias,
    )
    return Rendering(*_Draw.apply(means, quats, scales, opacities, sh, raster, width, height))
