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
_CODE = np.dtype([("place", "<u2", 3), ("reach", "u1"), ("share", "u1")])
_PLACE_STEPS = 65_535
_STEPS_PER_OCTAVE = 8.0
_LEAST = 2.0 ** (-255 / _STEPS_PER_OCTAVE)


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
    """Return probes as text: places within 1/65 535 of the chunk's radius, reach and share within 5 %.

    A chunk may hold a sky and the ground before one's feet, so steps of a 255th would not do.
    """
    if not len(probes):
        return ""
    codes = np.zeros(len(probes), _CODE)
    places = (probes[:, :3] - center) / max(radius, 1e-9) / 2 + 0.5
    codes["place"] = np.rint(places.clip(0, 1) * _PLACE_STEPS)
    for name, part in (("reach", probes[:, 3] / max(radius, 1e-9)), ("share", probes[:, 4])):
        codes[name] = np.rint(-np.log2(np.clip(part, _LEAST, 1)) * _STEPS_PER_OCTAVE)
    return base64.b64encode(codes.tobytes()).decode()


def decode_probes(text: str, center: NDArray, radius: float) -> NDArray[np.float64]:
    """Return what `encode_probes` was given, rounded, as 16 rows; those beyond the given ones have no share.

    No probes: one, at the chunk's middle.

    Raises:
        AssetFormatError: Not one to sixteen probes.
    """
    found = np.zeros((PROBES, _COLUMNS))
    if not text:
        found[0] = [*center, radius, 1.0]
        return found
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AssetFormatError(f"probes of a chunk must be base64: {error}") from error
    if len(data) % _CODE.itemsize or not 0 < len(data) <= PROBES * _CODE.itemsize:
        raise AssetFormatError(
            f"a chunk must have 1 to {PROBES} probes of {_CODE.itemsize} bytes, got {len(data)} bytes"
        )
    codes = np.frombuffer(data, _CODE)
    rows = found[: len(codes)]
    rows[:, :3] = center + (codes["place"] / _PLACE_STEPS - 0.5) * 2 * radius
    rows[:, 3] = radius * np.exp2(codes["reach"] / -_STEPS_PER_OCTAVE)
    shares = np.exp2(codes["share"] / -_STEPS_PER_OCTAVE)
    rows[:, 4] = shares / shares.sum()
    return found
