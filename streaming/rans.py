"""Order-0 entropy coding of small symbols by rANS: many blocks at once, sixteen interleaved lanes in each.

Every stream of a block has a table of its own. The tables cost half a byte per symbol, which is little beside
what contexts would cost: on chunks of 4096 splats every context tried cost more in tables than it saved. The
lanes are for us: NumPy walks all lanes of all blocks in one step. A browser decodes one symbol after another.

Layout of a block (little-endian): nibbles, low one first: per stream two for its number of symbols, low one
first, and one weight for each;
after the last stream, at a whole byte, u32 x 16 states; u16 words to the end. Symbol i of a stream is decoded
by lane i % 16, streams one after the other.

Source: Duda, "Asymmetric numeral systems" (2013); interleaving as in Giesen (2014).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import AssetFormatError

LANES = 16
PROBABILITY_BITS = 11
MAX_SYMBOL = 254

_TOTAL = 1 << PROBABILITY_BITS
_LOW = 1 << 15  # states stay in [2^15, 2^31): plain 32-bit integers of a browser
_WORD_BITS = 16
_STATE_BITS = 31
_EMIT_SHIFT = _STATE_BITS - PROBABILITY_BITS
# A weight is three quarters of an octave: coarser costs more bits than the nibbles save.
_WEIGHTS = np.array([0, *(round(2 ** (0.75 * step)) for step in range(15))], np.int64)
_TOP_WEIGHT = len(_WEIGHTS) - 1

_Symbols = NDArray[np.uint8]  # [streams, count]


def encode(blocks: Sequence[_Symbols]) -> list[bytes]:
    """Return the bytes of each block [S, N] of symbols 0 to 254; S is the same in all, N need not be."""
    if not blocks:
        return []
    streams = len(blocks[0])
    counts = np.array([block.shape[1] for block in blocks])
    most = int(counts.max(initial=0))
    steps = -(-most // LANES)
    padded = np.zeros((len(blocks), streams, steps * LANES), np.uint8)
    for row, block in zip(padded, blocks, strict=True):
        row[:, : block.shape[1]] = block
    weights = [[_weigh(stream) for stream in block] for block in blocks]
    frequencies = np.zeros((len(blocks), streams, 256), np.int64)
    for row, tables in zip(frequencies, weights, strict=True):
        for into, table in zip(row, tables, strict=True):
            into[: len(table)] = _frequencies(table)
    starts = np.cumsum(frequencies, axis=2) - frequencies
    states = np.full((len(blocks), LANES), _LOW, np.int64)
    # Two bytes a symbol at most: filled from the end, as rANS encodes backwards.
    words = np.zeros((len(blocks), streams * steps * LANES), np.uint16)
    ends = np.full(len(blocks), words.shape[1], np.int64)
    rows = np.arange(len(blocks))[:, None]
    lanes = np.arange(LANES)
    for stream in reversed(range(streams)):
        symbols = padded[:, stream]
        wide = frequencies[rows, stream, symbols].reshape(len(blocks), steps, LANES)
        first = starts[rows, stream, symbols].reshape(len(blocks), steps, LANES)
        for step in reversed(range(steps)):
            used = lanes + step * LANES < counts[:, None]
            f = np.where(used, wide[:, step], _TOTAL)
            full = used & (states >= f << _EMIT_SHIFT)
            ranks = np.cumsum(full, axis=1)
            ends -= ranks[:, -1]
            at, lane = np.nonzero(full)
            words[at, ends[at] + ranks[at, lane] - 1] = states[at, lane] & 0xFFFF
            states[at, lane] >>= _WORD_BITS
            quotient = states // f
            moved = (quotient << PROBABILITY_BITS) + (states - quotient * f) + first[:, step]
            states = np.where(used, moved, states)
    return [
        _pack_tables(tables) + state.astype("<u4").tobytes() + row[end:].astype("<u2").tobytes()
        for tables, state, row, end in zip(weights, states, words, ends, strict=True)
    ]


def decode(blocks: Sequence[bytes | memoryview], streams: int, counts: Sequence[int]) -> list[_Symbols]:
    """Return the symbols [streams, count] of each block.

    Raises:
        AssetFormatError: Bytes are missing or left over, or a table is none.
    """
    if not blocks:
        return []
    sizes = np.asarray(counts, np.int64)
    most = int(sizes.max(initial=0))
    steps = -(-most // LANES)
    slots = np.zeros((len(blocks), streams, _TOTAL), np.uint8)
    frequencies = np.ones((len(blocks), streams, 256), np.int64)
    starts = np.zeros((len(blocks), streams, 256), np.int64)
    states = np.zeros((len(blocks), LANES), np.int64)
    tails = []
    for index, block in enumerate(blocks):
        tables, at = _unpack_tables(bytes(block), streams)
        for stream, table in enumerate(tables):
            wide = _frequencies(table)
            frequencies[index, stream, : len(table)] = wide
            starts[index, stream, : len(table)] = np.cumsum(wide) - wide
            slots[index, stream] = np.repeat(np.arange(len(table), dtype=np.uint8), wide)
        if len(block) < at + 4 * LANES or (len(block) - at) % 2:
            raise AssetFormatError("an entropy-coded block must hold its states and whole words")
        states[index] = np.frombuffer(block, "<u4", LANES, at)
        tails.append(np.frombuffer(block, "<u2", -1, at + 4 * LANES))
    if ((states < _LOW) | (states >> _STATE_BITS != 0)).any():
        raise AssetFormatError("states of an entropy-coded block must lie in [2^15, 2^31)")
    lengths = np.array([len(tail) for tail in tails])
    # A damaged block may ask for more words than it has: it reads zeros there and is refused at the end.
    words = np.zeros((len(blocks), int(lengths.max(initial=0)) + LANES), np.int64)
    for row, tail in zip(words, tails, strict=True):
        row[: len(tail)] = tail
    reads = np.zeros(len(blocks), np.int64)
    symbols = np.zeros((len(blocks), streams, steps * LANES), np.uint8)
    rows = np.arange(len(blocks))[:, None]
    lanes = np.arange(LANES)
    for stream in range(streams):
        for step in range(steps):
            used = lanes + step * LANES < sizes[:, None]
            slot = states & (_TOTAL - 1)
            found = slots[rows, stream, slot]
            symbols[:, stream, step * LANES : (step + 1) * LANES] = np.where(used, found, 0)
            moved = (
                frequencies[rows, stream, found] * (states >> PROBABILITY_BITS)
                + slot
                - starts[rows, stream, found]
            )
            states = np.where(used, moved, states)
            at, lane = np.nonzero(used & (states < _LOW))
            ranks = np.cumsum(used & (states < _LOW), axis=1)
            places = np.minimum(reads[at] + ranks[at, lane] - 1, words.shape[1] - 1)
            states[at, lane] = (states[at, lane] << _WORD_BITS) | words[at, places]
            reads = np.minimum(reads + ranks[:, -1], words.shape[1])
    if (states != _LOW).any() or (reads != lengths).any():
        raise AssetFormatError("an entropy-coded block must end where its symbols do")
    return [block[:, :count] for block, count in zip(symbols, counts, strict=True)]


def _weigh(symbols: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the weights [T] of a stream's symbols, each 0 to 15."""
    found = np.bincount(symbols)
    if len(found) == 0:
        return np.array([_TOP_WEIGHT], np.int64)
    steps = np.rint(np.log2(np.maximum(found, 1) / found.max()) / 0.75)
    return np.where(found > 0, np.maximum(steps + _TOP_WEIGHT, 1), 0).astype(np.int64)


