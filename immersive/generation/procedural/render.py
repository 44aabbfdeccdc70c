"""Pictures and depths of a world, frame by frame on two threads.

One ray per pixel finds what is there; pixels that one ray does not describe get nine or four more. Depth
is that of the ray through the pixel's centre, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reconstruction.cameras import Cameras
from reconstruction.conventions import F32

from . import shading
from .light import bake
from .materials import FOLIAGE, MIRROR, pack_ground, pack_materials
from .mesh import Mesh
from .rays import RayScene, ray_scene
from .sky import sky_table
from .world import World

_BAKE_SHARE = 0.3  # of the progress bar
_MIRROR_RAYS = 12
_CENTRE = np.array([[0.5, 0.5]])


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """How much each picture costs."""

    samples_per_side: int = 3  # 3: nine rays in a pixel at an edge or in foliage
    threshold: float = 0.05  # displayed difference to a neighbour, 0..1, from which a pixel gets them
    spread_px: float = 1.0  # width of the filter: all of a pixel, and nothing of its neighbours
    threads: int = 2  # they change no pixel


def render(
    world: World,
    cameras: Cameras,
    progress: Callable[[float], None],
    settings: RenderSettings | None = None,
    scene: RayScene | None = None,
    show: Callable[[NDArray[np.uint8]], object] = lambda image: None,
) -> tuple[NDArray[np.uint8], F32]:
    """Return pictures [F, H, W, 3] sRGB and depths [F, H, W] in metres along +Z, inf where the sky is.

    Args:
        world: The place; its light is baked here.
        cameras: The views.
        progress: Called with the share done, 0..1; what it raises stops the work.
        settings: Quality; None is the default.
        scene: Rays against `world.mesh`, if they are there already.
        show: Given each picture when it is done, in their order.
    """
    settings = settings or RenderSettings()
    with ThreadPoolExecutor(settings.threads) as pool:
        painter = _Painter(
            world,
            settings,
            scene or ray_scene(world.mesh),
            pool,
            lambda share: progress(_BAKE_SHARE * share),
        )
        count = len(cameras)
        images = np.empty((count, cameras.height, cameras.width, 3), np.uint8)
        depths = np.empty((count, cameras.height, cameras.width), np.float32)

        def paint(frame: int) -> None:
            images[frame], depths[frame] = painter.frame(
                cameras.viewmats[frame], cameras.Ks[frame], cameras.width, cameras.height
            )

        try:
            for done, _ in enumerate(pool.map(paint, range(count))):
                show(images[done])
                progress(_BAKE_SHARE + (1 - _BAKE_SHARE) * (done + 1) / count)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return images, depths


class _Painter:
    """A world with its rays, tables and baked light."""

    def __init__(
        self,
        world: World,
        settings: RenderSettings,
        scene: RayScene,
        pool: ThreadPoolExecutor,
        progress: Callable[[float], None],
    ) -> None:
        self._mesh, self._settings = world.mesh, settings
        solid = scene if world.shadeless_face is None else ray_scene(_solid(world))
        self._scene, self._solid = scene, solid
        self._table = sky_table(world.lighting)
        self._palette = pack_materials(world.materials)
        self._cover = pack_ground(world.ground_cover)
        self._parameters = _parameters(world)
        self._sheen = np.zeros((1, 4), np.float32)
        self._light = bake(world, solid, self._table, self._palette, self._cover, pool, progress)
        if (self._palette[:, MIRROR] > 0).any():
            self._sheen = self._mirrored(np.array(world.atmosphere.centre))
        side = (np.arange(settings.samples_per_side) + 0.5) / settings.samples_per_side
        spread = 0.5 + (side - 0.5) * settings.spread_px
        self._spots = np.stack(np.meshgrid(spread, spread), -1).reshape(-1, 2)
        self._disc = _disc(len(self._spots))

    def _mirrored(self, eye: NDArray) -> F32:
        """Return what level water mirrors [V, 4]: radiance times its share, and the share.

        A true reflection moves with the eye, which no fixed set of splats can show. This one is painted on
        the water: what an eye in the middle of the walk would see there, blurred as by a light breeze, so
        that from elsewhere it still looks right.
        """
        mesh = self._mesh
        strength = np.zeros(len(mesh.vertices), np.float32)
        np.maximum.at(strength, mesh.faces, self._palette[mesh.materials, MIRROR].astype(np.float32)[:, None])
        wet = np.flatnonzero(strength > 0)
        starts = mesh.vertices[wet] + np.float32([0, 0.02, 0])
        line = starts - eye
        line /= np.linalg.norm(line, axis=1, keepdims=True)
        steepness = np.abs(line[:, 1])
        bearing = np.arctan2(line[:, 0], line[:, 2])
        total = np.zeros((len(wet), 3))
        for index in range(_MIRROR_RAYS):
            swing = 0.16 * ((index + 0.5) / _MIRROR_RAYS - 0.5) * 2
            rise = np.clip(steepness + 0.05 * np.sin(2.4 * index), 0.01, 0.99)
            level = np.sqrt(1 - rise**2)
            heads = np.stack([level * np.sin(bearing + swing), rise, level * np.cos(bearing + swing)], -1)
            total += self._arriving(starts, heads.astype(np.float32), np.zeros((1, 2)), 0.01)[0]
        sheen = np.zeros((len(mesh.vertices), 4), np.float32)
        # Schlick's fit of Fresnel's law for water.
        share = strength[wet] * (0.02 + 0.98 * (1 - steepness) ** 5)
        sheen[wet, :3] = total / _MIRROR_RAYS * share[:, None]
        sheen[wet, 3] = share
        return sheen

    def frame(self, viewmat: F32, K: F32, width: int, height: int) -> tuple[NDArray[np.uint8], F32]:
        """Return one picture [H, W, 3] and its depths [H, W]."""
        pixels = np.arange(width * height)
        colours, distances, hits, heads = self._samples(viewmat, K, pixels, _CENTRE, np.zeros((1, 2)), width)
        along = heads @ viewmat[2, :3]
        depths = (distances * along).reshape(height, width).astype(np.float32)
        picture = colours.reshape(height, width, 3)
        is_leaf = (hits >= 0) & (self._palette[self._mesh.materials[hits], FOLIAGE] > 0)
        rough = np.zeros((height, width), np.bool_)
        shading.rough_pixels(picture, depths, is_leaf.reshape(height, width), self._settings.threshold, rough)
        pixels = np.flatnonzero(rough)
        # A part at a time: nine rays for half a million pixels would not fit a laptop's memory.
        for first in range(0, len(pixels), 65_536):
            part = pixels[first : first + 65_536]
            samples = self._samples(viewmat, K, part, self._spots, self._disc, width)[0]
            shading.average_into(picture, part, samples, width)
        return (picture * 255 + 0.5).astype(np.uint8), depths

    def _samples(
        self, viewmat: F32, K: F32, pixels: NDArray, spots: NDArray, disc: NDArray, width: int
    ) -> tuple[F32, F32, NDArray, F32]:
        """Return displayed colour [R, 3], distance [R], triangle [R] and direction [R, 3] of rays."""
        count = len(pixels) * len(spots)
        origins, heads = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
        focal = (float(K[0, 0]), float(K[1, 1]))
        centre = (float(K[0, 2]), float(K[1, 2]))
        shading.camera_rays(viewmat, focal, centre, pixels, spots, width, origins, heads)
        radiance, distances, hits = self._arriving(origins, heads, disc, 1.0 / focal[0])
        shading.display(radiance, self._parameters)
        return radiance, distances, hits, heads

    def _arriving(self, origins: F32, heads: F32, disc: NDArray, spread: float) -> tuple[F32, F32, NDArray]:
        """Return radiance [R, 3], distance [R] and triangle [R] of rays; `spread` is a pixel's angle."""
        mesh, parameters, count = self._mesh, self._parameters, len(origins)
        distances, hits, u, v = self._scene.closest(origins, heads)
        steady, sunny, points = (np.empty((count, 3), np.float32) for _ in range(3))
        shading.surfaces(
            heads, origins, distances, hits, u, v, mesh.vertices, mesh.faces, mesh.materials, mesh.normals,
            mesh.tints, mesh.coords, self._light, self._sheen, self._palette, self._cover, parameters, spread,
            steady, sunny, points,
        )  # fmt: skip
        starts, towards = np.empty_like(points), np.empty_like(points)
        owners = np.empty(count, np.int64)
        lit = shading.shadow_rays(sunny, points, parameters, disc, starts, towards, owners)
        if lit:
            is_free = self._solid.is_free(starts[:lit], towards[:lit])
            shading.add_sun(steady, sunny, owners, is_free, lit)
        shading.add_air(steady, heads, origins, distances, hits, self._table, parameters)
        return steady, distances, hits


