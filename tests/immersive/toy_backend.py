"""A backend that films an L-shaped room bit by bit, with exact cameras and depths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from immersive.brief import SceneBrief
from immersive.generation.backend import BackendSettings, Progress
from reconstruction.cameras import Cameras
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.posed_frames import choose_held_out
from tests.posed_room import painted_by_place
from tests.reconstruction.rooms import cameras_along, depths_of, l_room

# Each clip begins where the last one ended: in the arm of the L, around the corner, through the hall.
_WAYS = ([(1.0, 6.1), (1.4, 5.2)], [(1.4, 5.2), (1.2, 2.6)], [(1.2, 2.6), (2.0, 1.0), (4.6, 2.9)])


@dataclass
class ToyGenerator:
    """Counts what it filmed."""

    name: str
    settings: BackendSettings
    notes: tuple[str, ...] = ()
    went_on_from: list[NDArray[np.uint8]] = field(default_factory=list)

    def generate(self, brief: SceneBrief, progress: Progress) -> FrameSequence:
        self.notes = ("the first clip",)
        return clip(0)

    def film_on(
        self, brief: SceneBrief, picture: NDArray[np.uint8], number: int, progress: Progress
    ) -> FrameSequence:
        self.went_on_from.append(picture)
        self.notes = (f"clip {number} further",)
        return clip(number)


def clip(number: int) -> FrameSequence:
    """Return one clip; a repeated one begins with the last picture of the one before."""
    cameras = cameras_along(_WAYS[number], turns=6, width=160, height=90)
    if number:
        last = cameras_along(_WAYS[number - 1], turns=6, width=160, height=90).subset([-1])
        cameras = Cameras(
            np.concatenate([last.viewmats, cameras.viewmats]), np.concatenate([last.Ks, cameras.Ks]), 160, 90
        )
    depths = depths_of(l_room(), cameras)
    images = painted_by_place(depths, cameras)
    made = FrameSequence(images, Provenance("toy", is_generated=True), cameras, depths)
    return FrameSequence(
        images, made.provenance, cameras, depths, held_out=choose_held_out(len(images))
    ).in_world_frame()


MADE: list[ToyGenerator] = []


def create(name: str, settings: BackendSettings) -> ToyGenerator:
    """Return a new one, and remember it."""
    MADE.append(ToyGenerator(name, settings))
    return MADE[-1]
