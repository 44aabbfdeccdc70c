"""Splats as small integers and back: what each attribute is rounded to, and why by so much.

What a picture loses to a rounding error is the error's square times the light that the splat gives: opacity
squared times area. So large opaque splats get fine steps and small or thin ones coarse steps, in octaves of a
splat's "class", which a decoder derives from the size and opacity it already has. Directions get as many bits
as the shape can show: a ball has none. An ellipsoid has 24 names; the one taken has its axes sorted by length
and its shortest axis pointing up, which alone saves half a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import rotmats_from_quats
from reconstruction.spherical_harmonics import SH_C0
from reconstruction.splats import SplatCloud

from .morton import CELL_BITS, codes_of

MAX_CLASS = 6
MAX_DIRECTION_BITS = 12
_MOST_TILT_OCTAVES = 4  # beyond 16 to 1 a picture shows no more of a tilt
_MIDDLE_CLASS = 3
_MOST_NEED = 1000.0
_SMALLEST_M = 1e-15
_MOST_COLOR = 1e4
_MOST_STEPS = 2**22  # of a colour; a browser shifts it by a class and adds four
_FAINTEST = 0.25  # of a level: a splat that is there must not vanish altogether

_Integers = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How finely a chunk is rounded. Halving a step costs a bit for each number that it rounds.

    Chosen on five scenes so that a bit spent anywhere buys the same decibels (README.md).
    """

    mean: float = 0.4  # step, in sizes of the chunk's typical splat; finer for thin ones
    scale_steps: int = 8  # per octave
    opacity_levels: int = 48  # below 1
    color: float = 1 / 160  # step of luma for the chunk's mean splat, sRGB 0..1
    normal: float = 1 / 8  # radians, for a splat with axes 1 : 2
    angle: float = 1 / 8
    rest: float = 1 / 36  # step of luma in the product of coefficient and C0
    chroma: float = 1.5  # steps of colour differences, in steps of luma


DEFAULT_FIDELITY = Fidelity()


@dataclass(frozen=True, slots=True)
class Steps:
    """What a decoder must know of a chunk besides its integers. Floats are float32 values."""

    scale_steps: int
    opacity_levels: int
    size_ref: int  # logarithm of the typical size, in halves of 1 / scale_steps octaves
    normal_bits: int  # of each of two coordinates, for class 0 and a shape that matters as much as 1
    angle_bits: int
    origin: tuple[float, float, float]  # metres
    mean_step: float  # metres
    color_step: float  # of class 0
    chroma_step: float
    rest_step: float
    rest_chroma_step: float


@dataclass(frozen=True, slots=True, eq=False)
class Integers:
    """N splats; every array is int64."""

    cells: _Integers  # [N, 3] of 0 to 2^20 - 1
    sizes: _Integers  # [N] logarithm of the longest axis, in 1 / scale_steps octaves
    drops: _Integers  # [N, 2] how much shorter each next axis is, >= 0
    opacities: _Integers  # [N] of 0 to opacity_levels
    normals: _Integers  # [N, 2] octahedral, each of as many bits as `normal_widths`
    angles: _Integers  # [N] of as many bits as `angle_widths`
    colors: _Integers  # [N, 3] Y, Co, Cg in steps of the splat's class
    rest: _Integers  # [N, K - 1, 3] likewise


