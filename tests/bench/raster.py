"""CPU-milliseconds of a training step and of drawing alone, beside the spike's rasteriser where that is.

Run from the repository root: python -m tests.bench.raster
Process CPU-time of all threads, so that a busy machine does not change the figures much; the rasterisers
take turns in one process on the same splats. Memory is the peak of a process of its own.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.kernels import build
from reconstruction.kernels.binding import SplatRaster, load_kernels, planar
from reconstruction.lifting import neighbor_distances
from reconstruction.optimize import FitSettings, fit
from reconstruction.rasterizers.fused_step import FusedStep, StepWeights
from reconstruction.schedule import Rates
from reconstruction.splats import SplatCloud
from tests.bench.rows import Row, at_most, publish

SPIKE = Path(__file__).resolve().parents[3] / "shared" / "prototypes" / "raster"
_WIDTH, _HEIGHT = 320, 240  # of the room's cameras; larger pictures show the same view
_SIZES = ((_WIDTH, _HEIGHT), (2 * _WIDTH, 2 * _HEIGHT))
_ROUNDS = 16
_MILLION = 1_000_000
_GOAL_RATIO = 0.7  # of the spike's CPU-ms
_GOAL_AVX2 = 1.4  # of the CPU-ms with AVX-512
_GOAL_MEMORY_GB = 6.0


def room(count: int) -> tuple[SplatCloud, Cameras]:
    """Return splats on the walls of a room with a ball in it, and forty cameras that see them."""
    rng = np.random.default_rng(4)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    eyes = np.stack([2.4 * np.cos(angles), 0.4 * np.sin(3 * angles), 1.9 * np.sin(angles)], 1)
    cameras = Cameras(
        np.stack([look_at_viewmat(eye, [0.2, -0.3, 0.1]) for eye in eyes]),
        np.stack([intrinsics(290, _WIDTH, _HEIGHT)] * 40),
        _WIDTH,
        _HEIGHT,
    )
    points = []
    for viewmat, eye in zip(cameras.viewmats, eyes, strict=True):
        pixels = rng.random((count // 40, 2)) * (_WIDTH, _HEIGHT)
        x_cam = np.column_stack([(pixels - (_WIDTH / 2, _HEIGHT / 2)) / 290, np.ones(len(pixels))])
        ray = x_cam @ viewmat[:3, :3]
        walls = ((np.sign(ray) * (4.0, 1.5, 3.2) - eye) / ray).min(1)
        a, b = (ray**2).sum(1), ray @ eye
        root = b * b - a * (eye @ eye - 0.8**2)
        ball = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
        points.append(eye + ray * np.minimum(walls, ball)[:, None])
    means = np.concatenate(points).astype(np.float32)
    color = 0.5 + 0.3 * np.sin(means * (7, 5, 6) + np.sin(means[:, ::-1] * 23))
    sizes = neighbor_distances(means)
    quats = np.tile(np.array([1, 0, 0, 0], np.float32), (len(means), 1))
    return SplatCloud(
        means,
        quats,
        np.repeat(sizes[:, None], 3, 1),
        np.full(len(means), 0.5, np.float32),
        ((color - 0.5) / 0.2820948).astype(np.float32)[:, None],
    ), cameras


def our_step(cloud: SplatCloud, cameras: Cameras, target: np.ndarray, level: str) -> Callable[[], None]:
    stepper = FusedStep(cloud, 1, 10.0)
    stepper._raster = SplatRaster(2, level)
    weights = StepWeights(ssim=0.2, opacity=0.0, scale=0.0, antialias=False)
    still = Rates(*[1e-7] * 6)
    return lambda: void(stepper.step(cameras.viewmats[3], cameras.Ks[3], target, weights, still, None))


def void(_: object) -> None:
    """Drop a result."""


def spike_step(folder: Path, cloud: SplatCloud, cameras: Cameras, target: np.ndarray) -> Callable[[], None]:
    import importlib.util

    spec = importlib.util.spec_from_file_location("spike_gs", folder / "gs.py")
    assert spec is not None and spec.loader is not None
    gs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gs)
    opacity = cloud.opacities
    height, width = target.shape[:2]
    splats = {
        "means": cloud.means.copy(),
        "ls": np.log(cloud.scales),
        "quats": cloud.quats.copy(),
        "lo": np.log(opacity / (1 - opacity)),
        "sh0": np.ascontiguousarray(cloud.sh[:, 0]),
    }
    raster = gs.Raster(2)
    adam = gs.Adam(raster, splats, {name: 1e-7 for name in splats})
    viewmat, K = cameras.viewmats[3], cameras.Ks[3]
    shift = viewmat[:3, 3].copy()  # it takes the address of what it is given
    focal = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]

    def step() -> None:
        image = raster.forward(splats, focal, viewmat[:3, :3], shift, width, height)
        gradient, _ = raster.loss(image, target)
        adam.step(raster.backward(gradient), raster.vis)

    return step


def build_spike(folder: Path) -> bool:
    """Compile the spike's kernel the way its report did; False if it is not there."""
    if not (SPIKE / "gs.cpp").exists():
        return False
    for name in ("gs.cpp", "gs.py"):
        shutil.copy(SPIKE / name, folder / name)
    flags = "-O3 -march=native -mprefer-vector-width=512 -ffast-math -fopenmp -shared -fPIC -std=c++17 -w"
    subprocess.run(f"g++ {flags} gs.cpp -o libgs.so", shell=True, cwd=folder, check=True)
    # Its OpenMP threads would spin while ours work, and be charged for it.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    ctypes.CDLL(str(folder / "libgs.so"))
    return True


