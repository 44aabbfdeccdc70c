"""Held-out PSNR on the posed pictures with depth, after 120 CPU-seconds of fitting.

Run from the repository root: python -m tests.bench.lift_set [SPLATS]
Held-out renders are saved beside the truth in build/bench/lift_set/.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from reconstruction.lifting import LiftSettings, lift
from reconstruction.metrics import psnr
from reconstruction.optimize import FitSettings, fit
from reconstruction.posed_folder import read_posed_folder
from reconstruction.rasterizers.draw import draw_each
from tests.bench.rows import FOLDER, Row, at_least, cpu_seconds, publish

_CABIN = Path(__file__).resolve().parents[3] / "shared" / "data" / "lift_set_cabin"
_SPLATS, _BUDGET_CPU_S, _GOAL_DB = 350_000, 120.0, 20.5


def rows(splat_count: int = _SPLATS) -> list[Row]:
    """Lift, fit and compare; the pictures lie beside this checkout."""
    posed = read_posed_folder(_CABIN)
    assert posed is not None and posed.frames.cameras is not None
    frames = posed.frames
    lift_cost, first = cpu_seconds(lambda: lift(frames, LiftSettings(splat_count=splat_count)))
    result = fit(frames, first, FitSettings(budget_cpu_s=_BUDGET_CPU_S))
    folder = FOLDER / "lift_set"
    folder.mkdir(parents=True, exist_ok=True)
    scores = []
    pictures = draw_each(result.cloud, frames.cameras.subset(frames.held_out))
    for index, picture in zip(frames.held_out, pictures, strict=True):
        truth = frames.images[index].astype(np.float32) / 255
        shown = picture.image.clip(0, 1)
        scores.append(psnr(shown, truth))
        pair = np.rint(np.concatenate([shown, truth], 1) * 255).astype(np.uint8)
        Image.fromarray(pair).save(folder / f"{index:03d}_render_truth.png")
    return [
        Row("lift_set_cabin lifting", lift_cost, "CPU-s"),
        Row("lift_set_cabin fitting", result.cpu_seconds, "CPU-s"),
        Row("lift_set_cabin steps", result.iterations, "steps"),
        Row("lift_set_cabin splats", len(result.cloud), "splats"),
        Row("lift_set_cabin train PSNR", result.train_psnr_db, "dB"),
        at_least("lift_set_cabin held-out PSNR", float(np.mean(scores)), "dB", _GOAL_DB),
    ]


def main(arguments: tuple[str, ...]) -> int:
    """Run and publish as `lift_set`; exit status 1 if the goal was missed."""
    found = rows(*(int(argument) for argument in arguments))
    publish("lift_set", found)
    return 1 if any(row.met is False for row in found) else 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