def quantize(
    cloud: SplatCloud, fidelity: Fidelity, segments: Sequence[int]
) -> tuple[_Integers, Steps, Integers]:
    """Round a chunk. Returns the order [N] that its splats get, its steps, and the integers in that order.

    Args:
        cloud: At least one splat, opacities above 0.
        fidelity: How finely.
        segments: Lengths of consecutive runs, in sum N. Inside a run splats are sorted along a Morton curve;
            the runs keep their order, for children replace them.
    """
    steps_per_octave, levels = fidelity.scale_steps, fidelity.opacity_levels
    # What nobody can see may be anything: files of others hold splats of 1e-30 m and colours of 1e30.
    sorted_scales = -np.sort(-cloud.scales.astype(np.float64).clip(_SMALLEST_M, 1 / _SMALLEST_M), axis=1)
    logs = np.rint(np.log2(sorted_scales) * steps_per_octave).astype(np.int64)
    drops = np.maximum(logs[:, :2] - logs[:, 1:], 0)
    opacities = np.rint(cloud.opacities * float(levels)).astype(np.int64).clip(0, levels)
    # All that follows looks at rounded values, so that packing what was unpacked changes nothing.
    mean_log = (2 * logs[:, 0] - drops[:, 0]).sum() / (2 * len(cloud))
    typical = float(2 ** (mean_log / steps_per_octave))
    mean_step = _mean_step(cloud, drops, opacities, fidelity, typical)
    low = cloud.means.min(axis=0) + np.float32(0)  # one zero, not two
    cells = np.rint((cloud.means.astype(np.float64) - low) / mean_step).astype(np.int64)
    order = _order(cells, segments)
    cloud, cells = cloud.subset(order), cells[order]
    sizes, drops, opacities = logs[order, 0], drops[order], opacities[order]

    size_ref = round(2 * mean_log)
    classes = splat_classes(sizes, drops, opacities, size_ref, steps_per_octave, levels)
    # The mean error of the chunk stays that of one step for all.
    shown = _opacity(opacities, levels) ** 2 * np.exp2((2 * sizes - drops[:, 0]) / steps_per_octave)
    light = float(np.sqrt((shown * np.exp2(2.0 * (classes - _MIDDLE_CLASS))).mean())) / typical
    finest = 2.0**-_MIDDLE_CLASS / light
    steps = Steps(
        scale_steps=steps_per_octave,
        opacity_levels=levels,
        size_ref=size_ref,
        normal_bits=round(1 - np.log2(fidelity.normal * finest)),
        angle_bits=round(np.log2(np.pi / (fidelity.angle * finest))),
        origin=tuple(low.tolist()),
        mean_step=mean_step,
        color_step=_quarter_octave(fidelity.color * finest),
        chroma_step=_quarter_octave(fidelity.color * finest * fidelity.chroma),
        rest_step=_quarter_octave(fidelity.rest * finest),
        rest_chroma_step=_quarter_octave(fidelity.rest * finest * fidelity.chroma),
    )
    normals, angles = _directions(cloud, drops, classes, steps)
    return (
        order,
        steps,
        Integers(
            cells,
            sizes,
            drops,
            opacities,
            normals,
            angles,
            round_colors(cloud.sh[:, 0], classes, steps.color_step, steps.chroma_step),
            round_colors(cloud.sh[:, 1:], classes[:, None], steps.rest_step, steps.rest_chroma_step),
        ),
    )


def _mean_step(
    cloud: SplatCloud, drops: _Integers, opacities: _Integers, fidelity: Fidelity, typical: float
) -> float:
    first, second = np.exp2(drops.T / fidelity.scale_steps)
    # A shift by d changes the picture as (d / axis)^2: by the long axes, and by the short one seen edge-on.
    thinness = np.minimum(first + 1 / first + first * second**2, _MOST_NEED)
    need = (_opacity(opacities, fidelity.opacity_levels) ** 2 * thinness).mean()
    extent = float(np.ptp(cloud.means.astype(np.float64), axis=0).max())
    step = _quarter_octave(max(fidelity.mean * typical / np.sqrt(need), 1e-30))
    return max(step, float(np.float32(extent / (2**CELL_BITS - 2))))


