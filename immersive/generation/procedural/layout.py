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

from .sites import (
    FOOTPRINTS,
    SQUARE_HALF_M,
    VILLAGE_SQUARE_HALF_M,
    Site,
    along_street,
    around_square,
    beside_walk,
    extended,
    order_by_relation,
)
from .vocabulary import SETTINGS
from .waters import Lake, Points, Water, line_distance, river_beside
from .world import Extent

WALK_RADIUS_M = 13.0  # cameras stay within; terrain is finest here
_TRAIL_LENGTH_M = 26.0


@dataclass(frozen=True, slots=True)
class Layout:
    """The plan of a place."""

    seed: int
    trail: Points  # the walk, start first
    has_path: bool  # the trail is trodden and shows
    extent: Extent
    lake: Water | None = None
    sites: tuple[Site, ...] = ()
    relief: float = 1.0  # how hilly, 1 for rolling ground
    has_mountains: bool = True
    elements: dict[str, Element] = field(default_factory=dict)
    street: Points | None = None  # what is trodden or paved, where it goes on beyond the walk
    square: tuple[float, float, float] | None = None  # x, z and half the side of a paved square
    gorge: Points | None = None  # rock rises on both sides of this line

    def trail_distance(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return metres from the trail's centre line."""
        return line_distance(self.trail, x, z)

    def path_distance(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return metres from the middle of the path or street."""
        return line_distance(self.street or self.trail, x, z)


def wanted_elements(brief: SceneBrief) -> dict[str, Element]:
    """Return what is to be built, by kind: the setting's usual things, as the prompt changes them."""
    wanted = {kind: Element(kind) for kind in SETTINGS[brief.setting].usual}
    named = {element.kind for element in brief.elements if element.count != 0}
    if "river" in named and "lake" not in named:
        wanted.pop("lake", None)  # a place has one water
    for element in brief.elements:
        wanted[element.kind] = element
    return {kind: element for kind, element in wanted.items() if element.count != 0}


def _ruled_out(brief: SceneBrief, kind: str) -> bool:
    return any(element.kind == kind and element.count == 0 for element in brief.elements)


_RELIEF = {
    "mountain": 1.5,
    "alpine_lake": 1.4,
    "beach": 0.5,
    "desert": 0.9,
    "lake_shore": 0.8,
    "meadow": 0.8,
    "village_street": 0.25,
    "japanese_garden": 0.45,
    "city_square": 0.04,
    "ruins": 0.7,
    "canyon": 0.7,
    "jungle": 0.9,
    "farm": 0.5,
}
# Where the horizon is low or hidden, no peaks stand unless they are asked for.
_WITHOUT_MOUNTAINS = ("beach", "city_square", "jungle", "farm")
_HOUSES = ("house", "shop", "building", "church", "cabin", "tower", "pagoda", "greenhouse")


def plan(brief: SceneBrief, rng: Generator) -> Layout:
    """Draw the plan of an outdoor brief."""
    elements = wanted_elements(brief)
    side = 1.0 if rng.random() < 0.5 else -1.0
    half = {"small": 0.8, "medium": 1.0, "large": 1.2}[brief.size] * _TRAIL_LENGTH_M / 2
    bend, phase = rng.uniform(0.9, 1.8), rng.uniform(0, 6.28)
    if brief.setting in ("village_street", "city_square"):
        bend *= 0.5
    steps = np.linspace(half, -half, 14)
    sway = (
        bend * (np.sin(steps / 5.2 + phase) - np.sin(phase)) * np.clip(1.1 - np.abs(steps) / half * 0.3, 0, 1)
    )
    trail = tuple((float(x), float(z)) for x, z in zip(sway, steps, strict=True))
    reach = half * 0.85
    lake = _water(brief, elements, rng, side, half, trail)
    street = square = gorge = None
    if brief.setting == "village_street":
        street = extended(trail, 40.0, 7.0, rng)
        # The street widens on one side: a place for a well, a fountain or stalls.
        square = (float(trail[7][0] + side * 3.6), trail[7][1] - 1.0, VILLAGE_SQUARE_HALF_M)
    elif brief.setting == "canyon":
        gorge = extended(trail, 78.0, 34.0, rng)
    elif brief.setting == "city_square":
        square = (0.0, 0.0, SQUARE_HALF_M)
    return Layout(
        seed=int(rng.integers(1, 60_000)),
        trail=trail,
        has_path="path" in elements,
        extent=Extent(-reach, reach, -reach, reach),
        lake=lake,
        sites=_sites(brief, elements, rng, side, trail, street, square, lake),
        relief=_RELIEF.get(brief.setting, 1.0),
        has_mountains=not _ruled_out(brief, "mountains")
        and (brief.setting not in _WITHOUT_MOUNTAINS or "mountains" in elements),
        elements=elements,
        street=street,
        square=square,
        gorge=gorge,
    )


def _count(elements: dict[str, Element], kind: str) -> int:
    element = elements.get(kind)
    return 0 if element is None else element.count or (2 if kind == "ruin" else 1)


def _sites(
    brief: SceneBrief,
    elements: dict[str, Element],
    rng: Generator,
    side: float,
    trail: Points,
    street: Points | None,
    square: tuple[float, float, float] | None,
    water: Water | None,
) -> tuple[Site, ...]:
    wanted = [kind for kind in FOOTPRINTS if kind in elements]
    if wanted == ["cabin"] and elements["cabin"].relation is None and brief.setting != "village_street":
        cabin = elements["cabin"]
        return tuple(
            _site(index, -side, trail, rng, "small" in cabin.attributes) for index in range(cabin.count or 1)
        )
    lined = [kind for kind in wanted if kind in _HOUSES]
    named = [
        kind
        for kind in lined
        for _ in range(_count(elements, kind))
        if elements[kind].count or kind not in ("house", "building")
    ]
    sites: list[Site] = []
    if street is not None:
        assert square is not None
        sites = along_street(street, square, named, rng)
    elif brief.setting == "city_square":
        sites = around_square(named, "building" in elements, rng)
    else:
        lined = []
    rest = order_by_relation([kind for kind in wanted if kind not in lined], elements)
    counted = [(kind, _count(elements, kind)) for kind in rest]
    far = 14.0 if sites else 26.0
    return (*sites, *beside_walk(counted, elements, trail, water, -side, sites, rng, far))


def _water(
    brief: SceneBrief, elements: dict[str, Element], rng: Generator, side: float, half: float, trail: Points
) -> Water | None:
    element = elements.get("lake", elements.get("river"))
    if element is None and "bridge" in elements:
        element = Element("river")  # a bridge leads over something
    if element is None:
        return None
    # The prompt's own "frozen" wins; else deep winter freezes still water, but not the sea.
    is_cold = brief.season == "winter" or brief.weather == "snow" or brief.setting == "snow_field"
    is_frozen = "frozen" in element.attributes or (is_cold and brief.setting != "beach")
    room = 9.5 if _stands_before_water(elements) else 0.0  # a building between the walk and the water
    if element.kind == "river":
        half_width = 2.1 if "small" in element.attributes else rng.uniform(2.8, 3.6)
        return river_beside(trail, side, 4.4 + room, half_width, rng, is_frozen)
    seed = int(rng.integers(1, 60_000))
    if brief.setting == "beach":
        radius, gap = 150.0, 7.0
    elif "small" in element.attributes or brief.setting in ("japanese_garden", "ruins", "farm", "jungle"):
        radius, gap = rng.uniform(4.5, 6.0), 4.2
    else:
        radius, gap = rng.uniform(17.0, 24.0), 5.0 if brief.setting in ("lake_shore", "alpine_lake") else 6.5
    gap += room
    away = np.radians(rng.uniform(-28, 4) if radius < 100 else rng.uniform(-8, 8))
    distance = radius + gap
    return Lake(
        float(side * np.cos(away) * distance),
        float(np.sin(away) * distance - 0.22 * half),
        radius,
        seed,
        is_frozen,
    )


def _stands_before_water(elements: dict[str, Element]) -> bool:
    """Return whether water is said to lie behind a building."""
    for kind in ("lake", "river"):
        relation = elements[kind].relation if kind in elements else None
        if relation is not None and relation.kind == "behind" and relation.to in FOOTPRINTS:
            return True
    return False


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
