"""gsplat on CUDA, behind the protocol of `backend`, and the two calls that `cuda_step` trains with.

Without CUDA every gsplat call tries to compile its extension and fails with a misleading missing-file error,
so the device is looked at before the package is touched.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import MissingBackendError
from ..spherical_harmonics import SH_C0
from .backend import Rasterizer, Rendering
from .reference import BLUR_PX2, NEAR_M


def load() -> Rasterizer:
    """Return the rasteriser, compiled: a first use takes minutes.

    Raises:
        MissingBackendError: There is no CUDA device, gsplat is not installed, or it cannot be compiled here.
    """
    if not torch.cuda.is_available():
        hint = "Use the rasterizer 'cpu', or a machine with an NVIDIA GPU."
        raise MissingBackendError("gsplat", "needs a CUDA device, none was found", hint)
    if importlib.util.find_spec("gsplat") is None:
        raise MissingBackendError("gsplat", "is not installed", "Run: pip install 'immersive[cuda]'.")
    hint = "Install the CUDA toolkit that PyTorch was built for, or use the rasterizer 'cpu'."
    try:
        from gsplat.cuda._backend import _C
    except (ImportError, OSError, RuntimeError) as error:
        why = str(error).partition("\n")[0]
        raise MissingBackendError("gsplat", f"could not be compiled: {why}", hint) from error
    if _C is None:
        raise MissingBackendError("gsplat", "must be compiled with nvcc, no CUDA toolkit was found", hint)
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
    with_depth: bool = True,
) -> Rendering:
    """Draw one picture of float32 CUDA tensors; see `backend.Rasterizer`.

    Against the definition in `reference`: gsplat 1.5 caps alpha at 0.999 instead of 0.99 (1.6 at 0.99), and a
    pixel ends before the splat that would leave less than 1/10,000 of the light. Where more light than that
    is left the two agree to rounding: clamp of the Jacobian, low-pass, pixel centres and SH signs are ours.

    Args:
        with_depth: False leaves `Rendering.depth` zero and is a little faster.
    """
    from gsplat import rasterization

    # Unpacked, 16-pixel tiles: gsplat's fastest where a picture sees most splats. Colours are found here:
    # gsplat's own way inverts the camera with a call that makes the host wait for the device.
    drawn, alphas, meta = rasterization(
        means,
        quats,
        scales,
        opacities,
        _colors(means, sh, viewmat),
        viewmat[None],
        K[None],
        width,
        height,
        near_plane=NEAR_M,
        eps2d=BLUR_PX2,
        packed=False,
        render_mode="RGB+D" if with_depth else "RGB",
        rasterize_mode="antialiased" if antialias else "classic",
    )
    alpha = alphas[0, ..., 0]
    image = drawn[0, ..., :3]
    if any(background):
        behind = torch.tensor(tuple(background), dtype=means.dtype, device=means.device)
        image = image + (1 - alpha)[..., None] * behind
    depth = drawn[0, ..., 3] if with_depth else torch.zeros_like(alpha)
    return Rendering(image, alpha, depth, (meta["radii"][0] > 0).all(-1))


def selective_adam(
    values: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    visible: Tensor,
    rate: float,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Move the rows of `values` [N, ...] that `visible` [N] names by one Adam step without bias correction.

    `values` and the two moments are updated in place, by one kernel.
    """
    from gsplat.cuda._wrapper import adam

    adam(values, gradient, first, second, visible, rate, *betas, epsilon)


def _colors(means: Tensor, sh: Tensor, viewmat: Tensor) -> Tensor:
    """Return RGB [N, 3] as the camera sees it, not below zero."""
    if sh.shape[1] == 1:
        return (0.5 + SH_C0 * sh[:, 0]).clamp_min(0)
    from gsplat import spherical_harmonics

    degree = int(sh.shape[1] ** 0.5) - 1
    if "dirs" in inspect.signature(spherical_harmonics).parameters:  # up to 1.5
        eye = -viewmat[:3, :3].T @ viewmat[:3, 3]
        above = spherical_harmonics(degree, means - eye, sh)
    else:  # 1.6 takes cameras [C, 4, 4]
        above = spherical_harmonics(degree, means, viewmat[None], sh)[0]
    return (0.5 + above).clamp_min(0)
