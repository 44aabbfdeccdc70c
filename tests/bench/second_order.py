"""Second-order and preconditioned steps against Adam, on the same splats and pictures: is there a faster way?

Run from the repository root: python -m tests.bench.second_order [PASSES ...]
One pass is a picture drawn and differentiated, which is what all schemes spend their time on; a scheme's own
algebra is numpy here and left out of its passes, which flatters it. The product's step is timed too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import F32
from reconstruction.frames import FrameSequence
from reconstruction.kernels.binding import ROW_OPACITY, ROW_QUATS, ROW_SCALES, SplatRaster, padded
from reconstruction.lifting import LiftSettings, lift
from reconstruction.metrics import psnr
from reconstruction.optimize import FitSettings, fit
from reconstruction.posed_folder import read_posed_folder
from reconstruction.rasterizers.draw import draw_each
from reconstruction.rasterizers.fused_step import cloud_from_columns, columns_from_cloud
from reconstruction.schedule import Rates
from reconstruction.splats import SplatCloud
from tests.bench.rows import Row, cpu_seconds, publish

_CABIN = Path(__file__).resolve().parents[3] / "shared" / "data" / "lift_set_cabin"
_SPLATS, _PASSES = 60_000, (300, 1_200)
_SCALE_MAX = 60.0
_BLOCKS = ((0, 3), (3, 6), (6, 10), (10, 11), (11, 14))  # means, log-scales, quats, logit, colour


class Problem:
    """Splats as unconstrained values [14, N]: means in their own sizes, log-scales, quats, logit, colour."""

    def __init__(self, frames: FrameSequence, first: SplatCloud) -> None:
        self.frames, self.count = frames, len(first)
        columns = columns_from_cloud(first, 1).T.astype(np.float32)
        self.size = columns[ROW_SCALES:ROW_QUATS].mean(0)
        self.values = columns.copy()
        self.values[:3] /= self.size
        self.values[ROW_SCALES:ROW_QUATS] = np.log(columns[ROW_SCALES:ROW_QUATS])
        opacity = columns[ROW_OPACITY].clip(1e-5, 1 - 1e-5)
        self.values[ROW_OPACITY] = np.log(opacity / (1 - opacity))
        self.rasters: dict[int, SplatRaster] = {}
        self.passes = 0.0

    def rows(self, values: F32) -> F32:
        """Return kernel rows of the values."""
        rows = np.zeros((14, padded(self.count)), np.float32)
        rows[:, : self.count] = values
        rows[:3, : self.count] *= self.size
        rows[ROW_SCALES:ROW_QUATS, : self.count] = np.exp(values[ROW_SCALES:ROW_QUATS]).clip(2e-7, _SCALE_MAX)
        rows[ROW_OPACITY, : self.count] = 1 / (1 + np.exp(-values[ROW_OPACITY].clip(-12, 12)))
        return rows

    def draw(self, index: int, values: F32, slot: int = 0) -> tuple[F32, F32]:
        """Return the picture and its kernel rows; `slot` names the raster that remembers it."""
        raster = self.rasters.setdefault(slot, SplatRaster(2))
        cameras = self.frames.cameras
        assert cameras is not None
        rows = self.rows(values)
        image = np.empty((cameras.height, cameras.width, 3), np.float32)
        raster.look(cameras.viewmats[index], cameras.Ks[index], cameras.width, cameras.height)
        raster.forward(rows, self.count, image)
        self.passes += 1 / 3  # of a pass, as measured: a third draws, the rest differentiates
        return image, rows

    def pull_back(self, rows: F32, slope: F32, slot: int = 0) -> tuple[F32, NDArray[np.bool_]]:
        """Return J^T slope for the picture in `slot`, in unconstrained values, and which splats were seen."""
        gradients, seen = np.zeros_like(rows), np.zeros(rows.shape[1], np.uint8)
        self.rasters[slot].backward(rows, self.count, np.ascontiguousarray(slope), gradients, seen)
        self.passes += 2 / 3
        visible = seen[: self.count].astype(bool)
        found = gradients[:, : self.count] * visible
        found[:3] *= self.size
        found[ROW_SCALES:ROW_QUATS] *= rows[ROW_SCALES:ROW_QUATS, : self.count]
        opacity = rows[ROW_OPACITY, : self.count]
        found[ROW_OPACITY] *= opacity * (1 - opacity)
        return found, visible

    def truth(self, index: int) -> F32:
        return self.frames.images[index].astype(np.float32) / 255

    def cloud(self) -> SplatCloud:
        return cloud_from_columns(self.rows(self.values)[:, : self.count].T.copy())


def adam(problem: Problem, passes: int, *, blocks: bool, seed: int = 0) -> None:
    """Adam on the mean absolute error; with `blocks` each splat's second moments are matrices, V^-1/2 m."""
    rng, train = np.random.default_rng(seed), list(problem.frames.train)
    first = np.zeros_like(problem.values)
    second = [np.zeros((problem.count, end - begin, end - begin)) for begin, end in _BLOCKS]
    if not blocks:
        second = [np.zeros((end - begin, problem.count), np.float32) for begin, end in _BLOCKS]
    step = 0
    while problem.passes < passes:
        index = train[rng.integers(len(train))]
        image, rows = problem.draw(index, problem.values)
        slope = np.sign(image - problem.truth(index)) / image.size
        gradient, seen = problem.pull_back(rows, slope)
        step += 1
        rates = Rates().at(problem.passes / passes)
        by_block = (rates.means, rates.log_scales, rates.quats, rates.opacity_logits, rates.sh)
        first[:, seen] = 0.9 * first[:, seen] + 0.1 * gradient[:, seen]
        for (begin, end), moments, rate in zip(_BLOCKS, second, by_block, strict=True):
            g, m = gradient[begin:end, seen], first[begin:end, seen] / (1 - 0.9**step)
            if blocks:
                moments[seen] = 0.999 * moments[seen] + 0.001 * np.einsum("in,jn->nij", g, g)
                move = _root_solve(moments[seen] / (1 - 0.999**step), m.T).T
            else:
                moments[:, seen] = 0.999 * moments[:, seen] + 0.001 * g * g
                move = m / (np.sqrt(moments[:, seen] / (1 - 0.999**step)) + 1e-15)
            problem.values[begin:end, seen] -= rate * move


