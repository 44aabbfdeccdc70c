"""What stands by what outdoors, measured on the finished mesh."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial import cKDTree

from immersive.brief import Element, Relation, RelationKind, SceneBrief
from immersive.generation.procedural.generator import build_world
from immersive.generation.procedural.mesh import label_of
from immersive.generation.procedural.outdoor_relations import effective_relations
from immersive.generation.procedural.palette import SLOT
from immersive.generation.procedural.relation_rules import is_built
from immersive.generation.procedural.world import World
from immersive.generation.understanding import understand

SEEDS = (1, 2, 3, 4)


def _world(setting: str, seed: int, *elements: Element, **changes: str) -> World:
    return build_world(SceneBrief("x", seed=seed, setting=setting, elements=elements, **changes))  # type: ignore[arg-type]


def _points(world: World, kind: str) -> np.ndarray:
    faces = world.mesh.faces[world.mesh.face_labels == label_of(kind)]
    return world.mesh.vertices[np.unique(faces)].astype(np.float64)


def _things(world: World, kind: str) -> np.ndarray:
    """Return the (x, z) of each thing of a kind."""
    return np.array([[p.position[0], p.position[2]] for p in world.points_of_interest if p.name == kind])


def _gap(world: World, kind: str, other: str) -> np.ndarray:
    """Return for each thing of a kind the metres on the ground between its middle and the other's surface."""
    surface = _points(world, other)[:, [0, 2]]
    return cKDTree(surface).query(_things(world, kind))[0]


def _related(kind: str, relation: RelationKind, to: str, count: int | None = None) -> Element:
    return Element(kind, count, (), Relation(relation, to))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("setting", "kind", "to", "most_m"),
    [
        ("meadow", "well", "cabin", 3.6),
        ("beach", "house", "lighthouse", 7.5),
        ("city_square", "car", "kiosk", 4.6),
        ("forest", "tent", "boulder", 3.6),
        ("village_street", "cart", "well", 4.6),
    ],
)
def test_beside_is_near_and_touches_nothing(
    setting: str, kind: str, to: str, most_m: float, seed: int
) -> None:
    world = _world(setting, seed, _related(kind, "beside", to, 1), Element(to, 1))

    assert world.unkept == ()
    assert _gap(world, kind, to).min() < most_m
    apart = cKDTree(_points(world, to)).query(_points(world, kind))[0]
    assert apart.min() > 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_in_front_is_on_the_side_of_the_door(seed: int) -> None:
    world = _world("meadow", seed, _related("well", "in_front_of", "cabin", 1), Element("cabin", 1))

    cabin = _points(world, "cabin")[:, [0, 2]]
    doors = world.mesh.faces[world.mesh.materials == SLOT["door"]]
    door = world.mesh.vertices[np.unique(doors)][:, [0, 2]].mean(axis=0)
    middle = (cabin.max(axis=0) + cabin.min(axis=0)) / 2
    ahead = (door - middle) / np.linalg.norm(door - middle)
    assert (_things(world, "well")[0] - door) @ ahead > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_behind_is_hidden_side_seen_from_the_walk(seed: int) -> None:
    world = _world("desert", seed, _related("palm", "behind", "well", 3), Element("well", 1))

    well = _things(world, "well")[0]
    route = np.array(world.route)
    near = route[np.argmin(np.hypot(*(route - well).T))]
    away = (well - near) / np.linalg.norm(well - near)
    points = _points(world, "palm")
    trunks = points[points[:, 1] - world.ground_height(points[:, 0], points[:, 2]) < 0.6][:, [0, 2]]
    assert len(trunks) > 10 and ((trunks - well) @ away > -0.3).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_around_is_on_all_sides_and_benches_look_inwards(seed: int) -> None:
    world = _world("city_square", seed, _related("bench", "facing", "statue", 4), Element("statue", 1))
    statue, benches = _things(world, "statue")[0], _things(world, "bench")

    assert len(benches) == 4
    assert np.hypot(*(benches - statue).T).max() < 6.5
    # The backs of the benches are the highest of them, and farther off than their seats.
    points = _points(world, "bench")
    high = points[points[:, 1] > points[:, 1].min() + 0.8][:, [0, 2]]
    for bench in benches:
        own = high[np.hypot(*(high - bench).T) < 1.1]
        assert np.hypot(*(own.mean(axis=0) - statue)) > np.hypot(*(bench - statue)) + 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_around_surrounds(seed: int) -> None:
    world = _world(
        "ruins", seed, _related("sheep", "around", "statue", 6), Element("statue", 1), Element("ruin", 0)
    )
    sheep = _things(world, "sheep") - _things(world, "statue")[0]

    angles = np.sort(np.degrees(np.arctan2(sheep[:, 0], sheep[:, 1])))
    gaps = np.diff(np.append(angles, angles[0] + 360))
    assert len(sheep) == 6 and gaps.max() < 200


