"""Where the cameras stand and look: a walk with look-arounds that sees what a visitor will see.

Views are chosen for what they add: from many places in the walkable area, rays find what can be seen
there, and views are taken greedily until every such point has been seen several times. Some views are
held out, four of them at least 0.75 m away from every training camera. `showing` then sees to it that
what the brief names is in enough of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from immersive.brief import Detail, SceneBrief
from immersive.generation.opening import opening_view
from immersive.generation.procedural.rays import RayScene, ray_scene
from immersive.generation.procedural.world import World
from immersive.generation.showing import WORTH, Showing
from immersive.generation.sight import Sight, View
from reconstruction.cameras import Cameras
from reconstruction.errors import UnliftableInputError


@dataclass(frozen=True, slots=True)
class PictureBudget:
    """How many pictures of which size a level of detail takes."""

    width: int  # pixels
    height: int  # pixels
    training: int  # views
    held_out: int  # views, half of them off the path


DETAIL: dict[Detail, PictureBudget] = {
    "draft": PictureBudget(480, 270, 72, 8),
    "standard": PictureBudget(640, 360, 100, 10),
    "high": PictureBudget(960, 540, 144, 12),
}

OFF_PATH_M = 0.75  # a held-out view off the path is at least this far from every training camera

_HEADINGS = 18
_PITCHES_DEG = (-16.0, -3.0, 10.0)  # towards the ground at one's feet, ahead, and up to tree tops or ceiling
_CELL_M = {True: 0.2, False: 0.5}  # indoors, outdoors
_CLEARANCE_M = 0.35  # nothing is nearer to a lens than this
_SKY_M = 400.0  # sky counts as a surface this far away
_SEEN_POINTS = 4_000
_COVERED_VIEWS = 3


@dataclass(frozen=True, slots=True, eq=False)
class CameraPlan:
    """The views of a world and how well they cover its walkable area."""

    cameras: Cameras  # in walking order, the first towards what is most interesting
    held_out: tuple[int, ...]
    coverage: float  # share of the walkable cells that >= 3 training views see
    walkable_m2: float
    unseen: tuple[str, ...] = ()  # kinds that the brief names and fewer than three training views show


def plan_path(
    world: World,
    brief: SceneBrief,
    width: int,
    height: int,
    seed: int,
    *,
    scene: RayScene | None = None,
) -> CameraPlan:
    """Return the views to render.

    Args:
        world: The place.
        brief: Its `detail` decides how many views there are, and what it names has to be seen.
        width: Picture width, pixels.
        height: Picture height, pixels.
        seed: Chooses among equally good plans.
        scene: Ray queries of `world.mesh`, when they exist already.

    Raises:
        UnliftableInputError: The world has less room to walk than cameras need.
    """
    planner = _Planner(world, width, height, seed, scene or ray_scene(world.mesh))
    named = [element.kind for element in brief.elements if element.count != 0]
    return planner.plan(DETAIL[brief.detail], named)


def reachable_cells(world: World, cell_m: float) -> NDArray[np.float64]:
    """Return centres (x, z) [C, 2] of the largest connected part of the free grid."""
    extent = world.extent
    xs = np.arange(extent.min_x + cell_m / 2, extent.max_x, cell_m)
    zs = np.arange(extent.min_z + cell_m / 2, extent.max_z, cell_m)
    x, z = np.meshgrid(xs, zs, indexing="ij")
    free = np.asarray(world.is_free(x.ravel(), z.ravel())).reshape(x.shape)
    parts, count = label(free)
    if count == 0:
        return np.zeros((0, 2))
    largest = 1 + int(np.bincount(parts.ravel())[1:].argmax())
    inside = parts == largest
    return np.stack([x[inside], z[inside]], -1)


class _Planner:
    def __init__(self, world: World, width: int, height: int, seed: int, scene: RayScene) -> None:
        self._world, self._sight = world, Sight(scene, width, height)
        self._rng = np.random.default_rng([seed, 0x7061_7468])
        self._cell_m = _CELL_M[world.is_indoor]
        self._cells = reachable_cells(world, self._cell_m)
        if len(self._cells) * self._cell_m**2 < 3.0:
            raise UnliftableInputError(
                "a scene must have at least 3 m2 to walk on, got "
                f"{len(self._cells) * self._cell_m**2:.1f} m2 connected",
                hint="Ask for fewer things or a larger size.",
            )

    def plan(self, budget: PictureBudget, named: list[str]) -> CameraPlan:
        eyes = self._clear(self._eyes(self._cells))
        off_path = self._off_path_eyes(eyes, budget)
        allowed = eyes[_distances(eyes, off_path).min(axis=1) > OFF_PATH_M + 0.05]
        self._first = opening_view(self._world, self._sight, self._entrances(allowed), named)
        stops = self._tour(self._stops(allowed, max(8, budget.training // 3)))
        points, weights = self._what_is_seen(eyes)
        training = self._choose(stops, points, weights, budget.training)
        beside = self._choose(stops, points, weights, budget.held_out - len(off_path) * 2, is_between=True)
        apart = self._choose_each(off_path, points, weights)
        showing = Showing(self._world, self._sight, allowed, [*beside, *apart])
        ground = self._ground()
        worth = np.concatenate([weights, np.ones(len(ground))])
        training, unseen = showing.show(named, training, np.concatenate([points, ground]), worth)
        views = [(view, False) for view in training] + [(view, True) for view in [*beside, *apart]]
        views = self._in_order(views, stops)
        held_out = tuple(index for index, (_, is_held_out) in enumerate(views) if is_held_out)
        return CameraPlan(
            self._sight.cameras([view for view, _ in views]),
            held_out,
            self._coverage([view for view, is_held_out in views if not is_held_out]),
            float(len(self._cells) * self._cell_m**2),
            unseen,
        )

    # Places.

    def _eyes(self, cells: NDArray) -> NDArray:
        ground = np.asarray(self._world.ground_height(cells[:, 0], cells[:, 1]))
        return np.stack([cells[:, 0], ground + self._world.eye_height_m, cells[:, 1]], -1)

    def _ground(self) -> NDArray:
        """Return the middles [C, 3] of the walkable cells, just above the ground."""
        ground = self._eyes(self._cells)
        ground[:, 1] -= self._world.eye_height_m - 0.05
        return ground

    def _clear(self, eyes: NDArray) -> NDArray:
        """Return the eyes that have nothing right before them: leaves and lamps are not on the ground."""
        heads = _sphere(48)
        nearest = np.array([self._sight.cast(eye, heads).min() for eye in eyes])
        return eyes[nearest > _CLEARANCE_M] if (nearest > _CLEARANCE_M).any() else eyes

    def _off_path_eyes(self, eyes: NDArray, budget: PictureBudget) -> NDArray:
        """Return places for held-out views, well inside the area; training keeps away from them."""
        # Each takes a disc of the floor away from training, so a small room spares only two.
        area = len(eyes) * self._cell_m**2
        count = min(budget.held_out // 4, 2) if area < 30.0 else budget.held_out // 4
        inner = eyes[_distances(eyes, eyes.mean(axis=0)[None])[:, 0].argsort()][
            : max(count, len(eyes) * 3 // 4)
        ]
        return _farthest(inner, count, int(self._rng.integers(len(inner))))

    def _stops(self, eyes: NDArray, count: int) -> NDArray:
        start = int(_distances(eyes, self._first.eye[None])[:, 0].argmin())
        return _farthest(eyes, min(count, len(eyes)), start)

    def _entrances(self, eyes: NDArray) -> NDArray:
        """Return where a visit may begin: on the trail, or anywhere where there is none."""
        if not self._world.route:
            return eyes
        route = np.array(self._world.route)[: len(self._world.route) * 3 // 4]
        return eyes[np.unique(_distances(route, eyes[:, [0, 2]]).argmin(axis=1))]

    def _tour(self, stops: NDArray) -> NDArray:
        """Return the stops in the order of a short walk that begins at the first."""
        order, rest = [0], list(range(1, len(stops)))
        while rest:
            nearest = min(rest, key=lambda index: float(np.linalg.norm(stops[index] - stops[order[-1]])))
            order.append(nearest)
            rest.remove(nearest)
        return stops[order]

    # What there is to see.

    def _what_is_seen(self, eyes: NDArray) -> tuple[NDArray, NDArray]:
        """Return points [P, 3] that visitors see from all over the area, and their weights [P]."""
        places = eyes[self._rng.choice(len(eyes), min(len(eyes), 40), replace=False)]
        per_place = _SEEN_POINTS // len(places)
        points = []
        for place in places:
            heads = self._rng.normal(size=(per_place, 3))
            heads[:, 1] *= 0.7  # people look around more than up and down
            heads /= np.linalg.norm(heads, axis=1, keepdims=True)
            distances = self._sight.cast(place, heads)
            points.append(place + heads * np.minimum(distances, _SKY_M)[:, None])
        found = np.concatenate(points)
        weights = np.ones(len(found))
        weights[np.linalg.norm(found - eyes.mean(axis=0), axis=1) > _SKY_M / 2] = 0.35
        for point in self._world.points_of_interest:
            near = np.linalg.norm(found - np.array(point.position), axis=1) < 2.0
            weights[near] += 0.3 * point.weight
        return found, weights

    # Views.

    def _choose(
        self, stops: NDArray, points: NDArray, weights: NDArray, count: int, is_between: bool = False
    ) -> list[View]:
        """Return `count` views from `stops`, each the one that adds most to those before.

        With `is_between`, views look between the headings that training may use.
        """
        if count <= 0:
            return []
        turn = 0.5 if is_between else 0.0
        candidates = [
            View.towards(stop, 360.0 * (heading + turn) / _HEADINGS, pitch + (4.0 if is_between else 0.0))
            for stop in stops
            for heading in range(_HEADINGS)
            for pitch in _PITCHES_DEG
        ]
        clear = self._sight.sees(stops, points)
        per_stop = _HEADINGS * len(_PITCHES_DEG)
        seen = np.stack(
            [
                self._sight.frames(view, points) & clear[index // per_stop]
                for index, view in enumerate(candidates)
            ]
        )
        seen_by = seen.astype(np.float32)
        chosen: list[int] = []
        views = np.zeros(len(points), np.int64)
        uses = np.zeros(len(stops), np.int64)
        if not is_between:
            chosen.append(self._first_view(candidates[:per_stop]))
            views += seen[chosen[0]]
            uses[0] += 1
        while len(chosen) < count:
            worth = WORTH[np.minimum(views, len(WORTH) - 1)] * weights
            gains = seen_by @ worth.astype(np.float32)
            # Views from places not used yet bring parallax, which rotation alone does not.
            gains *= np.repeat(0.75**uses, per_stop)
            gains[chosen] = -1.0
            best = int(gains.argmax())
            chosen.append(best)
            views += seen[best]
            uses[best // per_stop] += 1
        return [candidates[index] for index in chosen]

    def _choose_each(self, eyes: NDArray, points: NDArray, weights: NDArray) -> list[View]:
        """Return two views from each place, in unlike directions."""
        result = []
        for eye in eyes:
            views = self._choose(eye[None], points, weights, 1, is_between=True)
            away = [View.towards(eye, views[0].heading_deg + turn, -2.0) for turn in (120.0, 180.0, 240.0)]
            clear = self._sight.sees(eye[None], points)[0]
            views.append(
                max(away, key=lambda view: float(weights[self._sight.frames(view, points) & clear].sum()))
            )
            result.extend(views)
        return result

    def _first_view(self, candidates: list[View]) -> int:
        return int(np.argmax([view.forward @ self._first.forward for view in candidates]))

    def _in_order(self, views: list[tuple[View, bool]], stops: NDArray) -> list[tuple[View, bool]]:
        """Return the views as a walk: stop by stop, turning one way; the first stays first."""

        def place(entry: tuple[View, bool]) -> tuple[int, float]:
            nearest = int(_distances(entry[0].eye[None], stops)[0].argmin())
            turn = (entry[0].heading_deg - views[0][0].heading_deg) % 360.0
            return nearest, turn

        return [views[0], *sorted(views[1:], key=place)]

    def _coverage(self, views: list[View]) -> float:
        """Return the share of walkable cells whose ground >= 3 of `views` see."""
        ground = self._ground()
        counts = np.zeros(len(ground), np.int64)
        for view in views:
            framed = np.flatnonzero(self._sight.frames(view, ground))
            counts[framed] += self._sight.sees(view.eye[None], ground[framed])[0]
        return float((counts >= _COVERED_VIEWS).mean())


def _distances(a: NDArray, b: NDArray) -> NDArray:
    return np.linalg.norm(a[:, None] - b[None], axis=2)


def _farthest(points: NDArray, count: int, start: int) -> NDArray:
    """Return `count` points, each the farthest from those before it."""
    chosen = [start]
    nearest = np.linalg.norm(points - points[start], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]


def _sphere(count: int) -> NDArray:
    index = np.arange(count) + 0.5
    y = 1 - 2 * index / count
    level, angle = np.sqrt(1 - y * y), 2.399963 * index
    return np.stack([level * np.cos(angle), y, level * np.sin(angle)], -1)
