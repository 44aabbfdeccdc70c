"""Light that does not depend on the camera, baked once per vertex: sky, lamps and what surfaces pass on.

Direct sunlight is left to the renderer, which casts a ray per picture sample and so keeps shadows sharp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import F32

from .jit import kernel
from .materials import FOLIAGE, albedo
from .mesh import Mesh
from .noise import hash01
from .rays import RayScene
from .sky import look_up
from .world import Lamp, Portal, Sun, World

_CHUNK = 32_768  # vertices; the rays of a chunk stay within the processor's cache
_LIFT_M = 0.02  # how far rays start off the surface, so that they do not hit it
_LAMP_RAYS = 6
_LEAST_IRRADIANCE = 6e-3  # of a lamp, where exposure is about 1
_PORTAL_RAYS = 7  # per side of the grid over an opening
# Outdoors, surfaces that rays meet are themselves lit by about this share of the open sky.
_SHADED_SKY = 0.4


def bake(
    world: World,
    scene: RayScene,
    table: F32,
    palette: NDArray,
    cover: NDArray,
    pool: Executor,
    progress: Callable[[float], None],
) -> F32:
    """Return irradiance [V, 3] from everything but the sun's direct light.

    Args:
        world: The place.
        scene: Its ray queries.
        table: Sky radiance from `sky_table`.
        palette: Material table from `pack_materials`.
        cover: Terrain palette from `pack_ground`.
        pool: Where chunks of vertices run.
        progress: Called with the share done, 0..1.
    """
    mesh, lighting = world.mesh, world.lighting
    # Walls are cut into many triangles; where they meet in a plane their corners receive the same light.
    weld: NDArray | slice = _weld(mesh) if world.is_indoor else slice(None)
    surface = _Surface(world, weld, scene, palette, pool)
    sun = surface.sunlight(lighting.sun)
    lamps = np.zeros_like(sun)
    for number, lamp in enumerate(lighting.lamps):
        surface.add_lamp(lamp, number, lamps)
    for portal in lighting.portals:
        surface.add_portal(portal, table, lighting.ambient_gain, lamps)
    albedos = np.empty((len(mesh.vertices), 3), np.float32)
    _paint(mesh.faces, mesh.materials, mesh.coords, mesh.normals, mesh.tints, palette, cover, albedos)

    open_sky = lighting.ambient_gain * math.pi * table[: len(table) // 2].mean(axis=(0, 1))
    gathered = np.zeros_like(sun)
    if not world.is_indoor:
        gathered += (_SHADED_SKY * open_sky).astype(np.float32)
    reach = math.inf if world.is_indoor else lighting.bake_reach_m
    # Rays that leave through an opening meet the sky that the opening has already let in.
    gain = 0.0 if lighting.portals else lighting.ambient_gain
    for bounce in range(lighting.bounces):
        is_last = bounce == lighting.bounces - 1
        # What is only passed on may be noisier than what is seen.
        rays = lighting.bake_rays if is_last else max(8, lighting.bake_rays // 3)
        radiance = ((sun + lamps + gathered)[weld] * albedos / np.float32(math.pi)).astype(np.float32)
        fresh = np.zeros_like(sun)

        def gather(part: slice, rays: int = rays, radiance: F32 = radiance, fresh: F32 = fresh) -> None:
            starts = np.empty((part.stop - part.start, 3), np.float32)
            heads = np.empty_like(starts)
            for number in range(rays):
                _aim(
                    surface.origins[part], surface.normals[part], surface.is_leaf[part], part.start, number,
                    rays, world.is_indoor, starts, heads,
                )  # fmt: skip
                hits = scene.closest(starts, heads)
                _collect(fresh[part], heads, *hits, mesh.faces, radiance, table, gain, reach)
            fresh[part] *= np.float32(math.pi / rays)

        parts = _parts(len(sun))
        for done, _ in enumerate(pool.map(gather, parts)):
            progress((bounce + (done + 1) / len(parts)) / lighting.bounces)
        gathered = fresh if isinstance(weld, slice) else _smoothed(fresh, weld, mesh)
    return (gathered + lamps).astype(np.float32)[weld]


def _parts(count: int) -> list[slice]:
    return [slice(first, min(first + _CHUNK, count)) for first in range(0, count, _CHUNK)]


class _Surface:
    """Where light arrives: the vertices, those that share a place and a normal as one."""

    def __init__(
        self, world: World, weld: NDArray | slice, scene: RayScene, palette: NDArray, pool: Executor
    ) -> None:
        mesh = world.mesh
        leaves = np.zeros(len(mesh.vertices), np.bool_)
        leaves[mesh.faces[palette[mesh.materials, FOLIAGE] > 0].ravel()] = True
        self.origins, self.normals, self.is_leaf = mesh.vertices, mesh.normals, leaves
        if not isinstance(weld, slice):
            # The edge of a wall lies inside the next wall; a little inwards, light is not cut off.
            middles = mesh.vertices[mesh.faces].mean(axis=1)
            origins = mesh.vertices.copy()
            for corner in range(3):
                index = mesh.faces[:, corner]
                origins[index] = 0.9 * mesh.vertices[index] + 0.1 * middles
            first = np.unique(weld, return_index=True)[1]
            self.normals, self.is_leaf = mesh.normals[first], leaves[first]
            self.origins = _means(origins, weld).astype(np.float32)
        self._scene, self._pool = scene, pool

    def _facing(self, cosines: NDArray, index: NDArray) -> NDArray:
        """Return how much light of a given cosine arrives; leaves take it from both sides."""
        return np.where(self.is_leaf[index], 0.3 + 0.3 * np.abs(cosines), np.maximum(cosines, 0.0))

    def _over_parts(self, index: NDArray, work: Callable[[NDArray], NDArray]) -> Iterable[tuple]:
        parts = [index[part] for part in _parts(len(index))]
        return zip(parts, self._pool.map(work, parts), strict=True)

    def sunlight(self, sun: Sun | None) -> F32:
        """Return irradiance [V, 3] straight from the sun."""
        light = np.zeros((len(self.origins), 3), np.float32)
        if sun is None:
            return light
        towards = np.array(sun.direction, np.float32)
        facing = self._facing(self.normals @ towards, np.arange(len(self.normals)))

        def shine(index: NDArray) -> NDArray:
            starts = self.origins[index] + np.float32(_LIFT_M) * self.normals[index]
            heads = np.ascontiguousarray(np.broadcast_to(towards, starts.shape))
            return self._scene.is_free(starts, heads)

        for index, free in self._over_parts(np.flatnonzero(facing > 0), shine):
            light[index] = (free * facing[index])[:, None] * np.array(sun.colour, np.float32)
        return light

    def add_lamp(self, lamp: Lamp, number: int, light: F32) -> None:
        """Add a lamp's irradiance to `light` [V, 3], with soft shade."""
        centre, power = np.array(lamp.position, np.float32), np.array(lamp.power, np.float32)
        between = centre - self.origins
        squares = np.maximum((between**2).sum(axis=1), 0.04)
        # Light fades to nothing where it would add less than anyone can see, and no edge shows.
        reach = power.max() / _LEAST_IRRADIANCE
        fade = np.maximum(1 - (squares / reach) ** 2, 0.0) ** 2
        turned = (between * self.normals).sum(axis=1) > -lamp.radius
        near = np.flatnonzero((squares < reach) & (turned | self.is_leaf))
        spots = np.random.default_rng(number).normal(size=(_LAMP_RAYS, 3))
        spots *= lamp.radius / np.linalg.norm(spots, axis=1, keepdims=True)

        def shine(index: NDArray) -> NDArray:
            total = np.zeros(len(index))
            starts = self.origins[index] + np.float32(_LIFT_M) * self.normals[index]
            for spot in spots.astype(np.float32):
                towards = centre + spot - starts
                lengths = np.linalg.norm(towards, axis=1)
                heads = towards / np.maximum(lengths, 1e-6)[:, None]
                free = self._scene.is_free(starts, heads, np.maximum(lengths - lamp.clear_m, 0.01))
                total += free * self._facing((heads * self.normals[index]).sum(axis=1), index)
            return total / _LAMP_RAYS

        for index, share in self._over_parts(near, shine):
            light[index] += (share * fade[index] / squares[index])[:, None] * power

    def add_portal(self, portal: Portal, table: F32, gain: float, light: F32) -> None:
        """Add what the sky sends through an opening to `light` [V, 3]."""
        corner, across, up = (
            np.array(part, np.float32) for part in (portal.corner, portal.across, portal.up)
        )
        inwards = np.cross(across, up)
        share = float(np.linalg.norm(inwards)) / _PORTAL_RAYS**2
        inwards /= np.linalg.norm(inwards)
        inside = np.flatnonzero((self.origins - corner) @ inwards > 1e-3)

        def shine(index: NDArray) -> NDArray:
            total = np.zeros((len(index), 3), np.float32)
            starts = self.origins[index] + np.float32(_LIFT_M) * self.normals[index]
            facing = self.normals[index]
            for row in range(_PORTAL_RAYS):
                for column in range(_PORTAL_RAYS):
                    # Alternate rows are shifted, so that a bar of the window hides no whole column.
                    shift = 0.25 if row % 2 else 0.75
                    spot = corner + across * np.float32((column + shift) / _PORTAL_RAYS)
                    spot = spot + up * np.float32((row + 0.5) / _PORTAL_RAYS)
                    towards = spot - starts
                    squares = np.maximum((towards**2).sum(axis=1), 0.01)
                    heads = towards / np.sqrt(squares)[:, None]
                    cosines = self._facing((heads * facing).sum(axis=1), index)
                    weights = cosines * np.maximum(-heads @ inwards, 0.0) * share / squares
                    lit = np.flatnonzero(weights > 1e-6)
                    free = self._scene.is_free(starts[lit], heads[lit])
                    _add_sky(total, lit, free, heads, weights, table, gain)
            return total

        for index, arriving in self._over_parts(inside, shine):
            light[index] += arriving


