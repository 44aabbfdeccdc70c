"""Where visitors of a scene will be and look: cameras to choose by, and others to measure with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reconstruction.cameras import Cameras

from .assemble import collider_mesh
from .asset import SplatAsset
from .refine import viewpoints

_WALKERS = 8
_STRIDES = 40  # 8 m
_STOP_EVERY = 4  # strides

Stop = tuple[float, float, float, float]  # eye x y z in metres, yaw in degrees


def stops(asset: SplatAsset, *, seed: int) -> list[Stop]:
    """Return eyes at the start, along the camera path, and on random walks over the ground.

    Empty for a scene that has neither path nor ground, as most imported files: `viewpoints` looks around it.
    """
    manifest = asset.manifest
    collider = collider_mesh(asset)
    if collider is None and not manifest.camera_path:
        return []
    (x, y, z), yaw = manifest.spawn.position, manifest.spawn.yaw_deg
    start = (x, y + manifest.eye_height_m, z, yaw)
    return [start, *manifest.camera_path, *(_walk(asset, *collider, seed=seed) if collider else ())]


def visits(
    means: NDArray[np.float32], at: list[Stop], *, seed: int, rounds: int, width: int, height: int
) -> Cameras:
    """Return 48 cameras a round at stops drawn by `seed`, each turned in three directions.

    Args:
        means: [N, 3] of the cloud.
        at: From `stops`.
        seed: Another one gives other stops and another strolling about them.
        rounds: At least 1.
        width: Of the pictures in pixels; 75 degrees.
        height: Three quarters of it.
    """
    random = np.random.default_rng(seed)
    found = []
    for number in range(rounds):
        chosen = [at[i] for i in random.permutation(len(at))]
        found.append(viewpoints(means, chosen, seed=100 * seed + number).resized(width, height))
    viewmats, Ks = (np.concatenate([getattr(each, name) for each in found]) for name in ("viewmats", "Ks"))
    return Cameras(viewmats, Ks, width, height)


def _walk(asset: SplatAsset, vertices: NDArray, faces: NDArray, *, seed: int) -> list[Stop]:
    # Late: it loads open3d.
    from reconstruction.fusion import Collider, Mesh
    from reconstruction.navigation import Body
    from reconstruction.walks import stroll

    random = np.random.default_rng(seed)
    starts = np.repeat(np.array([asset.manifest.spawn.position], np.float32), _WALKERS, axis=0)
    body = Body()
    mesh = Mesh(vertices.astype(np.float32), faces.astype(np.int32))
    places = stroll(Collider(mesh), starts, body=body, strides=_STRIDES, random=random)
    feet = places[_STOP_EVERY - 1 :: _STOP_EVERY].reshape(-1, 3)
    eyes = feet + np.array([0.0, asset.manifest.eye_height_m, 0.0], np.float32)
    yaws = random.uniform(0, 360, len(eyes))
    return [(float(x), float(y), float(z), float(yaw)) for (x, y, z), yaw in zip(eyes, yaws, strict=True)]
