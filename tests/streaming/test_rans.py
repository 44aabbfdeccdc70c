"""The entropy coder: exact, close to the entropy, decoded alike by a reader of one symbol at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming import rans
from streaming.errors import AssetFormatError
from tests.streaming.splat_clouds import damaged


def _skewed(count: int, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = [rng.geometric(p, count) - 1 for p in (0.9, 0.3, 0.03)]
    return np.minimum(np.stack([*rows, np.full(count, 41)]), rans.MAX_SYMBOL).astype(np.uint8)


def _one_by_one(block: bytes, streams: int, count: int) -> list[list[int]]:
    """The decoder as the layout describes it, with Python's integers and no arrays."""
    nibbles = [half for byte in block for half in (byte & 15, byte >> 4)]
    at, tables = 0, []
    for _ in range(streams):
        size = nibbles[at] + 16 * nibbles[at + 1]
        shares = [0 if w == 0 else round(2 ** (0.75 * (w - 1))) for w in nibbles[at + 2 : at + 2 + size]]
        at += 2 + size
        spare = 2048 - sum(share > 0 for share in shares)
        widths = [0 if share == 0 else 1 + share * spare // sum(shares) for share in shares]
        widths[shares.index(max(shares))] += 2048 - sum(widths)
        tables.append(widths)
    at = (at + 1) // 2
    states = [int.from_bytes(block[at + 4 * lane : at + 4 * lane + 4], "little") for lane in range(16)]
    words = iter(int.from_bytes(block[i : i + 2], "little") for i in range(at + 64, len(block), 2))
    found = []
    for widths in tables:
        row = []
        for index in range(count):
            state = states[index % 16]
            slot, symbol = state % 2048, 0
            while slot >= widths[symbol]:
                slot -= widths[symbol]
                symbol += 1
            state = widths[symbol] * (state // 2048) + slot
            states[index % 16] = state if state >= 2**15 else state * 65536 + next(words)
            row.append(symbol)
        found.append(row)
    assert list(words) == [] and set(states) == {2**15}
    return found


@given(st.lists(st.integers(0, 90), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_blocks_of_unequal_length_come_back_exactly(counts: list[int], seed: int) -> None:
    blocks = [_skewed(count, seed + i) for i, count in enumerate(counts)]

    found = rans.decode(rans.encode(blocks), 4, counts)

    assert all(np.array_equal(a, b) for a, b in zip(found, blocks, strict=True))


def test_a_reader_of_one_symbol_at_a_time_finds_the_same() -> None:
    block = _skewed(1003)

    (data,) = rans.encode([block])

    assert _one_by_one(data, 4, 1003) == block.tolist()


def test_size_is_within_two_percent_of_the_entropy_beside_tables_and_states() -> None:
    block = _skewed(40_000)
    bits = 0.0
    for row in block:
        share = np.bincount(row)[np.bincount(row) > 0] / len(row)
        bits -= len(row) * (share * np.log2(share)).sum()

    (data,) = rans.encode([block])

    assert bits / 8 < len(data) < 1.02 * bits / 8 + 64 + 4 * 128


def test_a_stream_of_one_symbol_costs_only_its_table() -> None:
    (data,) = rans.encode([np.full((1, 4096), 9, np.uint8)])

    assert len(data) == 6 + 4 * rans.LANES  # two nibbles of length, ten weights


def test_damage_is_refused_or_decodes_to_as_many_symbols() -> None:
    block = _skewed(200)
    (data,) = rans.encode([block])

    for stop in range(len(data)):
        with pytest.raises(AssetFormatError):
            rans.decode([data[:stop]], 4, [200])
    refused = 0
    for bad in damaged(data, 400, seed=5):
        try:
            assert rans.decode([bad], 4, [200])[0].shape == (4, 200)
        except AssetFormatError:
            refused += 1
    assert refused > 350  # the states must end where they began, which few wrong paths do
