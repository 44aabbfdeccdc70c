"""Scenes that nobody filmed: what is seen from places that are found by looking around."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.fusion import Collider, Mesh, join
from reconstruction.look_around import height_over_ground, look_around, seen_of_cloud, seen_of_mesh
from reconstruction.splats import SplatCloud
from reconstruction.walkable import WalkSettings, build
from tests.reconstruction.rooms import ROOM_AREA_M2, depths_of, floor, l_room


def room_seen_from(x: float, z: float, eye_m: float = 1.6) -> Mesh:
    """The L-shaped room, moved so that the origin is an eye in it."""
    room = l_room()
    return Mesh((room.vertices - np.array([x, eye_m, z])).astype(np.float32), room.faces)


def test_a_mesh_is_seen_as_rays_meet_it() -> None:
    room = room_seen_from(1.2, 1.0)

    cameras, depths = look_around(seen_of_mesh(room.vertices, room.faces))

    np.testing.assert_allclose(depths, depths_of(room, cameras), rtol=1e-5)


def test_the_ground_is_found_below_the_eye() -> None:
    room = room_seen_from(1.2, 1.0, eye_m=1.35)
    assert height_over_ground(seen_of_mesh(room.vertices, room.faces)) == pytest.approx(1.35, abs=0.02)
    above = Mesh(
        room.vertices[:1].repeat(3, 0) + np.array([[0, 9, 0], [1, 9, 0], [0, 9, 1]], np.float32),
        np.array([[0, 1, 2]], np.int32),
    )
    assert height_over_ground(seen_of_mesh(above.vertices, above.faces)) is None


def test_places_are_spread_in_the_open() -> None:
    room = room_seen_from(1.2, 1.0)

    cameras, _ = look_around(seen_of_mesh(room.vertices, room.faces))

    stops = np.unique(cameras.positions.round(3), axis=0)
    assert 4 <= len(stops) <= 10
    assert Collider(room).distance(stops.astype(np.float32)).min() > 0.3
    apart = np.linalg.norm(stops[:, None] - stops, axis=2) + 9 * np.eye(len(stops))
    assert apart.min() > 1.5
    # Around the corner of the L, which the first place does not see into.
    assert (stops[:, 2] + 1.0 > 4.0).any()


def test_a_mesh_becomes_walkable_over_its_known_area() -> None:
    room = room_seen_from(1.2, 1.0)
    cameras, depths = look_around(seen_of_mesh(room.vertices, room.faces))

    space = build(depths, cameras, settings=WalkSettings(is_indoor=True, walkers=300, rays=2_000))

    assert space.report.verdict == "good", space.report.reasons
    assert space.report.reachable_m2 == pytest.approx(ROOM_AREA_M2, rel=0.08)
    assert np.hypot(*space.spawn_position[[0, 2]]) < 1.0


def test_open_land_is_looked_at_up_to_the_reach() -> None:
    land = join([floor(-30, 30, -25, 35, y=-1.6)])

    cameras, _ = look_around(seen_of_mesh(land.vertices, land.faces), reach_m=9.0)

    away = np.hypot(*cameras.positions[:, [0, 2]].T)
    assert 6.0 < away.max() <= 9.0


def test_splats_are_seen_too() -> None:
    rng = np.random.default_rng(3)
    count = 30_000
    means = np.stack(
        [rng.uniform(-6, 5, count), rng.normal(-1.5, 0.004, count), rng.uniform(-5, 7, count)], 1
    )
    cloud = SplatCloud(
        means.astype(np.float32),
        np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        np.tile(np.array([0.08, 0.01, 0.08], np.float32), (count, 1)),
        np.full(count, 0.95, np.float32),
        np.zeros((count, 1, 3), np.float32),
    )
    see = seen_of_cloud(cloud)

    cameras, depths = look_around(see, reach_m=4.0)

    assert height_over_ground(see) == pytest.approx(1.5, abs=0.03)
    assert len(np.unique(cameras.positions.round(2), axis=0)) >= 4 and (depths > 0).any()
