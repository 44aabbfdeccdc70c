"""Outdoor worlds: what was asked for is there, people can walk, and the same brief is the same place."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import label

from immersive.brief import Element, SceneBrief
from immersive.generation.backend import BackendSettings
from immersive.generation.procedural.generator import build_world, create
from immersive.generation.procedural.mesh import label_of
from immersive.generation.procedural.palette import NAMES, SLOT
from immersive.generation.procedural.rays import ray_scene
from immersive.generation.procedural.render import render
from immersive.generation.procedural.sky import sky_table
from immersive.generation.procedural.vocabulary import (
    OUTDOOR_KINDS,
    OUTDOOR_SETTINGS,
    SETTINGS,
    VOCABULARY,
    Kind,
)
from immersive.generation.procedural.world import World
from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.errors import InvalidInputError

BUSY = SceneBrief(
    "a busy place",
    seed=11,
    setting="forest",
    elements=(Element("cabin"), Element("lake"), Element("dock"), Element("boulder", 3), Element("bench", 2)),
)


@pytest.fixture(scope="module")
def busy() -> World:
    return build_world(BUSY)


def brief_for(setting: str, seed: int = 5, **changes) -> SceneBrief:
    return SceneBrief(setting, seed=seed, setting=setting, **changes)


def free_cells(world: World, step: float = 0.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bounds = world.extent
    x, z = np.meshgrid(
        np.arange(bounds.min_x, bounds.max_x, step),
        np.arange(bounds.min_z, bounds.max_z, step),
        indexing="ij",
    )
    return x, z, world.is_free(x, z)


@pytest.mark.parametrize("setting", [setting.name for setting in OUTDOOR_SETTINGS])
def test_every_setting_has_ground_to_walk_on_and_no_hole_in_the_view(setting: str) -> None:
    world = build_world(brief_for(setting))

    x, z, free = free_cells(world)
    regions, _ = label(free)
    largest = np.bincount(regions[free]).max() * 0.4**2
    step = 0.2
    slope = np.hypot(
        world.ground_height(x + step, z) - world.ground_height(x - step, z),
        world.ground_height(x, z + step) - world.ground_height(x, z - step),
    ) / (2 * step)
    assert largest >= 40
    assert np.degrees(np.arctan(slope[free])).max() < 35

    scene = ray_scene(world.mesh)
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    spots = np.argwhere(free)[:: max(1, int(free.sum()) // 12)]
    for i, j in spots:
        eye = np.float32([x[i, j], world.ground_height(x[i, j], z[i, j]) + 1.65, z[i, j]])
        for pitch in (0.0, -0.15, -0.6):
            heads = np.stack([np.sin(angle), np.full(90, pitch), np.cos(angle)], -1)
            heads = (heads / np.linalg.norm(heads, axis=1, keepdims=True)).astype(np.float32)
            assert np.isfinite(scene.closest(np.tile(eye, (90, 1)), heads)[0]).all()


def test_the_route_is_free_and_nothing_stands_in_a_visitors_face(busy: World) -> None:
    route = np.array(busy.route)
    steps = np.linspace(0, len(route) - 1, 120)
    x = np.interp(steps, np.arange(len(route)), route[:, 0])
    z = np.interp(steps, np.arange(len(route)), route[:, 1])
    scene = ray_scene(busy.mesh)

    assert busy.is_free(x, z).all()
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    heads = np.stack([np.sin(angle), np.zeros(24), np.cos(angle)], -1).astype(np.float32)
    for px, pz in zip(x, z, strict=True):
        eye = np.float32([px, busy.ground_height(px, pz) + busy.eye_height_m, pz])
        assert scene.closest(np.tile(eye, (24, 1)), heads)[0].min() > 0.35


def test_free_places_have_no_solid_thing_within_a_bodys_width(busy: World) -> None:
    x, z, free = free_cells(busy)
    x, z = x[free], z[free]
    scene = ray_scene(busy.mesh)
    soft = {
        SLOT[name] for name in ("grass", "petal", "stem", "reed", "needles", "leaves", "birch_leaves", "bush")
    }
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    heads = np.stack([np.sin(angle), np.zeros(16), np.cos(angle)], -1).astype(np.float32)

    met = 0
    for px, pz in zip(x[::3], z[::3], strict=True):
        eye = np.float32([px, busy.ground_height(px, pz) + 1.1, pz])
        distances, faces, _, _ = scene.closest(np.tile(eye, (16, 1)), heads)
        near = faces[distances < 0.25]
        met += any(int(material) not in soft for material in busy.mesh.materials[near])

    assert met == 0


def test_mesh_ground_and_ground_height_agree_where_people_walk(busy: World) -> None:
    x, z, free = free_cells(busy)
    x, z = x[free], z[free]
    ground = np.isin(busy.mesh.materials, [SLOT["ground"], SLOT["water"]])
    origins = np.stack([x, busy.ground_height(x, z) + 0.6, z], -1).astype(np.float32)

    distances, faces, _, _ = ray_scene(busy.mesh).closest(
        origins, np.tile(np.float32([0, -1, 0]), (len(x), 1))
    )

    bare = ground[faces]
    assert bare.mean() > 0.8
    assert np.abs(distances[bare] - 0.6).max() < 0.08


def test_counts_are_honoured(busy: World) -> None:
    names = [point.name for point in busy.points_of_interest]

    assert names.count("boulder") == 3
    assert names.count("bench") == 2
    assert names.count("cabin") == 1


def test_no_trees_means_no_leaf_and_no_trunk() -> None:
    none = tuple(Element(kind, 0) for kind in ("pine", "birch", "broadleaf", "bush"))

    materials = np.unique(build_world(brief_for("forest", elements=none)).mesh.materials)

    assert not {NAMES[index] for index in materials} & {"needles", "leaves", "birch_leaves", "bark", "bush"}


def test_counted_trees_are_that_many() -> None:
    elements = (Element("pine", 4), Element("birch", 0), Element("rock", 0), Element("grass", 0))

    mesh = build_world(brief_for("forest", elements=elements)).mesh

    # Each trunk is one cylinder of bark with two caps; trunks stand apart.
    bark = mesh.vertices[mesh.faces[mesh.materials == SLOT["bark"]]].mean(axis=1)
    spots = np.unique(np.round(bark[:, [0, 2]] / 1.0), axis=0)
    groups = [spots[0]]
    for spot in spots[1:]:
        if all(np.linalg.norm(spot - other) > 1.5 for other in groups):
            groups.append(spot)
    assert len(groups) == 4


def test_ice_carries_and_water_does_not() -> None:
    frozen = build_world(brief_for("forest", elements=(Element("lake", attributes=("frozen",)),)))
    liquid = build_world(brief_for("forest", elements=(Element("lake"),)))
    shore = next(point.position for point in liquid.points_of_interest if point.name == "lake")
    x, z = np.array([shore[0]]), np.array([shore[2]])

    assert frozen.is_free(x, z).all() and frozen.ground_height(x, z)[0] == pytest.approx(0.0, abs=1e-6)
    assert not liquid.is_free(x, z).any()


def test_the_same_brief_is_the_same_place_and_another_seed_another(busy: World) -> None:
    again = build_world(BUSY)
    other = build_world(SceneBrief(**{**_fields(BUSY), "seed": 12}))

    assert again.mesh.vertices.tobytes() == busy.mesh.vertices.tobytes()
    assert again.mesh.tints.tobytes() == busy.mesh.tints.tobytes()
    assert again.lighting == busy.lighting
    spot = np.linspace(-12, 12, 50)
    assert np.abs(other.ground_height(spot, spot) - busy.ground_height(spot, spot)).max() > 0.2


def test_the_same_world_gives_the_same_bytes(busy: World) -> None:
    quick = replace(busy, lighting=replace(busy.lighting, bake_rays=2))
    start = np.array(
        [busy.route[0][0], busy.ground_height(*np.array(busy.route[0])) + 1.65, busy.route[0][1]]
    )
    viewmats = np.stack([look_at_viewmat(start, start + [turn, -0.2, -1.0]) for turn in (-0.4, 0.7)])
    views = Cameras(viewmats, np.stack([intrinsics(50.0, 72, 40)] * 2), 72, 40)

    first, second = (render(quick, views, lambda share: None) for _ in range(2))

    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()
    assert first[0].std() > 20  # a picture, not a plain


@pytest.mark.slow
def test_a_brief_becomes_frames_that_can_be_lifted() -> None:
    phrases: list[str] = []

    frames = create("procedural", BackendSettings()).generate(
        BUSY, lambda share, phrase: phrases.append(phrase)
    )

    assert frames.cameras is not None and frames.depths is not None
    assert np.allclose(frames.cameras.positions[0], 0, atol=1e-4)
    assert frames.cameras.forwards[0][0] == pytest.approx(0, abs=1e-4) and frames.cameras.forwards[0][2] < 0
    train = frames.cameras.positions[list(frames.train)]
    gaps = [
        np.linalg.norm(train - frames.cameras.positions[index], axis=1).min() for index in frames.held_out
    ]
    assert max(gaps) >= 0.75
    known = np.isfinite(frames.depths)
    assert 0.4 < known.mean() <= 1 and (frames.depths[known] > 0).all()
    assert list(dict.fromkeys(phrases)) == ["building the place", "setting the light", "filming the walk"]


def _fields(brief: SceneBrief) -> dict:
    return {name: getattr(brief, name) for name in SceneBrief.__dataclass_fields__}


@cache
def _built(setting: str, elements: tuple[Element, ...]) -> World:
    return build_world(brief_for(setting, elements=elements))


@pytest.mark.parametrize("kind", OUTDOOR_KINDS, ids=lambda kind: kind.name)
def test_every_word_of_the_vocabulary_is_built(kind: Kind) -> None:
    setting = kind.settings[0] if kind.settings else "meadow"
    lake = (Element("lake"),) if kind.name in ("reed", "dock", "bridge") else ()
    usual = (*SETTINGS[setting].usual, "mountains")
    none = (Element(kind.name, 0),) if kind.name in usual else ()

    without = _built(setting, (*lake, *none))
    with_it = build_world(brief_for(setting, elements=(*lake, Element(kind.name, 1))))

    if kind.name in ("path", "mountains"):  # drawn into the ground, not standing on it
        ground = [(world.mesh.vertices.tobytes(), world.mesh.tints.tobytes()) for world in (without, with_it)]
        assert ground[0] != ground[1]
    elif kind.name == "aurora":
        skies = [sky_table(world.lighting) for world in (without, with_it)]
        assert skies[1][:200, :, 1].mean() > skies[0][:200, :, 1].mean() + 0.01
    else:
        own = label_of(kind.name)
        assert not (without.mesh.face_labels == own).any()
        assert (with_it.mesh.face_labels == own).any()


def test_the_vocabulary_names_only_itself() -> None:
    for setting in SETTINGS.values():
        for kind in setting.usual:
            assert VOCABULARY[kind].is_indoor == setting.is_indoor
    for kind in VOCABULARY.values():
        assert all(SETTINGS[name].is_indoor == kind.is_indoor for name in kind.settings)
        assert kind.most >= 1 and kind.words


def test_a_setting_from_the_wrong_side_of_the_door_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="setting must be an outdoor one, got 'bedroom'"):
        create("procedural", BackendSettings()).generate(
            SceneBrief("x", setting="bedroom"), lambda share, phrase: None
        )
