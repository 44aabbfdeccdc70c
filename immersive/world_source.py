"""Splats that a backend made at once: kept as a stage, and made walkable by looking around in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import immersive
from reconstruction.errors import UnliftableInputError
from reconstruction.frames import Provenance
from reconstruction.walkable_space import WalkableSpace, WalkSettings

from .brief import SceneBrief
from .stage_results import arrays_from_cloud, arrays_from_space, cloud_from_arrays, space_from_arrays
from .stage_runner import StageRunner, Update
from .stages import stage_digest

if TYPE_CHECKING:
    from reconstruction.look_around import See

    from .generation.backend import BackendSettings
    from .generation.made_world import MadeWorld

Path4 = list[tuple[float, float, float, float]]  # x y z of eyes, yaw in degrees


@dataclass(frozen=True, slots=True, eq=False)
class WorldSource:
    """A made world and what is known of it."""

    world: MadeWorld
    title: str
    brief: SceneBrief
    notes: tuple[str, ...]


def read_world(
    name: str, settings: BackendSettings, brief: SceneBrief, title: str, digest: str, runner: StageRunner
) -> WorldSource:
    """Have the backend called `name` make a world, or take the one that it made before."""
    from .generation.backend import load_world_generator

    def make(update: Update) -> tuple[MadeWorld, tuple[str, ...]]:
        generator = load_world_generator(name, settings)
        return generator.make_world(brief, update), generator.notes

    world, notes = runner.run_kept("world", "Making the world", digest, make, _take_apart, _put_together)
    return WorldSource(world, title, brief, notes)


def make_walkable(
    runner: StageRunner, source_digest: str, source: WorldSource
) -> tuple[WalkableSpace | None, Path4, tuple[str, ...]]:
    """Return where people walk in a made world, where they may stand, and what is to be told.

    The collider that came with it decides; where it has none, or nobody gets far on it, its splats do.
    """
    settings = WalkSettings(is_indoor=source.brief.is_indoor)

    def work(update: Update) -> tuple[WalkableSpace | None, Path4, tuple[str, ...]]:
        from reconstruction.look_around import seen_of_cloud, seen_of_mesh

        world = source.world
        found: list[tuple[WalkableSpace, Path4]] = []
        if world.vertices is not None and world.faces is not None:
            found += _tried(seen_of_mesh(world.vertices, world.faces), settings, update)
            if found and found[0][0].report.verdict != "poor":
                return *found[0], ("people walk on the collider that came with the world",)
        found += _tried(seen_of_cloud(world.cloud), settings, update)
        if not found:
            return None, [], ("no ground was found, so visitors float",)
        best = max(found, key=lambda one: (one[0].report.verdict != "poor", one[0].report.reachable_m2))
        return *best, ("people walk on a collider that was made of what the splats show",)

    return runner.run_kept(
        "walk",
        "Making it walkable",
        stage_digest("walk a world", source_digest, asdict(settings), immersive.__version__),
        work,
        _walk_apart,
        _walk_together,
    )


def walk_on(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> tuple[WalkableSpace, Path4] | None:
    """Return where people walk on a mesh that came with splats and where they may stand, None if not far.

    Args:
        vertices: [V, 3] metres, world frame.
        faces: [T, 3]
    """
    from reconstruction.look_around import seen_of_mesh

    found = _tried(seen_of_mesh(vertices, faces), WalkSettings(), lambda share, phrase: None)
    return found[0] if found and found[0][0].report.verdict != "poor" else None


def _tried(see: See, settings: WalkSettings, update: Update) -> list[tuple[WalkableSpace, Path4]]:
    from reconstruction.look_around import look_around
    from reconstruction.walkable import build

    update(0.0, "looking around")
    cameras, depths = look_around(see)
    try:
        space = build(depths, cameras, settings=settings, progress=lambda share: update(share, ""))
    except UnliftableInputError:
        return []
    stops = dict.fromkeys(tuple(place) for place in cameras.positions.round(3).tolist())
    return [(space, [(x, y, z, 0.0) for x, y, z in stops])]


def _take_apart(made: tuple[MadeWorld, tuple[str, ...]]) -> tuple[dict[str, NDArray], dict[str, Any]]:
    world, notes = made
    arrays = arrays_from_cloud(world.cloud)
    if world.vertices is not None and world.faces is not None:
        arrays |= {"vertices": world.vertices, "faces": world.faces}
    return arrays, {"provenance": asdict(world.provenance), "notes": list(notes)}


def _put_together(
    arrays: Mapping[str, NDArray], facts: Mapping[str, Any]
) -> tuple[MadeWorld, tuple[str, ...]]:
    from .generation.made_world import MadeWorld

    world = MadeWorld(
        cloud_from_arrays(arrays),
        Provenance(**facts["provenance"]),
        arrays.get("vertices"),
        arrays.get("faces"),
    )
    return world, tuple(facts["notes"])


def _walk_apart(
    walk: tuple[WalkableSpace | None, Path4, tuple[str, ...]],
) -> tuple[dict[str, NDArray], dict[str, Any]]:
    space, path, told = walk
    arrays, facts = ({}, None) if space is None else arrays_from_space(space)
    stops = np.array(path, np.float64).reshape(-1, 4)
    return arrays | {"stops": stops}, {"space": facts, "told": list(told)}


def _walk_together(
    arrays: Mapping[str, NDArray], facts: Mapping[str, Any]
) -> tuple[WalkableSpace | None, Path4, tuple[str, ...]]:
    space = None if facts["space"] is None else space_from_arrays(arrays, facts["space"])
    return space, [tuple(stop) for stop in arrays["stops"].tolist()], tuple(facts["told"])
