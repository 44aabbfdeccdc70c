"""Whether a picture agrees with the next: its pixels carried over by exact depth, where both see the place.

As `prototypes/generation/r_consist.py` measured it: frames 0.46 m apart outdoors, 640x360, one pixel each,
read between the pixels of the other frame by linear interpolation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from immersive.brief import SceneBrief
from immersive.generation.glide import plan_glide
from immersive.generation.procedural.generator import build_world
from immersive.generation.procedural.rays import RayScene, ray_scene
from immersive.generation.procedural.render import render
from immersive.generation.procedural.world import Texture
from reconstruction.cameras import Cameras
from tests.bench.rows import Row, at_least

_WIDTH, _HEIGHT = 640, 360
_STEP_M = {"outdoors": 0.46, "indoors": 0.2}
_PAIRS_AT = (0.2, 0.5, 0.75)  # shares of the way
_GOALS_DB = {"all surfaces": 28.0, "matte water": 38.0, "foliage": 23.0}
_SAME_SURFACE = 0.01  # of the distance
_FINE = 240  # steps of the way, of which pairs are taken


def rows(name: str, brief: SceneBrief) -> list[Row]:
    """Return the PSNR of each sort of surface over three pairs of neighbours."""
    world = build_world(brief)
    scene = ray_scene(world.mesh)
    cameras = _pairs(plan_glide(world, _FINE, _WIDTH, _HEIGHT), _STEP_M[name])
    images, depths = render(world, cameras, lambda share: None, scene=scene)
    is_water = np.array([m.texture == Texture.WATER for m in world.materials])
    is_foliage = np.array([m.is_foliage for m in world.materials])
    errors: dict[str, list[NDArray]] = {sort: [] for sort in _GOALS_DB}
    for first in range(0, len(cameras), 2):
        views = cameras.subset([first, first + 1])
        error = _differences(views, images[first : first + 2], depths[first : first + 2])
        materials = world.mesh.materials[_triangles(scene, views)]
        both = np.isfinite(error)
        errors["all surfaces"].append(error[both])
        errors["matte water"].append(error[both & is_water[materials]])
        errors["foliage"].append(error[both & is_foliage[materials]])
    found = []
    for sort, parts in errors.items():
        values = np.concatenate(parts)
        if len(values) >= 200:  # a few leaves at the rim of a picture say nothing
            psnr = float(-10 * np.log10(max(values.mean(), 1e-10)))
            found.append(at_least(f"{name}: {sort} agree with the next picture", psnr, "dB", _GOALS_DB[sort]))
    return found


def _pairs(cameras: Cameras, step_m: float) -> Cameras:
    """Return pairs of cameras about `step_m` apart, one after the other."""
    positions, frames = cameras.positions, []
    for share in _PAIRS_AT:
        first = round(share * (len(cameras) - 1))
        away = np.linalg.norm(positions[first + 1 :] - positions[first], axis=1)
        frames += [first, first + 1 + int(np.abs(away - step_m).argmin())]
    return cameras.subset(frames)


def _differences(views: Cameras, images: NDArray[np.uint8], depths: NDArray) -> NDArray[np.float64]:
    """Return the squared difference [H, W] of the first picture to the second, NaN where only one sees it."""
    x, y = np.meshgrid(np.arange(_WIDTH) + 0.5, np.arange(_HEIGHT) + 0.5)
    K = views.Ks[0].astype(np.float64)
    is_there = np.isfinite(depths[0])
    depth = np.where(is_there, depths[0], 1.0)
    in_first = np.stack([(x - K[0, 2]) / K[0, 0] * depth, (y - K[1, 2]) / K[1, 1] * depth, depth], -1)
    second_from_first = views.viewmats[1].astype(np.float64) @ np.linalg.inv(
        views.viewmats[0].astype(np.float64)
    )
    in_second = in_first @ second_from_first[:3, :3].T + second_from_first[:3, 3]
    z = np.maximum(in_second[..., 2], 1e-6)
    u, v = in_second[..., 0] / z * K[0, 0] + K[0, 2] - 0.5, in_second[..., 1] / z * K[1, 1] + K[1, 2] - 0.5
    inside = is_there & (in_second[..., 2] > 0.1) & (u > 1) & (u < _WIDTH - 2) & (v > 1) & (v < _HEIGHT - 2)
    column, row = np.clip(np.rint(u), 0, _WIDTH - 1).astype(int), np.clip(np.rint(v), 0, _HEIGHT - 1)
    met = depths[1][row.astype(int), column]
    inside &= np.abs(met - z) < _SAME_SURFACE * z
    other = images[1].astype(np.float64) / 255
    carried = np.stack(
        [map_coordinates(other[..., c], [v, u], order=1, mode="nearest") for c in range(3)], -1
    )
    error = np.square(carried - images[0].astype(np.float64) / 255).mean(axis=-1)
    return np.where(inside, error, np.nan)


def _triangles(scene: RayScene, views: Cameras) -> NDArray[np.int32]:
    """Return the triangle [H, W] in the middle of each pixel of the first view, 0 for the sky."""
    x, y = np.meshgrid(np.arange(_WIDTH) + 0.5, np.arange(_HEIGHT) + 0.5)
    pixels = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], -1)
    heads = pixels @ np.linalg.inv(views.Ks[0].astype(np.float64)).T @ views.viewmats[0, :3, :3]
    heads /= np.linalg.norm(heads, axis=1, keepdims=True)
    origins = np.broadcast_to(views.positions[0], heads.shape)
    hits = scene.closest(np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(heads, np.float32))[
        1
    ]
    return np.maximum(hits, 0).reshape(_HEIGHT, _WIDTH)
