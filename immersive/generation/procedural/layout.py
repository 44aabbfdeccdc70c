"""Where the big things go: the trail through the walk, the lake, the cabin, the clearing around them.

Drawn before anything is built, from the brief and the seed alone. The walk is around the origin and heads
along -Z.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from immersive.brief import Element, SceneBrief

from .noise import fractal
from .vocabulary import SETTINGS
from .world import Extent

WALK_RADIUS_M = 13.0  # cameras stay within; terrain is finest here
_TRAIL_LENGTH_M = 26.0


@dataclass(frozen=True, slots=True)
class Lake:
    """Still water at y = 0 around a middle, inside a wavering shore."""

    x: float
    z: float
    radius: float
    seed: int
    is_frozen: bool = False

    @property
    def is_sea(self) -> bool:
        """Whether the far shore is out of sight."""
        return self.radius > 100

    def shore_distance(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return metres from the shore line, negative over the water."""
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        dx, dz = x - self.x, z - self.z
        distance = np.hypot(dx, dz)
        angle_x, angle_z = dx / np.maximum(distance, 1e-9), dz / np.maximum(distance, 1e-9)
        # A wave of a fixed length, not of a fixed angle, or the sea's shore would be straight.
        waver = max(1.6, self.radius / 9.0)
        wobble = fractal(angle_x * waver + 7.0, angle_z * waver, 3, self.seed)
        return distance - self.radius - min(0.22 * self.radius, 4.0) * wobble


@dataclass(frozen=True, slots=True)
class Site:
    """A level place for a building."""

    x: float
    z: float
    yaw_deg: float  # 0: the door looks along +Z, towards the walk's start
    half_width: float  # metres, along the front
    half_depth: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The plan of a place."""

    seed: int
    trail: tuple[tuple[float, float], ...]  # (x, z) points of the walk, start first
    has_path: bool  # the trail is trodden and shows
    extent: Extent
    lake: Lake | None = None
    sites: tuple[Site, ...] = ()
    relief: float = 1.0  # how hilly, 1 for rolling ground
    has_mountains: bool = True
    elements: dict[str, Element] = field(default_factory=dict)

    def trail_distance(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return metres from the trail's centre line."""
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        best = np.full(np.broadcast(x, z).shape, np.inf)
        for (ax, az), (bx, bz) in zip(self.trail[:-1], self.trail[1:], strict=True):
            ux, uz = bx - ax, bz - az
            along = np.clip(((x - ax) * ux + (z - az) * uz) / (ux * ux + uz * uz), 0, 1)
            best = np.minimum(best, np.hypot(x - ax - along * ux, z - az - along * uz))
        return best


def wanted_elements(brief: SceneBrief) -> dict[str, Element]:
    """Return what is to be built, by kind: the setting's usual things, as the prompt changes them."""
    wanted = {kind: Element(kind) for kind in SETTINGS[brief.setting].usual}
    for element in brief.elements:
        wanted[element.kind] = element
    return {kind: element for kind, element in wanted.items() if element.count != 0}


def _ruled_out(brief: SceneBrief, kind: str) -> bool:
    return any(element.kind == kind and element.count == 0 for element in brief.elements)


def plan(brief: SceneBrief, rng: Generator) -> Layout:
    """Draw the plan of an outdoor brief."""
    elements = wanted_elements(brief)
    side = 1.0 if rng.random() < 0.5 else -1.0
    half = {"small": 0.8, "medium": 1.0, "large": 1.2}[brief.size] * _TRAIL_LENGTH_M / 2
    bend, phase = rng.uniform(0.9, 1.8), rng.uniform(0, 6.28)
    steps = np.linspace(half, -half, 14)
    sway = (
        bend * (np.sin(steps / 5.2 + phase) - np.sin(phase)) * np.clip(1.1 - np.abs(steps) / half * 0.3, 0, 1)
    )
    trail = tuple((float(x), float(z)) for x, z in zip(sway, steps, strict=True))
    reach = half * 0.85
    lake = _lake(brief, elements, rng, side, half)
    sites = []
    cabins = elements.get("cabin")
    for index in range(0 if cabins is None else cabins.count or 1):
        sites.append(_site(index, -side, trail, rng, "small" in cabins.attributes))
    relief = {"mountain": 1.5, "beach": 0.5, "desert": 0.9, "lake_shore": 0.8, "meadow": 0.8}.get(
        brief.setting, 1.0
    )
    return Layout(
        seed=int(rng.integers(1, 60_000)),
        trail=trail,
        has_path="path" in elements,
        extent=Extent(-reach, reach, -reach, reach),
        lake=lake,
        sites=tuple(sites),
        relief=relief,
        has_mountains=not _ruled_out(brief, "mountains")
        and (brief.setting != "beach" or "mountains" in elements),
        elements=elements,
    )


def _lake(
    brief: SceneBrief, elements: dict[str, Element], rng: Generator, side: float, half: float
) -> Lake | None:
    element = elements.get("lake")
    if element is None:
        return None
    # The prompt's own "frozen" wins; else deep winter freezes still water, but not the sea.
    is_cold = brief.season == "winter" or brief.weather == "snow" or brief.setting == "snow_field"
    is_frozen = "frozen" in element.attributes or (is_cold and brief.setting != "beach")
    seed = int(rng.integers(1, 60_000))
    if brief.setting == "beach":
        radius, gap = 150.0, 7.0
    elif "small" in element.attributes:
        radius, gap = rng.uniform(4.5, 6.0), 4.2
    else:
        radius, gap = rng.uniform(17.0, 24.0), 5.0 if brief.setting == "lake_shore" else 6.5
    away = np.radians(rng.uniform(-28, 4) if radius < 100 else rng.uniform(-8, 8))
    distance = radius + gap
    return Lake(
        float(side * np.cos(away) * distance),
        float(np.sin(away) * distance - 0.22 * half),
        radius,
        seed,
        is_frozen,
    )


def _site(
    index: int, side: float, trail: tuple[tuple[float, float], ...], rng: Generator, is_small: bool
) -> Site:
    """Return a place beside the trail: near its end for the first cabin, farther for others."""
    spot = trail[(-3, -7, -11)[index]]
    gap = (rng.uniform(5.6, 8.2), rng.uniform(12.5, 13.5), rng.uniform(13.0, 14.0))[index]
    x, z = spot[0] + side * gap, spot[1] - (rng.uniform(0.5, 4.0) if index == 0 else 0.0)
    # The door looks at the middle of the trail, turned a little, so that two walls are seen.
    towards = np.degrees(np.arctan2(trail[6][0] - x, trail[6][1] - z))
    size = 0.8 if is_small else 1.0
    return Site(float(x), float(z), float(towards + rng.uniform(-12, 12)), 3.1 * size, 2.5 * size)
