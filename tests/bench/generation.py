"""What the procedural generator costs and how good its pictures are: `python -m tests.bench generation`.

CPU-seconds and memory of 60 pictures outdoors and indoors, each in a process of its own; whether pictures
agree with their neighbours; whether threads change them; whether they show what was named.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from immersive.brief import Element, SceneBrief
from immersive.generation.procedural.generator import build_world
from immersive.generation.procedural.rays import ray_scene
from immersive.generation.procedural.render import RenderSettings, render
from immersive.generation.trajectory import plan_path
from tests.bench import consistency, shown
from tests.bench.rows import Row, at_least, at_most, cpu_seconds

ROOT = Path(__file__).resolve().parents[2]
LAKE = SceneBrief(
    "a wooden cabin beside a lake in a pine forest",
    seed=4,
    setting="forest",
    elements=(Element("cabin", attributes=("wooden",)), Element("lake"), Element("pine")),
)
ROOM = SceneBrief(
    "a living room with a sofa and a bookshelf",
    seed=4,
    setting="living_room",
    is_indoor=True,
    elements=(Element("sofa"), Element("bookshelf")),
)
PLACES = {"outdoors": LAKE, "indoors": ROOM}

_SIZE = (480, 270)
_FRAMES = 60
_CPU_GOAL_S = {"outdoors": 60.0, "indoors": 90.0}
_BUILD_GOAL_S = 5.0
_MEMORY_GOAL_GB = 2.0
_ENERGY_GOAL = 0.7
_PROTOTYPES = ROOT.parent / "shared" / "prototypes" / "generation" / "frames"
# Those by daylight, as the place that they are compared with.
_PATTERNS = {
    "outdoors": ("*baked_720p*", "*mirror_water*", "*noon_clear*", "*overcast*", "*path1bounce*"),
    "indoors": ("*interior*",),
}


def rows() -> list[Row]:
    """Measure a lake shore and a living room, then the sample briefs, with compiled kernels."""
    found: list[Row] = []
    for name in PLACES:
        found += _cost(name)
    for name, brief in PLACES.items():
        found += consistency.rows(name, brief)
        found.append(_threads(name, brief))
    return [*found, *shown.rows()]


def _cost(name: str) -> list[Row]:
    command = [sys.executable, "-m", "tests.bench.generation", name]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    found = [
        at_most(f"{name}: building the place", told["build_s"], "CPU-s", _BUILD_GOAL_S),
        Row(f"{name}: triangles", told["triangles"], ""),
        Row(f"{name}: planning the walk", told["plan_s"], "CPU-s"),
        Row(f"{name}: light", told["light_s"], "CPU-s"),
        Row(f"{name}: a picture of {_SIZE[0]}x{_SIZE[1]}", told["picture_s"], "CPU-s"),
        at_most(f"{name}: {_FRAMES} pictures with their light", told["all_s"], "CPU-s", _CPU_GOAL_S[name]),
        at_most(f"{name}: peak memory", told["peak_gb"], "GB", _MEMORY_GOAL_GB),
    ]
    return [*found, energy_row(name, name, told["energy"])]


def energy_row(label: str, place: str, energy: float) -> Row:
    """Return how much there is to see in pictures, as a share of the prototype's of a place in `PLACES`."""
    figure = f"{label}: gradient energy, share of the prototype's"
    prototypes = [path for pattern in _PATTERNS[place] for path in sorted(_PROTOTYPES.glob(pattern))]
    if not prototypes:
        return Row(f"{figure} (skipped: ../shared/prototypes is absent)", float("nan"), "")
    usual = float(np.mean([gradient_energy(_picture(path)) for path in prototypes]))
    return at_least(figure, energy / usual, "", _ENERGY_GOAL)


def gradient_energy(picture: NDArray[np.uint8]) -> float:
    """Return the mean squared difference of neighbouring grey values, 0..1, of a picture [H, W, 3]."""
    grey = picture.astype(np.float64) @ [0.2126, 0.7152, 0.0722] / 255
    return float(np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey, axis=1)).mean())


def _picture(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize(_SIZE, Image.Resampling.BOX))


def _measure(name: str) -> dict[str, float]:
    """Return the cost of one place; run in a process that does nothing else."""
    brief = PLACES[name]
    world = build_world(brief)
    scene = ray_scene(world.mesh)
    # The first picture compiles kernels or loads them; that is not what is measured.
    render(world, plan_path(world, brief, 48, 27, 1, scene=scene).cameras.subset([0]), _silent, scene=scene)
    build_s, (world, scene) = cpu_seconds(lambda: _built(brief))
    plan_s, plan = cpu_seconds(lambda: plan_path(world, brief, *_SIZE, brief.seed, scene=scene))
    marks: list[float] = []
    started = process_time()

    def mark(share: float) -> None:
        if share > 0.3:  # the light is done, and then the first picture
            marks.append(process_time() - started)

    all_s, (images, _) = cpu_seconds(
        lambda: render(world, plan.cameras.subset(range(_FRAMES)), mark, scene=scene)
    )
    picture_s = (marks[-1] - marks[0]) / (len(marks) - 1)
    return {
        "build_s": build_s,
        "triangles": len(world.mesh.faces),
        "plan_s": plan_s,
        "light_s": all_s - picture_s * _FRAMES,
        "picture_s": picture_s,
        "all_s": all_s,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "energy": float(np.mean([gradient_energy(image) for image in images])),
    }


def _built(brief: SceneBrief) -> tuple:
    world = build_world(brief)
    return world, ray_scene(world.mesh)


def _threads(name: str, brief: SceneBrief) -> Row:
    """Return how many values differ between one thread and two."""

    def pictures(threads: int) -> tuple[NDArray, NDArray]:
        world = build_world(brief)
        views = plan_path(world, brief, 240, 135, brief.seed).cameras.subset([0, 21, 44])
        return render(world, views, _silent, RenderSettings(threads=threads))

    (one, one_depths), (two, two_depths) = pictures(1), pictures(2)
    differing = int((one != two).sum() + (one_depths != two_depths).sum())
    return at_most(f"{name}: values that differ between 1 and 2 threads", differing, "", 0)


def _silent(share: float) -> None:
    """Report nothing."""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(sys.argv[1])))
