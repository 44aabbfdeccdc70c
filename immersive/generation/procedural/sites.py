"""Where buildings, cliffs and other large things stand: beside the walk, along a street, around a square.

Drawn before the ground is shaped, which is levelled under each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from immersive.brief import Element

from .waters import Points, Water, line_distance

# Half width along the front and half depth of the ground that each takes, metres.
FOOTPRINTS: dict[str, tuple[float, float]] = {
    "cabin": (3.1, 2.5),
    "house": (3.2, 2.7),
    "shop": (3.3, 2.8),
    "building": (4.9, 4.0),
    "tower": (2.4, 2.4),
    "lighthouse": (2.6, 2.6),
    "windmill": (2.5, 2.5),
    "castle": (9.3, 9.3),
    "church": (2.9, 5.6),
    "pagoda": (3.0, 3.0),
    "ruin": (4.4, 2.9),
    "pyramid": (6.3, 6.3),
    "greenhouse": (1.6, 2.0),
    "cliff": (7.2, 3.4),
    "barn": (3.4, 4.0),
    "pavilion": (2.2, 2.2),
    "waterfall": (5.6, 3.4),
}
_STREET_HALF_M = 2.3  # from the middle of a street to the fronts
SQUARE_HALF_M = 17.0
VILLAGE_SQUARE_HALF_M = 5.6
_HILL_M = 2.3


@dataclass(frozen=True, slots=True)
class Site:
    """A level place for something large."""

    x: float
    z: float
    yaw_deg: float  # 0: the front looks along +Z, towards the walk's start
    half_width: float  # metres, along the front
    half_depth: float
    kind: str = "cabin"
    lift_m: float = 0.0  # the ground rises to it by so much: a thing on a hill

    @property
    def reach(self) -> float:
        """Radius of the disc around it, metres."""
        return float(np.hypot(self.half_width, self.half_depth))


def beside_walk(
    kinds: Iterable[tuple[str, int]],
    elements: dict[str, Element],
    trail: Points,
    water: Water | None,
    side: float,
    taken: list[Site],
    rng: Generator,
    far_m: float = 26.0,
) -> list[Site]:
    """Return places for things, each where it keeps its relation, is seen from the walk and blocks nothing.

    Args:
        kinds: What and how many, those that others stand by first.
        elements: The wanted elements; their relations and sizes count.
        trail: The walk.
        water: Which nothing stands in.
        side: Where things rather stand: 1 right, -1 left of the walk.
        taken: Places given away already.
        rng: Source of the draw.
        far_m: Nothing is farther from the middle, while there is room.
    """
    found: list[Site] = []
    for kind, count in kinds:
        for index in range(count):
            site = _best(
                kind,
                elements[kind],
                trail,
                water,
                side if index % 2 == 0 else -side,
                [*taken, *found],
                rng,
                far_m,
            )
            found.append(site)
    return found


def _best(
    kind: str,
    element: Element,
    trail: Points,
    water: Water | None,
    side: float,
    taken: list[Site],
    rng: Generator,
    far_m: float,
) -> Site:
    half_width, half_depth = FOOTPRINTS[kind]
    size = 0.8 if kind in ("cabin", "house") and "small" in element.attributes else 1.0
    half_width, half_depth = half_width * size, half_depth * size
    reach = float(np.hypot(half_width, half_depth))
    batch = 900
    radius = np.sqrt(rng.uniform(3.0**2, (far_m + 0.6 * reach) ** 2, batch))
    angle = rng.uniform(-np.pi, np.pi, batch)
    x, z = radius * np.sin(angle), -radius * np.cos(angle)
    to_trail = line_distance(trail, x, z)
    # A thing that one walks into may stand nearer to the trail than a wall that fills the view.
    ideal = reach + (2.0 if reach < 4.0 else 3.0 if reach < 7 else 6.0)
    cost = np.abs(to_trail - ideal) + 0.22 * np.maximum(z + 3.0, 0) + 0.12 * np.maximum(-z - 12.0, 0)
    cost = cost + np.where(x * side < 0, 1.5, 0.0)
    blocked = to_trail < max(half_depth, 0.8 * half_width) + 1.7
    if water is not None:
        shore = water.shore_distance(x, z)
        blocked |= shore < 0.85 * reach + 0.4
        if element.relation is not None and element.relation.to == "lake":
            cost = cost + 2.0 * np.abs(shore - reach - 0.8)
        elif kind == "waterfall":
            cost = cost + 3.0 * np.abs(shore - 0.85 * reach - 0.4)
    for other in taken:
        apart = np.hypot(x - other.x, z - other.z)
        blocked |= apart < 0.9 * (reach + other.reach) + 0.8
        # What stands in a line with another and the walk would hide it.
        cost = cost + 4.0 * (np.abs(np.arctan2(x, -z) - np.arctan2(other.x, -other.z)) < 0.25)
        relation = element.relation
        if relation is not None and relation.to == other.kind:
            cost = cost + _relation_cost(relation.kind, x, z, apart - reach - other.reach, other, trail)
    cost = np.where(blocked, cost + 1e3 + 50 * np.maximum(0, 5 - to_trail), cost)
    best = int(np.argmin(cost))
    px, pz = float(x[best]), float(z[best])
    yaw = _towards(px, pz, trail) + float(rng.uniform(-12, 12))
    if kind in ("cliff", "waterfall"):
        yaw = _towards(px, pz, trail)
    relation = element.relation
    is_up = relation is not None and relation.to == "mountains" and relation.kind in ("on", "above")
    return Site(px, pz, yaw, half_width, half_depth, kind, _HILL_M if is_up else 0.0)


def _relation_cost(kind: str, x, z, gap, other: Site, trail: Points):
    """Return how badly places (x, z) keep a relation to a site, in metres."""
    turn = np.radians(other.yaw_deg)
    ahead = (x - other.x) * np.sin(turn) + (z - other.z) * np.cos(turn)
    cost = 2.5 * np.abs(gap - 1.2)
    if kind == "in_front_of":
        cost = cost + np.where(ahead > 0, 0.0, 20.0)
    elif kind == "behind":
        cost = cost + np.where(ahead < 0, 0.0, 20.0)
    return cost


def _towards(x: float, z: float, trail: Points) -> float:
    """Return the yaw that looks from (x, z) at the part of the walk that sees it best."""
    line = np.array(trail)
    inner = line[2:-2]
    near = inner[np.argmin(np.hypot(inner[:, 0] - x, inner[:, 1] - z))]
    aim = 0.6 * near + 0.4 * line[len(line) // 2]
    return float(np.degrees(np.arctan2(aim[0] - x, aim[1] - z)))


def along_street(
    street: Points, square: tuple[float, float, float], first: list[str], rng: Generator
) -> list[Site]:
    """Return houses on both sides of a street and around its square; what is named stands in the middle."""
    line = np.array(street)
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    slots: list[Site] = []
    for sign in (-1.0, 1.0):
        at = float(rng.uniform(3.5, 5.0))
        while at < lengths[-1] - 3.0:
            spot = np.array([np.interp(at, lengths, line[:, 0]), np.interp(at, lengths, line[:, 1])])
            ahead = (
                np.array([np.interp(at + 1, lengths, line[:, 0]), np.interp(at + 1, lengths, line[:, 1])])
                - spot
            )
            across = sign * np.array([-ahead[1], ahead[0]]) / np.linalg.norm(ahead)
            half_width, half_depth = FOOTPRINTS["house"]
            place = spot + across * (_STREET_HALF_M + half_depth + float(rng.uniform(0.0, 0.5)))
            x, z, half = square
            if abs(place[1] - z) < half + 0.7 * half_width and np.sign(place[0] - spot[0]) == np.sign(
                x - spot[0]
            ):
                # Around the square: at its far side, or its narrow ones stay open.
                if abs(place[1] - z) > half - 0.6 * half_width:
                    at += 1.0
                    continue
                place = np.array([x + np.sign(x - spot[0]) * (half + half_depth), place[1]])
                across = np.array([np.sign(x - spot[0]), 0.0])
            yaw = float(np.degrees(np.arctan2(-across[0], -across[1])))
            slots.append(Site(float(place[0]), float(place[1]), yaw, half_width, half_depth, "house"))
            at += 2 * half_width + float(rng.uniform(0.9, 2.6))
    for index in (0, -1):  # a house across each end closes the view
        end, before = line[index], line[index + (1 if index == 0 else -2)]
        out = (end - before) / np.linalg.norm(end - before)
        place = end + out * 3.2
        slots.append(
            Site(
                float(place[0]),
                float(place[1]),
                float(np.degrees(np.arctan2(-out[0], -out[1]))),
                3.2,
                2.7,
                "house",
            )
        )
    near = sorted(range(len(slots)), key=lambda i: float(np.hypot(slots[i].x, slots[i].z + 3.0)))
    slots = [replace(slots[i], kind="house") for i in near]
    for index, kind in enumerate(first[: len(slots)]):
        slots[index] = replace(slots[index], kind=kind)
    kept: list[Site] = []
    for site in slots:
        clear = (
            line_distance(street, [site.x], [site.z])[0] > site.half_depth + _STREET_HALF_M - 0.4
            or len(kept) >= len(slots) - 2
        )
        if clear and all(np.hypot(site.x - o.x, site.z - o.z) > 1.85 * site.half_depth for o in kept):
            kept.append(site)
    return kept


def around_square(first: list[str], is_closed: bool, rng: Generator) -> list[Site]:
    """Return town houses on the sides and corners of a square, or only what is named, fronts inwards."""
    half_width, half_depth = FOOTPRINTS["building"]
    out = SQUARE_HALF_M + half_depth
    step = 2 * half_width + 0.3
    spots = [(x * step, -out, 0.0) for x in (0, -1, 1)]
    spots += [(side * out, x * step, -side * 90.0) for x in (-1, 0, 1) for side in (-1, 1)]
    spots += [(x * step, out, 180.0) for x in (0, -1, 1)]
    spots += [
        (sx * (out - 1.0), sz * (out - 1.0), float(np.degrees(np.arctan2(-sx, -sz))))
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    kinds = [*first, *["building"] * (len(spots) if is_closed else 0)]
    sites = []
    for (x, z, yaw), kind in zip(spots, kinds, strict=False):
        sites.append(
            Site(x, z, yaw, *(FOOTPRINTS[kind] if kind != "building" else (half_width, half_depth)), kind)
        )
    return sites


def extended(trail: Points, reach_m: float, bend_m: float, rng: Generator) -> Points:
    """Return the walk as a street or gorge that goes on beyond both its ends and bends out of sight."""
    start, end = np.array(trail[0]), np.array(trail[-1])
    turns = rng.choice([-1.0, 1.0], 2)
    more = []
    for point, outward, turn in ((start, 1.0, turns[0]), (end, -1.0, turns[1])):
        steps = np.arange(4.0, reach_m - 12.0, 4.0)
        x = point[0] + turn * bend_m * (steps / (reach_m - 12.0)) ** 2
        more.append(list(zip(x.tolist(), (point[1] + outward * steps).tolist(), strict=True)))
    return (*reversed(more[0]), *trail, *more[1])


def order_by_relation(kinds: list[str], elements: dict[str, Element]) -> list[str]:
    """Return the kinds so that each comes after what its relation names."""
    ordered: list[str] = []

    def add(kind: str, above: tuple[str, ...]) -> None:
        if kind in ordered or kind in above:
            return
        relation = elements[kind].relation
        if relation is not None and relation.to in kinds:
            add(relation.to, (*above, kind))
        ordered.append(kind)

    for kind in kinds:
        add(kind, ())
    return ordered
