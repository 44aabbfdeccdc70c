"""What a depth map says about the surface it shows: how noisy it is, the surface without noise, its normals.

All of it in inverse depth, in which a plane is linear over the picture.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .conventions import F32

# Three pixels lie on a plane up to this second difference of inverse depth, as a share of it.
_FLAT = 0.02
_QUIET = 0.005  # relative noise that is left alone: quantised depths and curved surfaces have as much
_REACH_PX = 3  # of the window that a plane is fitted in
_SAME_SURFACE = 2.5  # standard deviations of the noise
# Of normal noise: the median of |a - 2 b + c| over the standard deviation of a, b and c.
_SECOND_DIFFERENCE = 0.6745 * 6**0.5


def surface_normals(depth: F32, K: F32) -> F32:
    """Return unit normals towards the camera, where neighbouring pixels lie on one plane.

    Args:
        depth: [H, W] metres along the optical axis; 0 is unknown, infinite is sky.
        K: [3, 3].

    Returns:
        [H, W, 3] in the camera's frame; zero at edges, borders, unknown pixels and sky.
    """
    height, width = depth.shape
    v, u = np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)
    z = _known(depth)
    x_cam = np.stack([(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z], -1)
    across, down = np.full_like(x_cam, np.nan), np.full_like(x_cam, np.nan)
    across[:, 1:-1] = x_cam[:, 2:] - x_cam[:, :-2]
    down[1:-1] = x_cam[2:] - x_cam[:-2]
    normals = np.cross(down, across)
    lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
    bends_across, bends_down = _bends(z)
    flat = (lengths[..., 0] > 0) & (bends_across < _FLAT) & (bends_down < _FLAT)
    return np.where(flat[..., None], normals / np.where(lengths > 0, lengths, 1), 0).astype(np.float32)


def noise_of(depth: F32) -> float:
    """Return the standard deviation of a depth map's [H, W] noise between pixels, as a share of depth."""
    bends = np.concatenate([bends.ravel() for bends in _bends(_known(depth))])
    bends = bends[np.isfinite(bends)]
    return float(np.median(bends)) / _SECOND_DIFFERENCE if len(bends) else 0.0


def without_noise(depth: F32) -> F32:
    """Return a depth map [H, W] whose pixels lie on planes through their neighbours; quiet maps as they are.

    Pixels of another surface, farther off than noise explains, have no say. Unknown pixels and sky stay.
    """
    noise = noise_of(depth)
    if noise < _QUIET:
        return depth
    inverse = 1 / _known(depth)
    known = np.isfinite(inverse)
    # Of a median of 5 x 5 a fifth of the noise is left; it tells surfaces apart, edges included.
    filled = np.where(known, inverse, 0)
    middle = ndimage.median_filter(filled, 5, mode="nearest")
    allowed = np.maximum(_SAME_SURFACE * noise * middle, 1e-12)
    height, width = depth.shape
    reach = _REACH_PX
    padded = np.pad(np.where(known, inverse, np.inf), reach, constant_values=np.inf)
    # Sums over the window of w, w u, w v, w u u, w u v, w v v, w i, w i u, w i v.
    sums = np.zeros((9, height, width))
    for v in range(-reach, reach + 1):
        for u in range(-reach, reach + 1):
            other = padded[reach + v : reach + v + height, reach + u : reach + u + width]
            weight = np.abs(other - middle) < allowed
            value = np.where(weight, other, 0)
            for k, factor in enumerate((1, u, v, u * u, u * v, v * v)):
                sums[k] += weight * factor
            for k, factor in enumerate((1, u, v), 6):
                sums[k] += value * factor
    w, wu, wv, wuu, wuv, wvv, wi, wiu, wiv = sums
    # The plane's value at the pixel itself by Cramer's rule.
    a, b, c = wuu * wvv - wuv * wuv, wuv * wv - wu * wvv, wu * wuv - wuu * wv
    determinant = w * a + wu * b + wv * c
    with np.errstate(divide="ignore", invalid="ignore"):
        smooth = (wi * a + wiu * b + wiv * c) / determinant
    # Few pixels, or all in a row, make no plane.
    usable = known & (w >= 8) & (determinant > 1e-3 * w**3) & (np.abs(smooth - middle) < allowed)
    return np.where(usable, 1 / np.where(usable, smooth, 1), depth).astype(np.float32)


def _known(depth: F32) -> F32:
    return np.where((depth > 0) & np.isfinite(depth), depth, np.nan).astype(np.float32)


def _bends(z: F32) -> tuple[F32, F32]:
    """Return the sizes [H, W] of second differences of inverse depth, as shares of it; NaN where unknown.

    Across the picture, then down.
    """
    inverse = 1 / z
    across, down = np.full_like(z, np.nan), np.full_like(z, np.nan)
    across[:, 1:-1] = np.abs(inverse[:, 2:] + inverse[:, :-2] - 2 * inverse[:, 1:-1]) * z[:, 1:-1]
    down[1:-1] = np.abs(inverse[2:] + inverse[:-2] - 2 * inverse[1:-1]) * z[1:-1]
    return across, down
