"""Depth pictures made ready for fusion: small, without flying pixels, some from where no picture looked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .cameras import Cameras, intrinsics
from .checks import check_array
from .conventions import F32, look_at_viewmat
from .errors import InvalidArrayError
from .splats import SplatCloud

# Depth pictures are fused at about this width: at 12 cm voxels more pixels only repeat each other.
_FUSED_WIDTH_PX = 240
# A pixel straddles two surfaces when it is this share farther than one and nearer than the other.
_STRADDLES = 0.12


def depths_and_views(depths: F32 | None, cameras: Cameras, cloud: SplatCloud | None) -> tuple[F32, Cameras]:
    """Return small depth pictures without flying pixels and their cameras; drawn views come last."""
    if depths is None:
        if cloud is None:
            raise InvalidArrayError("depths", "must be given when there is no cloud to draw them from")
        height = max(1, round(cameras.height * _FUSED_WIDTH_PX / cameras.width))
        small = cameras.resized(_FUSED_WIDTH_PX, height)
        depths = _drawn(cloud, small)
    else:
        check_array("depths", depths, shape=(len(cameras), "H", "W"), dtype=np.float32, finite=False)
        if np.isnan(depths).any() or (depths < 0).any():
            raise InvalidArrayError("depths", "must be 0 (unknown) or positive, got NaN or negative")
        depths, small = _thinned(depths, cameras)
    depths = without_flying_pixels(depths)
    if cloud is None or not len(cloud):
        return depths, small
    extra = _views_down(cameras, small.width, small.height)
    seen = without_flying_pixels(_drawn(cloud, extra))
    views = Cameras(
        np.concatenate([small.viewmats, extra.viewmats]),
        np.concatenate([small.Ks, extra.Ks]),
        small.width,
        small.height,
    )
    return np.concatenate([depths, seen]), views


def _thinned(depths: F32, cameras: Cameras) -> tuple[F32, Cameras]:
    """Keep every k-th pixel, exactly where it was: averaging depths would invent surfaces between two."""
    height, width = depths.shape[1:]
    at_size = cameras.resized(width, height)
    stride = max(1, width // _FUSED_WIDTH_PX)
    thin = np.ascontiguousarray(depths[:, ::stride, ::stride])
    Ks = at_size.Ks / np.array([stride, stride, 1], np.float32)[:, None]
    # Pixel i of the thin picture is pixel i * stride: centre i * stride + 0.5 goes to i + 0.5.
    Ks[:, :2, 2] += 0.5 - 0.5 / stride
    return thin, replace(at_size, Ks=Ks, width=thin.shape[2], height=thin.shape[1])


def _drawn(cloud: SplatCloud, cameras: Cameras) -> F32:
    from .rasterizers.draw import draw_each

    # The median depth lies on one surface; the mean of a leaf and the hill behind it lies on neither.
    return np.stack([picture.depth for picture in draw_each(cloud, cameras, depth="median")])


def _views_down(cameras: Cameras, width: int, height: int) -> Cameras:
    """Return wide views from places spread along the path, looking down to four sides.

    Pictures taken at eye height show the ground from three metres on; these show what lies nearer.
    """
    positions = cameras.positions
    chosen = positions[np.linspace(0, len(positions) - 1, min(8, len(positions))).round().astype(int)]
    viewmats = []
    for place, position in enumerate(chosen):
        for quarter in range(2):
            angle = np.pi * (quarter + 0.25 * place)
            ahead = np.array([np.sin(angle), -1.0, np.cos(angle)])
            viewmats.append(look_at_viewmat(position, position + ahead))
    K = intrinsics(0.5 * height, width, height)  # 90 degrees high
    return Cameras(np.stack(viewmats), np.repeat(K[None], len(viewmats), axis=0), width, height)


def without_flying_pixels(depths: F32) -> F32:
    """Return depths [F, H, W] with 0 where a pixel lies between its two neighbours and far from both.

    Such a pixel straddles an edge and shows a surface that is not there. Glancing ground differs from pixel
    to pixel by less than `_STRADDLES`, so it stays; so do thin stems, which lie in front of both sides.
    """
    is_flying = np.zeros(depths.shape, bool)
    for axis in (1, 2):
        middle = np.moveaxis(depths, axis, 0)
        before, here, after = middle[:-2], middle[1:-1], middle[2:]
        low, high = np.minimum(before, after), np.maximum(before, after)
        between = (here > low * (1 + _STRADDLES)) & (here < high / (1 + _STRADDLES))
        np.moveaxis(is_flying, axis, 0)[1:-1] |= between & (low > 0)
    return np.where(is_flying, np.float32(0), depths)
