"""How far a picture is from the truth: PSNR and SSIM, as the field computes them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .conventions import F32
from .errors import InvalidArrayError

# Wang et al. 2004: 11x11 Gaussian window, sigma 1.5, K1 0.01, K2 0.03, data range 1.
_RADIUS = 5
_WINDOW = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / 1.5) ** 2)
_WINDOW /= _WINDOW.sum()
_C1, _C2 = 0.01**2, 0.03**2


def psnr(a: F32, b: F32) -> float:
    """Return the peak signal-to-noise ratio in dB of two pictures [H, W, 3] in 0..1; +inf when equal."""
    _check_pair(a, b)
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return float("inf") if error == 0.0 else -10.0 * float(np.log10(error))


def ssim(a: F32, b: F32) -> float:
    """Return the structural similarity, -1..1, of two pictures [H, W, C] in 0..1.

    Mean over channels and over the pixels whose 11x11 window lies inside the picture, so both sides must
    be at least 11 pixels long. Source: Wang, Bovik, Sheikh, Simoncelli 2004, equation 13.
    """
    _check_pair(a, b)
    if min(a.shape[:2]) < 2 * _RADIUS + 1:
        raise InvalidArrayError(
            "pictures", f"must be at least 11 pixels on each side, got {list(a.shape[:2])}"
        )
    a, b = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b = _blurred(a), _blurred(b)
    variance_a = _blurred(a * a) - mean_a**2
    variance_b = _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)) / (
        (mean_a**2 + mean_b**2 + _C1) * (variance_a + variance_b + _C2)
    )
    return float(similarity.mean())


def _blurred(picture: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        picture = ndimage.correlate1d(picture, _WINDOW, axis=axis)
    return picture[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _check_pair(a: F32, b: F32) -> None:
    if a.ndim != 3 or a.shape != b.shape:
        raise InvalidArrayError(
            "pictures", f"must have one shape [H, W, C], got {list(a.shape)} and {list(b.shape)}"
        )
