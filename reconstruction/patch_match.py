"""The compiled loop of `depth`: PatchMatch over slanted patches, one picture against its neighbours.

Source: Bleyer, Rhemann and Rother, "PatchMatch Stereo" (2011), for propagation and refinement; Schönberger
et al., "Pixelwise View Selection" (2016), for the bilaterally weighted correlation.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_REACH = 2  # a patch is (2 * reach + 1) ** 2 samples ...
_STRIDE = 2  # ... this many pixels apart
_SAMPLES = (2 * _REACH + 1) ** 2
_COLOR_SIGMA = 0.12  # grey difference at which a sample belongs to another surface
_SPACE_SIGMA = 4.0  # pixels
_WORST = 2.0  # 1 - correlation of opposite patches
_LEAST_VARIANCE = 1e-4  # of grey values; a flatter patch matches everywhere


@njit(nogil=True, fastmath=True, cache=True)
def _correlate(  # type: ignore[no-untyped-def]
    projection, source, patch, weights, rays, scaled_normal, mean, deviation
) -> float:
    """Return 1 - correlation of a patch on the plane `scaled_normal . x = 1` with one source picture."""
    height, width = source.shape
    total = total_square = product = 0.0
    for s in range(_SAMPLES):
        facing = scaled_normal[0] * rays[s, 0] + scaled_normal[1] * rays[s, 1] + scaled_normal[2]
        if facing <= 1e-9:
            return _WORST
        depth = 1.0 / facing
        x, y = rays[s, 0] * depth, rays[s, 1] * depth
        w = projection[2, 0] * x + projection[2, 1] * y + projection[2, 2] * depth + projection[2, 3]
        if w <= 1e-9:
            return _WORST
        u = (
            projection[0, 0] * x + projection[0, 1] * y + projection[0, 2] * depth + projection[0, 3]
        ) / w - 0.5
        v = (
            projection[1, 0] * x + projection[1, 1] * y + projection[1, 2] * depth + projection[1, 3]
        ) / w - 0.5
        if s == _SAMPLES // 2 and (u < 0 or v < 0 or u > width - 1 or v > height - 1):
            return _WORST
        u = min(max(u, 0.0), width - 1.001)
        v = min(max(v, 0.0), height - 1.001)
        column, row = int(u), int(v)
        right, down = u - column, v - row
        top = source[row, column] * (1 - right) + source[row, column + 1] * right
        bottom = source[row + 1, column] * (1 - right) + source[row + 1, column + 1] * right
        value = top * (1 - down) + bottom * down
        total += weights[s] * value
        total_square += weights[s] * value * value
        product += weights[s] * value * patch[s]
    variance = total_square - total * total
    if variance < _LEAST_VARIANCE:
        return 1.0
    return 1.0 - (product - mean * total) / (deviation * np.sqrt(variance))


@njit(nogil=True, fastmath=True, cache=True)
def _cost(  # type: ignore[no-untyped-def]
    projections, sources, patch, weights, rays, scaled_normal, mean, deviation
) -> float:
    """Return the mean of the two best sources: a thing is hidden in some views but seldom in most."""
    best = second = _WORST
    for k in range(len(sources)):
        cost = _correlate(projections[k], sources[k], patch, weights, rays, scaled_normal, mean, deviation)
        if cost < best:
            best, second = cost, best
        elif cost < second:
            second = cost
    return 0.5 * (best + second)


@njit(nogil=True, fastmath=True, cache=True)
def match(  # type: ignore[no-untyped-def]
    grey, sources, projections, lens, nearest, farthest, planes, passes, seed
) -> NDArray[np.float32]:
    """Improve planes in place and return what they cost.

    Args:
        grey: [H, W] float32, 0..1, the picture whose depth is wanted.
        sources: [S, H, W] its neighbours, S >= 2.
        projections: [S, 3, 4] from this camera's frame to homogeneous pixels of each source.
        lens: [4] fx, fy, cx, cy in pixels.
        nearest: Largest inverse depth to try.
        farthest: Smallest one, > 0.
        planes: [H, W, 3] float32 normals divided by plane distance: `plane . x_cam == 1` on the surface.
        passes: Sweeps, alternating in direction.
        seed: Decides the random trials.

    Returns:
        [H, W] float32, 0 (equal) to 2 (opposite).
    """
    np.random.seed(seed)
    height, width = grey.shape
    fx, fy, cx, cy = lens
    costs = np.full((height, width), np.float32(_WORST + 1), np.float32)
    patch, weights = np.empty(_SAMPLES, np.float32), np.empty(_SAMPLES, np.float32)
    rays = np.empty((_SAMPLES, 2), np.float32)
    trial = np.empty(3, np.float32)
    for sweep in range(passes):
        step = 1 if sweep % 2 == 0 else -1
        jump = (nearest - farthest) * 0.25 * 0.5**sweep
        tilt = 0.6 * 0.6**sweep
        for i in range(height):
            row = i if step == 1 else height - 1 - i
            for j in range(width):
                column = j if step == 1 else width - 1 - j
                total = mean = square = 0.0
                s = 0
                for dy in range(-_REACH, _REACH + 1):
                    for dx in range(-_REACH, _REACH + 1):
                        y = min(max(row + dy * _STRIDE, 0), height - 1)
                        x = min(max(column + dx * _STRIDE, 0), width - 1)
                        difference = (grey[y, x] - grey[row, column]) / _COLOR_SIGMA
                        space = (dx * dx + dy * dy) * _STRIDE * _STRIDE / (_SPACE_SIGMA * _SPACE_SIGMA)
                        weight = np.exp(-0.5 * (difference * difference + space))
                        patch[s], weights[s] = grey[y, x], weight
                        rays[s, 0], rays[s, 1] = (x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy
                        total += weight
                        mean += weight * grey[y, x]
                        square += weight * grey[y, x] * grey[y, x]
                        s += 1
                for s in range(_SAMPLES):
                    weights[s] /= total
                mean /= total
                variance = square / total - mean * mean
                if variance < _LEAST_VARIANCE:
                    costs[row, column] = 1.0
                    continue
                deviation = np.sqrt(variance)
                ray_x, ray_y = (column + 0.5 - cx) / fx, (row + 0.5 - cy) / fy
                if sweep == 0:
                    costs[row, column] = _cost(
                        projections, sources, patch, weights, rays, planes[row, column], mean, deviation
                    )
                for option in range(5):
                    if option < 2:  # the planes of the two neighbours that this sweep has visited
                        y, x = (row - step, column) if option == 0 else (row, column - step)
                        if y < 0 or x < 0 or y >= height or x >= width:
                            continue
                        trial[:] = planes[y, x]
                    else:
                        own = planes[row, column]
                        inverse = own[0] * ray_x + own[1] * ray_y + own[2]
                        if option == 2 and sweep < 2:  # anywhere in the range
                            fresh = farthest + np.random.random() * (nearest - farthest)
                        else:
                            fresh = inverse + (np.random.random() - 0.5) * 2 * jump * (
                                0.15 if option == 4 else 1
                            )
                        fresh = min(max(fresh, farthest), nearest)
                        turn_x = own[0] / inverse + (np.random.random() - 0.5) * 2 * tilt
                        turn_y = own[1] / inverse + (np.random.random() - 0.5) * 2 * tilt
                        trial[0], trial[1] = turn_x * fresh, turn_y * fresh
                        trial[2] = fresh - trial[0] * ray_x - trial[1] * ray_y
                    inverse = trial[0] * ray_x + trial[1] * ray_y + trial[2]
                    if inverse < farthest or inverse > nearest:
                        continue
                    cost = _cost(projections, sources, patch, weights, rays, trial, mean, deviation)
                    if cost < costs[row, column]:
                        costs[row, column] = cost
                        planes[row, column] = trial
    return costs
