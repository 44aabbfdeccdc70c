"""Things outdoors where the brief puts them: beside, before, behind, around, under, facing, along.

Each rule tries the places that keep the relation, nearest first. A thing that finds none stands where it
would without one, and is noted in `unkept`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from immersive.brief import Element, Relation, RelationKind

from .placement import Ground
from .sites import FOOTPRINTS

Place = tuple[float, float, float | None]  # x, z, and the yaw that the relation asks for, if it does

_INVERSE: dict[str, RelationKind] = {
    "behind": "in_front_of",
    "in_front_of": "behind",
    "beside": "beside",
    "facing": "in_front_of",
    "around": "beside",
}
_WATERS = ("lake", "river")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Something that others are placed by."""

    x: float
    z: float
    half_width: float  # metres across its front
    half_depth: float
    yaw_deg: float  # where its front looks


def effective_relations(elements: dict[str, Element]) -> dict[str, Relation]:
    """Return what stands by what, so that small things are placed by large ones and never the other way.

    "A hut behind boulders" puts boulders before the hut.
    """
    found: dict[str, Relation] = {}
    for kind, element in elements.items():
        relation = element.relation
        if relation is None or relation.to not in elements:
            continue
        is_turned = (
            kind in FOOTPRINTS
            and relation.to not in (*FOOTPRINTS, *_WATERS, "path", "mountains")
            and relation.kind in _INVERSE
        )
        if not is_turned:
            found.setdefault(kind, relation)
        elif elements[relation.to].relation is None:
            found[relation.to] = Relation(_INVERSE[relation.kind], kind)
    return found


