"""Where in a chunk the error lies that it takes away: a handful of points, so that a server can tell how much
of it a viewer sees.

A chunk is not all in view or all out of it, and a sphere around splats near and far says little about either.
Known splat by splat, visibility brings chunks in almost the order that a picture of the very view would;
sixteen points are as good (README.md).
"""

from __future__ import annotations

import base64
import binascii

import numpy as np
from numpy.typing import NDArray

from .errors import AssetFormatError
from .morton import morton_order

PROBES = 16  # of a chunk
_COLUMNS = 5  # x, y, z, reach in metres, share of the chunk's gain
NO_PROBES = np.empty((0, _COLUMNS))
_STEPS = 255


def probes_of(means: NDArray, reach: NDArray, errors: NDArray) -> NDArray[np.float64]:
    """Return at most 16 points [K, 5]: position and reach in metres, and share of the error; shares sum to 1.

    Args:
        means: [N, 3] metres.
        reach: [N] how far each splat extends, metres.
        errors: [N] >= 0. All zero: every splat counts alike.
    """
    weights = np.asarray(errors, np.float64)
    # A splat without a measured error still is somewhere.
    weights = weights + max(weights.sum(), 1e-30) / len(weights) * 1e-3
    rows = []
    for run in np.array_split(morton_order(means), min(PROBES, len(means))):
        own = weights[run] / weights[run].sum()
        center = own @ means[run].astype(np.float64)
        spread2 = ((means[run] - center) ** 2).sum(axis=1) + reach[run].astype(np.float64) ** 2
        rows.append([*center, np.sqrt(own @ spread2), weights[run].sum()])
    found = np.array(rows)
    found[:, 4] /= found[:, 4].sum()
    return found


def encode_probes(probes: NDArray, center: NDArray, radius: float) -> str:
    """Return probes as text, five bytes each: within 1/127 of the chunk's radius, shares within 1/510."""
    if not len(probes):
        return ""
    places = (probes[:, :3] - center) / max(radius, 1e-9) / 2 + 0.5
    columns = np.column_stack([places, probes[:, 3] / max(radius, 1e-9), probes[:, 4]])
    codes = np.rint(columns.clip(0, 1) * _STEPS).astype(np.uint8)
    return base64.b64encode(codes.tobytes()).decode()


def decode_probes(text: str, center: NDArray, radius: float) -> NDArray[np.float64]:
    """Return what `encode_probes` was given, rounded, as 16 rows; those beyond the given ones have no share.

    No probes: one, at the chunk's middle.

    Raises:
        AssetFormatError: Not one to sixteen probes, or shares that are all zero.
    """
    found = np.zeros((PROBES, _COLUMNS))
    if not text:
        found[0] = [*center, radius, 1.0]
        return found
    try:
        codes = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (binascii.Error, ValueError) as error:
        raise AssetFormatError(f"probes of a chunk must be base64: {error}") from error
    if len(codes) % _COLUMNS or not 0 < len(codes) <= PROBES * _COLUMNS:
        raise AssetFormatError(
            f"a chunk must have 1 to {PROBES} probes of {_COLUMNS} bytes, got {len(codes)}"
        )
    columns = codes.reshape(-1, _COLUMNS) / _STEPS
    if not columns[:, 4].any():
        raise AssetFormatError("probes of a chunk must have a share of its gain, got none")
    found[: len(columns), :3] = center + (columns[:, :3] - 0.5) * 2 * radius
    found[: len(columns), 3] = columns[:, 3] * radius
    found[: len(columns), 4] = columns[:, 4] / columns[:, 4].sum()
    return found
