"""Pictures of a cloud, on the CPU. No torch here: quality, walkability, LoD and previews draw with this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..cameras import Cameras
from ..conventions import F32
from ..errors import InvalidArrayError
from ..kernels.binding import SplatRaster, planar
from ..splats import SplatCloud

_KNOWN_ALPHA = 0.5  # below this a pixel shows more background than scene, and its depth means nothing


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One view of a cloud."""

    image: F32  # [H, W, 3] display-referred sRGB over the background; may exceed 1
    alpha: F32  # [H, W] coverage 0..1
    depth: F32  # [H, W] metres along +Z, 0 where alpha < 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """F views of a cloud; the fields of `Picture`, stacked."""

    images: F32  # [F, H, W, 3]
    alphas: F32  # [F, H, W]
    depths: F32  # [F, H, W]


def draw_each(
    cloud: SplatCloud,
    cameras: Cameras,
    *,
    background: Sequence[float] = (0.0, 0.0, 0.0),
    antialias: bool = True,
    depth: Literal["expected", "median"] = "expected",
) -> Iterator[Picture]:
    """Yield one picture per camera; memory does not grow with their number.

    Args:
        cloud: Splats to draw.
        cameras: Views; splats nearer than 5 cm are not drawn.
        background: RGB 0..1 behind the splats.
        antialias: Keep a splat's light when the screen-space low-pass widens it, as Mip-Splatting and Spark's
            default do. Clouds of this project are fitted with it; files from classic 3DGS trainers without.
        depth: ``expected`` is the weighted mean over a pixel's splats, ``median`` the depth at which half of
            the light is blocked: less smooth, but never between two surfaces.

    Raises:
        InvalidArrayError: `background` is not three finite numbers, the cloud's arrays were changed to hold
            values that are not finite, or pictures are larger than the kernels draw.
        MissingBackendError: The kernels are not compiled and there is no compiler.
    """
    raster = SplatRaster()
    params = planar(cloud)
    if not np.isfinite(params).all():
        raise InvalidArrayError("cloud", "must be finite, got values that are not")
    height, width = cameras.height, cameras.width
    for viewmat, K in zip(cameras.viewmats, cameras.Ks, strict=True):
        image = np.empty((height, width, 3), np.float32)
        alpha, metres = np.empty((2, height, width), np.float32)
        raster.look(viewmat, K, width, height, background=background, antialias=antialias)
        if depth == "median":
            raster.forward(params, len(cloud), image, alpha, median=metres)
        else:
            raster.forward(params, len(cloud), image, alpha, depth=metres)
            metres /= np.maximum(alpha, _KNOWN_ALPHA)
        metres[alpha < _KNOWN_ALPHA] = 0.0
        yield Picture(image, alpha, metres)


def draw(
    cloud: SplatCloud,
    cameras: Cameras,
    *,
    background: Sequence[float] = (0.0, 0.0, 0.0),
    antialias: bool = True,
    depth: Literal["expected", "median"] = "expected",
) -> Drawing:
    """Return all pictures of `draw_each` at once: 20 bytes per pixel and camera."""
    pictures = list(draw_each(cloud, cameras, background=background, antialias=antialias, depth=depth))
    shape = (0, cameras.height, cameras.width)
    if not pictures:
        empty = np.empty(shape, np.float32)
        return Drawing(np.empty((*shape, 3), np.float32), empty, empty.copy())
    return Drawing(
        np.stack([picture.image for picture in pictures]),
        np.stack([picture.alpha for picture in pictures]),
        np.stack([picture.depth for picture in pictures]),
    )
