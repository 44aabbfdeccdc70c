"""Integers of any size as a small symbol and plain bits behind it; plain bits packed and unpacked.

The symbol of an unsigned integer is the integer itself below 64; above, it counts in quarter octaves, and the
bits that it leaves open follow as they are. `gap` symbols are only the number of bits below the leading one:
the steps of a space-filling curve span forty octaves, evenly within each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import AssetFormatError

MAX_FIELD_BITS = 31
_DIRECT = 64
_DIRECT_BITS = 6

_Integers = NDArray[np.int64]


def zigzag(values: _Integers) -> _Integers:
    """Return 0, 1, 2, 3, 4 for 0, -1, 1, -2, 2."""
    return np.where(values >= 0, 2 * values, -2 * values - 1)


def unzigzag(values: _Integers) -> _Integers:
    """Undo `zigzag`."""
    return np.where(values & 1, -(values + 1) // 2, values // 2)


def split(values: _Integers) -> tuple[NDArray[np.uint8], _Integers, _Integers]:
    """Return symbols, open bits and their widths of integers 0 to 2^31 - 1."""
    octaves = _bit_lengths(values) - 1
    widths = np.where(values < _DIRECT, 0, octaves - 2)
    quarters = (values >> widths) & 3
    symbols = np.where(values < _DIRECT, values, _DIRECT + 4 * (octaves - _DIRECT_BITS) + quarters)
    return symbols.astype(np.uint8), values & ((1 << widths) - 1), widths


def open_widths(symbols: NDArray[np.uint8]) -> _Integers:
    """Return how many bits follow each symbol.

    Raises:
        AssetFormatError: A symbol stands for more than 31 bits.
    """
    octaves = _DIRECT_BITS + (symbols.astype(np.int64) - _DIRECT) // 4
    if (octaves >= MAX_FIELD_BITS).any():
        raise AssetFormatError("a coded integer must be below 2^31")
    return np.where(symbols < _DIRECT, 0, octaves - 2)


def join(symbols: NDArray[np.uint8], fields: _Integers) -> _Integers:
    """Undo `split`."""
    quarters = (symbols.astype(np.int64) - _DIRECT) & 3
    widths = open_widths(symbols)
    return np.where(symbols < _DIRECT, symbols, (4 + quarters << widths) + fields)


def gap_symbols(gaps: _Integers) -> NDArray[np.uint8]:
    """Return 0 for 0, else the number of bits: 1 to 60."""
    return _bit_lengths(gaps).astype(np.uint8)


def _bit_lengths(values: _Integers) -> _Integers:
    # Floats above 2^53 may round up to the next power of two, so those are halved first.
    large = values >> 31
    return np.where(
        large > 0, np.frexp(large.astype(np.float64))[1] + 31, np.frexp(values.astype(np.float64))[1]
    ).astype(np.int64)


def pack(fields: _Integers, widths: _Integers) -> bytes:
    """Return fields of 0 to 31 bits one behind the other, lowest bit first."""
    total = int(widths.sum())
    starts = np.cumsum(widths) - widths
    offsets = np.arange(total) - np.repeat(starts, widths)
    bits = (np.repeat(fields, widths) >> offsets) & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def unpack(data: bytes | memoryview, start_bit: int, widths: _Integers) -> _Integers:
    """Return the fields that begin at a bit of `data`.

    Raises:
        AssetFormatError: The fields end behind the data.
    """
    ends = start_bit + np.cumsum(widths)
    if len(ends) and ends[-1] > 8 * len(data):
        raise AssetFormatError("packed fields must end inside their block")
    padded = np.frombuffer(bytes(data) + bytes(8), np.uint8)
    starts = ends - widths
    at = starts >> 3
    words = np.zeros(len(widths), np.int64)
    for byte in range(5):  # 31 bits and up to 7 before them
        words |= padded[at + byte].astype(np.int64) << (8 * byte)
    return (words >> (starts & 7)) & ((1 << widths) - 1)