def _root_solve(matrices: NDArray[np.float64], vectors: NDArray) -> NDArray:
    """Return M^-1/2 v; directions without any gradient do not move."""
    lengths, axes = np.linalg.eigh(matrices)
    inverse = 1 / np.sqrt(np.maximum(lengths, 1e-4 * lengths[:, -1:] + 1e-30))
    return np.einsum("nij,nj,nkj,nk->ni", axes, inverse, axes, vectors, optimize=True)


def gauss_newton(problem: Problem, passes: int, *, pictures: int, rounds: int, damping: float) -> None:
    """Levenberg-Marquardt: conjugate gradients on (J^T J + damping D) x = -J^T r over a batch of pictures.

    J v is a difference of two drawings, J^T u the kernels' backward pass; D is the diagonal of J^T J, guessed
    by random signs (Hutchinson) and averaged over the batches. Damping follows the gain ratio.
    """
    rng, train = np.random.default_rng(0), list(problem.frames.train)
    diagonal = np.zeros_like(problem.values)
    weight = 0.0
    while problem.passes < passes:
        batch = rng.choice(train, pictures, replace=False)
        drawn = [problem.draw(index, problem.values, slot) for slot, index in enumerate(batch)]
        residuals = [image - problem.truth(index) for index, (image, _) in zip(batch, drawn, strict=True)]
        gradient, guess = np.zeros_like(problem.values), np.zeros_like(problem.values)
        for slot, ((_, rows), residual) in enumerate(zip(drawn, residuals, strict=True)):
            gradient += problem.pull_back(rows, residual, slot)[0]
            signs = rng.choice(np.float32([-1, 1]), residual.shape)
            guess += problem.pull_back(rows, signs, slot)[0] ** 2
        weight = 0.9 * weight + 0.1
        diagonal = 0.9 * diagonal + 0.1 * guess
        scale = diagonal / weight
        floor = 1e-3 * np.median(scale[scale > 0]) if (scale > 0).any() else 1.0
        scale = scale + floor

        def curvature(v: F32, drawn=drawn, batch=batch, scale=scale, damping=damping) -> F32:
            reach = 0.01 / max(float(np.abs(v).max()), 1e-20)
            total = damping * scale * v
            for slot, (index, (image, rows)) in enumerate(zip(batch, drawn, strict=True)):
                moved, _ = problem.draw(index, problem.values + reach * v, pictures)
                total = total + problem.pull_back(rows, (moved - image) / reach, slot)[0]
            return total

        move = _conjugate_gradients(curvature, -gradient, scale, rounds)
        move = np.clip(move, -0.5, 0.5)
        before = sum(float((residual**2).sum()) for residual in residuals)
        after = 0.0
        for index in batch:
            image, _ = problem.draw(index, problem.values + move, pictures)
            after += float(((image - problem.truth(index)) ** 2).sum())
        if after < before:
            problem.values += move
            damping = max(damping / 2, 1e-4)
        else:
            damping *= 4


