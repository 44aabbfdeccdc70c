"""Which frames of a shot to keep: sharp ones, a steady step of picture motion apart.

Equal times would spend frames where the camera rests and leave gaps where it hurries.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

# Frames that move further than this share of the picture's width apart are joined by more frames, if there
# are any: a point is then in sight of a dozen frames, and two frames in ten share most of what they see.
STEP_OVER_WIDTH = 0.08
# A frame this much less sharp than those around it was blurred by a shake or while the lens searched.
BLURRED_BELOW = 0.45
_AROUND = 12  # frames to each side: half a second, too short for a scene to change its texture
# Leaving out a blurred frame must not leave a longer step than this.
_GAP_OVER_WIDTH = 0.2
# A resting camera still gets some frames, since motion may have been misread, but a tenth of them.
_REST_SHARE = 0.1
_TILE_PX = 64
_LEAST_CONTRAST = 2.0  # grey levels; what a flatter tile shows is coding noise


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One decoded frame, reduced to what the choice needs."""

    index: int
    thumb: F32  # [h, w] grey, 0..255
    sharpness: float  # variance of the Laplacian


def choose(looks: list[Look], usual: int, most: int) -> list[int]:
    """Return the indices of the frames to keep, in time order.

    The shot is cut into stretches of equal motion, and of each the sharpest frame is kept. There are `usual`
    stretches, or more, up to `most`, where these would move further than `STEP_OVER_WIDTH`. A frame that is
    blurred beside its neighbours is left out, too, unless that would leave a gap. At least half of the
    stretches keep theirs.
    """
    steps = np.array([motion(a.thumb, b.thumb) for a, b in pairwise(looks)])
    way = np.r_[0.0, np.cumsum(steps)]
    count = int(np.clip(np.ceil(way[-1] / STEP_OVER_WIDTH), usual, most))
    sharpness = np.array([look.sharpness for look in looks])
    around = [sharpness[max(0, i - _AROUND) : i + _AROUND + 1] for i in range(len(looks))]
    is_blurred = sharpness < BLURRED_BELOW * np.array([np.median(near) for near in around])
    kept = [int(own[sharpness[own].argmax()]) for own in _stretches(steps, min(count, len(looks)))]
    for frame in [frame for frame in kept if is_blurred[frame]]:
        place = kept.index(frame)
        is_end = place in (0, len(kept) - 1)
        if is_end or way[kept[place + 1]] - way[kept[place - 1]] <= _GAP_OVER_WIDTH:
            kept.remove(frame)
    return [looks[frame].index for frame in kept]


def motion(a: F32, b: F32) -> float:
    """Return how far the picture moves from thumbnail `a` to `b` [h, w], as a share of its width.

    The median over tiles of the shift that phase correlation finds; up to half a tile can be told.
    """
    tiles_a, tiles_b = _tiles(a), _tiles(b)
    is_clear = np.minimum(tiles_a.std(axis=(1, 2)), tiles_b.std(axis=(1, 2))) > _LEAST_CONTRAST
    if not is_clear.any():
        return 0.0
    window = np.outer(np.hanning(_TILE_PX), np.hanning(_TILE_PX))
    spectra = [np.fft.rfft2((t - t.mean(axis=(1, 2), keepdims=True)) * window) for t in (tiles_a, tiles_b)]
    cross = spectra[0] * spectra[1].conj()
    # Divided by the root of its size: whole whitening would give noise in fine detail the same say.
    peaks = np.fft.irfft2(cross / np.sqrt(np.abs(cross) + 1e-6), s=(_TILE_PX, _TILE_PX))[is_clear]
    at = peaks.reshape(len(peaks), -1).argmax(axis=1)
    shifts = np.stack([_between(peaks, at, axis) for axis in (0, 1)], axis=1)
    return float(np.median(np.linalg.norm(shifts, axis=1))) / a.shape[1]


def _between(peaks: NDArray, at: NDArray, axis: int) -> NDArray:
    """Return the signed peak position [T] along an axis, refined by a parabola through its neighbours."""
    place = np.array(np.unravel_index(at, (_TILE_PX, _TILE_PX)))
    which = np.arange(len(peaks))
    values = []
    for offset in (-1, 0, 1):
        moved = place.copy()
        moved[axis] = (moved[axis] + offset) % _TILE_PX
        values.append(peaks[which, moved[0], moved[1]])
    low, middle, high = values
    bend = low - 2 * middle + high
    part = np.where(bend < 0, 0.5 * (low - high) / np.minimum(bend, -1e-12), 0.0)
    whole = (place[axis] + _TILE_PX // 2) % _TILE_PX - _TILE_PX // 2
    return whole + np.clip(part, -0.5, 0.5)


def _tiles(thumb: F32) -> F32:
    """Return overlapping square tiles [T, t, t] that cover a thumbnail; a small one is padded to a tile."""
    short = [max(0, _TILE_PX - edge) for edge in thumb.shape]
    padded = np.pad(thumb, ((0, short[0]), (0, short[1])), mode="reflect")
    every = np.lib.stride_tricks.sliding_window_view(padded, (_TILE_PX, _TILE_PX))
    return every[:: _TILE_PX // 4, :: _TILE_PX // 4].reshape(-1, _TILE_PX, _TILE_PX)


def _stretches(steps: NDArray, count: int) -> list[NDArray[np.int64]]:
    """Cut len(steps) + 1 frames into up to `count` runs of about equal motion; none is empty."""
    if count > len(steps):
        return [np.array([frame]) for frame in range(len(steps) + 1)]
    rest = _REST_SHARE * float(steps.mean()) + 1e-6
    way = np.r_[0.0, np.cumsum(steps + rest)]
    which = np.minimum((way / way[-1] * count).astype(int), count - 1)
    return [np.flatnonzero(which == stretch) for stretch in np.unique(which)]
