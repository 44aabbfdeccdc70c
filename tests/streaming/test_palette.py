from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.palette import codebook, palette


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60), st.integers(2, 16))
def test_number_is_within_half_a_gap_of_its_place(values: list[float], size: int) -> None:
    numbers = np.float32(values)

    entries, labels = codebook(numbers, size)

    assert entries.shape == (size,) and (np.diff(entries) >= 0).all()
    assert entries[0] == numbers.min() and entries[-1] == numbers.max()
    best = np.abs(entries[:, None].astype(np.float64) - numbers).min(axis=0)
    np.testing.assert_allclose(np.abs(entries[labels].astype(np.float64) - numbers), best, atol=1e-7)
    if len(np.unique(numbers)) <= size:
        np.testing.assert_array_equal(entries[labels], numbers)


def test_codebook_of_a_skewed_column_beats_even_steps() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(-5, 0.4, 5000), rng.gamma(2, 3, 200)]).astype(np.float32)

    entries, labels = codebook(values)

    even = np.ptp(values) / 255 / np.sqrt(12)
    assert np.sqrt(np.mean((entries[labels] - values) ** 2)) < 0.55 * even
    assert labels.dtype == np.uint8 and labels.max() == 255


@pytest.mark.parametrize(("count", "size"), [(900, 512), (900, 7), (2000, 64), (5, 9), (3, 1)])
def test_palette_has_its_size_and_every_vector_a_near_place(count: int, size: int) -> None:
    rng = np.random.default_rng(5)
    centers = rng.normal(0, 3, (12, 5))
    vectors = (centers[rng.integers(0, 12, count)] + rng.normal(0, 0.1, (count, 5))).astype(np.float32)

    found, labels = palette(vectors, size)

    assert len(found) <= size and labels.shape == (count,) and labels.max() < len(found)
    error = np.linalg.norm(found[labels] - vectors, axis=1)
    if count <= size:
        assert error.max() == 0
    elif size >= 64:  # several places for each of the twelve heaps
        assert np.sqrt((error**2).mean()) < 0.24
    again = palette(vectors, size)
    np.testing.assert_array_equal(again[0], found)
    np.testing.assert_array_equal(again[1], labels)


def test_equal_vectors_need_one_place() -> None:
    found, labels = palette(np.ones((50, 3), np.float32), 8)

    np.testing.assert_array_equal(found[labels], np.ones((50, 3)))
