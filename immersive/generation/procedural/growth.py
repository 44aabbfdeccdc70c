"""Plants of a plan: how many, how large, how near, and which level of detail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from immersive.brief import Element, SceneBrief

from . import trees
from .mesh import Mesh, concatenate, yaw_matrix
from .noise import fractal, ramp
from .outdoor_relations import Anchor, OutdoorRelations
from .placement import Ground

RGB = tuple[float, float, float]
Grow = Callable[[Generator, float, int], Mesh]

# Kind: how to grow it, usual height in metres, radius kept clear, how many stand near when none are counted.
_TREES: dict[str, tuple[Grow, float, float, int]] = {
    "pine": (trees.pine, 8.5, 0.5, 30),
    "birch": (trees.birch, 7.5, 0.35, 12),
    "broadleaf": (trees.broadleaf, 6.5, 0.45, 9),
    "palm": (trees.palm, 6.5, 0.4, 16),
    "dead_tree": (trees.dead_tree, 5.5, 0.35, 8),
    "cactus": (trees.cactus, 2.8, 0.4, 14),
    "cherry_tree": (trees.cherry, 4.8, 0.4, 7),
    "bamboo": (trees.bamboo, 5.5, 0.5, 16),
}
# How far a tree's branches reach, as a share of its height: cameras stay out of them.
_SPREAD = {"pine": 0.2, "birch": 0.1, "broadleaf": 0.12, "palm": 0.03, "dead_tree": 0.12, "cactus": 0.12}
_SPREAD |= {"cherry_tree": 0.14, "bamboo": 0.1}
_FLOWER_COLOURS: dict[str, RGB] = {
    "red": (0.62, 0.05, 0.035),
    "blue": (0.14, 0.2, 0.62),
    "yellow": (0.75, 0.52, 0.04),
    "white": (0.78, 0.77, 0.7),
    "purple": (0.34, 0.13, 0.48),
    "pink": (0.72, 0.27, 0.4),
}
# Radius of the crown as a share of the height: it hides what is behind.
_CROWN = {"broadleaf": 0.36, "cherry_tree": 0.36, "pine": 0.22, "birch": 0.21, "palm": 0.1}
_WILD = ("pine", "birch", "broadleaf", "cherry_tree")
_VARIANTS = 4  # different trees of a kind and level; turning and scaling hide that they repeat


class Grower:
    """Grows the plants of a plan: trees kind by kind, then the forest around them, then what is low."""

    def __init__(
        self, brief: SceneBrief, ground: Ground, rng: Generator, relations: OutdoorRelations
    ) -> None:
        self._brief, self._ground, self._rng, self._relations = brief, ground, rng, relations
        self._elements = ground.layout.elements
        self.trees = [kind for kind in _TREES if kind in self._elements]

    def near(self, kind: str) -> list[Mesh]:
        """Return the trees of a kind that stand in the clearing."""
        return _near_trees(kind, self._elements[kind], self._brief, self._ground, self._rng, self._relations)

    def forest(self) -> list[Mesh]:
        """Return the forest around the clearing, and bushes."""
        parts: list[Mesh] = []
        # Counted trees are meant to be counted, so nothing else of that kind grows behind them.
        wild = [kind for kind in self.trees if self._elements[kind].count is None and kind in _WILD]
        if wild and self._brief.setting != "city_square" and self._ground.layout.gorge is None:
            parts += _forest(wild, self._brief, self._ground, self._rng)
        if "bush" in self._elements:
            count = self._elements["bush"].count or (60 if self._brief.setting == "jungle" else 26)
            related = self._relations.places("bush", count, 0.5) or []
            places = np.array([place[:2] for place in related], np.float64).reshape(-1, 2)
            more = self._ground.find(self._rng, count - len(places), 4, 26, 0.5, 0.9, 0.4)
            places = np.concatenate([places, more])
            parts += _copies(self._rng, "bush", trees.bush, self._ground, places, 0.9, 0.35, 1)
        return parts

    def ground_plants(self, detail: float) -> list[Mesh]:
        """Return grass, flowers, reeds and mushrooms; `detail` scales how many."""
        return _ground_plants(self._brief, self._ground, self._rng, detail, self._relations)


def _height(element: Element, usual: float) -> float:
    factor = 1.4 if "tall" in element.attributes else 0.65 if "small" in element.attributes else 1.0
    return usual * (1.25 if "old" in element.attributes else 1.0) * factor


def _near_trees(
    kind: str,
    element: Element,
    brief: SceneBrief,
    ground: Ground,
    rng: Generator,
    relations: OutdoorRelations,
) -> list[Mesh]:
    grow, usual, radius, many = _TREES[kind]
    height = _height(element, usual)
    is_thick = brief.setting in ("forest", "jungle")
    count = element.count if element.count is not None else many if is_thick or kind != "pine" else many // 2
    spread = _SPREAD[kind] * height
    off_trail, sight = 1.5 + 1.25 * spread, 0.4 + spread
    if brief.setting == "city_square" and element.count is None:
        count = min(count, 6)
    wished = count if element.count else min(count, 8)
    related = (
        relations.places(
            kind, wished, radius, max(1.0, 0.6 * spread), sight_m=0.3 + _CROWN.get(kind, 0.2) * height
        )
        or []
    )
    kept = np.array([place[:2] for place in related], np.float64).reshape(-1, 2)
    count -= len(kept)
    if element.count is None and kept.size:
        count = 0 if kind not in _WILD else count // 2
    if element.count is None:
        places = ground.find(rng, count, 5, 30, radius, off_trail, 1.6, sight_m=sight)
    else:
        # What was counted stands where it is seen.
        places = ground.find(
            rng, count, 5, 9 + 0.55 * count, radius, off_trail, 1.4, ahead_share=0.75, sight_m=sight
        )
    places = np.concatenate([kept, places])
    for x, z in places:
        half = max(radius, 0.05 * height)
        relations.add(kind, Anchor(float(x), float(z), half, half, 0.0))
    near = np.hypot(places[:, 0], places[:, 1]) < 19
    return [
        *_copies(rng, kind, grow, ground, places[near], height, 0.2, 0),
        *_copies(rng, kind, grow, ground, places[~near], height, 0.22, 1),
    ]


def _forest(kinds: list[str], brief: SceneBrief, ground: Ground, rng: Generator) -> list[Mesh]:
    """Return the trees beyond the clearing, thinning with distance and gathered in groves."""
    wanted = {
        "forest": 420,
        "lake_shore": 340,
        "mountain": 260,
        "snow_field": 150,
        "meadow": 110,
        "alpine_lake": 240,
        "village_street": 170,
        "japanese_garden": 220,
        "ruins": 150,
        "jungle": 420,
        "farm": 60,
    }.get(brief.setting, 80)
    batch = 14 * wanted
    distance = 26 + 130 * rng.random(batch) ** 1.6
    angle = rng.uniform(0, 2 * np.pi, batch)
    x, z = distance * np.sin(angle), -distance * np.cos(angle)
    grove = fractal(x / 30, z / 30, 2, ground.layout.seed + 77)
    chance = ramp(-0.35, 0.35, grove + (0.3 if brief.setting in ("forest", "jungle") else 0.0))
    keep = (rng.random(batch) < chance) & ground.is_open(x, z, 1.0, 5.0, 38.0)
    x, z = x[keep], z[keep]
    # A coarse grid keeps them apart: the first to come takes its cell.
    cells = np.stack([np.floor(x / 3.0), np.floor(z / 3.0)], -1).astype(np.int64)
    first = np.sort(np.unique(cells, axis=0, return_index=True)[1])[:wanted]
    places = np.stack([x[first], z[first]], -1)
    which = rng.integers(0, len(kinds), len(places)) if len(kinds) > 1 else np.zeros(len(places), int)
    if "pine" in kinds and len(kinds) > 1:
        which = np.where(rng.random(len(places)) < 0.5, kinds.index("pine"), which)
    parts = []
    for index, kind in enumerate(kinds):
        grow, usual, _, _ = _TREES[kind]
        height = _height(ground.layout.elements[kind], usual) * 1.1
        own = places[which == index]
        far = np.hypot(own[:, 0], own[:, 1])
        parts += _copies(rng, kind, grow, ground, own[far < 48], height, 0.25, 1)
        parts += _copies(rng, kind, grow, ground, own[far >= 48], height, 0.25, 2)
    return parts


def _copies(
    rng: Generator,
    kind: str,
    grow: Grow,
    ground: Ground,
    places: NDArray,
    height: float,
    spread: float,
    level: int,
) -> list[Mesh]:
    if len(places) == 0:
        return []
    models = [grow(rng, height, level).labelled(kind) for _ in range(min(_VARIANTS, len(places)))]
    heights = ground.terrain.height(places[:, 0], places[:, 1])
    copies = []
    for index, ((x, z), y) in enumerate(zip(places, heights, strict=True)):
        turn = yaw_matrix(rng.uniform(0, 360)) * rng.uniform(1 - spread, 1 + spread)
        copies.append(models[index % len(models)].moved(turn, [x, y, z]).tinted(rng.uniform(0.85, 1.15)))
    return copies


def _ground_plants(
    brief: SceneBrief, ground: Ground, rng: Generator, detail: float, relations: OutdoorRelations
) -> list[Mesh]:
    elements = ground.layout.elements
    is_snowed_over = brief.weather == "snow" or brief.season == "winter" or brief.setting == "snow_field"
    parts: list[Mesh] = []
    if "grass" in elements and not is_snowed_over:
        tall = 0.5 if "tall" in elements["grass"].attributes else 0.3
        many = 900 if brief.setting in ("canyon", "desert") else 4200
        parts += _grass(ground, rng, round(many * detail), tall)
    if "flower" in elements and not is_snowed_over:
        parts += _flowers(elements["flower"], ground, rng)
    if "reed" in elements and ground.layout.lake is not None:
        parts += _reeds(ground, rng, elements["reed"].count or 46)
    if "mushroom" in elements:
        element = elements["mushroom"]
        colour = (0.5, 0.06, 0.035) if "brown" not in element.attributes else (0.3, 0.2, 0.12)
        related = relations.places("mushroom", element.count or 9, 0.14, 0.25) or []
        places = ground.find(
            rng, (element.count or 9) - len(related), 2.0, 9, 0.14, 0.25, 0.4, is_solid=False
        )
        for x, z in (*(place[:2] for place in related), *places):
            y = float(ground.terrain.height(x, z))
            parts.append(
                trees.mushroom(rng, rng.uniform(0.16, 0.26), colour)
                .labelled("mushroom")
                .placed([x, y, z], rng.uniform(0, 360))
            )
    return parts


def _scatter(
    ground: Ground, rng: Generator, count: int, far_m: float, off_trail_m: float, patch_m: float, bias: float
) -> NDArray[np.float64]:
    """Return places [P, 2] in patches, denser near the walk; small plants may stand close together."""
    batch = 6 * count
    distance = far_m * rng.random(batch) ** 0.62
    angle = rng.uniform(0, 2 * np.pi, batch)
    x, z = distance * np.sin(angle), -distance * np.cos(angle)
    patches = fractal(x / patch_m, z / patch_m, 2, ground.layout.seed + 88)
    chance = ramp(-0.3 + bias, 0.35 + bias, patches) * (1 - 0.75 * distance / far_m)
    keep = (rng.random(batch) < chance) & ground.is_open(x, z, 0.05, off_trail_m)
    if ground.layout.square is not None:
        mx, mz, half = ground.layout.square
        keep &= np.maximum(np.abs(x - mx), np.abs(z - mz)) > half
    # Nothing small grows on the bare shore.
    keep &= ground.terrain.height(x, z) > 0.55
    return np.stack([x[keep], z[keep]], -1)[:count]


def _grass(ground: Ground, rng: Generator, count: int, tall: float) -> list[Mesh]:
    path = _bare_m(ground)
    places = _scatter(ground, rng, count, 17.0, path, 4.0, -0.1)
    if len(places) == 0:
        return []
    models = [trees.grass_tuft(rng, tall * rng.uniform(0.55, 1.1), 13).labelled("grass") for _ in range(8)]
    return _planted(ground, rng, places, models, 0.65, 1.25)


def _bare_m(ground: Ground) -> float:
    """Return how far from the middle of the walk nothing small grows."""
    if ground.layout.street is not None:
        return 2.3
    return 1.05 if ground.layout.has_path else 0.3


def _flowers(element: Element, ground: Ground, rng: Generator) -> list[Mesh]:
    colours = [_FLOWER_COLOURS[name] for name in element.attributes if name in _FLOWER_COLOURS]
    colours = colours or [_FLOWER_COLOURS[name] for name in ("yellow", "white", "purple")]
    path = _bare_m(ground)
    parts = []
    for colour in colours:
        share = (element.count or 320) // len(colours)
        places = _scatter(ground, rng, max(share, 1), 15.0, path, 3.0, 0.05)
        models = [trees.flower_clump(rng, 0.34, colour).labelled("flower") for _ in range(3)]
        parts += _planted(ground, rng, places, models, 0.75, 1.2)
    return parts


def _reeds(ground: Ground, rng: Generator, count: int) -> list[Mesh]:
    lake = ground.layout.lake
    if lake is None:
        return []
    x, z = rng.uniform(-26, 26, 60 * count), rng.uniform(-26, 26, 60 * count)
    shore = lake.shore_distance(x, z)
    patches = fractal(x / 5, z / 5, 2, ground.layout.seed + 99)
    keep = (shore > -0.9) & (shore < 0.35) & (patches > 0.02)
    places = np.stack([x[keep], z[keep]], -1)[:count]
    models = [trees.grass_tuft(rng, 1.0, 9, "reed").labelled("reed") for _ in range(4)]
    # Reeds stand in the water, so their foot is the lake bed.
    return _planted(ground, rng, places, models, 0.8, 1.3)


def _planted(
    ground: Ground, rng: Generator, places: NDArray, models: list[Mesh], least: float, most: float
) -> list[Mesh]:
    """Return one mesh of all copies: thousands of small meshes would spend their time in Python."""
    heights = ground.terrain.height(places[:, 0], places[:, 1])
    which = rng.integers(0, len(models), len(places))
    parts = []
    for index, model in enumerate(models):
        own = np.flatnonzero(which == index)
        if len(own) == 0:
            continue
        turns = np.stack([yaw_matrix(yaw) for yaw in rng.uniform(0, 360, len(own))])
        sizes = rng.uniform(least, most, len(own))[:, None, None]
        shifts = np.stack([places[own, 0], heights[own], places[own, 1]], -1)
        vertices = (model.vertices @ (turns * sizes).transpose(0, 2, 1) + shifts[:, None]).reshape(-1, 3)
        normals = (model.normals @ turns.transpose(0, 2, 1)).reshape(-1, 3)
        count = len(own)
        offsets = np.repeat(np.arange(count) * len(model.vertices), len(model.faces))[:, None]
        tints = np.repeat(rng.uniform(0.85, 1.15, count), len(model.vertices))[:, None]
        parts.append(
            Mesh(
                vertices.astype(np.float32),
                (np.tile(model.faces, (count, 1)) + offsets).astype(np.int32),
                np.tile(model.materials, count),
                normals.astype(np.float32),
                (np.tile(model.tints, (count, 1)) * tints).astype(np.float32),
                # Colour varies from place to place as the ground does.
                vertices.astype(np.float32),
                np.tile(model.face_labels, count),
            )
        )
    return [concatenate(parts)]
