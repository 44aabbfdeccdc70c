"""PyTorch3D's point rasteriser behind the protocol of `backend`: round discs instead of ellipses.

For pipelines that already use PyTorch3D; coarser than the kernels. The package is not a dependency: it has no
wheel for this Python, and naming it breaks dependency resolvers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import MissingBackendError
from .backend import Rasterizer, Rendering
from .reference import ALPHA_MAX, NEAR_M, harmonics

_LAYERS = 16  # discs per pixel that are blended, nearest first
_RADIUS_SIGMAS = 2.0


def load() -> Rasterizer:
    """Return the rasteriser.

    Raises:
        MissingBackendError: PyTorch3D is not installed.
    """
    if importlib.util.find_spec("pytorch3d") is None:
        raise MissingBackendError(
            "pytorch3d", "is not installed", "build it from its sources, or use the rasterizer 'cpu'"
        )
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
    """Draw one picture; see `backend.Rasterizer`. `quats` and `antialias` have no effect on discs.

    A disc reaches two standard deviations; its radius is the mean of the three scales. Gradients reach
    `means`, `opacities` and `sh`, not `quats` and `scales`.
    """
    from pytorch3d.renderer import rasterize_points
    from pytorch3d.structures import Pointclouds

    x_cam = means @ viewmat[:3, :3].T + viewmat[:3, 3]
    depth = x_cam[:, 2]
    safe = depth.clamp_min(NEAR_M)
    # PyTorch3D's NDC: the shorter side spans -1..1, +x is left and +y is up.
    per_pixel = 2.0 / min(width, height)
    column = K[0, 0] * x_cam[:, 0] / safe + K[0, 2]
    row = K[1, 1] * x_cam[:, 1] / safe + K[1, 2]
    ndc = torch.stack(
        [
            (width / 2 - column) * per_pixel,
            (height / 2 - row) * per_pixel,
            torch.where(depth > NEAR_M, depth, -1),
        ],
        -1,
    )
    radius = (_RADIUS_SIGMAS * K[0, 0] * scales.mean(-1).detach() / safe.detach()).clamp_min(0.5) * per_pixel
    index, z, distance2 = rasterize_points(
        Pointclouds([ndc]), (height, width), radius, points_per_pixel=_LAYERS, bin_size=0
    )
    hit = index[0] >= 0
    which = index[0].clamp_min(0).long()
    fall_off = torch.exp(-0.5 * distance2[0] * (_RADIUS_SIGMAS / radius[which]) ** 2)
    alpha = torch.where(hit, (opacities[which] * fall_off).clamp_max(ALPHA_MAX), torch.zeros_like(fall_off))
    ahead = torch.cumprod(1 - alpha, -1)
    weight = alpha * torch.cat([torch.ones_like(ahead[..., :1]), ahead[..., :-1]], -1)
    eye = -viewmat[:3, :3].T @ viewmat[:3, 3]
    color = (0.5 + torch.einsum("nk,nkc->nc", harmonics(means - eye, sh.shape[1]), sh)).clamp_min(0)
    behind = torch.tensor(tuple(background), dtype=means.dtype, device=means.device)
    image = (weight[..., None] * color[which]).sum(2) + ahead[..., -1:] * behind
    visible = torch.zeros(len(means), dtype=torch.bool, device=means.device)
    visible[which[hit]] = True
    return Rendering(image, 1 - ahead[..., -1], (weight * z[0].clamp_min(0)).sum(-1), visible)
