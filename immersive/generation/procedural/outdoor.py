"""The outdoor world: a plan drawn from the brief and the seed, and everything built on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from immersive.brief import Element, SceneBrief

from . import props
from .cabin import cabin
from .growth import grow_ground_plants, grow_trees
from .layout import Layout, plan
from .mesh import Mesh, concatenate
from .moods import atmosphere_of, lighting_of, mood_of
from .palette import ground_cover, outdoor_materials
from .placement import Ground
from .terrain import Terrain
from .water import water_sheet
from .world import RGB, Lamp, PointOfInterest, World

_EYE_M = 1.65
_COLOURS: dict[str, RGB] = {
    "red": (0.5, 0.07, 0.05),
    "blue": (0.07, 0.16, 0.4),
    "orange": (0.65, 0.24, 0.04),
    "green": (0.1, 0.24, 0.09),
}
_DETAIL = {"draft": 1.0, "standard": 1.4, "high": 2.0}


def build_outdoor(brief: SceneBrief) -> World:
    """Return the world of an outdoor brief; the same brief gives the same world."""
    rng = np.random.default_rng([brief.seed, 17])
    layout = plan(brief, rng)
    cover = ground_cover(brief)
    terrain = Terrain(layout, cover)
    ground = Ground(layout, terrain)
    mood = mood_of(brief)
    built = _Builder(brief, ground, rng, mood.is_lit)
    built.everything()
    mesh = concatenate([terrain.mesh(), *built.parts])
    centre = (0.0, float(ground.surface(0.0, 0.0)) + _EYE_M, 0.0)
    lighting = lighting_of(mood, _sun_azimuth(layout, rng), layout.seed)
    return World(
        mesh=mesh,
        materials=outdoor_materials(
            brief, mood.is_lit, layout.lake is not None and layout.lake.is_frozen, built.cabin_style
        ),
        lighting=replace(lighting, lamps=tuple(built.lamps)),
        atmosphere=atmosphere_of(mood, centre),
        is_indoor=False,
        ground_height=ground.surface,
        is_free=ground.is_free,
        extent=layout.extent,
        points_of_interest=tuple(built.points),
        route=layout.trail,
        ground_cover=cover,
        eye_height_m=_EYE_M,
        water_y=None if layout.lake is None or layout.lake.is_frozen else 0.0,
    )


def _sun_azimuth(layout: Layout, rng: Generator) -> float:
    """Return where the sun stands: beside the view, so that things have a lit and a shaded side."""
    side = 1.0 if layout.sites and layout.sites[0].x < 0 else -1.0
    return float(side * rng.uniform(55, 105))


class _Builder:
    """Places the elements of a plan, the large and wanted ones first."""

    def __init__(self, brief: SceneBrief, ground: Ground, rng: Generator, is_lit: bool) -> None:
        self.parts: list[Mesh] = []
        self.lamps: list[Lamp] = []
        self.points: list[PointOfInterest] = []
        self.cabin_style = "log"
        self._brief, self._ground, self._rng, self._is_lit = brief, ground, rng, is_lit
        self._elements = ground.layout.elements
        self._named = {element.kind for element in brief.elements if element.count != 0}

    def everything(self) -> None:
        """Build all elements of the plan."""
        self._water()
        self._cabins()
        self._single("well", props.well, 1.0, 5, 10)
        self._campfires()
        self._tents()
        self._boulders()
        for kind, make, radius, near, far in (
            ("bench", props.bench, 0.8, 3, 8),
            ("signpost", props.signpost, 0.3, 3, 8),
            ("log", props.log, 1.2, 4, 12),
            ("stump", props.stump, 0.4, 3.5, 14),
        ):
            self._single(kind, make, radius, near, far)
        self._lanterns()
        self._fence()
        self._boats()
        self.parts += grow_trees(self._brief, self._ground, self._rng)
        self._rocks()
        self.parts += grow_ground_plants(self._brief, self._ground, self._rng, _DETAIL[self._brief.detail])

    def _point(self, kind: str, x: float, y: float, z: float) -> None:
        weight = 3.0 if kind in self._named else 1.0
        self.points.append(PointOfInterest(kind, (float(x), float(y), float(z)), weight))

    def _add(self, kind: str, mesh: Mesh, x: float, z: float, yaw_deg: float, look_m: float = 0.8) -> float:
        """Stand a thing on the ground and return the height of its foot."""
        reach = 0.8 * float(np.abs(mesh.vertices[:, [0, 2]]).max())
        y = self._ground.foot(x, z, min(reach, 1.4))
        self.parts.append(mesh.placed([x, y, z], yaw_deg).labelled(kind))
        self._point(kind, x, y + look_m, z)
        return y

    def _count(self, kind: str, usual: int) -> int:
        element = self._elements.get(kind)
        return 0 if element is None else usual if element.count is None else element.count

    def _facing_trail(self, x: float, z: float) -> float:
        trail = np.array(self._ground.layout.trail)
        nearest = trail[np.argmin(np.hypot(trail[:, 0] - x, trail[:, 1] - z))]
        return float(np.degrees(np.arctan2(nearest[0] - x, nearest[1] - z)))

    def _water(self) -> None:
        lake = self._ground.layout.lake
        if lake is None:
            return
        self.parts.append(water_sheet(lake))
        # The near shore is what a visitor looks at, not the middle of a sea.
        away = np.hypot(lake.x, lake.z)
        share = (away - lake.radius + min(lake.radius, 9.0)) / away
        self._point("lake", lake.x * share, 0.0, lake.z * share)
        self._ground.keep_in_sight(lake.x * share, lake.z * share)
        if self._count("dock", 1):
            self._dock()

    def _dock(self) -> None:
        lake = self._ground.layout.lake
        assert lake is not None
        trail = np.array(self._ground.layout.trail)[3:-3]
        start = trail[np.argmin(lake.shore_distance(trail[:, 0], trail[:, 1]))]
        heading = np.array([lake.x, lake.z]) - start
        heading /= np.linalg.norm(heading)
        steps = np.arange(0, 40, 0.1)
        line = start + steps[:, None] * heading
        shore = steps[np.argmax(lake.shore_distance(line[:, 0], line[:, 1]) < 0.4)]
        foot = start + heading * (shore - 1.0)
        length = min(7.0, 0.9 * lake.radius) + 1.0
        yaw = float(np.degrees(np.arctan2(heading[0], heading[1])))
        deck = props.dock(length, 0.42, -1.7).labelled("dock")
        self.parts.append(deck.placed([foot[0], 0.0, foot[1]], yaw))
        middle = foot + heading * length / 2
        self._ground.take_deck(float(middle[0]), float(middle[1]), yaw, 0.85, length / 2 + 0.3)
        self._point("dock", middle[0], 0.5, middle[1])

    def _cabins(self) -> None:
        element = self._elements.get("cabin", Element("cabin"))
        chosen = [style for style in ("stone", "red", "white") if style in element.attributes]
        self.cabin_style = chosen[0] if chosen else "log"
        for site in self._ground.layout.sites:
            house = cabin(self._rng, site.half_width, site.half_depth, self.cabin_style)
            y = float(self._ground.terrain.height(site.x, site.z)) + 0.22
            self.parts.append(house.placed([site.x, y, site.z], site.yaw_deg))
            yaw = np.radians(site.yaw_deg)
            # The porch reaches out in front, so the rectangle is longer that way.
            shift = 1.15
            self._ground.take_box(
                site.x + shift * np.sin(yaw), site.z + shift * np.cos(yaw), site.yaw_deg,
                site.half_width + 0.85, site.half_depth + 1.5,
            )  # fmt: skip
            self._point("cabin", site.x, y + 1.5, site.z)
            self._ground.keep_in_sight(site.x, site.z)
            if self._is_lit:
                front = site.half_depth + 1.0
                glow = (site.x + front * np.sin(yaw), y + 1.5, site.z + front * np.cos(yaw))
                self.lamps.append(Lamp(glow, (2.6, 1.35, 0.5), 0.35, 0.6))

    def _single(self, kind: str, make, radius: float, near: float, far: float) -> None:
        places = self._ground.find(
            self._rng,
            self._count(kind, 3 if kind == "stump" else 1),
            near,
            far,
            radius,
            0.8,
            0.6,
            0.5,
            steepest_deg=10,
        )
        for x, z in places:
            yaw = self._facing_trail(x, z) + self._rng.uniform(-25, 25)
            self._add(kind, make(self._rng), x, z, yaw)

    def _campfires(self) -> None:
        for x, z in self._ground.find(
            self._rng, self._count("campfire", 1), 3.5, 8, 0.9, 0.9, 0.5, 0.7, steepest_deg=8
        ):
            y = self._add("campfire", props.campfire(self._rng), x, z, 0.0, 0.3)
            self.lamps.append(Lamp((x, y + 0.75, z), (3.4, 1.5, 0.42), 0.2, 0.55))

    def _tents(self) -> None:
        element = self._elements.get("tent", Element("tent"))
        colours = [_COLOURS[name] for name in element.attributes if name in _COLOURS] or [_COLOURS["orange"]]
        for index, (x, z) in enumerate(
            self._ground.find(self._rng, self._count("tent", 1), 5, 10, 1.7, 0.9, 0.5, 0.7, steepest_deg=7)
        ):
            self._add(
                "tent",
                props.tent(self._rng, colours[index % len(colours)]),
                x,
                z,
                self._facing_trail(x, z) + 20,
            )

    def _boulders(self) -> None:
        count = self._count("boulder", 6)
        for x, z in self._ground.find(self._rng, count, 4.5, 9 + count, 1.0, 0.8, 0.8, 0.7):
            self._add(
                "boulder",
                props.boulder(self._rng, self._rng.uniform(1.7, 2.5)),
                x,
                z,
                self._rng.uniform(0, 360),
            )

    def _lanterns(self) -> None:
        for x, z in self._ground.find(self._rng, self._count("lantern", 3), 2, 10, 0.2, 0.5, 4.0, 0.4):
            y = self._add("lantern", props.lantern(self._rng), x, z, 0.0, 2.0)
            if self._is_lit:
                self.lamps.append(Lamp((x, y + 2.25, z), (2.6, 1.5, 0.65), 0.12, 0.4))

    def _fence(self) -> None:
        if not self._count("fence", 1):
            return
        trail = np.array(self._ground.layout.trail)
        side = -1.0 if self._ground.layout.sites and self._ground.layout.sites[0].x > 0 else 1.0
        if self._ground.layout.lake is not None:
            side = -float(np.sign(self._ground.layout.lake.x))
        posts = trail + [side * 2.6, 0.0]
        open_ = self._ground.is_open(posts[:, 0], posts[:, 1], 0.2, 1.0)
        # The longest run of posts that all have room.
        runs = np.split(np.arange(len(posts)), np.flatnonzero(~open_))
        run = max(([i for i in part if open_[i]] for part in runs), key=len)
        if len(run) < 2:
            return
        posts = posts[run]
        heights = self._ground.terrain.height(posts[:, 0], posts[:, 1])
        self.parts.append(props.fence(posts, heights).labelled("fence"))
        for first, second in pairwise(posts):
            middle, half = (first + second) / 2, np.linalg.norm(second - first) / 2
            yaw = float(np.degrees(np.arctan2(second[0] - first[0], second[1] - first[1])))
            self._ground.take_box(float(middle[0]), float(middle[1]), yaw, 0.1, float(half))
        spot = posts[len(posts) // 2]
        self._point("fence", spot[0], heights.mean() + 0.6, spot[1])

    def _boats(self) -> None:
        lake, count = self._ground.layout.lake, self._count("boat", 1)
        if not count:
            return
        element = self._elements["boat"]
        colours = [_COLOURS[name] for name in element.attributes if name in _COLOURS] or [(0.3, 0.2, 0.12)]
        for index in range(count):
            make = props.boat(self._rng, colours[index % len(colours)]).labelled("boat")
            if lake is None or lake.is_frozen:
                for x, z in self._ground.find(self._rng, 1, 4, 10, 1.5, 0.8, 0.5, 0.7):
                    self._add("boat", make, x, z, self._rng.uniform(0, 360), 0.3)
                continue
            # Afloat, some metres off the shore nearest to the walk.
            bearing = np.arctan2(-lake.x, -lake.z) + self._rng.uniform(-0.5, 0.5) * min(1.0, 12 / lake.radius)
            reach = lake.radius - self._rng.uniform(2.5, 4.5) - 1.5 * index
            x, z = lake.x + reach * np.sin(bearing), lake.z + reach * np.cos(bearing)
            self.parts.append(make.placed([x, -0.14, z], float(self._rng.uniform(0, 360))))
            self._point("boat", x, 0.3, z)

    def _rocks(self) -> None:
        element = self._elements.get("rock")
        if element is None:
            return
        ground, rng = self._ground, self._rng
        counted = element.count is not None
        for x, z in ground.find(
            rng, self._count("rock", 16), 2.5, 12, 0.35, 0.35, 0.5, 0.5 if counted else 0.0
        ):
            self._stone(x, z, rng.uniform(0.5, 0.95))
        if counted:
            return
        for x, z in ground.find(rng, 40, 12, 42, 0.6, 0.6, 0.5):
            self._stone(x, z, rng.uniform(0.6, 1.7))
        lake = ground.layout.lake
        if lake is not None:
            angle = rng.uniform(0, 2 * np.pi, 700)
            reach = lake.radius + rng.uniform(-1.2, 0.9, 700)
            x, z = lake.x + reach * np.cos(angle), lake.z + reach * np.sin(angle)
            shown = (np.hypot(x, z) < 30) & (ground.layout.trail_distance(x, z) > 1.8)
            for px, pz in list(zip(x[shown], z[shown], strict=True))[:34]:
                if ground.is_open(np.array(px), np.array(pz), 0.0, 1.2) or lake.shore_distance(px, pz) < 0.5:
                    self._stone(px, pz, rng.uniform(0.35, 1.1))
                    ground.take_disc(px, pz, 0.4)

    def _stone(self, x: float, z: float, size: float) -> None:
        stone = props.rock(self._rng, size, 3 if np.hypot(x, z) < 14 else 2).labelled("rock")
        y = float(self._ground.terrain.height(x, z)) - 0.06 * size
        self.parts.append(stone.placed([x, y, z], self._rng.uniform(0, 360)))
