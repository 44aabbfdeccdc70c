"""gsplat as this project calls it, for machines without CUDA: its arguments, checks and shapes, our kernels.

A test compares the arguments with those of the gsplat that is installed, where one is.
Source: nerfstudio-project/gsplat, gsplat/rendering.py and gsplat/cuda/_wrapper.py, v1.5.3 and 90d7b4b3, which
is 1.6.0.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
import torch
from torch import Tensor

from reconstruction.rasterizers import cpu, reference
from reconstruction.spherical_harmonics import SH_C0

RELEASES = ("1.5", "1.6")


def install(monkeypatch: pytest.MonkeyPatch, release: str, extension: object = "compiled") -> None:
    """Let `import gsplat` find this; `extension` None is a gsplat that found no CUDA toolkit."""
    modules = {name: ModuleType(name) for name in ("gsplat", "gsplat.cuda")}
    modules["gsplat.cuda._wrapper"], modules["gsplat.cuda._backend"] = (ModuleType(name) for name in "wb")
    modules["gsplat"].rasterization = rasterization
    modules["gsplat"].spherical_harmonics = HARMONICS[release]
    modules["gsplat.cuda._wrapper"].adam = adam
    modules["gsplat.cuda._backend"]._C = extension
    for name, module in modules.items():
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)


def rasterization(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    radius_clip: float = 0.0,
    eps2d: float = 0.3,
    sh_degree: int | None = None,
    packed: bool = True,
    tile_size: int = 16,
    backgrounds: Tensor | None = None,
    render_mode: str = "RGB",
    sparse_grad: bool = False,
    absgrad: bool = False,
    rasterize_mode: str = "classic",
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Draw colours [N, 3] as cameras [1, 4, 4] see them.

    Returns:
        Colours and depth sum [1, H, W, 3 or 4], alpha [1, H, W, 1], and radii [1, N, 2], 0 where not drawn.
    """
    count = len(means)
    for tensor, shape in (
        (means, (count, 3)),
        (quats, (count, 4)),
        (scales, (count, 3)),
        (opacities, (count,)),
        (colors, (count, 3)),
        (viewmats, (1, 4, 4)),
        (Ks, (1, 3, 3)),
    ):
        assert tensor.shape == shape and tensor.dtype == torch.float32, (tensor.shape, shape)
    # What else could be asked for is not drawn here, and the near plane and blur of the kernels are fixed.
    assert not packed and not sparse_grad and not absgrad and sh_degree is None and backgrounds is None
    assert (near_plane, eps2d, radius_clip, tile_size) == (reference.NEAR_M, reference.BLUR_PX2, 0, 16)
    assert render_mode in ("RGB", "RGB+D") and rasterize_mode in ("classic", "antialiased")
    drawn = cpu.rasterize(
        means,
        quats,
        scales,
        opacities,
        ((colors - 0.5) / SH_C0)[:, None],
        viewmats[0],
        Ks[0],
        width,
        height,
        antialias=rasterize_mode == "antialiased",
    )
    channels = [drawn.image, drawn.depth[..., None]][: 1 if render_mode == "RGB" else 2]
    # A splat that only one axis sees is not drawn.
    radii = torch.stack([drawn.visible * 3, drawn.visible * 2 + ~drawn.visible], 1).to(torch.int32)
    return torch.cat(channels, 2)[None], drawn.alpha[None, ..., None], {"radii": radii[None]}


def _harmonics_of_1_5(
    degrees_to_use: int, dirs: Tensor, coeffs: Tensor, masks: Tensor | None = None
) -> Tensor:
    assert (degrees_to_use + 1) ** 2 <= coeffs.shape[-2] and masks is None
    assert dirs.shape == coeffs.shape[:-2] + (3,) and coeffs.shape[-1] == 3
    bases = reference.harmonics(dirs, (degrees_to_use + 1) ** 2)
    return torch.einsum("nk,nkc->nc", bases, coeffs[:, : bases.shape[1]])


def _harmonics_of_1_6(
    degrees_to_use: int,
    means: Tensor,
    viewmats: Tensor,
    coeffs: Tensor,
    masks: Tensor | None = None,
    batch_ids: Tensor | None = None,
    camera_ids: Tensor | None = None,
    gaussian_ids: Tensor | None = None,
    viewmats_rs: Tensor | None = None,
) -> Tensor:
    assert means.dim() == 2 and viewmats.dim() == 3 and viewmats.shape[1:] == (4, 4)
    eyes = torch.linalg.inv(viewmats)[:, :3, 3]
    return torch.stack([_harmonics_of_1_5(degrees_to_use, means - eye, coeffs) for eye in eyes])


HARMONICS = {"1.5": _harmonics_of_1_5, "1.6": _harmonics_of_1_6}


def adam(
    param: Tensor,
    param_grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    valid: Tensor,
    lr: float,
    b1: float,
    b2: float,
    eps: float,
) -> None:
    """Move the valid rows in place, without bias correction."""
    for tensor in (param, param_grad, exp_avg, exp_avg_sq, valid):
        assert tensor.is_contiguous() and not tensor.requires_grad
    assert valid.dtype == torch.bool and valid.shape == param.shape[:1]
    assert param.shape == param_grad.shape == exp_avg.shape == exp_avg_sq.shape
    rows = valid.reshape(-1, *[1] * (param.dim() - 1))
    exp_avg += rows * (1 - b1) * (param_grad - exp_avg)
    exp_avg_sq += rows * (1 - b2) * (param_grad**2 - exp_avg_sq)
    param -= rows * lr * exp_avg / (exp_avg_sq.sqrt() + eps)
