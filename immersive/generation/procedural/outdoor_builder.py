"""Builds the elements of a plan on its ground: the large and wanted ones first, then what fits between."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.random import Generator

from immersive.brief import Element, SceneBrief

from . import props
from .cabin import cabin
from .growth import Grower
from .look import Look
from .mesh import Mesh, tessellated
from .outdoor_relations import Anchor, OutdoorRelations, Place
from .outdoor_things import THINGS, Thing
from .placement import Ground
from .site_meshes import WALK_IN, building
from .sites import Site
from .things import crossings
from .water import water_sheet
from .waters import River
from .world import Lamp, PointOfInterest

_DETAIL = {"draft": 1.0, "standard": 1.4, "high": 2.0}
_WALL_EDGE_M = 0.9
_AS_TALL_AS_TREES = ("rocket", "street_lamp", "neon_sign", "torii", "obelisk", "statue")
# Half the distance between the posts of what spans the path, metres.
_GATES = {"torii": 1.65}


class OutdoorBuilder:
    """Places the elements of a plan."""

    def __init__(self, brief: SceneBrief, ground: Ground, rng: Generator, is_lit: bool) -> None:
        self.parts: list[Mesh] = []
        self.lamps: list[Lamp] = []
        self.points: list[PointOfInterest] = []
        self.cabin_style = "log"
        self._brief, self._ground, self._rng, self._is_lit = brief, ground, rng, is_lit
        self._elements = ground.layout.elements
        self._named = {element.kind for element in brief.elements if element.count != 0}
        self.relations = OutdoorRelations(self._elements, ground, rng)

    def everything(self) -> None:
        """Build all elements of the plan."""
        if "aurora" in self._elements:
            self._point("aurora", 0.0, 60.0, -140.0)
        self._water()
        for site in self._ground.layout.sites:
            self._site(site)
        self._bridge()
        grower = Grower(self._brief, self._ground, self._rng, self.relations)
        grown: set[str] = set()
        for kind in self._in_order([*THINGS, "fence", "boat", *grower.trees]):
            if kind in THINGS:
                self._things(kind, THINGS[kind])
            elif kind == "fence":
                self._fence()
            elif kind == "boat":
                self._boats()
            else:
                self.parts += grower.near(kind)
                grown.add(kind)
        self.parts += grower.forest()
        self._rocks()
        self.parts += grower.ground_plants(_DETAIL[self._brief.detail])

    def _in_order(self, kinds: list[str]) -> list[str]:
        """Return the wanted kinds of the list, each after what it is placed by."""
        wanted = [kind for kind in kinds if kind in self._elements]
        ordered: list[str] = []

        def add(kind: str, above: tuple[str, ...]) -> None:
            if kind in ordered or kind in above:
                return
            relation = self.relations.relations.get(kind)
            if relation is not None and relation.to in wanted:
                add(relation.to, (*above, kind))
            ordered.append(kind)

        for kind in wanted:
            add(kind, ())
        return ordered

    def _look(self, kind: str) -> Look:
        return Look(self._elements.get(kind, Element(kind)).attributes, self._is_lit)

    def _point(self, kind: str, x: float, y: float, z: float) -> None:
        weight = 3.0 if kind in self._named else 1.0
        self.points.append(PointOfInterest(kind, (float(x), float(y), float(z)), weight))

    def _add(self, kind: str, mesh: Mesh, x: float, z: float, yaw_deg: float, look_m: float = 0.8) -> float:
        """Stand a thing on the ground and return the height of its foot."""
        reach = 0.8 * float(np.abs(mesh.vertices[:, [0, 2]]).max())
        y = self._ground.foot(x, z, min(reach, 1.4))
        self.parts.append(mesh.labelled(kind).placed([x, y, z], yaw_deg))
        self._point(kind, x, y + look_m, z)
        return y

    def _count(self, kind: str, usual: int) -> int:
        element = self._elements.get(kind)
        return 0 if element is None else usual if element.count is None else element.count

    def _facing_trail(self, x: float, z: float) -> float:
        trail = np.array(self._ground.layout.trail)
        nearest = trail[np.argmin(np.hypot(trail[:, 0] - x, trail[:, 1] - z))]
        return float(np.degrees(np.arctan2(nearest[0] - x, nearest[1] - z)))

    # Water and what crosses it.

    def _water(self) -> None:
        lake = self._ground.layout.lake
        if lake is None:
            return
        kind = "river" if isinstance(lake, River) else "lake"
        self.parts.append(water_sheet(lake).labelled(kind))
        # The near shore is what a visitor looks at, not the middle of a sea.
        away = np.hypot(lake.x, lake.z)
        share = (away - lake.radius + min(lake.radius, 9.0)) / away
        self._point(kind, lake.x * share, 0.0, lake.z * share)
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
        made = props.dock(length, 0.42, -1.7).labelled("dock")
        self.parts.append(made.placed([foot[0], 0.0, foot[1]], yaw))
        middle = foot + heading * length / 2
        self._ground.take_deck(float(middle[0]), float(middle[1]), yaw, 0.85, length / 2 + 0.3)
        self._point("dock", middle[0], 0.5, middle[1])

    def _bridge(self) -> None:
        lake, count = self._ground.layout.lake, self._count("bridge", 1)
        if lake is None or not count:
            return
        near, far = lake.crossing()
        middle, along = (near + far) / 2, far - near
        length = float(np.linalg.norm(along))
        yaw = float(np.degrees(np.arctan2(along[0], along[1])))
        ends = self._ground.terrain.height(np.array([near[0], far[0]]), np.array([near[1], far[1]]))
        lift = 0.6 if "rope" in self._look("bridge").attributes else 0.0
        y = float(np.clip(ends.min(), 0.15, 0.9)) + lift
        made = crossings.bridge(self._rng, self._look("bridge"), length).labelled("bridge")
        self.parts.append(made.placed([middle[0], y, middle[1]], yaw))
        self._ground.take_deck(float(middle[0]), float(middle[1]), yaw, 1.3, length / 2 + 0.4)
        self._point("bridge", middle[0], y + 1.0, middle[1])
        self._ground.keep_in_sight(float(middle[0]), float(middle[1]))
        self.relations.add("bridge", Anchor(float(middle[0]), float(middle[1]), 1.3, length / 2, yaw))

    # Large things on their sites.

    def _site(self, site: Site) -> None:
        look = self._look(site.kind)
        y = float(self._ground.terrain.height(site.x, site.z))
        if site.kind == "cabin":
            self._cabin(site, look, y + 0.22)
            return
        # Light is baked at vertices, and a wall's corners lie in the shade of eaves and ground.
        made = tessellated(
            building(site, look, self._rng, self._ground.layout.street is not None), _WALL_EDGE_M
        )
        self.parts.append(made.labelled(site.kind).placed([site.x, y, site.z], site.yaw_deg))
        self._point(site.kind, site.x, y + min(0.5 * float(made.vertices[:, 1].max()), 3.0), site.z)
        self._ground.keep_in_sight(site.x, site.z)
        self._close_off(site)
        self.relations.add(site.kind, Anchor(site.x, site.z, site.half_width, site.half_depth, site.yaw_deg))
        if self._is_lit and site.kind in ("house", "shop", "church", "pagoda", "castle"):
            self._glow(site, y, site.half_depth + 0.7, 0.7)
        if self._is_lit and site.kind == "lighthouse":
            self.lamps.append(Lamp((site.x, y + 11.1 * look.size, site.z), (26.0, 21.0, 13.0), 0.5, 1.6))

    def _close_off(self, site: Site) -> None:
        """Take a site's ground; into some one walks, between their walls, but nothing else is put there."""
        turn = np.radians(site.yaw_deg)

        def spot(across: float, along: float) -> tuple[float, float]:
            x = site.x + across * np.cos(turn) + along * np.sin(turn)
            z = site.z - across * np.sin(turn) + along * np.cos(turn)
            return float(x), float(z)

        if site.kind not in WALK_IN:
            shift = -1.0 if site.kind in ("cliff", "waterfall") else 0.0
            x, z = spot(0.0, shift)
            self._ground.take_box(x, z, site.yaw_deg, site.half_width + 0.1, site.half_depth + 0.1)
            return
        self._ground.take_disc(site.x, site.z, site.reach, is_solid=False)
        for across, along, half_x, half_z in WALK_IN[site.kind]:
            self._ground.take_box(*spot(across, along), site.yaw_deg, half_x, half_z)

    def _glow(self, site: Site, y: float, front: float, gain: float) -> None:
        yaw = np.radians(site.yaw_deg)
        spot = (site.x + front * np.sin(yaw), y + 1.5, site.z + front * np.cos(yaw))
        self.lamps.append(Lamp(spot, (2.6 * gain, 1.35 * gain, 0.5 * gain), 0.35, 0.6))

    def _cabin(self, site: Site, look: Look, y: float) -> None:
        chosen = [style for style in ("stone", "red", "white") if look.has(style)]
        self.cabin_style = chosen[0] if chosen else "log"
        house = cabin(self._rng, site.half_width, site.half_depth, self.cabin_style).labelled("cabin")
        self.parts.append(house.placed([site.x, y, site.z], site.yaw_deg))
        yaw = np.radians(site.yaw_deg)
        # The porch reaches out in front, so the rectangle is longer that way.
        shift = 1.15
        x, z = float(site.x + shift * np.sin(yaw)), float(site.z + shift * np.cos(yaw))
        self._ground.take_box(x, z, site.yaw_deg, site.half_width + 0.85, site.half_depth + 1.5)
        self._point("cabin", site.x, y + 1.5, site.z)
        self._ground.keep_in_sight(site.x, site.z)
        self.relations.add("cabin", Anchor(x, z, site.half_width + 0.85, site.half_depth + 1.5, site.yaw_deg))
        if self._is_lit:
            self._glow(site, y, site.half_depth + 1.0, 1.0)

    # Things.

    def _things(self, kind: str, thing: Thing) -> None:
        count = self._count(kind, thing.usual)
        if kind in _GATES and self._ground.layout.has_path:
            self._gates(kind, thing, count)
            return
        related = self.relations.places(kind, count, thing.radius, steepest_deg=thing.steepest_deg + 6)
        places: list[Place] = related or []
        if len(places) < count:
            more = self._ground.find(
                self._rng,
                count - len(places),
                thing.near_m,
                thing.far_m,
                thing.radius,
                thing.off_trail_m,
                0.6,
                0.6,
                steepest_deg=thing.steepest_deg,
            )
            places += [(float(x), float(z), None) for x, z in more]
        look = self._look(kind)
        for index, (x, z, yaw) in enumerate(places):
            if yaw is None:
                yaw = self._facing_trail(x, z) + self._rng.uniform(-25, 25)
                if thing.is_scattered:
                    yaw = float(self._rng.uniform(0, 360))
            own = Look(
                look.attributes[index % len(look.attributes) :]
                if look.attributes and count > 1
                else look.attributes,
                look.is_lit,
            )
            made = thing.make(self._rng, own)
            y = self._add(kind, made, x, z, float(yaw), thing.look_m)
            half = thing.radius * 0.9
            self.relations.add(kind, Anchor(x, z, half, half, float(yaw)))
            if kind in _AS_TALL_AS_TREES and kind in self._named:
                self._ground.keep_in_sight(x, z)
            if thing.light is not None and (self._is_lit or thing.light.always):
                self.lamps.append(
                    Lamp(
                        (x, y + thing.light.height_m, z),
                        thing.light.power,
                        thing.light.radius,
                        thing.light.clear_m,
                    )
                )

    def _gates(self, kind: str, thing: Thing, count: int) -> None:
        """Stand gates over the path, the first near its end: people walk through."""
        trail = np.array(self._ground.layout.trail)
        for index in range(count):
            at = max(len(trail) - 3 - 3 * index, 2)
            ahead = trail[at + 1] - trail[at - 1]
            yaw = float(np.degrees(np.arctan2(-ahead[0], -ahead[1])))
            x, z = float(trail[at, 0]), float(trail[at, 1])
            self._add(kind, thing.make(self._rng, self._look(kind)), x, z, yaw, thing.look_m)
            turn = np.radians(yaw)
            for side in (-_GATES[kind], _GATES[kind]):
                self._ground.take_disc(x + side * float(np.cos(turn)), z - side * float(np.sin(turn)), 0.3)
            self._ground.keep_in_sight(x, z)
            self.relations.add(kind, Anchor(x, z, 2.2, 0.4, yaw))

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
        self.parts.append(props.fence(posts, heights, self._look("fence")).labelled("fence"))
        for first, second in pairwise(posts):
            middle, half = (first + second) / 2, np.linalg.norm(second - first) / 2
            yaw = float(np.degrees(np.arctan2(second[0] - first[0], second[1] - first[1])))
            self._ground.take_box(float(middle[0]), float(middle[1]), yaw, 0.1, float(half))
            # What is behind a fence is so from the walk.
            self.relations.add(
                "fence", Anchor(float(middle[0]), float(middle[1]), float(half), 0.15, side * -90.0)
            )
        spot = posts[len(posts) // 2]
        self._point("fence", spot[0], heights.mean() + 0.6, spot[1])

    def _boats(self) -> None:
        lake, count = self._ground.layout.lake, self._count("boat", 1)
        if not count:
            return
        look = self._look("boat")
        is_ashore = self._brief.setting == "beach" and self._elements["boat"].relation is None
        for index in range(count):
            make = props.boat(self._rng, look.colour((0.3, 0.2, 0.12), index))
            if lake is None or lake.is_frozen or is_ashore:
                for x, z in self._ground.find(self._rng, 1, 4, 10, 1.5, 0.8, 0.5, 0.7):
                    self._add("boat", make, x, z, self._rng.uniform(0, 360), 0.3)
                continue
            # Afloat, some metres off the shore nearest to the walk.
            bearing = np.arctan2(-lake.x, -lake.z) + self._rng.uniform(-0.5, 0.5) * min(1.0, 12 / lake.radius)
            reach = lake.radius - self._rng.uniform(2.5, 4.5) - 1.5 * index
            x, z = lake.x + reach * np.sin(bearing), lake.z + reach * np.cos(bearing)
            if isinstance(lake, River):
                x, z = self._on_river(lake, index)
            self.parts.append(make.labelled("boat").placed([x, -0.14, z], float(self._rng.uniform(0, 360))))
            self._point("boat", x, 0.3, z)

    def _on_river(self, river: River, index: int) -> tuple[float, float]:
        line = np.array(river.line)
        nearest = int(np.argmin(np.hypot(line[:, 0] - river.x, line[:, 1] - river.z)))
        spot = line[np.clip(nearest - 1 + 2 * index, 0, len(line) - 1)]
        return float(spot[0]), float(spot[1])

    def _rocks(self) -> None:
        element = self._elements.get("rock")
        if element is None:
            return
        ground, rng = self._ground, self._rng
        counted = element.count is not None
        near = self.relations.places("rock", self._count("rock", 8), 0.35) or []
        for x, z, _ in near:
            self._stone(x, z, rng.uniform(0.5, 0.95))
        for x, z in ground.find(
            rng, self._count("rock", 16) - len(near), 2.5, 12, 0.35, 0.35, 0.5, 0.5 if counted else 0.0
        ):
            self._stone(x, z, rng.uniform(0.5, 0.95))
        if counted or ground.layout.square is not None:
            return
        for x, z in ground.find(rng, 40, 12, 42, 0.6, 0.6, 0.5):
            self._stone(x, z, rng.uniform(0.6, 1.7))
        if self._brief.setting in ("canyon", "desert"):
            for x, z in ground.find(rng, 150, 2.0, 13, 0.12, 0.3, 0.15, is_solid=False):
                self._stone(x, z, rng.uniform(0.18, 0.42))
        lake = ground.layout.lake
        if lake is not None:
            angle = rng.uniform(0, 2 * np.pi, 700)
            reach = lake.radius + rng.uniform(-1.2, 0.9, 700)
            x, z = lake.x + reach * np.cos(angle), lake.z + reach * np.sin(angle)
            if isinstance(lake, River):
                x, z = rng.uniform(-26, 26, 4000), rng.uniform(-26, 26, 4000)
                at_bank = np.abs(lake.shore_distance(x, z) + 0.1) < 0.6
                x, z = x[at_bank], z[at_bank]
            shown = (np.hypot(x, z) < 30) & (ground.layout.trail_distance(x, z) > 1.8)
            for px, pz in list(zip(x[shown], z[shown], strict=True))[:34]:
                if ground.is_open(np.array(px), np.array(pz), 0.0, 1.2) or lake.shore_distance(px, pz) < 0.5:
                    self._stone(px, pz, rng.uniform(0.35, 1.1))
                    ground.take_disc(px, pz, 0.4)

    def _stone(self, x: float, z: float, size: float) -> None:
        stone = props.rock(self._rng, size, 3 if np.hypot(x, z) < 14 else 2).labelled("rock")
        y = float(self._ground.terrain.height(x, z)) - 0.06 * size
        self.parts.append(stone.placed([x, y, z], self._rng.uniform(0, 360)))