def _frequencies(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of the 2048 slots each symbol has; every symbol with a weight has one at least."""
    shares = _WEIGHTS[weights]
    spare = _TOTAL - np.count_nonzero(shares)
    slots = (shares > 0) + shares * spare // shares.sum()
    slots[np.argmax(shares)] += _TOTAL - slots.sum()
    return slots


def _pack_tables(tables: Sequence[NDArray[np.int64]]) -> bytes:
    nibbles: list[int] = []
    for table in tables:
        nibbles += [len(table) & 15, len(table) >> 4, *table.tolist()]
    nibbles += [0] * (len(nibbles) % 2)
    pairs = np.array(nibbles, np.uint8).reshape(-1, 2)
    return (pairs[:, 0] | pairs[:, 1] << 4).tobytes()


def _unpack_tables(block: bytes, streams: int) -> tuple[list[NDArray[np.int64]], int]:
    # No table is longer than 255 symbols, so only so many bytes can belong to them.
    head = np.frombuffer(block[: streams * 129 + 1], np.uint8)
    nibbles = np.stack([head & 15, head >> 4], axis=1).ravel().astype(np.int64)
    tables, at = [], 0
    for _ in range(streams):
        if at + 2 > len(nibbles):
            raise AssetFormatError("an entropy-coded block must hold a table for each stream")
        size = int(nibbles[at] + 16 * nibbles[at + 1])
        table = nibbles[at + 2 : at + 2 + size]
        at += 2 + size
        if len(table) != size or not table.any():
            raise AssetFormatError("a table of an entropy-coded block must be whole and not all zeros")
        tables.append(table)
    return tables, -(-at // 2)
