"""Colour as a function of direction. The only home of the SH constants.

Coefficients run degree by degree, m = -l .. l inside a degree, with the signs that INRIA's 3DGS, gsplat
and KHR_gaussian_splatting share. A colour is `0.5 + sum(basis * coefficients)`, negative values cut to 0.
Directions point from the camera to the splat, world frame.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SH_C0 = 0.2820947917738781
_C1 = 0.4886025119029199
_C2 = (1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792, 0.5462742152960396)
_C3 = (
    -0.5900435899266435,
    2.890611442640554,
    -0.4570457994644658,
    0.3731763325901154,
    -0.4570457994644658,
    1.445305721320277,
    -0.5900435899266435,
)
MAX_SH_DEGREE = 3


def basis(directions: NDArray, degree: int) -> NDArray:
    """Return the SH basis [..., (degree + 1) ** 2] of unit `directions` [..., 3]; keeps their float type.

    Raises:
        ValueError: `degree` is not 0 to 3.
    """
    if not 0 <= degree <= MAX_SH_DEGREE:
        raise ValueError(f"degree must be 0 to {MAX_SH_DEGREE}, got {degree}")
    x, y, z = np.moveaxis(np.asarray(directions), -1, 0)
    terms = [np.full_like(x, SH_C0)]
    if degree >= 1:
        terms += [-_C1 * y, _C1 * z, -_C1 * x]
    if degree >= 2:
        xx, yy, zz = x * x, y * y, z * z
        terms += [
            _C2[0] * x * y,
            _C2[1] * y * z,
            _C2[2] * (2 * zz - xx - yy),
            _C2[3] * x * z,
            _C2[4] * (xx - yy),
        ]
    if degree == 3:
        terms += [
            _C3[0] * y * (3 * xx - yy),
            _C3[1] * x * y * z,
            _C3[2] * y * (4 * zz - xx - yy),
            _C3[3] * z * (2 * zz - 3 * xx - 3 * yy),
            _C3[4] * x * (4 * zz - xx - yy),
            _C3[5] * z * (xx - yy),
            _C3[6] * x * (xx - 3 * yy),
        ]
    return np.stack(terms, axis=-1)


def evaluate(sh: NDArray, directions: NDArray) -> NDArray:
    """Return colours [..., 3] >= 0 of coefficients `sh` [..., K, 3] seen along unit `directions` [..., 3]."""
    degree = int(np.sqrt(sh.shape[-2])) - 1
    return np.maximum(0.5 + np.einsum("...k,...kc->...c", basis(directions, degree), sh), 0.0)


def dc_from_rgb(rgb: NDArray) -> NDArray:
    """Return the degree-0 coefficients [..., 3] whose colour is `rgb` [..., 3] from everywhere."""
    return (rgb - 0.5) / SH_C0


def rgb_from_dc(dc: NDArray) -> NDArray:
    """Return the colours [..., 3], not clamped, of degree-0 coefficients [..., 3]."""
    return 0.5 + SH_C0 * dc


def rotate(sh: NDArray, rotmat: NDArray) -> NDArray:
    """Turn coefficients [N, K, 3] with a scene that is turned by `rotmat` [3, 3], a proper rotation.

    The result seen along `rotmat @ d` has the colour that `sh` has along `d`.
    """
    degree = int(np.sqrt(sh.shape[-2])) - 1
    turned = np.array(sh)
    directions = _spread_directions()
    for l in range(1, degree + 1):
        band = slice(l * l, (l + 1) ** 2)
        # Each degree is closed under rotation, so this least-squares system has an exact solution.
        before = basis(directions, l)[:, band]
        after = basis(directions @ np.asarray(rotmat, np.float64).T, l)[:, band]
        matrix = np.linalg.lstsq(after, before, rcond=None)[0]
        turned[:, band] = np.einsum("ij,njc->nic", matrix, sh[:, band])
    return turned


@lru_cache(maxsize=1)
def _spread_directions() -> NDArray:
    """Unit vectors [64, 3] that cover the sphere without symmetry (a Fibonacci lattice)."""
    i = np.arange(64) + 0.5
    z = 1 - 2 * i / 64
    angle = i * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - z * z)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=-1)
