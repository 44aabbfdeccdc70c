"""The plain definition of the picture in torch, one splat after the other: the oracle of the tests.

Any float type and any device, gradients by autograd; thousands of times slower than the kernels and never
used in their place.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .backend import Rendering

NEAR_M = 0.05
BLUR_PX2 = 0.3
ALPHA_MIN, ALPHA_MAX = 1 / 255, 0.99


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
    """Draw one picture; see `backend.Rasterizer`.

    Source: Kerbl et al., "3D Gaussian Splatting", 2023, section 4 and appendix A; Yu et al.,
    "Mip-Splatting", 2024, equation 9 for `antialias`.
    """
    turn, shift = viewmat[:3, :3], viewmat[:3, 3]
    x_cam = means @ turn.T + shift
    depth = x_cam[:, 2]
    in_front = depth > NEAR_M
    safe_depth = torch.where(in_front, depth, torch.ones_like(depth))
    slope = x_cam[:, :2] / safe_depth[:, None]
    focal, center = torch.stack([K[0, 0], K[1, 1]]), torch.stack([K[0, 2], K[1, 2]])
    size = torch.tensor([width, height], dtype=means.dtype, device=means.device)
    margin = 0.15 * size / focal
    low, high = -center / focal - margin, (size - center) / focal + margin
    clamped = torch.minimum(torch.maximum(slope, low), high)

    zero = torch.zeros_like(depth)
    jacobian = torch.stack(
        [
            torch.stack([focal[0] / safe_depth, zero, -focal[0] * clamped[:, 0] / safe_depth], -1),
            torch.stack([zero, focal[1] / safe_depth, -focal[1] * clamped[:, 1] / safe_depth], -1),
        ],
        -2,
    )
    spread = jacobian @ turn @ rotations(quats) * scales[:, None, :]
    covariance = spread @ spread.transpose(1, 2)
    blurred = covariance + BLUR_PX2 * torch.eye(2, dtype=means.dtype, device=means.device)
    conic = torch.linalg.inv(blurred)
    pixel = slope * focal + center
    if antialias:
        share = torch.linalg.det(covariance) / torch.linalg.det(blurred)
        opacities = opacities * torch.sqrt(share.clamp_min(1e-12))
    eye = -turn.T @ shift
    color = (0.5 + torch.einsum("nk,nkc->nc", harmonics(means - eye, sh.shape[1]), sh)).clamp_min(0)

    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grid = torch.stack([columns, rows], -1).to(means) + 0.5
    image = torch.zeros(height, width, 3).to(means)
    depth_sum = torch.zeros(height, width).to(means)
    transmittance = torch.ones(height, width).to(means)
    visible = torch.zeros(len(means), dtype=torch.bool, device=means.device)
    for i in torch.argsort(depth.detach()).tolist():
        if not in_front[i]:
            continue
        offset = grid - pixel[i]
        alpha = opacities[i] * torch.exp(-0.5 * ((offset @ conic[i]) * offset).sum(-1))
        alpha = torch.where(alpha < ALPHA_MIN, torch.zeros_like(alpha), alpha.clamp_max(ALPHA_MAX))
        weight = alpha * transmittance
        image = image + weight[..., None] * color[i]
        depth_sum = depth_sum + weight * depth[i]
        transmittance = transmittance * (1 - alpha)
        visible[i] = bool((alpha > 0).any())
    image = image + transmittance[..., None] * torch.tensor(background).to(means)
    return Rendering(image, 1 - transmittance, depth_sum, visible)


def rotations(quats: Tensor) -> Tensor:
    """Return world_from_local [N, 3, 3] of quaternions [N, 4] wxyz of any length."""
    w, x, y, z = (quats / quats.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


def harmonics(directions: Tensor, bases: int) -> Tensor:
    """Return real spherical harmonics [N, bases] of directions [N, 3] of any length, 3DGS signs.

    From the associated Legendre recurrence, not from the polynomials of the kernels, so that a wrong constant
    in either shows.
    """
    x, y, z = (directions / directions.norm(dim=-1, keepdim=True)).unbind(-1)
    pi = torch.pi
    columns = []
    degree = int(bases**0.5) - 1
    for l in range(degree + 1):
        for m in range(-l, l + 1):
            k = abs(m)
            # Legendre over sin^k: a polynomial in z.
            previous, current = torch.zeros_like(z), torch.full_like(z, float(_double_factorial(2 * k - 1)))
            for n in range(k + 1, l + 1):
                previous, current = current, ((2 * n - 1) * z * current - (n + k - 1) * previous) / (n - k)
            norm = ((2 * l + 1) / (4 * pi) * _factorial(l - k) / _factorial(l + k)) ** 0.5
            cosine, sine = torch.ones_like(x), torch.zeros_like(x)  # times sin^k
            for _ in range(k):
                cosine, sine = x * cosine - y * sine, x * sine + y * cosine
            around = 2**0.5 * (cosine if m > 0 else sine) if m else torch.ones_like(x)
            columns.append((-1) ** k * norm * current * around)
    return torch.stack(columns, -1)


def _factorial(n: int) -> int:
    return 1 if n < 2 else n * _factorial(n - 1)


def _double_factorial(n: int) -> int:
    return 1 if n < 2 else n * _double_factorial(n - 2)