def dequantize(steps: Steps, splats: Integers) -> SplatCloud:
    """Return the splats that the integers stand for."""
    means = splats.cells * steps.mean_step + np.array(steps.origin)
    scales = np.exp2(axis_logs(splats.sizes, splats.drops) / steps.scale_steps)
    classes = splat_classes(
        splats.sizes, splats.drops, splats.opacities, steps.size_ref, steps.scale_steps, steps.opacity_levels
    )
    n = _unfold(splats.normals, normal_widths(splats.drops, classes, steps))
    turn = (splats.angles + 0.5) * np.exp2(-angle_widths(splats.drops, classes, steps).astype(np.float64))
    c, s = np.cos(turn * np.pi / 2), np.sin(turn * np.pi / 2)
    # The shortest turn from +Z to the normal, after one about +Z.
    w, x, y = 1 + n[:, 2], -n[:, 1], n[:, 0]
    quats = np.stack([w * c, x * c + y * s, y * c - x * s, w * s], axis=1)
    quats /= _lengths(quats)
    colors = colors_from_steps(splats.colors, classes, steps.color_step, steps.chroma_step)
    rest = colors_from_steps(splats.rest, classes[:, None], steps.rest_step, steps.rest_chroma_step)
    return SplatCloud(
        means.astype(np.float32),
        quats.astype(np.float32),
        scales.astype(np.float32),
        _opacity(splats.opacities, steps.opacity_levels).astype(np.float32),
        np.concatenate([colors[:, None], rest], axis=1).astype(np.float32),
    )


def axis_logs(sizes: _Integers, drops: _Integers) -> _Integers:
    """Return the logarithms [N, 3] of all axes, longest first."""
    return np.stack([sizes, sizes - drops[:, 0], sizes - drops[:, 0] - drops[:, 1]], axis=1)


def splat_classes(
    sizes: _Integers, drops: _Integers, opacities: _Integers, size_ref: int, scale_steps: int, levels: int
) -> _Integers:
    """Return the class [N] of each splat: 0 has the finest steps, each next one steps twice as coarse.

    Steps shrink with the 3/4th power of opacity times size: the full power would be right if every splat were
    looked at alone, but then the rounding of faint splats adds up.
    """
    shown = 2 * sizes - drops[:, 0] + _faded_logs(levels, scale_steps)[opacities]
    steps = (3 * (size_ref - shown) + 4 * scale_steps) // (8 * scale_steps)
    return (steps + _MIDDLE_CLASS).clip(0, MAX_CLASS)


def normal_widths(drops: _Integers, classes: _Integers, steps: Steps) -> _Integers:
    """Return the bits of each coordinate of a normal: what the ratio of first to last axis can show."""
    return _direction_widths(drops[:, 0] + drops[:, 1], classes, steps.normal_bits, steps.scale_steps)


def angle_widths(drops: _Integers, classes: _Integers, steps: Steps) -> _Integers:
    """Return the bits of the turn about the normal: what the ratio of first to second axis can show."""
    return _direction_widths(drops[:, 0], classes, steps.angle_bits, steps.scale_steps)


def colors_from_steps(values: _Integers, classes: _Integers, luma: float, chroma: float) -> _Floats:
    """Return RGB coefficients [..., 3] of Y, Co, Cg in steps of their classes."""
    fine = (values << classes[..., None]) * (np.array([luma, chroma, chroma]) / SH_C0)
    y, orange, green = fine[..., 0], fine[..., 1], fine[..., 2]
    pink = y - green / 2
    return np.stack([pink + orange / 2, y + green / 2, pink - orange / 2], axis=-1)


def round_colors(coefficients: NDArray, classes: _Integers, luma: float, chroma: float) -> _Integers:
    seen = coefficients.astype(np.float64).clip(-_MOST_COLOR, _MOST_COLOR) * SH_C0
    r, g, b = np.moveaxis(seen, -1, 0)
    fine = np.stack([r / 4 + g / 2 + b / 4, r - b, g - (r + b) / 2], axis=-1)
    steps = fine / (np.array([luma, chroma, chroma]) * np.exp2(classes)[..., None])
    return np.rint(steps.clip(-_MOST_STEPS, _MOST_STEPS)).astype(np.int64)