class OutdoorRelations:
    """Finds places that keep relations."""

    def __init__(self, elements: dict[str, Element], ground: Ground, rng: Generator) -> None:
        self.unkept: list[str] = []
        self.relations = effective_relations(elements)
        self._ground, self._rng = ground, rng
        self._anchors: dict[str, list[Anchor]] = {}

    def add(self, kind: str, anchor: Anchor) -> None:
        """Let other things stand by this one."""
        self._anchors.setdefault(kind, []).append(anchor)

    def places(
        self,
        kind: str,
        count: int,
        radius: float,
        off_trail_m: float = 0.6,
        steepest_deg: float = 24.0,
        sight_m: float = 0.0,
    ) -> list[Place] | None:
        """Return and take `count` places that keep a kind's relation; None if it has none or none is kept.

        Args as `Ground.is_open`; what hides something else is placed only where nothing better is left.
        """
        relation = self.relations.get(kind)
        if relation is None:
            return None
        if relation.to == "path":
            tried = self._along_path(radius)
        elif relation.to in _WATERS:
            tried = self._along_water(radius)
        elif relation.to in ("fence", "stone_wall") and relation.kind == "along":
            tried = self._by(relation.to, "beside", radius, count)
        elif relation.to in self._anchors:
            tried = self._by(relation.to, relation.kind, radius, count)
        else:
            tried = []
        kept: list[Place] = []
        clear = off_trail_m if relation.to != "path" else 0.1
        for sight in dict.fromkeys((sight_m, 0.0)):
            for x, z, yaw in tried:
                if len(kept) == count:
                    break
                if self._ground.is_open(np.array(x), np.array(z), radius, clear, steepest_deg, sight).item():
                    self._ground.take_disc(x, z, radius)
                    kept.append((x, z, yaw))
            if kept:
                break
        if not kept:
            self.unkept.append(f"{kind} {relation.kind} {relation.to}".replace("_", " "))
            return None
        return kept

    def _along_path(self, radius: float) -> list[Place]:
        """Return places on both sides of the walk, those that visitors pass first in front."""
        layout = self._ground.layout
        line = np.array(layout.trail)
        half = 1.3 if layout.street is None else 2.2
        spots: list[tuple[float, Place]] = []
        for index in range(1, len(line) - 1):
            ahead = line[index + 1] - line[index - 1]
            across = np.array([-ahead[1], ahead[0]]) / np.linalg.norm(ahead)
            for side in (-1.0, 1.0):
                for out in (0.0, 0.5):
                    x, z = line[index] + side * across * (
                        half + radius + out - (0.9 if layout.street is not None else 0.0)
                    )
                    yaw = float(np.degrees(np.arctan2(-side * across[0], -side * across[1])))
                    # Every other step of a side first, so that few things are spread over the walk.
                    order = abs(index - 7.5) + (6 if index % 4 else 0) + (3 if side > 0 else 0) + 20 * out
                    spots.append((order, (float(x), float(z), yaw)))
        return [place for _, place in sorted(spots, key=lambda spot: spot[0])]

    def _along_water(self, radius: float) -> list[Place]:
        lake = self._ground.layout.lake
        if lake is None:
            return []
        batch = 4000
        x, z = self._rng.uniform(-24, 24, batch), self._rng.uniform(-24, 24, batch)
        shore = lake.shore_distance(x, z)
        good = (shore > radius + 0.55) & (shore < radius + 2.2)
        x, z = x[good], z[good]
        # What is between the walk and the water would hide it.
        apart = ((x - lake.x) * -lake.x + (z - lake.z) * -lake.z) / (
            np.hypot(x - lake.x, z - lake.z) * np.hypot(lake.x, lake.z)
        )
        hides = 9.0 * ((radius > 0.3) & (apart > 0.5))
        order = np.argsort(np.hypot(x, z) + self._rng.uniform(0, 7, len(x)) + hides)
        return [(float(x[i]), float(z[i]), None) for i in order]

    def _by(self, target: str, kind: str, radius: float, count: int) -> list[Place]:
        anchors = self._anchors[target]
        trail = np.array(self._ground.layout.trail)
        middle = trail[len(trail) // 2]
        anchors = sorted(anchors, key=lambda a: float(np.hypot(a.x - middle[0], a.z - middle[1])))
        tried: list[Place] = []
        for anchor in anchors:
            tried += self._around_anchor(anchor, kind, radius, count, trail)
        if kind in ("around", "beside") or len(anchors) == 1:
            return tried
        # One thing for each of several, then the rest.
        per = len(tried) // len(anchors)
        return [tried[a * per + i] for i in range(per) for a in range(len(anchors))]

    def _around_anchor(
        self, anchor: Anchor, kind: str, radius: float, count: int, trail: NDArray
    ) -> list[Place]:
        """Return places about one thing, best first."""
        near = trail[np.argmin(np.hypot(trail[:, 0] - anchor.x, trail[:, 1] - anchor.z))]
        to_walk = float(np.degrees(np.arctan2(near[0] - anchor.x, near[1] - anchor.z)))
        headings = {
            "in_front_of": [anchor.yaw_deg + t for t in (0, 14, -14, 28, -28, 42, -42)],
            "facing": [anchor.yaw_deg + t for t in (0, 35, -35, 70, -70, 110, -110, 150, -150, 180)],
            "behind": [to_walk + 180 + t for t in (20, -20, 0, 40, -40, 60, -60)],
            "beside": [to_walk + t for t in (75, -75, 55, -55, 95, -95, 35, -35, 120, -120, 0, 160, -160)],
            "under": [to_walk + t for t in (0, 30, -30, 60, -60, 90, -90, 120, -120, 180)],
        }.get(kind)
        gaps = {
            "in_front_of": (0.9, 1.6, 2.6, 3.8),
            "facing": (1.8, 2.6, 3.6),
            "under": (0.05, 0.5, 1.0, 1.6),
            "behind": (0.6, 1.4, 2.4),
        }.get(kind, (0.45, 0.9, 1.6, 2.6))
        if headings is None:  # around
            many = max(count, 1)
            turn = float(self._rng.uniform(0, 360 / many))
            headings = [to_walk + 360 * i / many + turn for i in range(many)]
            headings += [to_walk + 360 * (i + 0.5) / (2 * many) for i in range(2 * many)]
            gaps = (0.9, 1.5, 2.3, 3.4)
        is_inwards = kind in ("around", "facing")
        places: list[Place] = []
        for gap in gaps:
            for heading in headings:
                away = np.radians(heading)
                reach = _extent(anchor, heading) + gap + radius
                x, z = anchor.x + reach * np.sin(away), anchor.z + reach * np.cos(away)
                places.append((float(x), float(z), float(heading + 180) if is_inwards else None))
        return places


def _extent(anchor: Anchor, heading_deg: float) -> float:
    """Return how far a thing reaches towards a heading, metres: to the side of its rectangle."""
    turn = np.radians(heading_deg - anchor.yaw_deg)
    across, along = abs(np.sin(turn)), abs(np.cos(turn))
    return float(min(anchor.half_width / max(across, 1e-6), anchor.half_depth / max(along, 1e-6)))