def cpu_ms(steps: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return the median CPU-milliseconds of each, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(_ROUNDS + 2):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            if turn >= 2:
                taken[name].append(1e3 * (time.process_time() - begin))
    return {name: float(np.median(times)) for name, times in taken.items()}


def step_rows() -> list[Row]:
    """Time a step at 20,000 and 100,000 splats and both picture sizes."""
    found: list[Row] = []
    best = load_kernels("baseline").raster_cpu_level()
    with tempfile.TemporaryDirectory() as scratch:
        has_spike = build_spike(Path(scratch))
        for count in (20_000, 100_000):
            cloud, room_cameras = room(count)
            for width, height in _SIZES:
                cameras = room_cameras.resized(width, height)
                target = np.random.default_rng(1).random((height, width, 3)).astype(np.float32)
                steps = {
                    level: our_step(cloud, cameras, target, level) for level in build.levels()[: best + 1]
                }
                fastest = build.levels()[best]
                if has_spike:
                    steps["spike"] = spike_step(Path(scratch), cloud, cameras, target)
                times = cpu_ms(steps)
                label = f"step, {count // 1000}k splats, {width}x{height}"
                found += [Row(f"{label}, {name}", value, "CPU-ms") for name, value in times.items()]
                found.append(Row(f"{label}, on two idle cores", 2_000 / times[fastest], "iterations/s"))
                if has_spike:
                    ratio = times[fastest] / times["spike"]
                    found.append(at_most(f"{label}, ours / spike", ratio, "x", _GOAL_RATIO))
                if {"avx2", "avx512"} <= set(times):
                    ratio = times["avx2"] / times["avx512"]
                    found.append(at_most(f"{label}, AVX2 / AVX-512", ratio, "x", _GOAL_AVX2))
    return found


def draw_rows() -> list[Row]:
    """Time pictures of a million splats, drawn without gradients."""
    cloud, cameras = room(_MILLION)
    raster, params = SplatRaster(), planar(cloud)
    found: list[Row] = []
    for width, height in _SIZES:
        view = cameras.resized(width, height)
        image = np.empty((height, width, 3), np.float32)
        places = iter(np.arange(4 * _ROUNDS) % len(view))

        def picture(view: Cameras = view, image: np.ndarray = image, places: Iterator[int] = places) -> None:
            place = next(places)
            raster.look(view.viewmats[place], view.Ks[place], view.width, view.height)
            raster.forward(params, len(cloud), image)

        ms = cpu_ms({"picture": picture})["picture"]
        found.append(Row(f"picture of 1M splats, {width}x{height}", ms, "CPU-ms"))
    return found


def train_a_million(sh_degree: int) -> float:
    """Return the peak memory in GB of this process after fitting a million splats for some steps."""
    cloud, cameras = room(_MILLION)
    cameras = cameras.resized(*_SIZES[1]).subset(range(8))
    images = np.random.default_rng(2).integers(0, 256, (8, cameras.height, cameras.width, 3), np.uint8)
    frames = FrameSequence(images, Provenance("bench", is_generated=True), cameras)
    # Growth is part of it: splats are exchanged in every round.
    settings = FitSettings(iterations=16, growth_rounds=3, sh_degree=sh_degree, max_splats=_MILLION)
    fit(frames, cloud, settings, rasterizer="cpu")
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    assert peak is not None
    return int(peak[1]) * 1024 / 1e9


def memory_rows() -> list[Row]:
    """Measure the memory of fitting a million splats at 640x480, each in a process of its own."""
    found = []
    for degree in (0, 3):
        script = f"from tests.bench.raster import train_a_million; print(train_a_million({degree}))"
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        label = f"fitting 1M splats at 640x480, SH degree {degree}"
        found.append(at_most(label, float(result.stdout), "GB peak", _GOAL_MEMORY_GB))
    return found


def rows() -> list[Row]:
    """Measure everything."""
    return step_rows() + draw_rows() + memory_rows()


def main() -> int:
    """Run and publish as `raster`; exit status 1 if a goal was missed."""
    found = rows()
    publish("raster", found)
    return 1 if any(row.met is False for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
