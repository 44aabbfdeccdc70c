"""The renderer against geometry worked out by hand: depth, shade, fog, lamps, one look from every camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from immersive.generation.procedural.mesh import box, concatenate, quad, tessellated
from immersive.generation.procedural.rays import _EmbreeScene, _Open3dScene
from immersive.generation.procedural.render import render
from immersive.generation.procedural.world import (
    Atmosphere,
    Extent,
    Lamp,
    Lighting,
    Material,
    Sky,
    Sun,
    Texture,
    World,
)
from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.errors import CancelledError

SKY = Sky((0.2, 0.35, 0.7), (0.7, 0.8, 0.9), (0.6, 0.7, 0.9))
TO_SUN = (0.6, 0.64, 0.48)
BLOCK = ([1.5, 0.6, -4.0], [1.0, 1.2, 0.8])


def make_world(**changes) -> World:
    """A floor at y = 0 with one block on it."""
    floor = quad([[-30, 0, 30], [30, 0, 30], [30, 0, -30], [-30, 0, -30]], 0)
    world = World(
        mesh=concatenate([tessellated(floor, 1.5), tessellated(box(*BLOCK, 1), 0.3)]),
        materials=(
            Material(Texture.PLAIN, (0.3, 0.3, 0.3), contrast=0.0),
            Material(Texture.PLASTER, (0.5, 0.2, 0.1)),
        ),
        lighting=Lighting(SKY, Sun(TO_SUN, (3.0, 2.8, 2.4)), bake_rays=6),
        atmosphere=Atmosphere(density=0.0),
        is_indoor=False,
        ground_height=lambda x, z: np.zeros_like(x),
        is_free=lambda x, z: np.ones_like(x, bool),
        extent=Extent(-5, 5, -5, 5),
    )
    return replace(world, **changes)


def cameras(*pairs: tuple[list[float], list[float]], width: int = 90, height: int = 52) -> Cameras:
    viewmats = np.stack([look_at_viewmat(np.array(eye), np.array(target)) for eye, target in pairs])
    return Cameras(viewmats, np.stack([intrinsics(61.0, width, height)] * len(pairs)), width, height)


def look(world: World, views: Cameras) -> tuple[np.ndarray, np.ndarray]:
    return render(world, views, lambda share: None)


def points_of(views: Cameras, depths: np.ndarray, frame: int = 0) -> np.ndarray:
    """World points [H, W, 3] of a depth map, by the definition in `conventions`."""
    rows, columns = np.mgrid[0 : views.height, 0 : views.width]
    K = views.Ks[frame].astype(np.float64)
    x = (columns + 0.5 - K[0, 2]) / K[0, 0]
    y = (rows + 0.5 - K[1, 2]) / K[1, 1]
    far = np.minimum(depths[frame], 1e6)[..., None]
    in_camera = np.stack([x, y, np.ones_like(x)], -1) * far
    c2w = np.linalg.inv(views.viewmats[frame].astype(np.float64))
    return in_camera @ c2w[:3, :3].T + c2w[:3, 3]


def test_depth_along_z_puts_pixel_centres_on_the_surfaces() -> None:
    views = cameras(([0.4, 1.7, 1.0], [1.2, 0.4, -4.0]))

    _, depths = look(make_world(), views)

    points = points_of(views, depths)[np.isfinite(depths[0])]
    centre, size = np.array(BLOCK[0]), np.array(BLOCK[1])
    to_block = np.abs(np.abs(points - centre) - size / 2).min(axis=1)
    assert np.minimum(np.abs(points[:, 1]), to_block).max() < 1e-3
    assert (np.abs(points[:, 1]) > 0.1).sum() > 50  # the block is in view


def test_sky_is_infinitely_far_and_only_sky_is() -> None:
    views = cameras(([0.0, 1.7, 1.0], [0.0, 1.7, -4.0]))

    _, depths = look(make_world(), views)

    # Level with the floor's far edge at z = -30, some rows below the middle see it.
    edge = 26 + 61.0 * 1.7 / 31.0
    assert np.isinf(depths[0, : int(edge) - 1, :30]).all()
    assert np.isfinite(depths[0, int(edge) + 2 :]).all()


def test_a_place_looks_the_same_from_every_camera_even_in_fog() -> None:
    world = make_world(atmosphere=Atmosphere((0.6, 0.6, 0.65), 0.05, 0.03, clear_m=3.0))
    # The second stands elsewhere and sees the same patch of floor.
    views = cameras(([0.0, 2.5, 0.0], [-3.0, 0.0, -6.0]), ([-6.0, 2.2, -1.0], [-3.0, 0.0, -6.0]))

    images, depths = look(world, views)

    points = points_of(views, depths)
    in_camera = points @ views.viewmats[1, :3, :3].T.astype(np.float64) + views.viewmats[1, :3, 3]
    u = in_camera[..., 0] / in_camera[..., 2] * 61.0 + 45.0
    v = in_camera[..., 1] / in_camera[..., 2] * 61.0 + 26.0
    shared = (np.hypot(points[..., 0] + 3, points[..., 2] + 6) < 1.2) & (np.abs(points[..., 1]) < 1e-3)
    there = images[1][v[shared].astype(int), u[shared].astype(int)].astype(float)
    assert shared.sum() > 60
    assert np.abs(there - images[0][shared]).mean() < 1.5


def test_the_block_throws_its_shadow_away_from_the_sun() -> None:
    # Above the floor beyond the block, seen from the sun, and its mirror image towards the sun.
    centre, flat = np.array([1.5, 0.0, -4.0]), np.array([0.6, 0.0, 0.48])
    shaded, lit = centre - 1.3 * flat, centre + 1.9 * flat
    views = cameras((list(shaded + [0, 3, 0.1]), list(shaded)), (list(lit + [0, 3, 0.1]), list(lit)))

    images, _ = look(make_world(), views)

    middle = images[:, 24:28, 43:47].mean(axis=(1, 2, 3))
    assert middle[0] < 0.75 * middle[1]


def test_fog_hides_what_is_far_from_the_middle_and_nothing_near_it() -> None:
    fog = Atmosphere((0.9, 0.1, 0.1), 0.08, 0.0, centre=(0.0, 1.65, 0.0), clear_m=5.0)
    views = cameras(([0.0, 1.65, 0.0], [-0.5, 0.0, -2.2]), ([0.0, 1.65, 0.0], [-20.0, 0.0, -20.0]))

    clear, _ = look(make_world(), views)
    foggy, _ = look(make_world(atmosphere=fog), views)

    assert np.array_equal(clear[0, 26, 45], foggy[0, 26, 45])
    assert foggy[1, 26, 45, 0] > 1.6 * foggy[1, 26, 45, 1]
    assert clear[1, 26, 45, 0] < 1.2 * clear[1, 26, 45, 1]


def test_lamplight_falls_with_the_square_of_distance_and_is_blocked() -> None:
    night = Lighting(replace(SKY, zenith=(0, 0, 0), horizon=(0, 0, 0), opposite=(0, 0, 0), ground=(0, 0, 0)))
    # Over the block: its own shade darkens the floor beside it.
    world = make_world(lighting=replace(night, lamps=(Lamp((-4.0, 2.0, 2.0), (6.0, 6.0, 6.0), 0.01, 0.01),)))
    spots = ([-4.0, 0.0, 2.0], [-4.0, 0.0, 4.0], [2.6, 0.0, -5.2])
    views = cameras(*(([x, 3.0, z + 0.1], [x, y, z]) for x, y, z in spots))

    images, _ = look(world, views)

    displayed = images[:, 24:28, 43:47].mean(axis=(1, 2, 3)) / 255
    linear = _inverse_tone(displayed)
    # Twice the tilt factor: cos / d^2 is 1/4 below the lamp and (1/sqrt 2) / 8 two metres off.
    assert linear[1] / linear[0] == pytest.approx(4 / (8 * np.sqrt(2)), rel=0.12)
    assert linear[2] < 0.01 * linear[0]


def _inverse_tone(displayed: np.ndarray) -> np.ndarray:
    linear = np.linspace(0, 4, 200_001)
    curve = np.clip(linear * (2.51 * linear + 0.03) / (linear * (2.43 * linear + 0.59) + 0.14), 0, 1)
    srgb = np.where(curve <= 0.0031308, 12.92 * curve, 1.055 * curve ** (1 / 2.4) - 0.055)
    return np.interp(displayed, srgb, linear)


def test_stopping_reaches_the_caller() -> None:
    def stop(share: float) -> None:
        if share > 0.5:
            raise CancelledError("stopped by the user")

    views = cameras(*[([0.0, 1.7, 1.0], [0.0, 1.0, -4.0])] * 6, width=16, height=9)

    with pytest.raises(CancelledError):
        render(make_world(), views, stop)


def test_both_ray_engines_give_the_same_answers() -> None:
    rng = np.random.default_rng(4)
    mesh = make_world().mesh
    origins = rng.uniform([-4, 0.2, -8], [4, 3, 2], (500, 3)).astype(np.float32)
    heads = rng.normal(size=(500, 3)).astype(np.float32)
    heads /= np.linalg.norm(heads, axis=1, keepdims=True)
    reach = rng.uniform(0.5, 6, 500).astype(np.float32)

    embree, open3d = _EmbreeScene(mesh), _Open3dScene(mesh)

    first, second = embree.closest(origins, heads), open3d.closest(origins, heads)
    assert np.array_equal(np.isinf(first[0]), np.isinf(second[0]))
    assert (first[1] < 0).any() and (first[1] >= 0).any()
    hit = np.isfinite(first[0])
    assert np.allclose(first[0][hit], second[0][hit], rtol=1e-4)
    assert np.array_equal(first[1] < 0, second[1] < 0)
    assert np.array_equal(embree.is_free(origins, heads), open3d.is_free(origins, heads))
    assert np.array_equal(embree.is_free(origins, heads, reach), open3d.is_free(origins, heads, reach))
    assert np.array_equal(embree.is_free(origins, heads, reach), ~(first[0] <= reach))
