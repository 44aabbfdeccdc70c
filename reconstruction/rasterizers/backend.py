"""What every differentiable rasteriser does, and the table of those there are.

Imports torch only to look for CUDA, and only where gsplat is installed: fitting on the CPU needs neither.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..errors import InvalidInputError

if TYPE_CHECKING:
    from torch import Tensor


class Rendering(NamedTuple):
    """One differentiable picture."""

    image: Tensor  # [H, W, 3] RGB over the background
    alpha: Tensor  # [H, W] coverage 0..1
    depth: Tensor  # [H, W] sum of weight x depth along +Z; divide by alpha for metres
    visible: Tensor  # [N] bool: drawn somewhere in the picture


class Rasterizer(Protocol):
    """Draws activated splats (see `SplatCloud`) with gradients to each of the five tensors."""

    def __call__(
        self,
        means: Tensor,  # [N, 3]
        quats: Tensor,  # [N, 4] wxyz, any length
        scales: Tensor,  # [N, 3]
        opacities: Tensor,  # [N]
        sh: Tensor,  # [N, K, 3]
        viewmat: Tensor,  # [4, 4]
        K: Tensor,  # [3, 3]
        width: int,
        height: int,
        *,
        background: Sequence[float] = (0.0, 0.0, 0.0),
        antialias: bool = True,
    ) -> Rendering: ...


_MODULES = {"cpu": ".cpu", "gsplat": ".gsplat_cuda", "pytorch3d": ".pytorch3d_points"}


def rasterizer_names() -> tuple[str, ...]:
    """Return the names that `load_rasterizer` takes, ``auto`` apart."""
    return tuple(_MODULES)


def resolve_rasterizer(name: str) -> str:
    """Return `name`, or for ``auto`` the best one here: ``gsplat`` where it can train, else ``cpu``.

    Raises:
        InvalidInputError: There is no such rasteriser.
    """
    if name == "auto":
        return "gsplat" if _can_train_on_cuda() else "cpu"
    if name not in _MODULES:
        raise InvalidInputError(
            f"rasterizer must be one of {('auto', *_MODULES)}, got {name!r}",
            hint="Leave it at 'auto' to use the best one on this machine.",
        )
    return name


def load_rasterizer(name: str) -> Rasterizer:
    """Return a rasteriser by name.

    Raises:
        InvalidInputError: There is no such rasteriser.
        MissingBackendError: It cannot be used on this machine.
    """
    return importlib.import_module(_MODULES[resolve_rasterizer(name)], __package__).load()


def _can_train_on_cuda() -> bool:
    if any(importlib.util.find_spec(package) is None for package in ("gsplat", "triton")):
        return False
    import torch

    return torch.cuda.is_available()
