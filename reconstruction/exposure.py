"""Gain and offset per photo: cameras that choose their own exposure show one wall in several brightnesses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .conventions import F32

_RATE = 0.005
_BETA1, _BETA2 = 0.9, 0.99


class Exposures:
    """Gain and bias [2, 3] of each training frame, with mean gain 1 and mean bias 0 over all frames.

    The mean is held so that the splats, seen without any exposure, look like an average photo.
    """

    def __init__(self, frames: tuple[int, ...]) -> None:
        self._row = {frame: row for row, frame in enumerate(frames)}
        self._values = np.tile(np.array([[1.0], [0.0]], np.float32), (len(frames), 1, 3))
        self._first = np.zeros_like(self._values)
        self._second = np.zeros_like(self._values)
        self._steps = np.zeros(len(frames), np.int64)

    def __getitem__(self, frame: int) -> F32:
        return np.ascontiguousarray(self._values[self._row[frame]])

    def move(self, frame: int, gradient: NDArray[np.float64], fraction: float) -> None:
        """Take one Adam step for a frame; `gradient` [6] is of gain r g b, then bias r g b."""
        row = self._row[frame]
        slope = gradient.reshape(2, 3)
        self._steps[row] += 1
        self._first[row] = _BETA1 * self._first[row] + (1 - _BETA1) * slope
        self._second[row] = _BETA2 * self._second[row] + (1 - _BETA2) * slope**2
        first = self._first[row] / (1 - _BETA1 ** self._steps[row])
        second = self._second[row] / (1 - _BETA2 ** self._steps[row])
        self._values[row] -= _RATE * 0.02**fraction * first / (np.sqrt(second) + 1e-12)
        self._values -= self._values.mean(0) - np.array([[1.0], [0.0]], np.float32)