@lru_cache(maxsize=8)
def _faded_logs(levels: int, scale_steps: int) -> _Integers:
    """Return the logarithm of each level of opacity, in halves of 1 / scale_steps octaves."""
    shares = np.maximum(np.arange(levels + 1), _FAINTEST) / levels
    return np.rint(2 * scale_steps * np.log2(shares)).astype(np.int64)


def _opacity(opacities: _Integers, levels: int) -> _Floats:
    # An opacity of 1 is no opacity: half a level below it, but not where that would show.
    return (opacities / levels).clip(_FAINTEST / levels, 1 - 1 / 512)


def _direction_widths(drops: _Integers, classes: _Integers, bits: int, scale_steps: int) -> _Integers:
    worth = _tilt_worth(scale_steps)
    return (bits + worth[np.minimum(drops, len(worth) - 1)] - classes).clip(0, MAX_DIRECTION_BITS)


@lru_cache(maxsize=8)
def _tilt_worth(scale_steps: int) -> _Integers:
    """Return for each difference of two axes' logarithms the bits that a tilt between them is worth."""
    ratios = np.exp2(np.arange(1, _MOST_TILT_OCTAVES * scale_steps + 1) / scale_steps)
    return np.concatenate([[-99], np.rint(np.log2(ratios - 1 / ratios)).astype(np.int64)])


def _directions(
    cloud: SplatCloud, drops: _Integers, classes: _Integers, steps: Steps
) -> tuple[_Integers, _Integers]:
    axes = rotmats_from_quats(cloud.quats.astype(np.float64))
    by_length = np.argsort(-cloud.scales, axis=1, kind="stable")
    longest = np.take_along_axis(axes, by_length[:, None, :1], axis=2)[..., 0]
    shortest = np.take_along_axis(axes, by_length[:, None, 2:], axis=2)[..., 0]
    widths = normal_widths(drops, classes, steps)
    normals = _fold(np.where(shortest[:, 2:] < 0, -shortest, shortest), widths)
    n = _unfold(normals, widths)
    # Where the shortest turn from +Z to the normal takes the other two axes.
    lean = 1 / (1 + n[:, 2])
    across = -n[:, 0] * n[:, 1] * lean
    first = np.stack([1 - n[:, 0] ** 2 * lean, across, -n[:, 0]], axis=1)
    second = np.stack([across, 1 - n[:, 1] ** 2 * lean, -n[:, 1]], axis=1)
    turn = np.arctan2((longest * second).sum(axis=1), (longest * first).sum(axis=1)) / np.pi % 1.0
    levels = 1 << angle_widths(drops, classes, steps)
    return normals, np.floor(turn * levels).astype(np.int64) % levels


def _fold(normals: _Floats, widths: _Integers) -> _Integers:
    """Cut the upper half of the octahedron into squares."""
    flat = normals[:, :2] / np.abs(normals).sum(axis=1, keepdims=True)
    square = np.stack([flat[:, 0] + flat[:, 1], flat[:, 0] - flat[:, 1]], axis=1)
    levels = (1 << widths)[:, None]
    return np.floor((square + 1) / 2 * levels).astype(np.int64).clip(0, levels - 1)


def _unfold(squares: _Integers, widths: _Integers) -> _Floats:
    u, v = ((squares + 0.5) * np.exp2(1.0 - widths)[:, None] - 1).T
    x, y = (u + v) / 2, (u - v) / 2
    normals = np.stack([x, y, 1 - np.abs(x) - np.abs(y)], axis=1)
    return normals / _lengths(normals)


def _lengths(rows: _Floats) -> _Floats:
    return np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]


def _order(cells: _Integers, segments: Sequence[int]) -> _Integers:
    runs = np.repeat(np.arange(len(segments)), segments)
    return np.lexsort((codes_of(cells), runs))


def _quarter_octave(value: float) -> float:
    return float(np.float32(2.0 ** (np.floor(4 * np.log2(value)) / 4)))
