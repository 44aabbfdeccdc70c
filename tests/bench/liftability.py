"""Eight prompts at standard quality: `python -m tests.bench.liftability [NAME ...]`; about 450 CPU-s each.

Held-out PSNR says how well the frames lift, gradient energy that they are not easy by being empty, and the
walkability report that a visitor gets somewhere.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from immersive.brief import SceneBrief
from immersive.generation.procedural.generator import build_world
from immersive.generation.procedural.rays import ray_scene
from immersive.generation.procedural.render import render
from immersive.generation.trajectory import plan_path
from immersive.generation.understanding import understand
from tests.bench.generation import energy_row, gradient_energy
from tests.bench.rows import FOLDER, Row, at_least, at_most, publish
from tests.bench.scene import create

# (short name, prompt, seed); chosen before any was fitted.
PROMPTS = (
    ("forest cabin", "a misty pine forest with a wooden cabin beside a lake", 1),
    (
        "japanese garden",
        "a Japanese garden with cherry trees around a pond and a red bridge over the water",
        2,
    ),
    ("village street", "a cobbled village street with a fountain in front of the bakery", 3),
    ("windmill", "a windmill on a summer meadow full of poppies, a fence along the path", 4),
    ("canyon", "a red rock canyon with a river, a rope bridge over the river and a tent", 5),
    ("living room", "a cosy living room with a red sofa, a fireplace and tall windows", 2),
    ("library", "a grand old library with a ladder, a globe on the desk and two armchairs", 7),
    ("café", "a small café with four round tables, plants on the counter, bright morning", 8),
)
_MEAN_DB, _WORST_DB, _INDOORS_DB = 26.0, 22.5, 29.0


def rows(names: tuple[str, ...] = ()) -> list[Row]:
    """Make the scenes, each in a process of its own, and return what was reached."""
    found: list[Row] = []
    figures: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, prompt, seed in PROMPTS:
            if names and name not in names:
                continue
            kept = FOLDER / "liftability" / name.replace(" ", "_")
            kept.parent.mkdir(parents=True, exist_ok=True)
            scene = create(prompt, seed, Path(folder), "--quality", "standard", "--out", str(kept))
            quality, walk = scene["quality"], scene["walkability"]
            brief = understand(prompt, seed=seed)
            figures.append(quality["psnr_db"])
            found += [
                at_least(
                    f"{name}: held-out PSNR", figures[-1], "dB", _INDOORS_DB if brief.is_indoor else _WORST_DB
                ),
                at_least(
                    f"{name}: walkability is {walk['verdict']}", float(walk["verdict"] != "poor"), "", 1.0
                ),
                at_most(f"{name}: falls", walk["fall_count"], "", 0),
                Row(f"{name}: reachable", walk["reachable_m2"], "m2"),
                energy_row(name, "indoors" if brief.is_indoor else "outdoors", _energy(brief)),
                Row(f"{name}: all stages", scene["cpu_seconds"], "CPU-s"),
            ]
    found.append(at_least(f"mean held-out PSNR of {len(figures)}", float(np.mean(figures)), "dB", _MEAN_DB))
    return found


def _energy(brief: SceneBrief) -> float:
    """Return the mean gradient energy of every sixth picture of a draft's walk."""
    world = build_world(brief)
    scene = ray_scene(world.mesh)
    plan = plan_path(world, brief, 480, 270, brief.seed, scene=scene)
    cameras = plan.cameras.subset(range(0, len(plan.cameras), 6))
    images, _ = render(world, cameras, lambda share: None, scene=scene)
    return float(np.mean([gradient_energy(image) for image in images]))


if __name__ == "__main__":
    publish("liftability", rows(tuple(sys.argv[1:])))
