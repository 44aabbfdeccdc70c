"""A model's inverse depth is brought into a scene's unit by the scene's sparse points.

Inverse depth is affine in what a relative model gives: 1 / depth = scale * value + shift, both per picture.
Points are mismatched, or hidden behind what the picture shows, so the fit must stand many that are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UnliftableInputError

F64 = NDArray[np.float64]

# A pair fixes the two numbers; ten times as many leave a verdict on who is wrong.
MIN_POINTS = 20
# Relative error of depth up to which a point supports a fit. Published relative models stay within some 10 %.
AGREE = 0.1
MIN_AGREEING_SHARE = 0.5
# Inverse depths of the agreeing points must spread by this share of their median, else the shift is free.
MIN_SPREAD = 0.1
_TRIALS = 200
_ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Alignment:
    """1 / depth = scale * value + shift."""

    scale: float  # > 0
    shift: float  # 1 / metres
    agreeing_share: float  # of the points
    error: float  # median relative error of depth over all points


def align(values: NDArray, depths: NDArray, *, has_shift: bool = True, seed: int = 0) -> Alignment:
    """Return the map from a model's inverse depth to the inverse depth of points, robustly.

    The best of 200 maps through two random points each, refined by least absolute deviations.

    Args:
        values: [P] the model's inverse depth where the points appear.
        depths: [P] metres along +Z of the points.
        has_shift: False for a metric model, which only differs in unit.
        seed: Of the random pairs.

    Raises:
        UnliftableInputError: Too few points, or no map that at least half of them agree with.
    """
    values, depths = np.asarray(values, np.float64), np.asarray(depths, np.float64)
    usable = np.isfinite(values) & np.isfinite(depths) & (depths > 0) & (values >= 0)
    values, inverse = values[usable], 1 / depths[usable]
    if len(values) < MIN_POINTS:
        raise UnliftableInputError(f"depth needs {MIN_POINTS} points to be aligned to, got {len(values)}")
    line = _best_of_random(values, inverse, has_shift, np.random.default_rng(seed))
    errors = _relative_errors(line, values, inverse)
    agrees = errors < AGREE
    for _ in range(_ROUNDS):
        if agrees.sum() < 2:
            break
        weights = inverse[agrees] ** -2 / np.maximum(errors[agrees], 1e-4)
        line = _weighted_fit(values[agrees], inverse[agrees], weights, has_shift)
        errors = _relative_errors(line, values, inverse)
        agrees = errors < AGREE
    share = float(agrees.mean())
    scale, shift = line
    if share < MIN_AGREEING_SHARE:
        raise UnliftableInputError(
            f"depth contradicts the points: {share:.0%} agree within {AGREE:.0%}, "
            f"{MIN_AGREEING_SHARE:.0%} are needed"
        )
    low, middle, high = np.percentile(inverse[agrees], [5, 50, 95])
    if has_shift and high - low < MIN_SPREAD * middle:
        raise UnliftableInputError(
            f"points must lie near and far to align depth to, their inverse depths spread by "
            f"{(high - low) / middle:.0%} and {MIN_SPREAD:.0%} are needed"
        )
    if scale <= 0:
        raise UnliftableInputError("depth contradicts the points: what the model calls near lies far")
    return Alignment(float(scale), float(shift), share, float(np.median(errors)))


def _relative_errors(line: tuple[float, float], values: F64, inverse: F64) -> F64:
    """Return |depth of the map / depth of the point - 1| [P]; inf where the map has no positive depth."""
    found = line[0] * values + line[1]
    return np.where(found > 0, np.abs(inverse / np.where(found > 0, found, 1) - 1), np.inf)


def _best_of_random(
    values: F64, inverse: F64, has_shift: bool, rng: np.random.Generator
) -> tuple[float, float]:
    best, best_score = (1.0, 0.0), -1.0
    for a, b in rng.integers(0, len(values), (_TRIALS, 2)):
        if has_shift:
            if values[a] == values[b]:
                continue
            scale = (inverse[a] - inverse[b]) / (values[a] - values[b])
            line = (float(scale), float(inverse[a] - scale * values[a]))
        elif values[a] > 0:
            line = (float(inverse[a] / values[a]), 0.0)
        else:
            continue
        # Counts agreement smoothly, so that of two maps with equal numbers the closer one wins.
        score = float(np.clip(1 - _relative_errors(line, values, inverse) / AGREE, 0, None).sum())
        if line[0] > 0 and score > best_score:
            best, best_score = line, score
    return best


def _weighted_fit(values: F64, inverse: F64, weights: F64, has_shift: bool) -> tuple[float, float]:
    if not has_shift:
        return float((weights * values * inverse).sum() / max((weights * values**2).sum(), 1e-300)), 0.0
    total = weights.sum()
    mean_value, mean_inverse = (weights * values).sum() / total, (weights * inverse).sum() / total
    spread = (weights * (values - mean_value) ** 2).sum()
    if spread <= 0:
        return 0.0, float(mean_inverse)
    scale = (weights * (values - mean_value) * (inverse - mean_inverse)).sum() / spread
    return float(scale), float(mean_inverse - scale * mean_value)
