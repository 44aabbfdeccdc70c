"""A slice of `make fuzz`, and that a case which kills its process is named."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from tests.fuzz import kernels


def test_nothing_but_numbers_comes_out_of_some_hundred_random_cases():
    command = [sys.executable, "-m", "tests.fuzz.kernels", "--cases", "1500", "--seed", "7"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("1,500 cases")


def test_a_splat_whose_huge_terms_cancel_does_not_add_light():
    # Found by `make fuzz`: log2 of alpha came out near 112 instead of below 0, and alpha at -1e34 with AVX2.
    kernels.run_again(seed=0, index=110_775)


def test_a_case_that_kills_its_process_can_be_run_again():
    script = (
        "import os, sys\n"
        "from tests.fuzz import kernels\n"
        "kernels.run = lambda case, raster: case.index == 503 and os.kill(os.getpid(), 11)\n"
        "sys.exit(kernels.main(['--cases', '1000', '--seed', '5']))\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "again: python -m tests.fuzz.kernels --seed 5 --case 503" in result.stdout


def test_a_batch_is_the_same_every_time_and_holds_what_breaks_kernels():
    batch = list(kernels.cases(3, 2))

    for a, b in zip(batch, kernels.cases(3, 2), strict=True):
        np.testing.assert_array_equal(a.rows, b.rows)
        np.testing.assert_array_equal(a.viewmat, b.viewmat)
    assert {len(case.rows) for case in batch} == {14, 23, 38, 59}
    assert {case.count for case in batch} >= {0, 1, 2, 2500}
    assert any(case.width == 1 for case in batch) and any(case.height % 16 for case in batch)
    quats = np.concatenate([case.rows[6:10, : case.count] for case in batch], 1)
    assert (np.abs(quats).max(0) == 0).any()
    assert all(np.isfinite(case.rows).all() for case in batch)
    assert max(np.abs(case.rows[:3]).max() for case in batch) > 9e29