@pytest.mark.parametrize("seed", SEEDS)
def test_under_a_tree_is_beneath_its_crown(seed: int) -> None:
    world = _world(
        "meadow", seed, _related("bench", "under", "broadleaf", 1), Element("broadleaf", 1, ("old",))
    )
    crown = _points(world, "broadleaf")
    crown = crown[crown[:, 1] > crown[:, 1].min() + 2.5]

    x, z = _things(world, "bench")[0]
    assert np.hypot(crown[:, 0] - x, crown[:, 2] - z).min() < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_along_the_path_is_at_its_edges_and_leaves_it_free(seed: int) -> None:
    world = _world("meadow", seed, _related("stone_lantern", "along", "path", 6), Element("path"))
    route = np.array(world.route)
    steps = np.linspace(0, len(route) - 1, 400)
    line = np.stack([np.interp(steps, np.arange(len(route)), route[:, k]) for k in (0, 1)], -1)

    away = cKDTree(line).query(_things(world, "stone_lantern"))[0]
    assert len(away) == 6 and away.max() < 2.6 and away.min() > 1.0
    assert world.is_free(line[:, 0], line[:, 1]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_building_beside_the_water_is_near_its_shore_and_dry(seed: int) -> None:
    world = _world("meadow", seed, _related("cabin", "beside", "lake", 1), Element("lake"))
    cabin = _points(world, "cabin")
    wet = _points(world, "lake")
    wet = wet[world.ground_height(wet[:, 0], wet[:, 2]) < -0.02]

    assert cKDTree(wet[:, [0, 2]]).query(cabin[:, [0, 2]])[0].min() < 4.0
    assert (world.ground_height(cabin[:, 0], cabin[:, 2]) > 0.0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_small_things_are_placed_by_large_ones_whichever_way_it_is_said(seed: int) -> None:
    hut = Element("cabin", 1, ("stone",), Relation("behind", "boulder"))
    world = _world("mountain", seed, hut, Element("boulder", 3))

    cabin = _points(world, "cabin")[:, [0, 2]].mean(axis=0)
    boulders = _things(world, "boulder")
    walk = np.array(world.route)
    near = walk[np.argmin(np.hypot(*(walk - cabin).T))]
    between = [
        np.linalg.norm(b - near) < np.linalg.norm(cabin - near) and np.linalg.norm(b - cabin) < 9.5
        for b in boulders
    ]
    assert any(between)


def test_relations_between_sites_and_things_are_turned_once() -> None:
    hut = Element("cabin", 1, (), Relation("behind", "boulder"))
    boulder, well = Element("boulder", 3), Element("well", 1, (), Relation("in_front_of", "cabin"))

    found = effective_relations({"cabin": hut, "boulder": boulder, "well": well})

    assert found == {"boulder": Relation("in_front_of", "cabin"), "well": Relation("in_front_of", "cabin")}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gate_stands_over_the_path_and_lets_people_through(seed: int) -> None:
    world = _world("japanese_garden", seed, Element("torii", 1), Element("path"))
    route = np.array(world.route)
    gate = _things(world, "torii")[0]

    assert np.hypot(*(route - gate).T).min() < 0.1
    steps = np.linspace(0, len(route) - 1, 300)
    x, z = (np.interp(steps, np.arange(len(route)), route[:, k]) for k in (0, 1))
    assert world.is_free(x, z).all()


def test_what_finds_no_place_is_told() -> None:
    crowd = Element("elephant", 3, (), Relation("beside", "boat"))
    world = _world("meadow", 1, crowd, Element("boat", 1), Element("lake"))

    # A boat afloat is no anchor for elephants.
    assert world.unkept == ("elephant beside boat",)
    assert len(_things(world, "elephant")) == 3


@pytest.mark.parametrize(
    ("prompt", "relation"),
    [
        ("a ruined abbey on a hill", "ruin on mountains"), ("a red bridge over a pond", "bridge above lake"),
        ("sheep around a castle", "sheep around castle"), ("a bench under an oak", "bench under broadleaf"),
        ("street lamps along the path in a village", "street lamp along path"),
    ],
)  # fmt: skip
def test_relations_that_are_built_are_understood(prompt: str, relation: str) -> None:
    brief = understand(prompt)

    assert any(line.endswith(f"-> {relation}") for line in brief.understood)
    assert brief.left_out == ()


def test_a_relation_that_no_world_builds_is_not_promised() -> None:
    assert not is_built("boat", Relation("under", "bridge"), is_indoor=False)
    assert not is_built("cabin", Relation("inside", "lake"), is_indoor=False)
    assert is_built("bench", Relation("facing", "statue"), is_indoor=False)


@pytest.mark.parametrize("setting", ["village_street", "city_square", "farm", "canyon"])
@pytest.mark.parametrize("seed", SEEDS)
def test_things_neither_float_nor_stand_in_each_other(setting: str, seed: int) -> None:
    kinds = ("cart", "barrel", "crate", "horse", "stone_wall", "street_lamp")
    world = _world(setting, seed, *(Element(kind, 2) for kind in kinds))

    middles = np.concatenate([_things(world, kind) for kind in kinds])
    assert len(middles) == 12
    trees: list[Callable] = [cKDTree(_points(world, kind)).query for kind in kinds]
    for index, kind in enumerate(kinds):
        points = _points(world, kind)
        ground = np.asarray(world.ground_height(points[:, 0], points[:, 2]))
        above = points[:, 1] - ground
        assert above.min() < 0.1
        for other in range(index + 1, len(kinds)):
            assert trees[other](points)[0].min() > 0.01
