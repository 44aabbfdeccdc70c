"""gsplat on CUDA, behind the protocol of `backend`.

Without CUDA every gsplat call tries to compile its extension and fails with a misleading missing-file error,
so the device is looked at before the package is touched.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import MissingBackendError
from .backend import Rasterizer, Rendering
from .reference import BLUR_PX2, NEAR_M


def load() -> Rasterizer:
    """Return the rasteriser.

    Raises:
        MissingBackendError: There is no CUDA device, or gsplat is not installed.
    """
    if not torch.cuda.is_available():
        raise MissingBackendError("gsplat", "needs a CUDA device, none was found", "use the rasterizer 'cpu'")
    if importlib.util.find_spec("gsplat") is None:
        raise MissingBackendError("gsplat", "is not installed", "run: pip install 'immersive[cuda]'")
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
    """Draw one picture of float32 CUDA tensors; see `backend.Rasterizer`.

    Against the kernels: gsplat caps alpha at 0.999 instead of 0.99 and cuts splats off at 3.33 standard
    deviations, which no 8-bit picture shows.
    """
    from gsplat import rasterization

    colors, alphas, meta = rasterization(
        means,
        quats,
        scales,
        opacities,
        sh,
        viewmat[None],
        K[None],
        width,
        height,
        near_plane=NEAR_M,
        eps2d=BLUR_PX2,
        sh_degree=int(sh.shape[1] ** 0.5) - 1,
        packed=False,
        render_mode="RGB+D",
        rasterize_mode="antialiased" if antialias else "classic",
    )
    alpha = alphas[0, ..., 0]
    behind = torch.tensor(tuple(background), dtype=means.dtype, device=means.device)
    image = colors[0, ..., :3] + (1 - alpha)[..., None] * behind
    visible = (meta["radii"][0] > 0).reshape(len(means), -1).all(-1)
    return Rendering(image, alpha, colors[0, ..., 3], visible)