@kernel
def _add_sky(out, index, is_free, heads, weights, table, gain):
    """Add to `out` the sky's radiance along the free ones of some rays, weighted."""
    for k in range(len(index)):
        if is_free[k]:
            i = index[k]
            r, g, b = look_up(table, heads[i, 0], heads[i, 1], heads[i, 2])
            out[i, 0] += r * gain * weights[i]
            out[i, 1] += g * gain * weights[i]
            out[i, 2] += b * gain * weights[i]


@kernel
def _paint(faces, materials, coords, normals, tints, palette, cover, out):
    """Write the albedo [V, 3] of every vertex, with the detail a hand's breadth keeps."""
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        ex, ey, ez = coords[b, 0] - coords[a, 0], coords[b, 1] - coords[a, 1], coords[b, 2] - coords[a, 2]
        fx, fy, fz = coords[c, 0] - coords[a, 0], coords[c, 1] - coords[a, 1], coords[c, 2] - coords[a, 2]
        ox, oy, oz = ey * fz - ez * fy, ez * fx - ex * fz, ex * fy - ey * fx
        row = palette[materials[face]]
        for corner in range(3):
            i = faces[face, corner]
            x, y, z = coords[i, 0], coords[i, 1], coords[i, 2]
            tr, tg, tb = tints[i, 0], tints[i, 1], tints[i, 2]
            r, g, e = albedo(row, cover, x, y, z, ox, oy, oz, normals[i, 1], tr, tg, tb, 0.1)
            out[i, 0], out[i, 1], out[i, 2] = r, g, e


