"""Random splats, cameras and pictures through every kernel: no crash, and nothing but numbers comes out.

Run from the repository root: python -m tests.fuzz.kernels [--cases N] [--seed S], or --case N for one again.
A case is a cloud, a camera and a target, drawn and differentiated as they are, then fitted for a step.
Processes report a case before they run it, so that one which kills its process is known.
"""

from __future__ import annotations

import argparse
import faulthandler
import mmap
import os
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reconstruction.kernels import build
from reconstruction.kernels.binding import (
    ROW_OPACITY,
    ROW_QUATS,
    ROW_SCALES,
    ROW_SH,
    AdamStep,
    SplatRaster,
    load_kernels,
    padded,
)

_BATCH = 250  # cases that are drawn from one random stream
_SCALE_MAX = 50.0
_ADAM = AdamStep(
    sh_rate=0.01,
    sh_rest_rate=0.001,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-15,
    correction1=0.1,
    correction2=0.001,
    opacity_weight=1e-3,
    scale_weight=1e-3,
    scale_max=_SCALE_MAX,
)
_ADAM.rate[:] = [0.05] * ROW_SH


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One random set of parameters."""

    index: int
    rows: NDArray[np.float32]  # as `kernels.binding.planar` makes them, but wilder
    count: int
    viewmat: NDArray[np.float32]
    K: NDArray[np.float32]
    width: int
    height: int
    background: tuple[float, float, float]
    antialias: bool
    ssim_weight: float
    exposure: NDArray[np.float32] | None
    is_trusted: bool  # everywhere
    rng: np.random.Generator


def cases(seed: int, batch: int) -> Iterator[Case]:
    """Yield the cases of a batch; they depend on `seed` and `batch` alone."""
    rng = np.random.default_rng([seed, batch])
    counts = np.where(rng.random(_BATCH) < 0.1, rng.integers(0, 2, _BATCH), rng.integers(2, 24, _BATCH))
    counts[rng.random(_BATCH) < 0.004] = 2500  # more than one piece of work
    begins = np.concatenate([[0], np.cumsum(counts)])
    columns = _columns(rng, int(begins[-1]))
    sizes = np.where(rng.random((_BATCH, 2)) < 0.1, 1, rng.integers(1, 49, (_BATCH, 2)))
    sizes[rng.random(_BATCH) < 0.004] = 131, 203
    focals = sizes[:, :1] * 10 ** rng.uniform(-0.7, 0.7, (_BATCH, 2))
    odd = rng.random(_BATCH) < 0.1
    focals[odd] = 10 ** rng.uniform(-3, 6, (odd.sum(), 2))
    centers = sizes * rng.normal(0.5, 0.2, (_BATCH, 2))
    centers[rng.random(_BATCH) < 0.05] *= 1e3
    quats = rng.normal(size=(_BATCH, 4))
    shifts = rng.normal(size=(_BATCH, 3)) + (0, 0, 3)
    shifts[rng.random(_BATCH) < 0.1] *= 0  # splats at the camera and in its plane
    shifts[rng.random(_BATCH) < 0.02] *= 1e20
    for i in range(_BATCH):
        bases = int(rng.choice([1, 1, 4, 9, 16]))
        count = int(counts[i])
        rows = np.zeros((ROW_SH + 3 * bases, padded(count)), np.float32)
        rows[:, :count] = columns[begins[i] : begins[i + 1], : len(rows)].T
        viewmat, K = np.eye(4, dtype=np.float32), np.eye(3, dtype=np.float32)
        viewmat[:3, :3], viewmat[:3, 3] = _turn(quats[i]), shifts[i]
        K[0, 0], K[1, 1], K[:2, 2] = *focals[i], centers[i]
        yield Case(
            index=batch * _BATCH + i,
            rows=rows,
            count=count,
            viewmat=viewmat,
            K=K,
            width=int(sizes[i, 0]),
            height=int(sizes[i, 1]),
            background=tuple(rng.random(3)),
            antialias=bool(rng.random() < 0.5),
            ssim_weight=float(rng.choice([0.0, 0.2, 1.0])),
            exposure=rng.uniform(-0.5, 2, (2, 3)).astype(np.float32) if rng.random() < 0.3 else None,
            is_trusted=bool(rng.random() < 0.7),
            rng=np.random.default_rng([seed, batch, i]),
        )


def _columns(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Return splats [N, 59]: most plausible, the others everything that a float may hold."""

    def wild(shape: tuple[int, ...], share: float, ordinary: NDArray, extremes: list[float]) -> NDArray:
        return np.where(rng.random(shape) < share, rng.choice(extremes, shape), ordinary)

    tiny, huge = 1e-42, 1e30  # the first is denormal
    extremes = [0.0, tiny, -tiny, 1e-20, -1e-20, 1e9, -1e9, huge, -huge]
    means = wild((count, 3), 0.03, rng.normal(size=(count, 3)), extremes)
    scales = wild((count, 3), 0.05, 10 ** rng.uniform(-2.5, 0.5, (count, 3)), [0.0, *extremes])
    spread = rng.random(count) < 0.1
    scales[spread] = 10 ** rng.uniform(-30, 30, (spread.sum(), 3))
    quats = wild((count, 4), 0.03, rng.normal(size=(count, 4)), extremes)
    quats[rng.random(count) < 0.03] = 0
    opacities = wild((count, 1), 0.3, rng.random((count, 1)), [0, tiny, 1 / 255, 0.99, 0.999999, 1, 1, huge])
    sh = wild((count, 48), 0.01, rng.normal(size=(count, 48)) * 0.7, extremes)
    return np.concatenate([means, scales, quats, opacities, sh], 1).astype(np.float32)