def _conjugate_gradients(curvature: Callable[[F32], F32], right: F32, scale: F32, rounds: int) -> F32:
    x = np.zeros_like(right)
    rest = right.copy()
    z = rest / scale
    direction = z.copy()
    product = float((rest * z).sum())
    for _ in range(rounds):
        bent = curvature(direction)
        along = float((direction * bent).sum())
        if along <= 0:
            break
        length = product / along
        x += length * direction
        rest -= length * bent
        z = rest / scale
        old, product = product, float((rest * z).sum())
        direction = z + product / old * direction
    return x


_SCHEMES: dict[str, Callable[[Problem, int], None]] = {
    "Adam": lambda problem, passes: adam(problem, passes, blocks=False),
    "Adam, a matrix per splat": lambda problem, passes: adam(problem, passes, blocks=True),
    "LM, 4 pictures, 3 CG rounds": lambda problem, passes: gauss_newton(
        problem, passes, pictures=4, rounds=3, damping=1.0
    ),
    "LM, 16 pictures, 3 CG rounds": lambda problem, passes: gauss_newton(
        problem, passes, pictures=16, rounds=3, damping=1.0
    ),
    "LM, 8 pictures, 8 CG rounds": lambda problem, passes: gauss_newton(
        problem, passes, pictures=8, rounds=8, damping=0.3
    ),
}


def rows(passes: tuple[int, ...] = _PASSES) -> list[Row]:
    """Fit the cabin from one start by each scheme."""
    posed = read_posed_folder(_CABIN)
    assert posed is not None
    frames = posed.frames
    first = lift(frames, LiftSettings(splat_count=_SPLATS))
    found = [Row("start, held out", _held_out_db(first, frames), "dB")]
    for most in passes:
        for name, run in _SCHEMES.items():
            problem = Problem(frames, first)
            spent, _ = cpu_seconds(lambda run=run, problem=problem, most=most: run(problem, most))
            found.append(Row(f"{name}, {most} passes, held out", _held_out_db(problem.cloud(), frames), "dB"))
            found.append(Row(f"{name}, {most} passes, with numpy", spent, "CPU-s"))
        settings = FitSettings(iterations=most, coarse_share=0.0, growth_rounds=0)
        result = fit(frames, first, settings)
        found.append(Row(f"product's fit, {most} passes, held out", _held_out_db(result.cloud, frames), "dB"))
        found.append(Row(f"product's fit, {most} passes", result.cpu_seconds, "CPU-s"))
        publish("second_order", found)
    return found


def _held_out_db(cloud: SplatCloud, frames: FrameSequence) -> float:
    assert frames.cameras is not None
    pictures = draw_each(cloud, frames.cameras.subset(frames.held_out))
    scores = [
        psnr(picture.image.clip(0, 1), frames.images[index].astype(np.float32) / 255)
        for index, picture in zip(frames.held_out, pictures, strict=True)
    ]
    return float(np.mean(scores))


if __name__ == "__main__":
    rows(tuple(int(argument) for argument in sys.argv[1:]) or _PASSES)
