"""The height field finds the floor, leaves furniture out and goes on where nothing was seen."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.collider import assemble, boundary, obstacles_on, walkable_region
from reconstruction.fusion import Collider, Mesh, join, parts
from reconstruction.ground import Ground, complete, estimate_ground
from tests.reconstruction.rooms import floor, quad, walls_around

_CAMERAS = np.array([[1.0, 1.6, 1.0], [3.0, 1.6, 1.4], [5.0, 1.7, 3.0]])


def _grid(heights: np.ndarray, cell_m: float = 0.1, seen: np.ndarray | None = None) -> Ground:
    heights = heights.astype(np.float32)
    seen = np.ones(heights.shape, bool) if seen is None else seen
    return Ground(np.array([-1.0, 2.0], np.float32), cell_m, heights, seen)


def _estimate(mesh: Mesh, cameras=_CAMERAS) -> Ground:
    low, high = np.array([-0.5, -0.5]), np.array([6.5, 4.5])
    return estimate_ground(mesh, np.asarray(cameras), low=low, high=high, cell_m=0.1)


def _box(x0: float, x1: float, z0: float, z1: float, low: float, high: float) -> Mesh:
    sides = walls_around([(x0, z0), (x1, z0), (x1, z1), (x0, z1)], low, high)
    return join([floor(x0, x1, z0, z1, y=high), sides])


def test_completion_carries_a_slope_across_a_hole() -> None:
    z, x = np.mgrid[:30, :50].astype(float)
    slope = 0.3 * x - 0.7 * z + 2
    known = np.hypot(x - 22, z - 13) > 6

    filled = complete(np.where(known, slope, np.nan), known)

    np.testing.assert_allclose(filled, slope, atol=1e-3)  # linear functions are harmonic


def test_completion_goes_on_level_beyond_what_was_seen() -> None:
    heights = np.full((9, 12), np.nan, np.float32)
    heights[:, :4] = 1.5
    np.testing.assert_allclose(complete(heights, np.isfinite(heights)), 1.5, atol=1e-5)


def test_ground_goes_on_under_a_table_that_stands_on_it() -> None:
    seen_floor = join([floor(0, 2, 0, 4), floor(3.2, 6, 0, 4), floor(2, 3.2, 0, 1), floor(2, 3.2, 2.3, 4)])
    ground = _estimate(join([seen_floor, _box(2, 3.2, 1, 2.3, 0.0, 0.75)]))

    x, z = ground.centres()
    on_table = (x > 2.1) & (x < 3.1) & (z > 1.1) & (z < 2.2)

    np.testing.assert_allclose(ground.heights[on_table], 0.0, atol=0.02)
    assert not ground.is_seen[on_table].any()
    assert ground.is_seen[(x > 0.2) & (x < 1.8) & (z > 0.2) & (z < 3.8)].all()


def test_a_dais_is_ground_and_a_pit_is_ground_and_a_speck_below_is_not() -> None:
    whole = join(
        [
            floor(0, 4, 0, 4),
            floor(4, 6, 0, 2, y=0.2),
            floor(4, 6, 2, 4, y=-1.4),
            floor(1.3, 1.6, 2.0, 2.3, y=-0.9),  # a stray surface under the floor, smaller than a speck
        ]
    )
    ground = _estimate(whole)

    def height(x: float, z: float) -> float:
        return float(ground.height_at(np.array([x]), np.array([z]))[0])

    assert height(5.0, 1.0) == pytest.approx(0.2, abs=0.01)
    assert height(5.0, 3.0) == pytest.approx(-1.4, abs=0.01)
    assert height(1.45, 2.15) == pytest.approx(0.0, abs=0.02)


def test_a_hanging_canopy_is_no_ground() -> None:
    canopy = quad([2, 0.25, 1], [4, 0.25, 1], [4, 0.25, 3], [2, 0.25, 3])  # looks down
    ground = _estimate(join([floor(0, 1.9, 0, 4), floor(4.1, 6, 0, 4), canopy]))

    below = ground.height_at(np.array([3.0]), np.array([2.0]))
    np.testing.assert_allclose(below, 0.0, atol=0.02)


def test_without_any_surface_the_ground_is_level_below_the_cameras() -> None:
    ground = _estimate(Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)))

    np.testing.assert_allclose(ground.heights, 0.0, atol=1e-6)
    assert not ground.is_seen.any()


def test_the_mesh_of_a_height_field_has_its_heights_and_looks_up() -> None:
    z, x = np.mgrid[:12, :17]
    ground = _grid(0.02 * x - 0.05 * z)
    cells = np.zeros((12, 17), bool)
    cells[3:9, 4:15] = True

    mesh = ground.mesh(cells)

    assert (mesh.normals[:, 1] > 0.7).all()
    height, _ = Collider(mesh).ground_below(np.array([[-0.13, 5.0, 2.51]]))
    np.testing.assert_allclose(height, ground.height_at(np.array([-0.13]), np.array([2.51])), atol=1e-5)
    for row, column in ((3, 4), (8, 14)):  # squares around the outermost cells are there
        point = np.array([[-0.97 + 0.1 * column, 5.0, 2.02 + 0.1 * row]])
        assert np.isfinite(Collider(mesh).ground_below(point)[0]).all()


def test_the_boundary_encloses_its_region_and_faces_inwards() -> None:
    region = np.zeros((40, 60), bool)
    region[8:30, 10:50] = True
    region[8:16, 10:22] = False  # an L
    region[20:25, 30:36] = False  # and a hole
    ground = _grid(np.zeros((40, 60)))

    wall, length_m = boundary(ground, region)

    outline, hole = 2 * (2.2 + 4.0), 2 * (0.5 + 0.6)
    assert length_m == pytest.approx(outline + hole, rel=0.1)  # corners are rounded
    assert len(np.unique(parts(wall)[0])) == 2
    collider = Collider(wall)
    row, column = 26, 15
    inside = np.array([-1.0 + 0.1 * column, 0.5, 2.0 + 0.1 * row])
    for angle in np.linspace(0, 2 * np.pi, 50):
        way = np.array([np.cos(angle), 0.0, np.sin(angle)])
        _, triangle = collider.cast(inside[None], way)
        assert triangle[0] >= 0  # nobody gets out
        assert wall.normals[triangle[0]] @ way < 0  # and meets the front


def test_a_region_of_two_cells_that_touch_at_a_corner_is_enclosed_twice() -> None:
    region = np.zeros((6, 7), bool)
    region[2, 2] = region[3, 3] = True

    wall, length_m = boundary(_grid(np.zeros((6, 7))), region)

    assert len(np.unique(parts(wall)[0])) == 2
    assert 0 < length_m < 0.8


def test_the_region_bridges_gaps_and_leaves_out_what_is_far_or_unseen() -> None:
    seen = np.zeros((80, 200), bool)
    seen[20:60, 20:180] = True
    seen[:, 70:75] = False  # a gap of 0.5 m
    seen[35:45, 100:110] = False  # a hole within
    ground = Ground(np.zeros(2, np.float32), 0.1, np.zeros((80, 200), np.float32), seen)
    cameras = np.array([[3.0, 1.6, 4.0], [8.0, 1.6, 4.0]])

    region = walkable_region(ground, cameras, known=seen, margin_m=4.0, close_m=1.0, neck_m=0.5, grow_m=0.0)

    x, z = ground.centres()
    assert region[(np.abs(x - 7.2) < 0.3) & (np.abs(z - 4) < 1)].all()
    assert region[(np.abs(x - 10.5) < 0.4) & (np.abs(z - 4) < 0.4)].all()
    away = np.minimum(np.hypot(x - 3, z - 4), np.hypot(x - 8, z - 4))
    assert not region[away > 4.0].any()
    assert not region[z < 1.5].any()


def test_nobody_is_let_onto_open_water() -> None:
    z, x = np.mgrid[:80, :160]
    heights = np.maximum(0.02 * (x - 60), -0.5)  # a shore: land rises to the right, the lake lies left
    ground = Ground(np.zeros(2, np.float32), 0.1, heights.astype(np.float32), np.ones((80, 160), bool))
    facts = {"known": ground.is_seen, "margin_m": 9.0, "close_m": 1.0, "neck_m": 0.5, "grow_m": 0.0}
    cameras = np.array([[10.0, 2.0, 4.0]])

    dry = walkable_region(ground, cameras, water_y=-0.5, **facts)
    all_of_it = walkable_region(ground, cameras, **facts)

    assert not dry[heights <= -0.5].any()
    assert all_of_it[heights <= -0.5].any()
    assert dry[(heights > -0.35) & (x > 60) & (x < 140) & (z > 20) & (z < 60)].all()


def test_obstacles_are_what_stands_over_the_ground() -> None:
    ground = _grid(np.full((60, 60), 0.3))
    chair = _box(0.5, 1.0, 3.0, 3.5, 0.3, 0.8)
    rug = floor(2.0, 3.5, 3.0, 5.0, y=0.33)
    below = floor(0.0, 1.0, 5.0, 6.0, y=-0.5)
    speck = floor(2.0, 2.1, 6.0, 6.1, y=1.5)

    kept = obstacles_on(join([chair, rug, below, speck]), ground, np.ones((60, 60), bool), clear_m=0.15)

    assert sorted(np.unique(kept.corners[:, :, 0])) == pytest.approx([0.5, 1.0])
    assert len(kept) == len(chair)


def test_an_assembled_collider_has_ground_everywhere_up_to_its_wall() -> None:
    z, x = np.mgrid[:60, :80]
    ground = _grid(0.3 * np.sin(x / 15) + 0.01 * z)
    region = np.zeros((60, 80), bool)
    region[12:45, 15:66] = True

    made = assemble(_box(1.0, 2.0, 4.0, 4.5, -0.5, 1.5), ground, region, clear_m=0.2, target_triangles=3000)

    collider = Collider(made.mesh)
    xs, zs = ground.centres()
    above = np.stack([xs[region], np.full(int(region.sum()), 4.9), zs[region]], axis=1)
    height, _ = collider.ground_below(above)
    assert np.isfinite(height).all()
    on_ground = height < 0.9
    np.testing.assert_allclose(height[on_ground], ground.heights[region][on_ground], atol=0.03)
    assert made.boundary_start < len(made.mesh) < 3500
    assert (np.abs(made.mesh.normals[made.boundary_start :, 1]) < 1e-3).all()
