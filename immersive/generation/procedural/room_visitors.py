"""Things of the open air that stand in rooms as well: the same meshes, painted with the room's materials."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from immersive.brief import SceneBrief

from .furniture import Piece
from .look import Look
from .mesh import Mesh
from .outdoor_things import Make
from .palette import outdoor_materials
from .room_palette import Palette
from .things import creatures, vehicles, yard


@dataclass(frozen=True, slots=True)
class Visitor:
    """A row of the table."""

    make: Make
    scale: float = 1.0  # of the outdoor mesh, so that it suits a room
    is_sideways: bool = False  # stands with its side to the wall
    usual: int = 1  # how many, where none are counted
    is_small: bool = False  # may sit or stand on furniture


VISITORS: dict[str, Visitor] = {
    "crate": Visitor(yard.crate, 0.72, usual=3),
    "barrel": Visitor(yard.barrel, 0.85, usual=2),
    "robot": Visitor(creatures.robot, 0.9),
    "bicycle": Visitor(vehicles.bicycle, 0.95, is_sideways=True),
    "wheelbarrow": Visitor(vehicles.wheelbarrow, 0.85, is_sideways=True),
    "firewood": Visitor(yard.firewood, 0.5),
    "dog": Visitor(creatures.dog, 0.9),
    "cat": Visitor(creatures.cat, 0.9, is_small=True),
    "pumpkin": Visitor(yard.pumpkin, 0.6, usual=3, is_small=True),
}


def visitor(kind: str, palette: Palette, rng: Generator, attributes: tuple[str, ...]) -> Piece:
    """Return a thing of `VISITORS` with its foot on y = 0 and the middle of its floor at the origin."""
    row = VISITORS[kind]
    mesh = row.make(rng, Look(attributes, is_lit=True))
    mesh = mesh.placed([0, 0, 0], 90.0 if row.is_sideways else 0.0, row.scale)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    middle = (low + high) / 2
    mesh = _repainted(mesh.placed([-middle[0], -low[1], -middle[2]]), palette)
    width, height, depth = (float(part) for part in high - low)
    return Piece(kind, mesh, width, depth, height)


def _repainted(mesh: Mesh, palette: Palette) -> Mesh:
    """Return a mesh of the outdoors with its materials in the palette of a room."""
    table = outdoor_materials(SceneBrief("", setting="meadow"), True, False, "log")
    slots = np.zeros(len(table), np.int16)
    for name in np.unique(mesh.materials):
        slots[name] = palette.slot(table[name])
    return replace(mesh, materials=slots[mesh.materials])