@kernel
def _aim(origins, normals, is_leaf, first, number, rays, is_turned, starts, heads):
    """Write ray `number` of each vertex: cosine-weighted about its normal, or all around for leaves.

    The rays of a vertex are a spiral over the sphere. Indoors each vertex turns it by its own angle, and
    smoothing removes the noise; outdoors all use the same, which has no noise to remove.
    """
    height = 1.0 - 2.0 * (number + 0.5) / rays
    level = math.sqrt(1.0 - height * height)
    for i in range(len(origins)):
        angle = 2.399963 * number
        if is_turned:
            angle += 6.2831853 * hash01(first + i, 0, 0, 77)
        x, y, z = level * math.cos(angle), height, level * math.sin(angle)
        bend = 0.6 if is_leaf[i] else 1.0
        x, y, z = x + bend * normals[i, 0], y + bend * normals[i, 1], z + bend * normals[i, 2]
        length = math.sqrt(x * x + y * y + z * z)
        if length < 1e-4:
            x, y, z, length = normals[i, 0], normals[i, 1], normals[i, 2], 1.0
        heads[i, 0], heads[i, 1], heads[i, 2] = x / length, y / length, z / length
        for k in range(3):
            starts[i, k] = origins[i, k] + 0.02 * normals[i, k] + 0.005 * heads[i, k]


