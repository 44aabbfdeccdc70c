"""gsplat on this machine's GPU beside the kernels on its cores: a step, a picture, and fits of real length.

Run from the repository root: python -m tests.bench.gpu [--data FOLDER] [--out FOLDER] [--seconds 10 30 60]
Times are by the clock, after the device has finished; the rows are written after every part.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from reconstruction.errors import ImmersiveError, InvalidInputError
from reconstruction.frames import FrameSequence
from reconstruction.kernels.binding import thread_count
from reconstruction.lifting import LiftSettings, lift
from reconstruction.metrics import psnr
from reconstruction.optimize import FitSettings, fit
from reconstruction.posed_folder import read_posed_folder
from reconstruction.rasterizers.backend import load_rasterizer
from reconstruction.rasterizers.cuda_step import CudaStep, gsplat_operations
from reconstruction.rasterizers.draw import draw_each
from reconstruction.rasterizers.fused_step import FusedStep, StepWeights
from reconstruction.schedule import Rates
from reconstruction.splats import SplatCloud
from tests.bench.raster import room
from tests.bench.rows import FOLDER, Row, publish, write

_CABIN = Path(__file__).resolve().parents[3] / "shared" / "data" / "lift_set_cabin"
_COUNTS = (100_000, 1_000_000)
_SIZES = ((640, 480), (1920, 1080))
_STILL = Rates(*[1e-7] * 6)
_WEIGHTS = StepWeights(ssim=0.2, opacity=0.0, scale=0.0, antialias=True)
_CPU_BUDGET_S = 120.0


def wall_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the median milliseconds of `work`, each time until the device is idle."""
    taken = []
    for turn in range(rounds + 3):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if turn >= 3:
            taken.append(1e3 * (time.perf_counter() - begin))
    return float(np.median(taken))


def step_rows() -> Iterator[Row]:
    """Time drawing and a full iteration of both, over eight cameras in turn."""
    for count in _COUNTS:
        cloud, cameras = room(count)
        for width, height in _SIZES:
            view = cameras.resized(width, height)
            target = np.random.default_rng(1).random((height, width, 3)).astype(np.float32)
            label = f"{count // 1000}k splats, {width}x{height}"
            steppers = {
                "gsplat": CudaStep(gsplat_operations(), "cuda", cloud, 1, 10.0),
                "kernels": FusedStep(cloud, 1, 10.0),
            }
            for name, stepper in steppers.items():
                on_gpu = name == "gsplat"
                kept = stepper.keep(target) if on_gpu else target
                places = iter(np.arange(10_000) % 8)

                def step(stepper=stepper, kept=kept, places=places, view=view) -> None:
                    place = next(places)
                    stepper.step(view.viewmats[place], view.Ks[place], kept, _WEIGHTS, _STILL, None)

                torch.cuda.reset_peak_memory_stats()
                yield Row(f"{name}: iteration, {label}", wall_ms(step, 50 if on_gpu else 9), "ms")
                if on_gpu:
                    peak = torch.cuda.max_memory_allocated() / 1e9
                    yield Row(f"{name}: memory, {label}", peak, "GB peak")
            yield Row(f"gsplat: picture, {label}", wall_ms(gsplat_picture(cloud, view), 50), "ms")
            ms = pipelined_ms(steppers["gsplat"], view, target)
            yield Row(f"gsplat: iterations that follow each other, {label}", ms, "ms")


def gsplat_picture(cloud: SplatCloud, view) -> Callable[[], object]:
    """Return a call that draws one picture without gradients."""
    rasterize = load_rasterizer("gsplat")
    arrays = (cloud.means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh)
    splats = [torch.from_numpy(array).cuda() for array in arrays]
    camera = torch.from_numpy(view.viewmats[3]).cuda(), torch.from_numpy(view.Ks[3]).cuda()

    def picture() -> None:
        with torch.no_grad():
            rasterize(*splats, *camera, view.width, view.height, with_depth=False)

    return picture


