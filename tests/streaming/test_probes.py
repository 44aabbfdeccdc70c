from __future__ import annotations

import base64

import numpy as np
import pytest

from streaming.errors import AssetFormatError
from streaming.probes import PROBES, decode_probes, encode_probes, probes_of


def _line(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return splats along a crooked line, thick at one end, wrong at the other."""
    t = np.linspace(0, 1, count)
    means = np.stack([10 * t, np.sin(3 * t), -2 + t**2], axis=1).astype(np.float32)
    return means, (0.02 + 0.1 * t).astype(np.float32), np.where(t > 0.75, 4.0, 0.1)


def test_probes_lie_where_the_error_is() -> None:
    means, reach, errors = _line(800)

    found = probes_of(means, reach, errors)

    assert found.shape == (PROBES, 5) and found[:, 4].sum() == pytest.approx(1)
    late = found[:, 0] > 7.5
    assert found[late, 4].sum() == pytest.approx(errors[means[:, 0] > 7.5].sum() / errors.sum(), abs=0.01)
    distance = np.linalg.norm(means[:, None] - found[:, :3], axis=2) / found[:, 3]
    assert distance.min(axis=1).max() < 2.5 and 0.1 < found[:, 3].max() < 1.0


def test_few_splats_have_as_many_probes_and_no_error_is_everywhere() -> None:
    means, reach, _ = _line(3)

    found = probes_of(means, reach, np.zeros(3))

    np.testing.assert_allclose(found[:, :3], means, atol=1e-6)
    np.testing.assert_allclose(found[:, 4], 1 / 3, atol=1e-6)
    np.testing.assert_allclose(found[:, 3], reach, atol=1e-6)


def test_probes_come_back_within_what_eight_bytes_hold() -> None:
    means, reach, errors = _line(500)
    means[:30] *= 300  # a sky: the rest must still be told apart
    found = probes_of(means, reach, errors)
    center, radius = np.array([5.0, 0.5, -1.5]), 2500.0

    back = decode_probes(encode_probes(found, center, radius), center, radius)

    assert np.abs(back[:, :3] - found[:, :3]).max() <= radius / 65_535 * 1.01
    np.testing.assert_allclose(back[:, 3:], found[:, 3:], rtol=0.06)
    assert back[:, 4].sum() == pytest.approx(1)


def test_a_chunk_without_probes_is_its_sphere() -> None:
    back = decode_probes("", np.array([1.0, 2.0, 3.0]), 4.0)

    assert back[0].tolist() == [1, 2, 3, 4, 1] and not back[1:, 4].any()


@pytest.mark.parametrize(
    "text", ["?", "AAAA", base64.b64encode(bytes(17 * 8)).decode(), base64.b64encode(bytes(12)).decode()]
)
def test_text_that_holds_no_probes_is_refused(text: str) -> None:
    with pytest.raises(AssetFormatError, match="probes"):
        decode_probes(text, np.zeros(3), 1.0)
