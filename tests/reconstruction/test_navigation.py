"""Reachable area, walkers and rays on colliders whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.fusion import Collider, Mesh, join
from reconstruction.ground import Ground
from reconstruction.navigation import (
    Body,
    choose_heading,
    choose_start,
    is_clear,
    reach,
    standing_cells,
)
from reconstruction.walks import open_rays, random_walks, standing_points, stroll
from tests.reconstruction.rooms import ROOM_AREA_M2, floor, l_room, quad, wall, walls_around, without_disc

_BODY = Body()
_CELL_M = 0.05


def _level(x0: float, x1: float, z0: float, z1: float, cell_m: float = _CELL_M) -> Ground:
    shape = (round((z1 - z0) / cell_m) + 1, round((x1 - x0) / cell_m) + 1)
    heights = np.zeros(shape, np.float32)
    return Ground(np.array([x0, z0], np.float32), cell_m, heights, heights == 0)


def _reached(mesh: Mesh, ground: Ground, x: float, z: float):
    row, column = ground.cells(np.array(x), np.array(z))
    return reach(Collider(mesh), ground, (int(row), int(column)), _BODY)


def _walk(mesh: Mesh, starts, *, walkers: int = 400, strides: int = 60, lowest_m: float = -3.0):
    random = np.random.default_rng(3)
    chosen = np.asarray(starts, np.float32)[random.integers(0, len(starts), walkers)]
    return random_walks(Collider(mesh), chosen, body=_BODY, strides=strides, lowest_m=lowest_m, random=random)


def _tiled(x0: float, x1: float, z0: float, z1: float) -> Mesh:
    """A floor of tiles of a quarter metre, so that holes can be cut."""
    xs, zs = np.arange(x0, x1, 0.25), np.arange(z0, z1, 0.25)
    return join([floor(x, x + 0.25, z, z + 0.25) for x in xs for z in zs])


def test_reachable_area_of_the_l_room_is_the_floor_shrunk_by_the_body() -> None:
    reached = _reached(l_room(), _level(-0.5, 6.5, -0.5, 7.5), 1.0, 1.0)

    assert reached.area_m2 == pytest.approx(ROOM_AREA_M2, rel=0.03)
    dais = reached.feet[np.isfinite(reached.feet) & (reached.feet > 0.1)]
    np.testing.assert_allclose(dais, 0.2, atol=1e-4)
    assert len(dais) * _CELL_M**2 == pytest.approx((1.6 - 0.22) * (1.7 - 0.22), rel=0.05)


@pytest.mark.parametrize(("step_m", "is_reached"), [(0.3, True), (0.4, False)])
def test_a_step_is_climbed_up_to_its_limit(step_m: float, is_reached: bool) -> None:
    block = join([floor(2, 4, 0, 3, y=step_m), wall((2.0, 3.0), (2.0, 0.0), 0.0, step_m)])
    mesh = join([floor(0, 4, 0, 3), block])

    reached = _reached(mesh, _level(0, 4, 0, 3), 1.0, 1.5)

    assert bool(np.nanmax(reached.feet) > 0.2) == is_reached


@pytest.mark.parametrize(("slope_deg", "is_reached"), [(40.0, True), (50.0, False)])
def test_a_slope_is_climbed_up_to_its_limit(slope_deg: float, is_reached: bool) -> None:
    rise = 2 * np.tan(np.radians(slope_deg))
    ramp = quad([2, 0, 0], [2, 0, 3], [4, rise, 3], [4, rise, 0])

    reached = _reached(join([floor(0, 2, 0, 3), ramp]), _level(0, 4, 0, 3), 1.0, 1.5)

    assert bool(np.nanmax(reached.feet) > 0.5) == is_reached


def test_what_lies_below_a_bridge_is_not_reached_from_it() -> None:
    bridge = join([floor(0, 2, 0, 3), floor(0, 4, 0, 3, y=-2.4)])

    assert np.nanmin(_reached(bridge, _level(0, 4, 0, 3), 1.0, 1.5).feet) > -0.01


def test_a_lintel_below_the_head_blocks_and_one_above_does_not() -> None:
    for height, is_open in ((1.5, False), (1.9, True)):
        lintel = wall((2.0, 0.0), (2.0, 3.0), height, 2.5)
        reached = _reached(join([floor(0, 4, 0, 3), lintel]), _level(0, 4, 0, 3), 1.0, 1.5)

        assert bool((reached.area_m2 > 7.0) == is_open)


def test_a_gap_narrower_than_the_shoulders_is_no_way() -> None:
    for gap_m, is_open in ((0.40, False), (0.60, True)):
        sides = [wall((2.0, 0.0), (2.0, 1.5 - gap_m / 2)), wall((2.0, 1.5 + gap_m / 2), (2.0, 3.0))]
        reached = _reached(join([floor(0, 4, 0, 3), *sides]), _level(0, 4, 0, 3), 1.0, 1.5)

        assert bool(reached.area_m2 > 7.0) == is_open


def test_nobody_walks_where_the_start_has_no_ground() -> None:
    reached = _reached(floor(5, 6, 5, 6), _level(0, 4, 0, 3), 1.0, 1.5)

    assert reached.area_m2 == 0.0


def test_walkers_in_a_closed_room_neither_fall_nor_get_stuck() -> None:
    trial = _walk(l_room(), [[1.0, 0.0, 1.0], [5.0, 0.0, 3.2], [1.2, 0.0, 6.0]], strides=120)

    assert trial.fall_count == 0
    assert trial.stuck_share <= 0.01
    assert trial.lowest_m >= -1e-3


def test_a_hole_in_the_floor_is_fallen_through() -> None:
    closed = join([_tiled(0, 5, 0, 4), walls_around([(0.0, 0.0), (5.0, 0.0), (5.0, 4.0), (0.0, 4.0)])])
    holed = without_disc(closed, 3.2, 1.7, 0.6, below_m=0.1)
    starts = [[1.0, 0.0, 1.0], [4.2, 0.0, 3.2]]

    assert _walk(closed, starts).fall_count == 0
    assert _walk(holed, starts).fall_count > 40


def test_who_strolls_goes_far_but_into_no_hole_over_no_edge_and_through_no_wall() -> None:
    walls = [wall((0.0, 4.0), (0.0, 0.0)), wall((0.0, 0.0), (5.0, 0.0))]  # two sides are open
    holed = without_disc(join([_tiled(0, 5, 0, 4), *walls]), 3.2, 1.7, 0.6, below_m=0.1)
    starts = np.repeat(np.array([[1.0, 0.0, 1.0]], np.float32), 40, axis=0)

    places = stroll(Collider(holed), starts, body=_BODY, strides=60, random=np.random.default_rng(5)).reshape(
        -1, 3
    )

    assert np.abs(places[:, 1]).max() < 1e-3
    between = places[(places[:, 0] < 4.5) & (places[:, 2] < 3.5)]  # beyond, the walls end
    assert between[:, [0, 2]].min() > _BODY.radius_m - 0.01
    assert places[:, 0].max() < 5.2 and places[:, 2].max() < 4.2
    assert np.hypot(places[:, 0] - 3.2, places[:, 2] - 1.7).min() > 0.4
    assert places[:, 0].max() > 4 and places[:, 2].max() > 3


def test_an_edge_without_a_wall_is_fallen_over() -> None:
    assert _walk(floor(0, 5, 0, 4), [[2.5, 0.0, 2.0]], strides=120).fall_count > 200


def test_walkers_do_not_climb_what_is_too_steep() -> None:
    # Whoever got up the slope of 55 degrees would fall over its upper edge.
    slope = quad([3, 0, 0], [3, 0, 4], [4, 1.43, 4], [4, 1.43, 0])
    sides = [wall((0.0, 4.0), (0.0, 0.0)), wall((0.0, 0.0), (4.0, 0.0)), wall((4.0, 4.0), (0.0, 4.0))]

    assert _walk(join([floor(0, 3, 0, 4), slope, *sides]), [[2.0, 0.0, 2.0]], strides=120).fall_count == 0


def test_a_crack_narrower_than_the_soles_carries() -> None:
    cracked = join([floor(0, 2.48, 0, 4), floor(2.52, 5, 0, 4)])
    walled = join([cracked, walls_around([(0.0, 0.0), (5.0, 0.0), (5.0, 4.0), (0.0, 4.0)])])

    assert _walk(walled, [[1.0, 0.0, 1.0]], strides=100).fall_count == 0


def test_a_pit_with_a_bottom_is_a_trap_and_not_a_fall() -> None:
    # A shaft of three tiles by three: wide enough to drop in, too narrow to roam.
    ring = without_disc(_tiled(0, 5, 0, 4), 3.2, 1.7, 0.4, below_m=0.1)
    shaft = walls_around([(2.75, 1.25), (3.5, 1.25), (3.5, 2.0), (2.75, 2.0)], -2.0, 0.0)
    pit = join([ring, shaft, floor(2.75, 3.5, 1.25, 2.0, y=-2.0)])
    walled = join([pit, walls_around([(0.0, 0.0), (5.0, 0.0), (5.0, 4.0), (0.0, 4.0)])])

    trial = _walk(walled, [[1.0, 0.0, 1.0], [4.4, 0.0, 3.2]], strides=120)

    assert trial.fall_count == 0
    assert trial.lowest_m == pytest.approx(-2.0, abs=1e-3)
    assert trial.stuck_share > 0.01


def test_walkers_in_a_cell_of_half_a_metre_are_stuck() -> None:
    cell = walls_around([(0.0, 0.0), (0.6, 0.0), (0.6, 0.7), (0.0, 0.7)])

    trial = _walk(join([floor(0, 0.6, 0, 0.7), cell]), [[0.3, 0.0, 0.35]])

    assert trial.stuck_share == 1.0


def test_rays_that_leave_through_a_hole_are_counted() -> None:
    ground = _level(0, 5, 0, 4, cell_m=0.1)
    walled = join([_tiled(0, 5, 0, 4), walls_around([(0.0, 0.0), (5.0, 0.0), (5.0, 4.0), (0.0, 4.0)])])
    shares = {}
    for name, mesh in {
        "closed": walled,
        "holed": without_disc(walled, 3.2, 1.7, 0.6, below_m=0.1),
        "no walls": _tiled(0, 5, 0, 4),
    }.items():
        reached = _reached(mesh, ground, 1.0, 1.0)
        trial = open_rays(
            Collider(mesh),
            reached,
            ground.centres(),
            boundary_start=len(mesh) - 8,
            body=_BODY,
            count=20_000,
            random=np.random.default_rng(1),
        )
        shares[name] = trial.open_share
        if name == "closed":
            assert trial.boundary_share > 0.1

    assert shares["closed"] == 0.0
    assert 0.005 < shares["holed"] < 0.2
    assert shares["no walls"] > 0.1


def test_the_start_is_clear_and_near_the_first_camera() -> None:
    ground = _level(-0.5, 6.5, -0.5, 7.5, cell_m=0.1)
    collider = Collider(l_room())
    standing = standing_cells(collider, ground, np.ones(ground.shape, bool), _BODY)

    start = choose_start(standing, ground, np.array([[0.3, 1.6, 0.3], [1.0, 1.6, 5.0]]))

    assert start is not None
    x, z = (float(axis[start]) for axis in ground.centres())
    assert 0.5 < np.hypot(x - 0.3, z - 0.3) < 1.6  # away from the corner, yet near
    assert is_clear(collider, np.array([[x, 0.0, z]], np.float32), _BODY).all()


def test_the_start_is_where_the_cameras_were_and_not_in_the_larger_garden() -> None:
    ground = _level(-0.5, 16.0, -0.5, 7.5, cell_m=0.1)
    collider = Collider(join([l_room(), floor(6.2, 16, 0, 7)]))
    standing = standing_cells(collider, ground, np.ones(ground.shape, bool), _BODY)

    start = choose_start(standing, ground, np.array([[5.7, 1.6, 3.6], [1.0, 1.6, 5.0], [8.0, 1.6, 3.0]]))

    assert start is not None
    x, z = (float(axis[start]) for axis in ground.centres())
    assert 4.5 < x < 6.0
    assert z < 4.0


def test_the_heading_is_kept_unless_it_faces_something_near() -> None:
    collider = Collider(l_room())
    left_of_minus_z = np.array([-np.sin(np.radians(30)), 0.2, -np.cos(np.radians(30))])

    kept = choose_heading(collider, np.array([3.9, 1.6, 3.5]), left_of_minus_z, boundary_start=10**9)
    turned = choose_heading(collider, np.array([1.2, 1.6, 0.5]), left_of_minus_z, boundary_start=10**9)
    through = choose_heading(collider, np.array([1.2, 1.6, 0.5]), left_of_minus_z, boundary_start=0)

    assert kept == pytest.approx(30.0)
    assert abs(turned) > 100  # down the long arm of the L, towards +Z
    assert through == pytest.approx(30.0)  # the invisible boundary hides nothing


def test_points_are_drawn_from_reached_cells_only() -> None:
    ground = _level(-0.5, 6.5, -0.5, 7.5, cell_m=0.1)
    reached = _reached(l_room(), ground, 1.0, 1.0)

    points = standing_points(reached, ground.centres(), 500, np.random.default_rng(0))

    row, column = ground.cells(points[:, 0], points[:, 2])
    assert reached.cells[row, column].all()
    np.testing.assert_allclose(points[:, 1], reached.feet[row, column])
