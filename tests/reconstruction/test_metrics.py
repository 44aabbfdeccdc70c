"""PSNR and SSIM against their definitions, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reconstruction.errors import InvalidArrayError
from reconstruction.metrics import psnr, ssim


def _pictures() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    rows, columns = np.mgrid[:17, :23]
    truth = np.stack([rows / 17, np.sin(columns / 3) * 0.4 + 0.5, rows * columns / 400], axis=-1)
    noisy = np.clip(0.8 * truth + 0.15 + random.normal(0, 0.07, truth.shape), 0, 1)
    return truth.astype(np.float32), noisy.astype(np.float32)


def test_psnr_of_a_uniform_error_is_twenty_times_its_logarithm() -> None:
    truth = np.full((4, 6, 3), 0.5, np.float32)

    assert psnr(truth + np.float32(0.05), truth) == pytest.approx(-20 * math.log10(0.05), abs=1e-4)
    assert psnr(truth, truth) == math.inf


def test_psnr_pools_the_squared_error_of_all_pixels_before_the_logarithm() -> None:
    truth, noisy = _pictures()
    squares = [(float(a) - float(b)) ** 2 for a, b in zip(truth.ravel(), noisy.ravel(), strict=True)]

    assert psnr(truth, noisy) == pytest.approx(10 * math.log10(len(squares) / math.fsum(squares)), abs=1e-9)


def test_ssim_is_the_mean_over_windows_of_its_definition() -> None:
    truth, noisy = _pictures()
    window = np.array(
        [[math.exp(-((r - 5) ** 2 + (c - 5) ** 2) / (2 * 1.5**2)) for c in range(11)] for r in range(11)]
    )
    window /= window.sum()
    values = []
    for row in range(17 - 10):
        for column in range(23 - 10):
            for channel in range(3):
                a = truth[row : row + 11, column : column + 11, channel].astype(float)
                b = noisy[row : row + 11, column : column + 11, channel].astype(float)
                mean_a, mean_b = (window * a).sum(), (window * b).sum()
                spread_a = (window * (a - mean_a) ** 2).sum()
                spread_b = (window * (b - mean_b) ** 2).sum()
                both = (window * (a - mean_a) * (b - mean_b)).sum()
                light = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
                values.append(light * (2 * both + 9e-4) / (spread_a + spread_b + 9e-4))

    assert ssim(truth, noisy) == pytest.approx(np.mean(values), abs=1e-9)
    assert ssim(truth, truth) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_pictures_of_different_shapes_are_refused(measure) -> None:
    with pytest.raises(InvalidArrayError, match=r"one shape"):
        measure(np.zeros((12, 14, 3), np.float32), np.zeros((14, 12, 3), np.float32))


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    with pytest.raises(InvalidArrayError, match="at least 11 pixels"):
        ssim(np.zeros((10, 40, 3), np.float32), np.zeros((10, 40, 3), np.float32))
