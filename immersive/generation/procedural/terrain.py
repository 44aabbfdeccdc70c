"""The ground: heights as one vectorised function, and its mesh, fine where people walk.

Water lies at y = 0. Slopes near the walk stay far below what people can climb, and a ring of hills or
mountains closes the view so that no level ray leaves the world unseen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .layout import WALK_RADIUS_M, Layout
from .mesh import Mesh, concatenate, label_of, smooth_mesh
from .noise import fractal, ramp, ridges
from .palette import SLOT
from .waters import line_distance
from .world import GroundCover

_HALF_M = 230.0
_GRID = 300  # vertices per side: 0.25 m apart on the walk, metres apart at the rim
_LAND_M = 1.15  # usual height of land above the water
_PATH_HALF_WIDTH_M = 0.85
_STREET_HALF_WIDTH_M = 2.2


class Terrain:
    """Heights and layers of a plan."""

    def __init__(self, layout: Layout, cover: GroundCover) -> None:
        self._layout, self._cover = layout, cover
        self._levels = [float(self._floor(site.x, site.z)) + site.lift_m for site in layout.sites]

    def height(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return y of the ground under (x, z), metres."""
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        y = self._raw(x, z)
        for site, level in zip(self._layout.sites, self._levels, strict=True):
            skirt = 3.7 + 3.6 * site.lift_m
            away = np.hypot(x - site.x, z - site.z)
            flat = 1 - ramp(site.reach + 0.8, site.reach + 0.8 + skirt, away)
            if self._layout.street is not None:  # houses stand wall to wall: each levels its own ground only
                flat = np.where(away < site.reach + 0.8, flat, 0.35 * flat)
            y = y * (1 - flat) + level * flat
        return y

    def slope_deg(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return the steepness of the ground, degrees."""
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        step = 0.25
        along_x = (self.height(x + step, z) - self.height(x - step, z)) / (2 * step)
        along_z = (self.height(x, z + step) - self.height(x, z - step)) / (2 * step)
        return np.degrees(np.arctan(np.hypot(along_x, along_z)))

    def _raw(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Return the ground before sites level it."""
        y = self._floor(x, z)
        if self._layout.gorge is None:
            return y
        return y + self._walls(np.asarray(x, np.float64), np.asarray(z, np.float64))

    def _floor(self, x: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        layout, seed = self._layout, self._layout.seed
        x, z = np.asarray(x, np.float64), np.asarray(z, np.float64)
        from_walk = np.hypot(x, z)
        swell = (
            1.3 * layout.relief * fractal(x / 26, z / 26, 3, seed) * (0.45 + 0.55 * ramp(10, 40, from_walk))
        )
        rough = 0.12 * layout.relief * fractal(x / 4.5, z / 4.5, 2, seed + 40)
        off_trail = ramp(0.6, 2.6, layout.trail_distance(x, z))
        y = _LAND_M + swell + rough * (0.25 + 0.75 * off_trail) - 0.06 * (1 - off_trail)
        hills = 26 * layout.relief if layout.has_mountains else 9.0
        y = y + hills * ramp(45, 190, from_walk) * (0.35 + 0.65 * ridges(x / 75, z / 75, 4, seed + 9)) * ramp(
            30, 80, from_walk
        )
        if layout.lake is not None:
            shore = layout.lake.shore_distance(x, z)
            # Land falls to the water over some metres, and the bed goes on falling.
            bank = ramp(0.0, min(9.0, 0.6 * layout.lake.radius + 2), shore)
            y = np.where(shore > 0, y * bank + 0.05 * (1 - bank), np.maximum(-1.6, 0.22 * shore) + 0.05)
        return y

    def _walls(self, x: NDArray, z: NDArray) -> NDArray[np.float64]:
        """Return how high the rock of a gorge rises above its floor."""
        layout = self._layout
        assert layout.gorge is not None
        away = line_distance(layout.gorge, x, z)
        if layout.lake is not None:
            away = np.minimum(away, np.maximum(layout.lake.shore_distance(x, z) + 4.0, 0.0))
        foot = 9.0 + 2.0 * fractal(x / 9.0, z / 9.0, 3, layout.seed + 60)
        tall = 15.0 + 5.0 * fractal(x / 24.0, z / 24.0, 2, layout.seed + 61)
        # Two steps with a ledge between them, as layers of hard and soft rock weather.
        rise = 0.55 * ramp(foot, foot + 2.6, away) + 0.45 * ramp(foot + 4.6, foot + 7.0, away)
        return tall * rise

    def layers(self, x: ArrayLike, z: ArrayLike, y: NDArray) -> NDArray[np.float32]:
        """Return the weights [..., 3] of path, shore and litter that `Texture.GROUND` paints."""
        layout = self._layout
        path = np.zeros_like(y)
        if layout.has_path:
            half = _PATH_HALF_WIDTH_M if layout.street is None else _STREET_HALF_WIDTH_M
            path = 1 - ramp(half - 0.35, half + 0.45, layout.path_distance(x, z))
        if layout.square is not None:
            mx, mz, half = layout.square
            out = np.maximum(np.abs(x - mx), np.abs(z - mz))
            path = np.maximum(path, 1 - ramp(half - 0.2, half + 0.4, out))
        shore = np.zeros_like(y)
        if layout.lake is not None:
            shore = 1 - ramp(0.12, 0.65, y)
        litter = 0.55 + 0.5 * fractal(np.asarray(x) / 9, np.asarray(z) / 9, 2, layout.seed + 5)
        bare = 1 - self._cover.grass_amount
        return np.stack([path, shore, np.clip(litter * (1 - 0.6 * bare), 0, 1)], -1).astype(np.float32)

    def mesh(self) -> Mesh:
        """Return the ground and, where the plan has them, mountains."""
        side = np.linspace(-1, 1, _GRID)
        inner = 2.2 * WALK_RADIUS_M / _HALF_M
        line = _HALF_M * (inner * side * 0.62 + (1 - inner * 0.62) * np.sign(side) * np.abs(side) ** 4)
        x, z = np.meshgrid(line, line, indexing="ij")
        y = self.height(x, z)
        index = np.arange(_GRID * _GRID).reshape(_GRID, _GRID)
        a, b, c, d = (
            part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1])
        )
        faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
        ground = smooth_mesh(np.stack([x, y, z], -1).reshape(-1, 3), faces, SLOT["ground"])
        layers = self.layers(x, z, y).reshape(-1, 3)
        is_path = layers[faces, 0].mean(axis=1) > 0.5
        labels = np.where(is_path, label_of("path"), 0).astype(np.int16)
        ground = replace(ground, tints=layers, labels=labels)
        return concatenate([ground, self._ring()])

    def _ring(self) -> Mesh:
        """Return the far ring, 190 m to 1 km: peaks, or a low horizon where the plan has no mountains."""
        layout = self._layout
        around, outward = 300, 26
        angle = np.linspace(0, 2 * np.pi, around)
        radius = np.geomspace(190, 1000, outward)
        r, t = np.meshgrid(radius, angle, indexing="ij")
        x, z = r * np.cos(t), r * np.sin(t)
        peak = 175.0 * min(layout.relief, 1.3) if layout.has_mountains else 24.0
        crest = ridges(x / 270, z / 270, 5, layout.seed + 21)
        y = 6 + peak * ramp(170, 760, r) * (0.25 + 0.85 * crest) - 30 * (1 - ramp(190, 240, r))
        if layout.lake is not None and layout.lake.is_sea:
            y = np.where(layout.lake.shore_distance(x, z) < 60, -20.0, y)
        index = np.arange(around * outward).reshape(outward, around)
        a, b, c, d = (
            part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1])
        )
        faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
        ring = smooth_mesh(np.stack([x, y, z], -1).reshape(-1, 3), faces, SLOT["mountain"])
        return ring.labelled("mountains") if layout.has_mountains else ring
