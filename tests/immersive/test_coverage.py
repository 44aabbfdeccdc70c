"""What pictures show of what was named: counted against geometry worked out by hand, and brought about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from immersive.brief import Element, SceneBrief
from immersive.generation.coverage import SHOWN_SHARE, built_kinds, coverage_of
from immersive.generation.procedural.generator import ProceduralGenerator, build_world
from immersive.generation.procedural.mesh import Mesh, box, concatenate, label_of, quad
from immersive.generation.procedural.rays import ray_scene
from immersive.generation.procedural.vocabulary import VOCABULARY
from immersive.generation.procedural.world import (
    Atmosphere,
    Extent,
    Lighting,
    Material,
    PointOfInterest,
    Sky,
    Texture,
    World,
)
from immersive.generation.showing import Showing
from immersive.generation.sight import Sight, View
from immersive.generation.trajectory import DETAIL, OFF_PATH_M, CameraPlan, plan_path
from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.errors import CancelledError

_SKY = Sky((0.2, 0.3, 0.6), (0.6, 0.7, 0.8), (0.6, 0.7, 0.8))
_HALF_X, _HALF_Z, _HIGH = 3.4, 2.4, 2.7


def _world(*things: Mesh, **changes) -> World:
    """A lopsided room with a counter that stands out from the wall, and some more things."""
    corners = [[-_HALF_X, 0, _HALF_Z], [_HALF_X, 0, _HALF_Z], [_HALF_X, 0, -_HALF_Z], [-_HALF_X, 0, -_HALF_Z]]
    walls = [box([x, _HIGH / 2, 0], [0.02, _HIGH, 2 * _HALF_Z], 0) for x in (-_HALF_X, _HALF_X)]
    walls += [box([0, _HIGH / 2, z], [2 * _HALF_X, _HIGH, 0.02], 0) for z in (-_HALF_Z, _HALF_Z)]
    parts = [
        quad(corners, 0).labelled("floor"),
        concatenate(walls).labelled("wall"),
        box([0, _HIGH, 0], [2 * _HALF_X, 0.02, 2 * _HALF_Z], 0),
        box([1.3, 1.0, -_HALF_Z + 0.8], [0.2, 2.0, 1.6], 0).labelled("bookshelf"),
        box([2.9, 0.45, 0.6], [0.5, 0.9, 0.7], 0).labelled("desk"),
    ]

    def is_free(x, z):
        at_shelf = (np.abs(x - 1.3) < 0.5) & (z < -_HALF_Z + 2.0)
        at_desk = (x > 2.2) & (np.abs(z - 0.6) < 0.8)
        return (np.abs(x) < _HALF_X - 0.4) & (np.abs(z) < _HALF_Z - 0.4) & ~at_shelf & ~at_desk

    world = World(
        mesh=concatenate([*parts, *things]),
        materials=(Material(Texture.PLAIN),),
        lighting=Lighting(_SKY),
        atmosphere=Atmosphere(),
        is_indoor=True,
        ground_height=lambda x, z: np.zeros(np.shape(x)),
        is_free=is_free,
        extent=Extent(-_HALF_X, _HALF_X, -_HALF_Z, _HALF_Z),
        points_of_interest=(PointOfInterest("desk", (2.9, 0.6, 0.6), 3.0),),
        eye_height_m=1.55,
    )
    return replace(world, **changes)


# A globe the size of a thumb, on the floor in the corner behind the bookshelf.
_BESIDE_THE_SHELF = box([1.5, 0.05, -_HALF_Z + 0.08], [0.08, 0.1, 0.06], 0).labelled("globe")
_NAMED = SceneBrief("a globe", is_indoor=True, elements=(Element("globe"), Element("desk")))
_NOT_NAMED = replace(_NAMED, elements=(Element("desk"),))


def _camera(eye: list[float], target: list[float], width: int = 170, height: int = 90) -> Cameras:
    viewmat = look_at_viewmat(np.array(eye), np.array(target))
    return Cameras(viewmat[None], intrinsics(96.0, width, height)[None], width, height)


def _inside_outline(camera: Cameras, corners: np.ndarray) -> np.ndarray:
    """Return [H, W]: the middle of a pixel lies within the outline of a convex body, by projection alone."""
    viewmat, K = camera.viewmats[0].astype(float), camera.Ks[0].astype(float)
    in_camera = corners @ viewmat[:3, :3].T + viewmat[:3, 3]
    flat = (in_camera @ K.T)[:, :2] / in_camera[:, 2:]
    sides = ConvexHull(flat).equations  # [S, 3]: a point is inside where all are <= 0
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return (np.stack([x, y, np.ones_like(x)], -1) @ sides.T <= 0).all(axis=-1)


def _corners(centre: list[float], size: list[float]) -> np.ndarray:
    signs = np.array([[a, b, c] for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (-0.5, 0.5)])
    return np.array(centre) + signs * size


def test_the_share_of_a_box_is_the_area_of_its_outline() -> None:
    centre, size = [-1.7, 0.8, -1.1], [0.5, 0.7, 0.3]
    world = _world(box(centre, size, 0).labelled("globe"))
    camera = _camera([0.4, 1.5, 1.6], [-1.2, 0.9, -1.3])
    wanted = _inside_outline(camera, _corners(centre, size))

    coverage = coverage_of(world, ray_scene(world.mesh), camera, columns=camera.width)

    assert 300 < wanted.sum() < 0.2 * wanted.size
    # One ray per pixel: rays that graze an edge may fall on either side of it.
    assert abs(coverage.share_of("globe")[0] * wanted.size - wanted.sum()) <= 3


def test_a_coarse_grid_keeps_the_shape_of_the_picture() -> None:
    centre, size = [-1.7, 0.8, -1.1], [0.5, 0.7, 0.3]
    world = _world(box(centre, size, 0).labelled("globe"))
    camera = _camera([0.4, 1.5, 1.6], [-1.2, 0.9, -1.3])
    wanted = _inside_outline(camera, _corners(centre, size)).mean()

    coverage = coverage_of(world, ray_scene(world.mesh), camera, columns=60)

    assert coverage.share_of("globe")[0] == pytest.approx(wanted, rel=0.15)


def test_what_stands_before_a_thing_takes_its_pixels() -> None:
    centre, size = [-1.7, 0.8, -1.1], [0.5, 0.7, 0.3]
    screen = box([-0.9, 1.0, 0.0], [0.35, 2.0, 0.02], 0).labelled("mirror")
    whole = _world(box(centre, size, 0).labelled("globe"))
    hidden = replace(whole, mesh=concatenate([whole.mesh, screen]))
    camera = _camera([0.4, 1.5, 1.6], [-1.2, 0.9, -1.3])
    behind = _inside_outline(camera, _corners(centre, size))
    before = _inside_outline(camera, _corners([-0.9, 1.0, 0.0], [0.35, 2.0, 0.02]))

    coverage = coverage_of(hidden, ray_scene(hidden.mesh), camera, columns=camera.width)

    assert 0 < (behind & ~before).sum() < behind.sum()  # the screen hides a part of it
    assert abs(coverage.share_of("globe")[0] * behind.size - (behind & ~before).sum()) <= 3
    assert abs(coverage.share_of("mirror")[0] * behind.size - before.sum()) <= 4


def test_each_picture_is_counted_by_itself() -> None:
    world = _world(_BESIDE_THE_SHELF)
    towards = _camera([2.0, 1.55, -1.2], [1.52, 0.0, -2.3])
    away = _camera([2.0, 1.55, -1.2], [-1.0, 1.0, 2.0])
    both = Cameras(
        np.concatenate([away.viewmats, towards.viewmats]), np.concatenate([away.Ks, towards.Ks]), 170, 90
    )

    coverage = coverage_of(world, ray_scene(world.mesh), both)

    assert coverage.frames_that_show("globe").tolist() == [1]
    assert coverage.frames_that_show("globe", share=0.9).tolist() == []
    assert coverage.frames_that_show("piano").tolist() == []  # nothing of it was built
    assert (coverage.shares.sum(axis=1) <= 1 + 1e-6).all()


def test_sky_and_unnamed_surfaces_are_part_of_nothing() -> None:
    world = _world(mesh=box([0, 0.5, -2.0], [0.4, 1.0, 0.3], 0))

    coverage = coverage_of(world, ray_scene(world.mesh), _camera([0, 1, 1.5], [0, 0.6, -2]))

    assert coverage.kinds == ()
    assert coverage.shares.shape == (1, 0)


def test_the_sky_is_not_taken_for_the_last_triangle() -> None:
    last = box([0, 0.5, -2.0], [0.4, 1.0, 0.3], 0).labelled("globe")
    world = _world(mesh=last)

    coverage = coverage_of(world, ray_scene(world.mesh), _camera([0, 1, 1.5], [0.3, 4.0, 5.0]))

    assert coverage.share_of("globe")[0] == 0


@pytest.fixture(scope="module")
def cornered() -> World:
    return _world(_BESIDE_THE_SHELF)


@pytest.fixture(scope="module")
def shown(cornered) -> CameraPlan:
    return plan_path(cornered, _NAMED, 480, 270, 5)


@pytest.fixture(scope="module")
def overlooked(cornered) -> CameraPlan:
    return plan_path(cornered, _NOT_NAMED, 480, 270, 5)


def _training(plan: CameraPlan) -> Cameras:
    return plan.cameras.subset([i for i in range(len(plan.cameras)) if i not in plan.held_out])


def _frames_of(world: World, plan: CameraPlan, kind: str) -> int:
    # Twice as fine as the planner's own grid.
    coverage = coverage_of(world, ray_scene(world.mesh), _training(plan), columns=240)
    return len(coverage.frames_that_show(kind))


def test_a_small_thing_in_a_corner_is_shown_once_it_is_named(cornered, shown, overlooked) -> None:
    assert _frames_of(cornered, overlooked, "globe") < 3  # what is shown without being asked for

    assert _frames_of(cornered, shown, "globe") >= 3
    assert shown.unseen == ()


def test_what_was_shown_already_stays_shown(cornered, shown) -> None:
    assert _frames_of(cornered, shown, "desk") >= 3


def test_views_are_exchanged_and_not_added(shown, overlooked) -> None:
    assert len(shown.cameras) == len(overlooked.cameras)
    assert len(_training(shown)) == DETAIL["draft"].training
    exchanged = [
        viewmat
        for viewmat in _training(shown).viewmats
        if np.abs(overlooked.cameras.viewmats - viewmat).max(axis=(1, 2)).min() > 1e-6
    ]
    assert 1 <= len(exchanged) <= 3
    assert shown.coverage >= overlooked.coverage - 0.03


def test_the_first_view_and_the_held_out_ones_are_the_same_as_without(shown, overlooked) -> None:
    def kept_apart(plan: CameraPlan) -> np.ndarray:
        viewmats = plan.cameras.viewmats[list(plan.held_out)]
        return viewmats[np.lexsort(viewmats.reshape(len(viewmats), -1).T)]

    np.testing.assert_array_equal(shown.cameras.viewmats[0], overlooked.cameras.viewmats[0])
    np.testing.assert_array_equal(kept_apart(shown), kept_apart(overlooked))


def test_views_that_show_something_keep_the_distance_from_held_out_places(cornered, shown) -> None:
    training, positions = _training(shown).positions, shown.cameras.positions
    nearest = np.array([np.linalg.norm(training - positions[i], axis=1).min() for i in shown.held_out])

    x, y, z = training.astype(float).T
    assert cornered.is_free(x, z).all()
    np.testing.assert_allclose(y, 1.55, atol=1e-4)
    assert (nearest >= OFF_PATH_M).sum() >= 4
    for index in shown.held_out:
        difference = np.abs(_training(shown).viewmats - shown.cameras.viewmats[index]).max(axis=(1, 2))
        assert difference.min() > 0.02


_GLOBE = np.array([1.5, 0.05, -_HALF_Z + 0.08])
_EYES = np.array([[2.1, 1.55, -0.9], [1.95, 1.55, -0.4], [2.6, 1.55, -1.2], [-1.0, 1.55, 1.0]])


def _show(world: World, views: list[View], held_out: list[View], eyes: np.ndarray):
    sight = Sight(ray_scene(world.mesh), 480, 270)
    points = np.random.default_rng(2).uniform([-3, 0, -2], [1, 2.5, 2], (50, 3))
    return Showing(world, sight, eyes, held_out).show(["globe"], views, points, np.ones(len(points)))


def test_the_first_view_stays_even_if_it_adds_least(cornered) -> None:
    to_the_wall, beside_it = (View.towards(np.array([3.0, 1.55, -0.5]), turn, 0.0) for turn in (270.0, 275.0))
    views = [
        to_the_wall,
        beside_it,
        *(View.towards(_EYES[3], heading, -3.0) for heading in (20.0, 75.0, 130.0, 200.0)),
    ]

    shown, unseen = _show(cornered, views, [], _EYES[:3])

    assert unseen == ()
    assert shown[0] is to_the_wall
    assert sum(view not in views for view in shown) == 3


def test_no_view_is_taken_that_is_like_one_held_out(cornered) -> None:
    views = [View.towards(_EYES[3], heading, -3.0) for heading in (20.0, 75.0, 130.0, 200.0)]
    held_out = [View.at(eye, _GLOBE, 40.0) for eye in _EYES[:3]]

    shown, unseen = _show(cornered, views, held_out, _EYES[:3])

    assert unseen == ("globe",)
    assert shown == views


def test_the_same_brief_gives_the_same_views(cornered, shown) -> None:
    again = plan_path(cornered, _NAMED, 480, 270, 5)

    np.testing.assert_array_equal(again.cameras.viewmats, shown.cameras.viewmats)
    assert again.held_out == shown.held_out


def test_what_no_place_sees_and_what_was_not_built_is_reported() -> None:
    chest = box([-2.6, 0.3, 1.4], [0.6, 0.6, 0.5], 0).labelled("basket")
    inside = box([-2.6, 0.3, 1.4], [0.2, 0.2, 0.1], 0).labelled("globe")
    brief = replace(_NAMED, elements=tuple(Element(k) for k in ("desk", "globe", "basket", "piano")))

    plan = plan_path(_world(chest, inside), brief, 480, 270, 5)

    assert plan.unseen == ("globe", "piano")


def test_what_the_brief_rules_out_is_not_looked_for(cornered, overlooked) -> None:
    brief = replace(_NAMED, elements=(Element("desk"), Element("globe", count=0)))

    plan = plan_path(cornered, brief, 480, 270, 5)

    np.testing.assert_array_equal(plan.cameras.viewmats, overlooked.cameras.viewmats)


def test_the_generator_says_in_words_what_cannot_be_seen(monkeypatch) -> None:
    chest = box([-2.6, 0.3, 1.4], [0.6, 0.6, 0.5], 0).labelled("basket")
    inside = box([-2.6, 0.3, 1.4], [0.2, 0.2, 0.1], 0).labelled("floor_lamp")
    world = _world(chest, inside)
    monkeypatch.setattr("immersive.generation.procedural.generator.build_world", lambda brief: world)
    elements = (Element("floor_lamp"), Element("piano"))
    brief = SceneBrief("a lamp", setting="living_room", is_indoor=True, elements=elements)
    generator = ProceduralGenerator()

    def stop(share: float, phrase: str) -> None:
        if phrase == "setting the light":  # planned, and nothing rendered yet
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        generator.generate(brief, stop)

    assert generator.notes == (
        "little of the floor lamp can be seen from the walk",
        "no place was found for the piano",
    )


# What the builders label.


def _triangles(world: World, kind: str) -> np.ndarray:
    """Return the corners [T, 3, 3] of what is part of a kind."""
    mesh = world.mesh
    return mesh.vertices[mesh.faces[mesh.face_labels == label_of(kind)]].astype(float)


_ROOM = SceneBrief(
    "a room", 3, "living_room", True, (Element("dining_table"), Element("chair", 3), Element("globe", 2))
)


@pytest.fixture(scope="module")
def furnished() -> World:
    return build_world(_ROOM)


def test_every_kind_of_a_room_has_triangles_of_its_own(furnished) -> None:
    usual = {"sofa", "armchair", "rug", "window", "curtain", "picture", "bookshelf", "cushion", "door"}

    assert usual | {"dining_table", "chair", "globe", "wall", "floor"} <= set(built_kinds(furnished))


def test_floor_walls_and_windows_are_where_they_should_be(furnished) -> None:
    room = furnished.extent
    floor, wall = _triangles(furnished, "floor"), _triangles(furnished, "wall")
    area = np.linalg.norm(np.cross(floor[:, 1] - floor[:, 0], floor[:, 2] - floor[:, 0]), axis=1).sum() / 2
    off_x = np.minimum(np.abs(wall[..., 0] - room.min_x), np.abs(wall[..., 0] - room.max_x))
    off_z = np.minimum(np.abs(wall[..., 2] - room.min_z), np.abs(wall[..., 2] - room.max_z))

    assert np.abs(floor[..., 1]).max() == 0
    assert area == pytest.approx((room.max_x - room.min_x) * (room.max_z - room.min_z), rel=1e-4)
    assert np.minimum(off_x, off_z).max() < 0.17  # as deep as the reveals of the windows


def test_things_that_stand_on_or_at_others_keep_their_own_label(furnished) -> None:
    cushion, sofa = _triangles(furnished, "cushion"), _triangles(furnished, "sofa")
    globe, chair = _triangles(furnished, "globe"), _triangles(furnished, "chair")
    table = _triangles(furnished, "dining_table")

    assert cushion[..., 1].min() > 0.4
    assert sofa[..., 1].min() < 0.05
    assert globe[..., 1].min() > 0.4  # on a table or a stand, which is not part of it
    assert chair[..., 1].max() > 0.85  # its back is higher than the table that it belongs to
    assert len(chair) % 3 == 0  # three alike
    assert table[..., 1].min() == pytest.approx(0.0, abs=1e-6)
    assert {"globe", "chair"} <= set(VOCABULARY)


@pytest.fixture(scope="module")
def shore() -> World:
    elements = (
        Element("lake"),
        Element("cabin"),
        Element("path"),
        Element("flower", 40),
        Element("mushroom"),
    )
    return build_world(SceneBrief("a lake", 6, "lake_shore", False, elements))


def test_water_path_and_plants_are_what_their_labels_say(shore) -> None:
    water, path, flowers = (_triangles(shore, kind) for kind in ("lake", "path", "flower"))
    middles = path.mean(axis=1)
    route = np.array(shore.route)
    to_route = np.linalg.norm(middles[:, None, [0, 2]] - route[None], axis=2).min(axis=1)

    assert np.abs(water[..., 1]).max() < 1e-6
    assert to_route.max() < 1.6  # between two points of the route
    foot = shore.ground_height(flowers[..., 0], flowers[..., 2])
    assert np.quantile(flowers[..., 1] - foot, 0.99) < 0.7
    assert {"cabin", "mushroom", "pine", "birch", "reed", "grass"} <= set(built_kinds(shore))


def test_shares_of_a_whole_picture_add_up_to_what_is_labelled(shore) -> None:
    camera = _camera([0.0, float(shore.ground_height(0.0, 0.0)) + 1.6, 0.0], [0.0, 1.0, -9.0])
    scene = ray_scene(shore.mesh)

    coverage = coverage_of(shore, scene, camera)

    assert 0.2 < coverage.shares.sum() <= 1
    assert len(coverage.frames_that_show("pine", SHOWN_SHARE)) == 1


def test_a_visit_begins_where_most_of_what_was_named_is_seen() -> None:
    brief = SceneBrief(
        "x",
        seed=2,
        setting="meadow",
        elements=(Element("windmill", 1), Element("well", 1), Element("cart", 1)),
    )
    world = build_world(brief)
    scene = ray_scene(world.mesh)
    cameras = plan_path(world, brief, 480, 270, 2, scene=scene).cameras

    coverage = coverage_of(world, scene, cameras, 160)
    kinds = ("windmill", "well", "cart")
    counts = sum((coverage.share_of(kind) > 0.003).astype(int) for kind in kinds)
    assert counts[0] >= 2 and counts[0] >= np.median(counts) + 1
    # Nobody begins in a thicket: what is right ahead is some metres off.
    forward = cameras.forwards[0]
    origin = np.ascontiguousarray(cameras.positions[:1], np.float32)
    ahead = scene.closest(origin, np.ascontiguousarray(forward[None], np.float32))[0]
    assert ahead[0] > 1.8
