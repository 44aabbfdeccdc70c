"""The payload of a packed chunk: integers of `splat_steps`, entropy-coded by `rans`, in one run of bytes.

Layout, little-endian: a header of 48 bytes (`_HEADER`); one block of `rans` with a stream for each number of
a splat; then, bit by bit, what the symbols leave open: low and high bits of the steps along the Morton curve,
fields of the other integers, normals, angles. `viewer/src/decode/splatCodec.ts` reads the same.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from . import bit_fields, rans
from .errors import AssetFormatError
from .morton import CELL_BITS, cells_of, codes_of
from .splat_steps import (
    DEFAULT_FIDELITY,
    Fidelity,
    Integers,
    Steps,
    angle_widths,
    dequantize,
    normal_widths,
    quantize,
    splat_classes,
)

VERSION = 1
MAX_COUNT = 4096  # as `chunks.MAX_CHUNK_SPLATS`; a few bytes may claim all of them, and cost half a second
# version, degree, scale steps, opacity levels; count; normal and angle bits, size; origin; steps; block bytes
_HEADER = struct.Struct("<4BI2bh3f5fI")
# How many bits lie below the leading one of a step along the curve; fields hold 31 at most.
_LOW_BITS = 30
_TAPS = 4  # the mean of the last four predicts better than the last one, and better than any plane
_GAP, _SIZE, _DROPS, _OPACITY, _COLORS, _REST = 0, 1, slice(2, 4), 4, slice(5, 8), 8
_CURVE = (1 << 3 * CELL_BITS) - 1
_MOST_LOG2 = 100  # no axis is longer or shorter than 2^100 metres
_MOST_COLOR = 1e6

_Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A chunk's payload, the splats that it stands for, and where they come from."""

    payload: bytes
    cloud: SplatCloud  # as decoded, bit by bit
    order: _Integers  # [N] which splat of the given cloud each one was


def encode(
    clouds: Sequence[SplatCloud],
    *,
    segments: Sequence[Sequence[int]] | None = None,
    fidelity: Fidelity = DEFAULT_FIDELITY,
) -> list[Packed]:
    """Return the payload of each cloud; many at once are packed much faster than one by one.

    Args:
        clouds: Of 1 to 4096 splats, finite, opacities above 0.
        segments: For each cloud the lengths of runs that keep their order; inside a run splats are sorted.
            None: one run each.
        fidelity: How finely values are rounded.
    """
    runs = [(len(cloud),) for cloud in clouds] if segments is None else segments
    if any(not 1 <= len(cloud) <= MAX_COUNT for cloud in clouds):
        raise ValueError(f"packed clouds must hold 1 to {MAX_COUNT} splats")
    rounded = [quantize(cloud, fidelity, run) for cloud, run in zip(clouds, runs, strict=True)]
    parts = [_fields(steps, splats) for _, steps, splats in rounded]
    blocks: list[bytes] = [b""] * len(parts)
    for streams in {len(symbols) for symbols, _ in parts}:
        alike = [index for index, (symbols, _) in enumerate(parts) if len(symbols) == streams]
        for index, block in zip(alike, rans.encode([parts[i][0] for i in alike]), strict=True):
            blocks[index] = block
    return [
        Packed(_header(steps, splats, len(block)) + block + fields, dequantize(steps, splats), order)
        for (order, steps, splats), block, (_, fields) in zip(rounded, blocks, parts, strict=True)
    ]


def decode(payloads: Sequence[bytes | memoryview]) -> list[SplatCloud]:
    """Return the splats of each payload, in their packed order.

    Raises:
        AssetFormatError: A payload is not whole, or says what cannot be.
    """
    heads = [_parse(payload) for payload in payloads]
    clouds: list[SplatCloud | None] = [None] * len(heads)
    for degree in sorted({head.degree for head in heads}):
        chosen = [index for index, head in enumerate(heads) if head.degree == degree]
        symbols = rans.decode(
            [heads[i].block for i in chosen], _stream_count(degree), [heads[i].count for i in chosen]
        )
        parts = [_plain_integers(heads[i], found) for i, found in zip(chosen, symbols, strict=True)]
        plain = [np.zeros(len(splats.sizes), np.int64) for splats, _ in parts]
        sizes = _unguess([splats.sizes[:, None] for splats, _ in parts], plain)
        sized = [replace(splats, sizes=own[:, 0]) for (splats, _), own in zip(parts, sizes, strict=True)]
        for i, splats in zip(chosen, sized, strict=True):
            _check_sizes(heads[i], splats)
        classes = [_classes(heads[i].steps, splats) for i, splats in zip(chosen, sized, strict=True)]
        colors = _unguess([splats.colors for splats in sized], classes)
        for i, splats, own, (_, start_bit) in zip(chosen, sized, colors, parts, strict=True):
            cloud = _complete(heads[i], replace(splats, colors=own), start_bit)
            if not (np.abs(cloud.sh) < _MOST_COLOR).all():
                raise AssetFormatError("colours of packed splats must be such as a screen shows")
            clouds[i] = cloud
    return [cloud for cloud in clouds if cloud is not None]