@kernel
def _collect(out, heads, distances, hits, u, v, faces, radiance, table, gain, reach):
    """Add to `out` the radiance each ray meets: the sky, or a surface, fading to sky beyond `reach`."""
    for i in range(len(out)):
        face = hits[i]
        near = 0.0 if face < 0 else 1.0 - min(distances[i] / reach, 1.0) ** 2
        r, g, b = 0.0, 0.0, 0.0
        if near < 1.0:
            r, g, b = look_up(table, heads[i, 0], heads[i, 1], heads[i, 2])
            r, g, b = r * gain, g * gain, b * gain
        if face >= 0:
            p, q, s = faces[face, 0], faces[face, 1], faces[face, 2]
            w = 1.0 - u[i] - v[i]
            r = r * (1.0 - near) + near * (radiance[p, 0] * w + radiance[q, 0] * u[i] + radiance[s, 0] * v[i])
            g = g * (1.0 - near) + near * (radiance[p, 1] * w + radiance[q, 1] * u[i] + radiance[s, 1] * v[i])
            b = b * (1.0 - near) + near * (radiance[p, 2] * w + radiance[q, 2] * u[i] + radiance[s, 2] * v[i])
        out[i, 0] += r
        out[i, 1] += g
        out[i, 2] += b


def _weld(mesh: Mesh) -> NDArray[np.int64]:
    """Return a group number [V]: vertices at one place that face one way share it."""
    key = np.round(np.concatenate([mesh.vertices * 200.0, mesh.normals * 4.0], axis=1)).astype(np.int64)
    return np.unique(key, axis=0, return_inverse=True)[1].ravel()


def _means(values: NDArray, groups: NDArray) -> NDArray[np.float64]:
    """Return the mean [G, 3] of `values` [V, 3] in each group."""
    shares = np.bincount(groups)
    return np.stack([np.bincount(groups, weights=values[:, k]) / shares for k in range(3)], -1)


def _smoothed(light: F32, weld: NDArray, mesh: Mesh, rounds: int = 3) -> F32:
    """Return `light` [G, 3] of welded vertices averaged `rounds` times over their triangles."""
    corners = weld[mesh.faces]
    uses = np.maximum(np.bincount(corners.ravel(), minlength=len(light)), 1)
    out = np.empty_like(light)
    for k in range(3):
        values = light[:, k].astype(np.float64)
        for _ in range(rounds):
            means = values[corners].mean(axis=1)
            values = np.bincount(corners.ravel(), weights=np.repeat(means, 3), minlength=len(light)) / uses
        out[:, k] = values
    return out
