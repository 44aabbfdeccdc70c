"""What the procedural generator costs: CPU-seconds of each part, pictures per second, memory."""

from __future__ import annotations

import resource
import time

from immersive.brief import Element, SceneBrief
from immersive.generation.backend import BackendSettings, Progress
from immersive.generation.procedural.generator import build_world, create
from tests.bench.rows import Row, at_most, cpu_seconds

_FOREST = SceneBrief(
    "a misty pine forest with a wooden cabin beside a lake at dusk",
    seed=4,
    setting="forest",
    elements=(Element("cabin", attributes=("wooden",)), Element("lake")),
    time="dusk",
)
_ROOM = SceneBrief("a living room", seed=4, setting="living_room", is_indoor=True)
_DRAFT_GOAL_CPU_S = 100.0
_MEMORY_GOAL_MB = 2_500.0


def rows() -> list[Row]:
    """Generate a forest and a room at draft detail, with compiled kernels."""
    # The first run compiles kernels or loads them; that is not what is measured.
    create(BackendSettings()).generate(_FOREST, _silent)
    found: list[Row] = []
    for name, brief in (("forest", _FOREST), ("room", _ROOM)):
        building, world = cpu_seconds(lambda brief=brief: build_world(brief))
        found.append(Row(f"{name}: building the place", building, "CPU-s"))
        found.append(Row(f"{name}: triangles", len(world.mesh.faces), ""))
        marks: dict[str, float] = {}
        whole, frames = cpu_seconds(
            lambda brief=brief, marks=marks: create(BackendSettings()).generate(brief, _marker(marks))
        )
        filming = whole - marks["filming the walk"]
        found.append(Row(f"{name}: light", marks["filming the walk"] - marks["setting the light"], "CPU-s"))
        found.append(
            Row(
                f"{name}: a picture of {frames.images.shape[2]}x{frames.images.shape[1]}",
                filming / len(frames),
                "CPU-s",
            )
        )
        found.append(at_most(f"{name}: {len(frames)} pictures in all", whole, "CPU-s", _DRAFT_GOAL_CPU_S))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found.append(at_most("peak memory of generation", peak, "MB", _MEMORY_GOAL_MB))
    return found


def _silent(share: float, phrase: str) -> None:
    """Report nothing."""


def _marker(marks: dict[str, float]) -> Progress:
    """Return a progress call that notes when each phrase was first heard, in CPU-seconds from now."""
    started = time.process_time()

    def mark(share: float, phrase: str) -> None:
        marks.setdefault(phrase, time.process_time() - started)

    return mark