def splat_count(payload: bytes | memoryview) -> int:
    """Return how many splats a payload claims, at most `MAX_COUNT`.

    Raises:
        AssetFormatError: It is not the beginning of a payload.
    """
    return _parse(payload).count


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    degree: int
    count: int
    steps: Steps
    block: memoryview
    fields: memoryview


def _header(steps: Steps, splats: Integers, block_bytes: int) -> bytes:
    return _HEADER.pack(
        VERSION,
        _degree(splats),
        steps.scale_steps,
        steps.opacity_levels,
        len(splats.sizes),
        steps.normal_bits,
        steps.angle_bits,
        steps.size_ref,
        *steps.origin,
        steps.mean_step,
        steps.color_step,
        steps.chroma_step,
        steps.rest_step,
        steps.rest_chroma_step,
        block_bytes,
    )


def _parse(payload: bytes | memoryview) -> _Head:
    data = memoryview(payload)
    if len(data) < _HEADER.size:
        raise AssetFormatError(f"packed splats must have {_HEADER.size} bytes or more, got {len(data)}")
    version, degree, scale_steps, levels, count, normal, angle, size, *floats, block = _HEADER.unpack_from(
        data
    )
    if version != VERSION:
        raise AssetFormatError(f"packed splats must be of version {VERSION}, got {version}")
    if degree > 3 or scale_steps == 0 or levels == 0:
        raise AssetFormatError("packed splats must have SH degree 0 to 3, and steps of sizes and opacities")
    if not 1 <= count <= MAX_COUNT:
        raise AssetFormatError(f"packed splats must be 1 to {MAX_COUNT}, got {count}")
    if not np.isfinite(floats).all() or min(floats[3:]) <= 0 or max(map(abs, floats)) > 1e30:
        raise AssetFormatError("steps of packed splats must be positive and finite")
    if len(data) - _HEADER.size < block:
        raise AssetFormatError(f"packed splats must hold {block} entropy-coded bytes, got fewer")
    steps = Steps(scale_steps, levels, size, normal, angle, tuple(floats[:3]), *floats[3:])
    start = _HEADER.size
    return _Head(degree, count, steps, data[start : start + block], data[start + block :])


def _degree(splats: Integers) -> int:
    return int(np.sqrt(splats.rest.shape[1] + 1)) - 1


def _stream_count(degree: int) -> int:
    return _REST + 3 * ((degree + 1) ** 2 - 1)


def _fields(steps: Steps, splats: Integers) -> tuple[NDArray[np.uint8], bytes]:
    """Return the symbols [S, N] of a chunk and the bits that they leave open."""
    count = len(splats.sizes)
    # Runs begin anew on the curve: a step back is a step around it.
    gaps = np.diff(codes_of(splats.cells), prepend=0) & _CURVE
    classes = _classes(steps, splats)
    guesses = _guess(np.concatenate([splats.sizes[:, None], splats.colors << classes[:, None]], axis=1))
    halves = (1 << classes) >> 1
    integers = np.empty((_stream_count(_degree(splats)), count), np.int64)
    integers[_SIZE] = bit_fields.zigzag(splats.sizes - guesses[:, 0])
    integers[_DROPS] = splats.drops.T
    integers[_OPACITY] = steps.opacity_levels - splats.opacities
    integers[_COLORS] = bit_fields.zigzag(splats.colors.T - ((guesses[:, 1:].T + halves) >> classes))
    integers[_REST:] = bit_fields.zigzag(splats.rest.reshape(count, -1).T)
    symbols, fields, widths = bit_fields.split(integers[1:])
    gap_symbols = bit_fields.gap_symbols(gaps)
    below = np.maximum(gap_symbols.astype(np.int64) - 1, 0)
    leading = np.where(gap_symbols > 0, np.int64(1) << below, 0)
    low = np.minimum(below, _LOW_BITS)
    open_gap = gaps - leading
    normal, angle = normal_widths(splats.drops, classes, steps), angle_widths(splats.drops, classes, steps)
    packed = bit_fields.pack(
        np.concatenate(
            [
                open_gap & ((1 << low) - 1),
                open_gap >> low,
                fields.ravel(),
                splats.normals[:, 0],
                splats.normals[:, 1],
                splats.angles,
            ]
        ),
        np.concatenate([low, below - low, widths.ravel(), normal, normal, angle]),
    )
    return np.concatenate([gap_symbols[None], symbols]), packed