def pipelined_ms(stepper: CudaStep, view, target: np.ndarray, rounds: int = 100) -> float:
    """Return the mean milliseconds of steps that follow each other as in a fit."""
    kept = stepper.keep(target)
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for turn in range(rounds):
        place = turn % 8
        stepper.step(view.viewmats[place], view.Ks[place], kept, _WEIGHTS, _STILL, None)
    torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - begin) / rounds


def posed_frames(folder: Path) -> FrameSequence:
    """Return the pictures to fit.

    Raises:
        InvalidInputError: The folder names no cameras.
    """
    posed = read_posed_folder(folder)
    if posed is None:
        raise InvalidInputError(
            f"--data must be a folder of pictures with cameras, got {folder.name!r}",
            hint="Pass a folder with a transforms.json or COLMAP model, or --parts steps for none.",
        )
    return posed.frames


def fit_rows(frames: FrameSequence, seconds: list[float], splats: list[int]) -> Iterator[Row]:
    """Fit posed pictures with depth for some seconds each on the GPU, then once on the cores."""
    firsts = {count: lift(frames, LiftSettings(splat_count=count)) for count in splats}
    for count, first in firsts.items():
        for budget in seconds:
            torch.cuda.reset_peak_memory_stats()
            result = fit(frames, first, FitSettings(budget_cpu_s=budget), rasterizer="gsplat")
            label = f"gsplat: {count // 1000}k, {budget:g} s"
            yield Row(f"{label}, held-out PSNR", held_out_psnr(result.cloud, frames), "dB")
            yield Row(f"{label}, train PSNR", result.train_psnr_db, "dB")
            yield Row(f"{label}, clock", result.cpu_seconds, "s")
            yield Row(f"{label}, steps", result.iterations, "steps")
            yield Row(f"{label}, splats", len(result.cloud), "splats")
            yield Row(f"{label}, memory", torch.cuda.max_memory_allocated() / 1e9, "GB peak")
    count, first = next(iter(firsts.items()))
    begin = time.monotonic()
    result = fit(frames, first, FitSettings(budget_cpu_s=_CPU_BUDGET_S), rasterizer="cpu")
    label = f"kernels, {thread_count()} threads: {count // 1000}k, {_CPU_BUDGET_S:g} CPU-s"
    yield Row(f"{label}, clock", time.monotonic() - begin, "s")
    yield Row(f"{label}, held-out PSNR", held_out_psnr(result.cloud, frames), "dB")
    yield Row(f"{label}, steps", result.iterations, "steps")


def held_out_psnr(cloud: SplatCloud, frames: FrameSequence) -> float:
    """Return the mean over the held-out frames, drawn by the kernels whoever fitted."""
    assert frames.cameras is not None
    pictures = draw_each(cloud, frames.cameras.subset(frames.held_out))
    return float(
        np.mean(
            [
                psnr(picture.image.clip(0, 1), frames.images[index].astype(np.float32) / 255)
                for index, picture in zip(frames.held_out, pictures, strict=True)
            ]
        )
    )


def main(arguments: list[str]) -> int:
    """Run and publish as `gpu`; exit status 2 where something is missing: a GPU, gsplat, pictures."""
    parser = argparse.ArgumentParser(prog="tests.bench.gpu")
    parser.add_argument("--data", type=Path, default=_CABIN)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 30.0, 60.0])
    parser.add_argument("--splats", type=int, nargs="+", default=[350_000])
    parser.add_argument("--parts", nargs="+", choices=["steps", "fits"], default=["steps", "fits"])
    asked = parser.parse_args(arguments)
    try:
        gsplat_operations()
        frames = posed_frames(asked.data) if "fits" in asked.parts else None
    except ImmersiveError as error:
        print(f"{error}\n  {error.hint}", file=sys.stderr)
        return 2
    found = [Row(f"on {torch.cuda.get_device_name()}, torch {torch.__version__}", 1, "device")]
    parts = {"steps": step_rows, "fits": lambda: fit_rows(frames, asked.seconds, asked.splats)}
    for part in asked.parts:
        for row in parts[part]():
            found.append(row)
            print(f"{row.figure}: {row.value:.4g} {row.unit}", flush=True)
            write("gpu", found, asked.out)
    publish("gpu", found, asked.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
