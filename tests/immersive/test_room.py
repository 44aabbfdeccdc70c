"""Rooms: closed, furnished as asked, nothing inside anything else, and enough floor to walk on."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from immersive.brief import Element, SceneBrief
from immersive.generation.procedural import room as room_module
from immersive.generation.procedural.mesh import label_of
from immersive.generation.procedural.rays import ray_scene
from immersive.generation.procedural.room import WALKABLE_M2, build_room, wanted_indoors
from immersive.generation.procedural.room_furnishing import Furnisher
from immersive.generation.procedural.room_palette import Palette, scheme_of
from immersive.generation.procedural.room_shell import (
    WALLS,
    Opening,
    Room,
    build_shell,
    paint_view,
    view_colours,
)
from immersive.generation.procedural.room_visitors import VISITORS, visitor
from immersive.generation.procedural.vocabulary import (
    BOTH_SIDES,
    INDOOR_KINDS,
    INDOOR_SETTINGS,
    OBJECT_KINDS,
)
from immersive.generation.procedural.world import World
from reconstruction.errors import UnliftableInputError

_SETTINGS = [setting.name for setting in INDOOR_SETTINGS]


def _brief(setting: str = "living_room", *elements: Element, seed: int = 0, **fields) -> SceneBrief:
    return SceneBrief("a room", seed=seed, setting=setting, is_indoor=True, elements=elements, **fields)


def _furnished(brief: SceneBrief) -> Furnisher:
    """The furnisher of the room that `build_room` settles on."""
    kept: list[Furnisher] = []
    original = room_module._finish
    room_module._finish = lambda brief, wanted, furnisher: kept.append(furnisher)  # type: ignore[assignment]
    try:
        build_room(brief)
    finally:
        room_module._finish = original
    return kept[0]


def _kinds(furnisher: Furnisher) -> list[str]:
    return [entry.piece.kind for entry in furnisher.plan.placed]


@pytest.mark.parametrize("setting", _SETTINGS)
@pytest.mark.parametrize("seed", [0, 1])
def test_furniture_stands_apart_inside_the_room_and_leaves_room_to_walk(setting, seed):
    furnisher = _furnished(_brief(setting, seed=seed, size="small" if seed else "medium"))
    plan = furnisher.plan
    solid = [entry for entry in plan.placed if entry.piece.is_solid and entry.floor.half_x > 0]

    for a, b in combinations(solid, 2):
        assert not a.floor.overlaps(b.floor, 0.0), (a.piece.kind, b.piece.kind)
    for entry in plan.placed:
        low, high = entry.mesh.vertices.min(axis=0), entry.mesh.vertices.max(axis=0)
        half = np.array([plan.room.width, plan.room.depth]) / 2 + 0.01
        assert (np.maximum(-low, high)[[0, 2]] < half).all(), entry.piece.kind
        assert low[1] > -0.01
        assert high[1] < plan.room.height + 0.01
    assert plan.walkable_m2() >= WALKABLE_M2


@pytest.mark.parametrize("setting", ["living_room", "bedroom", "cafe"])
def test_meshes_stay_on_the_floor_they_claim(setting):
    for entry in _furnished(_brief(setting, seed=3)).plan.placed:
        if not entry.piece.is_solid or entry.floor.half_x == 0 or entry.piece.kind == "plant":
            continue
        floor = entry.floor
        x, z = entry.mesh.vertices[:, 0] - floor.x, entry.mesh.vertices[:, 2] - floor.z
        # Lamp shades may reach over; legs and bodies may not.
        low = entry.mesh.vertices[:, 1] < 0.3
        assert np.abs(x[low]).max() < floor.half_x + 0.06, entry.piece.kind
        assert np.abs(z[low]).max() < floor.half_z + 0.06, entry.piece.kind


@pytest.mark.parametrize("setting", _SETTINGS)
def test_a_room_is_closed_on_all_sides(setting):
    world = build_room(_brief(setting, Element("window", None, ("large",)), seed=2))
    scene = ray_scene(world.mesh)
    rng = np.random.default_rng(0)
    heads = rng.normal(size=(40_000, 3)).astype(np.float32)
    heads /= np.linalg.norm(heads, axis=1, keepdims=True)
    starts = np.repeat(_eyes(world, 8), 5_000, axis=0)

    distances = scene.closest(starts, heads)[0]

    assert np.isfinite(distances).all()
    assert distances.max() < 25


def _eyes(world: World, count: int) -> np.ndarray:
    from immersive.generation.trajectory import reachable_cells

    cells = reachable_cells(world, 0.2)
    chosen = cells[np.linspace(0, len(cells) - 1, count).astype(int)]
    return np.stack([chosen[:, 0], np.full(count, 1.6), chosen[:, 1]], -1).astype(np.float32)


def test_walls_floor_ceiling_and_reveals_face_the_room():
    openings = (Opening("west", 0.3, 1.4, 0.85, 2.3), Opening("south", -1.2, 0.9, 0.0, 2.05, is_door=True))
    palette = Palette()
    scheme = scheme_of(_brief(), np.random.default_rng(0))
    shell, _ = build_shell(Room(6.2, 4.6, 2.7), openings, palette, scheme, dict.fromkeys(WALLS, 0), 1)
    rng = np.random.default_rng(1)
    heads = rng.normal(size=(20_000, 3)).astype(np.float32)
    heads /= np.linalg.norm(heads, axis=1, keepdims=True)
    starts = rng.uniform([-2.9, 0.2, -2.1], [2.9, 2.5, 2.1], (20_000, 3)).astype(np.float32)

    hits = ray_scene(shell).closest(starts, heads)[1]

    met = hits >= 0  # the others leave by the openings
    normals = shell.normals[shell.faces[hits[met], 0]]
    assert met.mean() > 0.9
    assert ((normals * heads[met]).sum(axis=1) < 0).all()


def test_daylight_enters_and_the_painted_view_does_not_stop_it():
    world = build_room(_brief(time="day"))
    assert world.lighting.sun is not None
    solid = world.mesh.faces[: world.shadeless_face]

    assert world.lighting.portals
    for portal in world.lighting.portals:
        inwards = np.cross(portal.across, portal.up)
        middle = np.array(portal.corner) + 0.5 * np.array(portal.across) + 0.5 * np.array(portal.up)
        assert inwards @ -middle > 0  # the room is around the origin
        assert np.array(world.lighting.sun.direction) @ inwards < 0
    assert world.mesh.vertices[solid].reshape(-1, 3)[:, 0].max() < world.extent.max_x + 0.3


@pytest.mark.parametrize("count", [1, 3, 5, 8])
def test_as_many_chairs_as_asked_stand_around_the_table(count):
    sizes = {}
    for number in (0, count):
        furnisher = _furnished(_brief("dining_room", Element("chair", number, ("red",))))
        table = furnisher.plan.first("dining_table")
        assert table is not None
        sizes[number] = len(table.mesh.faces)
    one = len(_furnished(_brief("workshop", Element("chair", 1, ("red",)))).plan.first("chair").mesh.faces)

    # A larger table has no more faces than a small one, so the difference is chairs.
    assert sizes[count] - sizes[0] == count * one


@pytest.mark.parametrize(
    ("setting", "kind", "count"),
    [
        ("living_room", "armchair", 4),
        ("living_room", "sofa", 2),
        ("bedroom", "bed", 2),
        ("library", "bookshelf", 5),
        ("living_room", "plant", 4),
        ("cafe", "pendant_lamp", 3),
        ("gallery", "sculpture", 3),
        ("cafe", "cafe_table", 3),
        ("gallery", "picture", 5),
    ],
)
def test_counts_are_honoured_even_in_a_small_room(setting, kind, count):
    furnisher = _furnished(_brief(setting, Element(kind, count), size="small"))

    assert _kinds(furnisher).count(kind) == count


@pytest.mark.parametrize("kind", [kind.name for kind in (*INDOOR_KINDS, *OBJECT_KINDS) if not kind.settings])
def test_everything_in_the_vocabulary_can_be_asked_for(kind):
    with_it = build_room(_brief("living_room", Element(kind, None), seed=1))
    without = build_room(_brief("living_room", Element(kind, 0), seed=1))

    if kind in ("wall", "floor", "ceiling"):  # always there; the prompt only describes them
        return
    assert len(with_it.mesh.faces) != len(without.mesh.faces)


def test_ruling_out_windows_leaves_a_closed_room_with_lamps():
    world = build_room(_brief("bedroom", Element("window", 0), Element("curtain", 0)))

    assert world.lighting.portals == ()
    assert world.lighting.sun is None
    assert world.lighting.lamps


def test_colours_reach_the_material():
    red = build_room(_brief("living_room", Element("sofa", 1, ("red",))))
    blue = build_room(_brief("living_room", Element("sofa", 1, ("blue",))))

    assert any(m.base[0] > 5 * m.base[1] for m in red.materials if m.scale == 0.12)
    assert any(m.base[2] > 2 * m.base[1] for m in blue.materials if m.scale == 0.12)


def test_the_same_brief_is_the_same_room_and_another_seed_another():
    one, again = build_room(_brief(seed=4)), build_room(_brief(seed=4))
    other = build_room(_brief(seed=5))

    np.testing.assert_array_equal(one.mesh.vertices, again.mesh.vertices)
    assert one.lighting == again.lighting
    assert one.mesh.vertices.shape != other.mesh.vertices.shape or not np.array_equal(
        one.mesh.vertices, other.mesh.vertices
    )


def test_night_is_lit_by_lamps_and_day_by_the_sky():
    night, day = build_room(_brief(time="night")), build_room(_brief(time="day"))

    assert max(day.lighting.sky.zenith) > 20 * max(night.lighting.sky.zenith)
    assert sum(max(lamp.power) for lamp in night.lighting.lamps) > 3 * sum(
        max(lamp.power) for lamp in day.lighting.lamps
    )


def test_free_cells_keep_a_body_away_from_walls_and_furniture():
    world = build_room(_brief())
    eyes = _eyes(world, 60)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    heads = np.stack([np.cos(angles), np.zeros(16), np.sin(angles)], -1).astype(np.float32)
    starts = np.repeat(eyes * [1, 0, 1] + [0, 0.25, 0], 16, axis=0).astype(np.float32)

    distances = ray_scene(world.mesh).closest(starts, np.tile(heads, (60, 1)))[0]

    assert distances.min() > 0.35


def test_usual_things_can_be_ruled_out_and_styles_add_theirs():
    assert "sofa" not in wanted_indoors(_brief("living_room", Element("sofa", 0)))
    assert wanted_indoors(_brief("living_room", style=("lush",)))["plant"].count == 4


def test_more_than_any_room_holds_is_refused(monkeypatch):
    monkeypatch.setattr(room_module, "_TRIES", 1)
    monkeypatch.setattr(room_module, "WALKABLE_M2", 500.0)

    with pytest.raises(UnliftableInputError, match="500"):
        build_room(_brief())


@pytest.mark.parametrize("wall", ["north", "east", "south", "west"])
def test_things_against_a_wall_look_into_the_room(wall):
    room = Room(6.2, 4.6, 2.7)
    x, z = room.spot(wall, 0.7, 0.5)
    far_x, far_z = room.spot(wall, 0.7, 1.5)

    assert np.hypot(far_x, far_z) < np.hypot(x, z)
    assert abs(x) <= 3.1
    assert abs(z) <= 2.3


@pytest.mark.parametrize("view", ["meadow", "forest", "mountain", "water", "desert"])
def test_painted_views_are_bright_above_and_darker_below_the_horizon(view):
    azimuth = np.linspace(-1, 1, 200)
    colours = view_colours("day", "clear", is_white=False)

    sky = paint_view(azimuth, np.full(200, 0.7), view, colours, 3)
    ground = paint_view(azimuth, np.full(200, -0.3), view, colours, 3)

    assert np.isfinite(sky).all()
    assert sky.mean() > ground.mean()
    assert sky.std() + ground.std() > 0.01


@pytest.mark.parametrize("kind", BOTH_SIDES)
def test_things_of_the_open_air_stand_on_the_floor_in_the_paints_of_the_room(kind):
    palette = Palette()
    piece = visitor(kind, palette, np.random.default_rng(0), ())
    low, high = piece.mesh.vertices.min(axis=0), piece.mesh.vertices.max(axis=0)

    assert set(VISITORS) == set(BOTH_SIDES)
    assert abs(low[1]) < 1e-5
    np.testing.assert_allclose(low[[0, 2]], -high[[0, 2]], atol=1e-5)
    np.testing.assert_allclose(high, [piece.width / 2, piece.height, piece.depth / 2], atol=1e-5)
    assert piece.height < 2.0
    assert 0 <= piece.mesh.materials.min() <= piece.mesh.materials.max() < len(palette.materials)


def test_the_lights_of_a_corridor_have_the_colour_that_is_asked_for():
    blue = build_room(_brief("spaceship_corridor", Element("pendant_lamp", None, ("blue",))))
    plain = build_room(_brief("spaceship_corridor"))

    for world, least in ((blue, 1.5), (plain, 0.9)):
        assert len(world.lighting.lamps) >= 8
        assert all(least < lamp.power[2] / lamp.power[0] < 4 for lamp in world.lighting.lamps)
    assert max(lamp.power[2] / lamp.power[0] for lamp in plain.lighting.lamps) < 1.3


def test_few_lights_of_a_derelict_corridor_still_shine_and_a_door_closes_each_end():
    brief = _brief("spaceship_corridor", style=("eerie",))
    dim, lit = build_room(brief), build_room(_brief("spaceship_corridor"))

    assert 2 <= len(dim.lighting.lamps) < len(lit.lighting.lamps)
    mesh = lit.mesh
    doors = mesh.vertices[mesh.faces[mesh.face_labels == label_of("door")]].reshape(-1, 3)
    assert doors[:, 2].min() < lit.extent.min_z + 0.2
    assert doors[:, 2].max() > lit.extent.max_z - 0.2