def _solid(world: World) -> Mesh:
    """Return the mesh that light meets, its triangles numbered as in the whole."""
    mesh, end = world.mesh, world.shadeless_face
    return replace(
        mesh, faces=mesh.faces[:end], materials=mesh.materials[:end], labels=mesh.face_labels[:end]
    )


def _parameters(world: World) -> NDArray[np.float64]:
    row = np.zeros(shading.PARAMETERS)
    lighting, fog = world.lighting, world.atmosphere
    if lighting.sun is not None:
        row[shading.SUN : shading.SUN + 3] = lighting.sun.direction
        row[shading.SUN_COLOUR : shading.SUN_COLOUR + 3] = lighting.sun.colour
        row[shading.SUN_RADIUS] = lighting.sun.radius
    row[shading.EXPOSURE] = lighting.exposure
    row[shading.FOG_COLOUR : shading.FOG_COLOUR + 3] = fog.colour
    row[shading.FOG_DENSITY], row[shading.FOG_FALLOFF] = fog.density, fog.falloff
    row[shading.FOG_BASE], row[shading.FOG_CLEAR] = fog.base, fog.clear_m
    row[shading.FOG_CENTRE : shading.FOG_CENTRE + 3] = fog.centre
    return row


def _disc(count: int) -> NDArray[np.float64]:
    """Return `count` points [S, 2] spread over the unit disc."""
    index = np.arange(count) + 0.5
    radius, angle = np.sqrt(index / count), 2.399963 * index
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
