"""Lattice noise from an integer hash: one value at one place, on every machine and in every frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .jit import inlined, kernel


@inlined
def hash01(ix, iy, iz, seed):
    """Return a number in [0, 1) that looks random in four integers."""
    # numba widens uint32 products to 64 bits, so every step is cut back to 32.
    h = (
        np.uint32(ix) * np.uint32(374761393)
        + np.uint32(iy) * np.uint32(668265263)
        + np.uint32(iz) * np.uint32(2246822519)
        + np.uint32(seed) * np.uint32(974634777)
    ) & np.uint32(0xFFFFFFFF)
    h = ((h ^ (h >> np.uint32(13))) * np.uint32(1274126177)) & np.uint32(0xFFFFFFFF)
    h = ((h ^ (h >> np.uint32(16))) * np.uint32(2654435761)) & np.uint32(0xFFFFFFFF)
    h = h ^ (h >> np.uint32(15))
    return float(h >> np.uint32(8)) * 5.9604644775390625e-08


@inlined
def smoothstep(low, high, x):
    """Return 0 below `low`, 1 above `high`, and a smooth ramp between them."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@kernel
def _corner(ix, iy, fx, fy, seed):
    a = hash01(ix, iy, 0, seed) * 2.0 - 1.0
    b = hash01(ix, iy, 1, seed) * 2.0 - 1.0
    return a * fx + b * fy


@kernel
def gradient2(x, y, seed):
    """Return gradient noise in about [-1, 1], one bump per unit."""
    x0, y0 = math.floor(x), math.floor(y)
    fx, fy = x - x0, y - y0
    ix, iy = int(x0), int(y0)
    u = fx * fx * fx * (fx * (fx * 6.0 - 15.0) + 10.0)
    v = fy * fy * fy * (fy * (fy * 6.0 - 15.0) + 10.0)
    a = _corner(ix, iy, fx, fy, seed)
    b = _corner(ix + 1, iy, fx - 1.0, fy, seed)
    c = _corner(ix, iy + 1, fx, fy - 1.0, seed)
    d = _corner(ix + 1, iy + 1, fx - 1.0, fy - 1.0, seed)
    return 1.6 * (a + (b - a) * u + (c - a) * v + (a - b - c + d) * u * v)


@kernel
def value3(x, y, z, seed):
    """Return value noise in [-1, 1] of a point in space."""
    x0, y0, z0 = math.floor(x), math.floor(y), math.floor(z)
    fx, fy, fz = x - x0, y - y0, z - z0
    ix, iy, iz = int(x0), int(y0), int(z0)
    u, v, w = fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy), fz * fz * (3.0 - 2.0 * fz)
    total = 0.0
    for corner in range(8):
        dx, dy, dz = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (u if dx else 1.0 - u) * (v if dy else 1.0 - v) * (w if dz else 1.0 - w)
        total += weight * hash01(ix + dx, iy + dy, iz + dz, seed)
    return total * 2.0 - 1.0


@kernel
def fractal2(x, y, octaves, footprint, seed):
    """Return a sum of octaves in about [-1, 1], one bump per unit in the first.

    Octaves finer than two to four footprints fade out, which keeps a pixel from sampling noise.
    """
    total, amplitude, norm, frequency = 0.0, 1.0, 0.0, 1.0
    for octave in range(octaves):
        keep = min(max(2.0 - 4.0 * footprint * frequency, 0.0), 1.0)
        if keep > 0.0:
            shifted = 17.3 * octave
            total += (
                amplitude * keep * gradient2(x * frequency + shifted, y * frequency - shifted, seed + octave)
            )
        norm += amplitude
        amplitude *= 0.5
        frequency *= 2.03
    return total / norm * 1.5


@kernel
def fractal3(x, y, z, octaves, footprint, seed):
    """Return what `fractal2` returns, for a point in space."""
    total, amplitude, norm, frequency = 0.0, 1.0, 0.0, 1.0
    for octave in range(octaves):
        keep = min(max(2.0 - 4.0 * footprint * frequency, 0.0), 1.0)
        if keep > 0.0:
            shifted = 17.3 * octave
            total += (
                amplitude
                * keep
                * value3(
                    x * frequency + shifted, y * frequency - shifted, z * frequency + shifted, seed + octave
                )
            )
        norm += amplitude
        amplitude *= 0.5
        frequency *= 2.03
    return total / norm


@kernel
def ridged2(x, y, octaves, seed):
    """Return ridges in [0, 1]: sharp crests, round valleys."""
    total, amplitude, norm, frequency = 0.0, 1.0, 0.0, 1.0
    for octave in range(octaves):
        crest = 1.0 - abs(gradient2(x * frequency + 31.7 * octave, y * frequency, seed + octave))
        total += amplitude * crest * crest
        norm += amplitude
        amplitude *= 0.5
        frequency *= 2.03
    return total / norm


@kernel
def _fractal2_grid(x, y, octaves, seed, is_ridged, out):
    for i in range(len(x)):
        out[i] = ridged2(x[i], y[i], octaves, seed) if is_ridged else fractal2(x[i], y[i], octaves, 0.0, seed)


@kernel
def _fractal3_grid(points, octaves, seed, out):
    for i in range(len(points)):
        out[i] = fractal3(points[i, 0], points[i, 1], points[i, 2], octaves, 0.0, seed)


def fractal(x: ArrayLike, y: ArrayLike, octaves: int, seed: int) -> NDArray[np.float64]:
    """Return `fractal2` over equal-shaped arrays."""
    return _plane(x, y, octaves, seed, is_ridged=False)


def ridges(x: ArrayLike, y: ArrayLike, octaves: int, seed: int) -> NDArray[np.float64]:
    """Return `ridged2` over equal-shaped arrays."""
    return _plane(x, y, octaves, seed, is_ridged=True)


def fractal_in_space(points: NDArray, octaves: int, seed: int) -> NDArray[np.float64]:
    """Return `fractal3` of points [N, 3]."""
    out = np.empty(len(points))
    _fractal3_grid(np.ascontiguousarray(points, np.float64), octaves, seed, out)
    return out


def ramp(low: float, high: float, x: ArrayLike) -> NDArray[np.float64]:
    """Return `smoothstep` over an array; `low` may exceed `high` to run downhill."""
    t = np.clip((np.asarray(x, np.float64) - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _plane(x: ArrayLike, y: ArrayLike, octaves: int, seed: int, is_ridged: bool) -> NDArray[np.float64]:
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    out = np.empty(x.size)
    _fractal2_grid(
        np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel(), octaves, seed, is_ridged, out
    )
    return out.reshape(x.shape)
