"""From depth pictures to a walkable space: areas, starts, holes and honest verdicts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from reconstruction.cameras import Cameras
from reconstruction.conventions import WORLD_FROM_Z_UP, viewmats_from_opengl_c2w, world_from_first_camera
from reconstruction.errors import InvalidArrayError, UnliftableInputError
from reconstruction.fusion import Collider, Mesh, join
from reconstruction.ground import Ground
from reconstruction.navigation import Body, Clearances, clearance, is_clear
from reconstruction.splats import SplatCloud
from reconstruction.walk_limits import WalkLimits
from reconstruction.walkability import WalkFigures, judge
from reconstruction.walkable import WalkableSpace, WalkSettings, build
from reconstruction.walks import WalkTrial, ceiling_height, random_walks
from tests.data import shared
from tests.reconstruction.rooms import (
    ROOM_AREA_M2,
    cameras_along,
    depths_of,
    floor,
    l_room,
    points_of,
    room_cameras,
    wall,
    walls_around,
    without_disc,
)

_INDOORS = WalkSettings(is_indoor=True, walkers=500, rays=5000)


@pytest.fixture(scope="module")
def room() -> WalkableSpace:
    cameras = room_cameras(240, 135)
    return build(depths_of(l_room(), cameras), cameras, settings=_INDOORS)


def _terrain() -> Mesh:
    """A slope along x with a round pit of 1.2 m depth, wide enough that its bottom is seen from the rim."""
    z, x = np.mgrid[-8:8.01:0.2, -9:9.01:0.2]
    y = 0.12 * x + 0.05 * np.sin(z)
    y = np.where(np.hypot(x - 3.0, z - 2.2) < 2.1, y - 1.2, y)
    index = np.arange(x.size, dtype=np.int32).reshape(x.shape)
    a, b, c, d = (i.ravel() for i in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return Mesh(np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32), faces)


def _terrain_cameras() -> Cameras:
    path = [(-5.0, -3.0), (-2.0, -1.0), (0.0, 2.0), (2.2, -0.8), (4.5, -0.6)]
    return cameras_along(path, turns=6, width=240, height=135, eye_m=1.7, pitch=-0.35)


def test_the_room_is_walkable_over_its_known_area(room: WalkableSpace) -> None:
    assert room.report.verdict == "good"
    assert room.report.reachable_m2 == pytest.approx(ROOM_AREA_M2, rel=0.06)
    assert room.report.fall_count == 0
    assert room.report.stuck_share <= 0.01
    assert room.report.open_ray_share <= 0.01
    assert room.floor_y == pytest.approx(0.0, abs=0.02)
    assert len(room.faces) <= 32_000
    json.dumps({"reasons": room.report.reasons, "area": room.report.reachable_m2})


def test_the_visitor_starts_on_the_floor_near_the_first_camera_and_stands_clear(room: WalkableSpace) -> None:
    collider = Collider(Mesh(room.vertices, room.faces))

    assert np.hypot(room.spawn_position[0] - 1.2, room.spawn_position[2] - 1.0) < 1.0
    assert room.spawn_position[1] == pytest.approx(0.0, abs=0.02)
    assert is_clear(collider, room.spawn_position[None], Body()).all()
    yaw = np.radians(room.spawn_yaw_deg)
    eye = room.spawn_position + [0.0, room.eye_height_m, 0.0]
    distance, _ = collider.cast(eye[None], np.array([-np.sin(yaw), 0.0, -np.cos(yaw)]))
    assert distance[0] > 2.0


def test_bounds_hold_the_room_and_the_wall_is_marked(room: WalkableSpace) -> None:
    assert (room.bounds_min < [0.1, 0.0, 0.1]).all()
    assert (room.bounds_max > [5.9, 1.7, 6.9]).all()
    corners = room.vertices[room.faces[room.boundary_start :]]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert len(corners) > 20
    assert (np.abs(sides[:, 1]) < 1e-4).all()  # upright, all of them


def test_a_hole_cut_into_the_finished_collider_makes_walkers_fall(room: WalkableSpace) -> None:
    mesh = Mesh(room.vertices, room.faces)
    starts = np.tile(room.spawn_position, (400, 1))

    def falls(ground: Mesh) -> int:
        trial = random_walks(
            Collider(ground),
            starts,
            body=Body(),
            strides=120,
            lowest_m=-5.0,
            random=np.random.default_rng(2),
        )
        return trial.fall_count

    assert falls(mesh) == 0
    assert falls(without_disc(mesh, 1.2, 2.8, 1.2, below_m=0.1)) > 20


def _floor_limits() -> WalkLimits:
    """The floor of the L without its dais: what the walls really enclose."""
    shape = (75, 65)
    z, x = np.mgrid[: shape[0], : shape[1]] * 0.1 - 0.2
    region = (x > 0) & (z > 0) & (x < 6) & (z < 7) & ((x < 2.5) | (z < 4))
    flat = np.zeros(shape, np.float32)
    return WalkLimits.around(Ground(np.array([-0.2, -0.2], np.float32), 0.1, flat, flat == 0), region)


def _try(mesh: Mesh, limits: WalkLimits | None) -> WalkTrial:
    starts = np.tile(np.array([1.2, 0.0, 1.3], np.float32), (400, 1))
    return random_walks(
        Collider(mesh),
        starts,
        body=Body(),
        strides=120,
        lowest_m=-5.0,
        random=np.random.default_rng(2),
        limits=limits,
    )


def test_a_floor_that_lies_too_low_is_below_the_floor_although_it_carries() -> None:
    # A hole of two tiles with a cellar under it: the walker's own footing sees nothing wrong.
    tiles = [floor(x, x + 0.5, z, z + 0.5) for x in np.arange(0, 6, 0.5) for z in np.arange(0, 4, 0.5)]
    around = walls_around([(0.0, 0.0), (6.0, 0.0), (6.0, 4.0), (0.0, 4.0)], -2.4, 2.6)
    whole = join([*tiles, around, floor(0, 6, 0, 4, y=-2.4)])
    holed = without_disc(whole, 3.0, 1.5, 0.8, below_m=0.1)
    holed = join([holed, floor(0, 6, 0, 4, y=-2.4)])

    assert _try(whole, _floor_limits()).fall_count == 0
    assert _try(holed, None).fall_count == 0
    assert _try(holed, _floor_limits()).fall_count > 20


def test_walkers_that_pass_a_gap_in_the_wall_are_outside_although_ground_goes_on() -> None:
    outline = [(0.0, 0.0), (6.0, 0.0), (6.0, 4.0), (2.5, 4.0), (2.5, 7.0), (0.0, 7.0)]
    field = floor(-30, 40, -30, 40)
    closed = join([field, walls_around(outline)])
    gap = join([field, *(wall(a, b) for a, b in zip(outline[1:], outline[2:] + outline[:1], strict=True))])

    assert _try(closed, _floor_limits()).outside_count == 0
    assert _try(gap, None).outside_count == 0
    found = _try(gap, _floor_limits())
    assert found.outside_count > 20
    assert found.fall_count == 0


def test_clearance_agrees_with_the_test_of_each_sphere(room: WalkableSpace) -> None:
    collider = Collider(Mesh(room.vertices, room.faces))
    random = np.random.default_rng(5)
    feet = (random.random((300, 3)) * [6.0, 0.3, 7.0]).astype(np.float32)

    clear = clearance(collider, feet, Body()) >= Body().radius_m

    assert 0.1 < clear.mean() < 0.9
    np.testing.assert_array_equal(clear, is_clear(collider, feet, Body()))
    kept = Clearances(collider, Body())
    for _ in range(2):  # the second time from memory
        np.testing.assert_array_equal(kept.is_clear(feet), clear)
    np.testing.assert_array_equal(
        kept.is_clear(feet[:40] + 0.03), is_clear(collider, feet[:40] + 0.03, Body())
    )
    assert kept.is_clear(feet[:0]).shape == (0,)


def test_strides_report_the_steps_that_they_climb(room: WalkableSpace) -> None:
    found = _try(l_room(), None)

    assert found.largest_rise_m == pytest.approx(0.2, abs=1e-4)  # onto the dais
    assert found.usual_rise_m < 0.01
    assert room.report.walkers == 500
    assert room.report.outside_count == 0
    assert 0.1 < room.report.largest_rise_m < 0.23
    assert room.report.camera_height_m == pytest.approx(1.6, abs=0.05)


def test_the_ceiling_is_measured_where_there_is_one() -> None:
    feet = np.array([[1.0, 0.0, 1.3], [5.0, 0.2, 1.0], [1.0, 0.0, 5.0]], np.float32)

    assert ceiling_height(Collider(l_room()), feet) == pytest.approx(2.6, abs=1e-4)
    assert ceiling_height(Collider(floor(-9, 9, -9, 9)), feet) == 0.0


def test_a_pit_is_kept_and_walls_keep_people_on_the_terrain() -> None:
    cameras = _terrain_cameras()
    settings = WalkSettings(margin_m=4.0, walkers=500, rays=5000)

    space = build(depths_of(_terrain(), cameras), cameras, settings=settings)

    collider = Collider(Mesh(space.vertices, space.faces))
    x, z = np.array([3.2, -3.0, 3.0]), np.array([2.4, 0.0, -3.0])
    height, _ = collider.ground_below(np.stack([x, np.full(3, 4.0), z], axis=1))
    np.testing.assert_allclose(height, [0.384 + 0.05 * np.sin(2.4) - 1.2, -0.36, 0.36], atol=0.12)
    assert space.report.fall_count == 0
    assert space.report.open_ray_share == 0.0
    assert space.report.reachable_m2 > 60
    assert any("invisible wall" in reason for reason in space.report.reasons)


def test_ground_that_no_picture_shows_is_estimated_and_admitted(room: WalkableSpace) -> None:
    cameras = room_cameras(240, 135)
    depths = depths_of(l_room(), cameras)
    points = points_of(depths, cameras)
    depths[(points[..., 1] < 0.1) & (points[..., 0] > 1.7)] = 0.0  # two thirds of the floor

    space = build(depths, cameras, settings=_INDOORS)

    assert space.report.reachable_m2 == pytest.approx(room.report.reachable_m2, rel=0.1)
    assert space.report.fall_count == 0
    assert space.report.verdict == "usable"
    # All of the floor beyond 1.7 m within the body's reach is one hole, less the dais that is still seen.
    assert space.report.hole_count >= 1
    assert 10 < space.report.hole_m2 < ROOM_AREA_M2 * 0.75
    assert any("was never seen and is estimated" in reason for reason in space.report.reasons)
    assert not any("never seen" in reason for reason in room.report.reasons)


def test_depth_of_a_few_points_is_poor_and_says_why() -> None:
    cameras = room_cameras()
    depths = depths_of(l_room(), cameras)
    keep = np.random.default_rng(4).random(depths.shape) < 0.002

    space = build(np.where(keep, depths, 0).astype(np.float32), cameras, settings=_INDOORS)

    assert space.report.verdict == "poor"
    assert space.report.reasons
    assert space.report.fall_count == 0


def test_units_of_half_a_metre_give_the_same_space_twice_as_large(room: WalkableSpace) -> None:
    cameras = room_cameras(240, 135)
    viewmats = cameras.viewmats.copy()
    viewmats[:, :3, 3] *= 2
    doubled = build(
        depths_of(l_room(), cameras) * 2,
        replace(cameras, viewmats=viewmats),
        settings=replace(_INDOORS, metres_per_unit=0.5),
    )

    assert doubled.metres_per_unit == 0.5
    assert doubled.report.reachable_m2 == pytest.approx(room.report.reachable_m2, rel=0.02)
    np.testing.assert_allclose(doubled.bounds_max, room.bounds_max * 2, atol=0.2)
    np.testing.assert_allclose(doubled.spawn_position, room.spawn_position * 2, atol=0.3)


def test_splats_alone_make_the_room_walkable() -> None:
    random = np.random.default_rng(8)
    mesh = l_room()
    a, b, c = np.moveaxis(mesh.corners, 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = random.choice(len(mesh), 30_000, p=area / area.sum())
    u, v = random.random((2, 30_000, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    means = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    cloud = SplatCloud(
        means=means.astype(np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (30_000, 1)),
        scales=np.full((30_000, 3), 0.03, np.float32),
        opacities=np.full(30_000, 0.9, np.float32),
        sh=np.zeros((30_000, 1, 3), np.float32),
    )
    shares: list[float] = []

    space = build(None, room_cameras(), cloud=cloud, settings=_INDOORS, progress=shares.append)

    assert space.report.verdict == "good"
    assert space.report.reachable_m2 == pytest.approx(ROOM_AREA_M2, rel=0.1)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_cameras_kilometres_apart_take_no_more_memory() -> None:
    cameras = room_cameras().subset([0, 8, 16])
    viewmats = cameras.viewmats.copy()
    viewmats[:, :3, 3] *= 3000
    depths = np.full((3, 90, 160), 4.0, np.float32)

    space = build(depths, replace(cameras, viewmats=viewmats), settings=WalkSettings(walkers=50, rays=500))

    assert space.report.verdict == "poor"
    assert len(space.faces) < 100_000


def test_one_picture_of_a_wall_is_poor() -> None:
    cameras = room_cameras().subset([0])

    space = build(np.full((1, 90, 160), 3.0, np.float32), cameras, settings=_INDOORS)

    assert space.report.verdict == "poor"
    assert np.isfinite(space.vertices).all()


def test_pictures_without_any_depth_are_refused() -> None:
    cameras = room_cameras()
    for depth in (0.0, np.inf):
        with pytest.raises(UnliftableInputError, match="no depth is known"):
            build(np.full((30, 90, 160), depth, np.float32), cameras)


@pytest.mark.parametrize("name", ["metres_per_unit", "margin_m", "walkers", "rays", "strides"])
def test_settings_that_make_no_sense_are_refused(name: str) -> None:
    for value in (0, -1, float("nan")):
        with pytest.raises(InvalidArrayError, match=name):
            WalkSettings(**{name: value})


def test_a_space_refuses_faces_beyond_its_vertices(room: WalkableSpace) -> None:
    with pytest.raises(InvalidArrayError, match="must index"):
        replace(room, vertices=room.vertices[:10])
    with pytest.raises(InvalidArrayError, match="boundary_start"):
        replace(room, boundary_start=len(room.faces) + 1)


def test_the_meadow_before_the_cabin_is_walkable() -> None:
    folder = shared("lift_set_cabin")
    facts = json.loads((folder / "transforms.json").read_text())
    c2w = np.array([frame["transform_matrix"] for frame in facts["frames"]])
    viewmats = viewmats_from_opengl_c2w(WORLD_FROM_Z_UP @ c2w)
    K = np.array([[facts["fl_x"], 0, facts["cx"]], [0, facts["fl_y"], facts["cy"]], [0, 0, 1]], np.float32)
    cameras = Cameras(viewmats, np.repeat(K[None], len(viewmats), axis=0), facts["w"], facts["h"])
    cameras = cameras.moved(world_from_first_camera(viewmats[0]))
    inverse = np.load(folder / "inverse_depth_f16.npz")["inverse_depth"].astype(np.float32)

    space = build(1 / inverse, cameras)

    assert space.report.verdict == "good"
    assert space.report.reachable_m2 > 200
    assert space.report.fall_count == 0
    assert len(space.faces) < 32_000
    assert -2.2 < space.spawn_position[1] < -1.3  # the first camera is at the origin, at eye height
    assert abs(space.spawn_yaw_deg) < 1  # and its view is free


_FINE = WalkFigures(
    reachable_m2=40.0,
    walkers=2000,
    fall_count=0,
    outside_count=0,
    stuck_share=0.001,
    largest_rise_m=0.18,
    usual_rise_m=0.04,
    open_ray_share=0.0,
    boundary_ray_share=0.2,
    estimated_share=0.1,
    hole_count=3,
    hole_m2=1.26,
    camera_height_m=1.6,
    ceiling_height_m=0.0,
)


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({}, "good", "40 m2"),
        ({"reachable_m2": 20.0}, "usable", "20.0 m2"),
        ({"reachable_m2": 4.0}, "poor", "4.0 m2"),
        ({"fall_count": 1}, "poor", "1 of 2000 walkers fell"),
        ({"outside_count": 2}, "poor", "2 of 2000 walkers got out"),
        ({"ceiling_height_m": 1.3}, "usable", "the ceiling is 1.3 m above the ground"),
        ({"ceiling_height_m": 2.5}, "good", "3 holes in the ground that the pictures show, 1.3 m2"),
        ({"hole_count": 1}, "good", "1 hole in the ground"),
        ({}, "good", "highest step that walkers took is 0.18 m"),
        ({}, "good", "edge of what was generated; 20% of the rays"),
        ({"stuck_share": 0.02}, "usable", "2.0% of the walkers got stuck"),
        ({"stuck_share": 0.06}, "poor", "6.0%"),
        ({"open_ray_share": 0.03}, "usable", "3.0% of the rays met nothing"),
        ({"open_ray_share": 0.2}, "poor", "20.0%"),
        ({"estimated_share": 0.5}, "usable", "never seen"),
        ({"estimated_share": 0.9}, "poor", "never seen"),
        ({"camera_height_m": 5.0}, "usable", "scale"),
    ],
)
def test_verdicts_follow_the_written_thresholds(change, verdict, words) -> None:
    report = judge(replace(_FINE, **change), is_indoor=False)

    assert report.verdict == verdict
    assert any(words in reason for reason in report.reasons)
    assert report.fall_count == change.get("fall_count", 0)


def test_a_room_needs_less_space_than_a_garden() -> None:
    figures = replace(_FINE, reachable_m2=9.0)

    assert judge(figures, is_indoor=True).verdict == "good"
    assert judge(figures, is_indoor=False).verdict == "usable"