def _turn(quat: NDArray[np.float64]) -> NDArray[np.float64]:
    w, x, y, z = quat / np.linalg.norm(quat)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def run(case: Case, raster: SplatRaster) -> None:
    """Send a case through every kernel.

    Raises:
        AssertionError: Something that came out is not a number, or not in its range.
    """
    size = case.height, case.width
    image, slope = np.full((2, *size, 3), np.nan, np.float32)
    alpha, depth, median, d_alpha, d_depth = np.full((5, *size), np.nan, np.float32)
    target = case.rng.random((*size, 3), np.float32)
    d_alpha[:], d_depth[:] = case.rng.standard_normal((2, *size), np.float32)
    trust = None if case.is_trusted else case.rng.random(size, np.float32).round(1)
    gradients, visible = np.zeros_like(case.rows), np.full(case.count, 7, np.uint8)
    raster.look(
        case.viewmat,
        case.K,
        case.width,
        case.height,
        background=case.background,
        antialias=case.antialias,
    )

    drawn = raster.forward(case.rows, case.count, image, alpha, depth, median)
    _finite(image=image, depth=depth, median=median)
    assert alpha.min() >= 0 and alpha.max() <= 1, "alpha is out of range"
    report = raster.loss(image, target, case.ssim_weight, slope, case.exposure, trust)
    _finite(report=report, slope=slope)
    raster.backward(case.rows, case.count, slope, gradients, visible, d_alpha=d_alpha, d_depth=d_depth)
    _finite(gradients=gradients)
    assert visible.sum() == drawn and (visible <= 1).all(), "visible is not what was drawn"

    params = case.rows.copy()  # as a fit starts: inside the limits of log-scales and logits
    np.clip(params[ROW_SCALES:ROW_QUATS], 2e-7, _SCALE_MAX, out=params[ROW_SCALES:ROW_QUATS])
    np.clip(params[ROW_OPACITY], 1e-5, 1 - 1e-5, out=params[ROW_OPACITY])
    opacity = params[ROW_OPACITY]
    raw = np.concatenate([np.log(params[ROW_SCALES:ROW_QUATS]), np.log(opacity / (1 - opacity))[None]])
    first, second = np.zeros((2, *params.shape), np.float32)
    for _ in range(2):
        raster.forward(params, case.count, image)
        report = raster.loss(image, target, case.ssim_weight, slope, case.exposure, trust)
        raster.backward(params, case.count, slope, gradients, visible)
        raster.adam(_ADAM, case.count, params, raw, gradients, first, second, visible)
        _finite(image=image, report=report, slope=slope, gradients=gradients)
        _finite(params=params, raw=raw, first=first, second=second)


def run_again(seed: int, index: int) -> None:
    """Run one case on every instruction set of this machine."""
    best = load_kernels("baseline").raster_cpu_level()
    for level in build.levels()[: best + 1]:
        run(next(case for case in cases(seed, index // _BATCH) if case.index == index), SplatRaster(1, level))


def _finite(**arrays: NDArray) -> None:
    for name, array in arrays.items():
        assert np.isfinite(array).all(), f"{name} holds {np.count_nonzero(~np.isfinite(array))} bad values"


def _work(seed: int, batches: range, progress: mmap.mmap, place: int) -> None:
    best = load_kernels("baseline").raster_cpu_level()
    levels = build.levels()[: best + 1]
    # Mostly the best one, which is what people run; two threads only sometimes, as they start slowly.
    rasters = [SplatRaster(1), SplatRaster(1), SplatRaster(2), *(SplatRaster(1, level) for level in levels)]
    for batch in batches:
        for case in cases(seed, batch):
            struct.pack_into("q", progress, 8 * place, case.index)
            run(case, rasters[case.index % len(rasters)])


def _start(seed: int, batches: range, progress: mmap.mmap, place: int) -> int:
    child = os.fork()
    if child:
        return child
    faulthandler.enable()
    _work(seed, batches, progress, place)  # what it raises ends the child with a traceback and status 1
    os._exit(0)


def main(arguments: list[str] | None = None) -> int:
    """Run the cases in one process per core; exit status 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="only the one of this number, in this process")
    options = parser.parse_args(arguments)
    if options.case is not None:
        run_again(options.seed, options.case)
        return 0
    began = time.monotonic()
    workers = len(os.sched_getaffinity(0))
    batches = -(-options.cases // _BATCH)
    progress = mmap.mmap(-1, 8 * workers)  # shared with the children: the case that each is at
    children = {
        _start(options.seed, range(place, batches, workers), progress, place): place
        for place in range(workers)
    }
    failed = 0
    while children:
        child, status = os.wait()
        place = children.pop(child)
        if status:
            failed += 1
            (index,) = struct.unpack_from("q", progress, 8 * place)
            print(f"again: python -m tests.fuzz.kernels --seed {options.seed} --case {index}")
    took = time.monotonic() - began
    print(f"{batches * _BATCH:,} cases in {took:.0f} s, {failed} of {workers} processes failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
