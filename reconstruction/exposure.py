"""Gain and offset per photo: cameras that choose their own exposure show one wall in several brightnesses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .conventions import F32

_RATE = 0.005
_BETA1, _BETA2 = 0.9, 0.99
_ROUNDS, _TRUSTED = 4, 2.5  # pixels whose error is above so many medians show something else
_SOLVED_PX = 8_000  # of a picture, spread evenly; more say the same and cost a fiftieth of a short fit
_PRIOR = 0.002  # variance; a picture with less contrast says nothing about its gain


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

    def of_all(self, frame_count: int, *, is_clip: bool) -> F32:
        """Return gain and bias [F, 2, 3] of all frames; of those that were not fitted, a guess.

        Between two frames of a clip light changes little, so the guess lies between the neighbours, of which
        one that flickers is not believed. Of a photo nothing is known: gain 1 and bias 0.
        """
        fitted = list(self._row)
        values = np.tile(np.repeat([1.0, 0.0], 3), (frame_count, 1))
        if is_clip:
            steady = ndimage.median_filter(self._values.reshape(len(fitted), 6), (3, 1), mode="nearest")
            columns = [np.interp(np.arange(frame_count), fitted, steady[:, k]) for k in range(6)]
            values = np.stack(columns, 1)
        values[fitted] = self._values.reshape(len(fitted), 6)
        return values.reshape(frame_count, 2, 3).astype(np.float32)

    def solve(self, frame: int, drawn: F32, truth: F32) -> None:
        """Set a frame's gain and bias to those that bring most of a drawn picture [H, W, 3] to the truth."""
        k = max(1, round((truth.size / 3 / _SOLVED_PX) ** 0.5))
        x, y = (picture[::k, ::k].reshape(-1, 3).astype(np.float64) for picture in (drawn, truth))
        gain, bias = self._values[self._row[frame]].astype(np.float64)
        for _ in range(_ROUNDS):
            error = np.abs(x * gain + bias - y).mean(-1)
            kept = error <= _TRUSTED * np.median(error)
            a, b = x[kept], y[kept]
            center, level = a.mean(0), b.mean(0)
            gain = ((a - center) * (b - level)).mean(0) + _PRIOR
            gain /= ((a - center) ** 2).mean(0) + _PRIOR
            bias = level - gain * center
        self._values[self._row[frame]] = gain, bias

    def center(self) -> None:
        """Make the mean gain 1 and the mean bias 0, after frames were solved."""
        self._values -= self._values.mean(0) - np.array([[1.0], [0.0]], np.float32)

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
        self.center()
