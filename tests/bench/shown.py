"""How much of what people name is in the picture: `python -m tests.bench.shown [--misses]`.

A named thing counts when the brief has it and >= 0.1 % of the pixels of >= 3 training views are of it. The
samples are built and their walks planned; nothing is rendered. Places, times, weather and styles are the
business of `understanding`.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

from immersive.brief import Season, TimeOfDay, Weather
from immersive.brief_file import read_brief
from immersive.generation.brief_rules import STYLE_OUTDOORS, STYLES_INDOORS
from immersive.generation.coverage import coverage_of
from immersive.generation.procedural.generator import build_world
from immersive.generation.procedural.rays import ray_scene
from immersive.generation.procedural.vocabulary import SETTINGS, VOCABULARY
from immersive.generation.showing import SHOWN_FRAMES
from immersive.generation.trajectory import plan_path
from reconstruction.errors import ImmersiveError
from tests.bench.rows import Row, at_least, at_most, publish
from tests.bench.understanding import readings
from tests.immersive.labelled_samples import SAMPLES

_BRIEFS = Path(__file__).resolve().parents[2] / "samples" / "briefs"
_GOAL = 0.9
_COLUMNS = 160  # 0.1 % of 160 x 90 is 15 rays; the planner's own grid is coarser
_FACTS = {
    *SETTINGS, *STYLES_INDOORS, *STYLE_OUTDOORS,
    *get_args(TimeOfDay), *get_args(Weather), *get_args(Season),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """What one sample names, has and shows, as labels of `labelled_samples`."""

    name: str
    things: tuple[str, ...]
    buildable: tuple[str, ...]  # those that the vocabulary has
    shown: tuple[str, ...]
    unseen: tuple[str, ...]  # kinds of the brief that the planner could not show
    failure: str = ""  # what the generator said, if it built nothing


def rows() -> list[Row]:
    """Return the shares of what is named that is shown, over all samples."""
    found = samples()
    named, buildable = (sum(len(getattr(one, part)) for one in found) for part in ("things", "buildable"))
    hits = sum(len(one.shown) for one in found)
    return [
        at_least(f"samples: named things shown, of {named}", hits / named, "", _GOAL),
        at_least(f"samples: those in the vocabulary, of {buildable}", hits / buildable, "", _GOAL),
        at_most("samples: things of the brief that no walk shows", sum(len(s.unseen) for s in found), "", 0),
        at_most("samples: places that were refused", sum(bool(s.failure) for s in found), "", 0),
    ]


def samples() -> list[Shown]:
    """Build all labelled samples, two at a time."""
    # Not forked: a process that has rendered holds threads and locks.
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        return list(pool.map(measured, SAMPLES))


def measured(name: str) -> Shown:
    """Build one sample and plan its walk."""
    things = tuple(label for label in SAMPLES[name].things.split() if _is_thing(label))
    buildable = tuple(label for label in things if readings(label) & set(VOCABULARY))
    brief = read_brief(_BRIEFS / f"{name}.toml").brief
    try:
        world = build_world(brief)
        scene = ray_scene(world.mesh)
        plan = plan_path(world, brief, 480, 270, brief.seed, scene=scene)
    except ImmersiveError as error:
        return Shown(name, things, buildable, (), (), str(error))
    training = plan.cameras.subset([i for i in range(len(plan.cameras)) if i not in plan.held_out])
    coverage = coverage_of(world, scene, training, _COLUMNS)
    seen = {
        element.kind
        for element in brief.elements
        if element.count != 0 and len(coverage.frames_that_show(element.kind)) >= SHOWN_FRAMES
    }
    shown = tuple(label for label in things if readings(label) & seen)
    return Shown(name, things, buildable, shown, plan.unseen)


def _is_thing(label: str) -> bool:
    ways = readings(label)
    return bool(ways & set(VOCABULARY)) or not ways & _FACTS


if __name__ == "__main__":
    publish("shown", rows())
    if "--misses" in sys.argv:
        for one in samples():
            lacking = [label for label in one.things if label not in one.shown]
            if lacking or one.unseen or one.failure:
                words = [*(f"- {label}" for label in lacking), *(f"? {kind}" for kind in one.unseen)]
                print(f"{one.name}: {' '.join(words)} {one.failure}".rstrip())
