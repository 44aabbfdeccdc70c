"""The spike's trainer, run as its report did, on sequences of ours: what the product is measured against."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from reconstruction.cameras import Cameras
from reconstruction.frames import FrameSequence, Provenance
from tests.bench.raster import SPIKE, build_spike

_SKY_M = 300.0  # the spike knows no sky; splats as far away as ours may be
_SETTINGS = "--N 100000 --prog 1 --lrx 4 --lrm 3"  # the best of the three that its report compares


def write_for_spike(frames: FrameSequence, folder: Path) -> None:
    """Write pictures, depths and cameras in the spike's layout."""
    assert frames.cameras is not None and frames.depths is not None
    (folder / "images").mkdir(parents=True)
    views = []
    for index, (image, depth) in enumerate(zip(frames.images, frames.depths, strict=True)):
        Image.fromarray(image).save(folder / f"images/{index:03d}.png")
        np.save(folder / f"images/{index:03d}_depth.npy", np.where(np.isfinite(depth), depth, _SKY_M))
        viewmat = frames.cameras.viewmats[index]
        views.append({"R": viewmat[:3, :3].tolist(), "t": viewmat[:3, 3].tolist()})
    K = frames.cameras.Ks[0]
    meta = {
        "W": frames.cameras.width,
        "H": frames.cameras.height,
        "K": [float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])],
        "test": list(frames.held_out),
        "views": views,
    }
    (folder / "meta.json").write_text(json.dumps(meta), "utf-8")


def train_spike(data: Path, scratch: Path, budget_cpu_s: float) -> dict[float, float]:
    """Return the spike's held-out PSNR in dB at each of its marks in CPU-seconds, at most the budget."""
    if not build_spike(scratch):
        raise FileNotFoundError(f"the spike is not at {SPIKE}")
    for name in ("train.py", "data.py"):
        shutil.copy(SPIKE / name, scratch / name)
    command = [sys.executable, "train.py", "--data", str(data), "--cpu", str(budget_cpu_s)]
    # `build_spike` lets its threads sleep while they wait.
    told = subprocess.run(
        [*command, *_SETTINGS.split()], cwd=scratch, check=True, capture_output=True, text=True
    ).stdout
    marks = re.findall(r"cpu_s (\d+) .*? test PSNR ([\d.]+)", told)
    return {float(mark): float(db) for mark, db in marks}


def spike_scene(scratch: Path) -> FrameSequence:
    """Return the spike's own scene, 320x240, made by its script."""
    folder = scratch / "scene"
    subprocess.run(
        [sys.executable, str(SPIKE / "make_scene.py"), str(folder)],
        cwd=scratch,
        check=True,
        capture_output=True,
    )
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    count = len(meta["views"])
    viewmats = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
    for viewmat, view in zip(viewmats, meta["views"], strict=True):
        viewmat[:3, :3], viewmat[:3, 3] = view["R"], view["t"]
    fx, fy, cx, cy = meta["K"]
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32)
    names = [folder / f"images/{index:03d}" for index in range(count)]
    return FrameSequence(
        images=np.stack([np.asarray(Image.open(f"{name}.png").convert("RGB")) for name in names]),
        provenance=Provenance("import", is_generated=False),
        cameras=Cameras(viewmats, np.stack([K] * count), meta["W"], meta["H"]),
        depths=np.stack([np.load(f"{name}_depth.npy") for name in names]).astype(np.float32),
        held_out=tuple(meta["test"]),
    )