def _plain_integers(head: _Head, symbols: NDArray[np.uint8]) -> tuple[Integers, int]:
    """Return the integers of a chunk, and at which bit its directions begin.

    Sizes and colours are still differences to what was guessed; directions are missing.
    """
    count = head.count
    if (symbols[_GAP] > 3 * CELL_BITS).any():
        raise AssetFormatError(f"a step along the curve must have at most {3 * CELL_BITS} bits")
    below = np.maximum(symbols[_GAP].astype(np.int64) - 1, 0)
    low = np.minimum(below, _LOW_BITS)
    widths = bit_fields.open_widths(symbols[1:])
    coded = np.concatenate([low, below - low, widths.ravel()])
    fields = bit_fields.unpack(head.fields, 0, coded)
    gaps = np.where(symbols[_GAP] > 0, np.int64(1) << below, 0) + fields[:count]
    gaps += fields[count : 2 * count] << low
    integers = bit_fields.join(symbols[1:], fields[2 * count :].reshape(widths.shape))
    codes = np.cumsum(gaps) & _CURVE  # a sum that overflows keeps its low bits
    opacities = head.steps.opacity_levels - integers[_OPACITY - 1]
    if opacities.min() < 0:
        raise AssetFormatError("opacities of packed splats must not be negative")
    return (
        Integers(
            cells_of(codes),
            bit_fields.unzigzag(integers[_SIZE - 1]),
            integers[1:3].T,
            opacities,
            np.zeros((count, 2), np.int64),
            np.zeros(count, np.int64),
            bit_fields.unzigzag(integers[4:7]).T,
            bit_fields.unzigzag(integers[7:]).T.reshape(count, -1, 3),
        ),
        int(coded.sum()),
    )


def _guess(values: _Integers) -> _Integers:
    """Return for each row of [N, C] the rounded mean of the four rows before; zeros come before the first."""
    before = np.zeros((len(values) + _TAPS, values.shape[1]), np.int64)
    before[_TAPS:] = values
    return (sum(before[tap : tap + len(values)] for tap in range(_TAPS)) + _TAPS // 2) // _TAPS


def _unguess(differences: Sequence[_Integers], classes: Sequence[_Integers]) -> list[_Integers]:
    """Add the guesses back, in all chunks at once: [N, C] differences in steps of 2^class."""
    most = max(len(rows) for rows in differences)
    shape = (most, len(differences), differences[0].shape[1])
    values, shifts = np.zeros(shape, np.int64), np.zeros((most, len(differences), 1), np.int64)
    for index, (rows, own) in enumerate(zip(differences, classes, strict=True)):
        values[: len(rows), index] = rows
        shifts[: len(own), index, 0] = own
    halves = (1 << shifts) >> 1
    fine = np.zeros((most + _TAPS, *shape[1:]), np.int64)
    recent = np.zeros(shape[1:], np.int64)
    for row in range(most):
        values[row] += ((recent + _TAPS // 2) // _TAPS + halves[row]) >> shifts[row]
        fine[row + _TAPS] = values[row] << shifts[row]
        recent += fine[row + _TAPS] - fine[row]
    return [values[: len(rows), index] for index, rows in enumerate(differences)]


def _complete(head: _Head, splats: Integers, start_bit: int) -> SplatCloud:
    """Read the directions of a chunk whose guesses have been added back."""
    classes = _classes(head.steps, splats)
    normal = normal_widths(splats.drops, classes, head.steps)
    angle = angle_widths(splats.drops, classes, head.steps)
    found = bit_fields.unpack(head.fields, start_bit, np.concatenate([normal, normal, angle]))
    x, y, angles = found.reshape(3, head.count)
    return dequantize(head.steps, replace(splats, normals=np.stack([x, y], axis=1), angles=angles))


def _check_sizes(head: _Head, splats: Integers) -> None:
    most = _MOST_LOG2 * head.steps.scale_steps
    if max(np.abs(splats.sizes).max(), splats.drops.max()) > most:
        raise AssetFormatError("sizes of packed splats must be such as float32 holds")


def _classes(steps: Steps, splats: Integers) -> _Integers:
    return splat_classes(
        splats.sizes, splats.drops, splats.opacities, steps.size_ref, steps.scale_steps, steps.opacity_levels
    )
