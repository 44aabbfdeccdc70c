"""The sky as a table over directions, with soft clouds, stars and the ground's glow below the horizon."""

from __future__ import annotations

import math

import numpy as np

from reconstruction.conventions import F32

from .jit import kernel
from .noise import fractal2, hash01, smoothstep
from .world import Lighting

_WIDTH, _HEIGHT = 1024, 512


def sky_table(lighting: Lighting) -> F32:
    """Return radiance [512, 1024, 3]: rows from straight up to straight down, columns by azimuth."""
    sky, sun = lighting.sky, lighting.sun
    direction = np.array(sun.direction if sun else (0.0, 1.0, 0.0))
    palette = np.array([sky.zenith, sky.horizon, sky.opposite, sky.glow, sky.cloud, sky.ground], np.float64)
    table = np.empty((_HEIGHT, _WIDTH, 3), np.float32)
    _fill(table, palette, direction, sky.cloud_cover, sky.stars, sky.aurora, sky.seed % 65_536)
    return table


@kernel
def _fill(table, palette, sun, cover, stars, aurora, seed):
    height, width = table.shape[0], table.shape[1]
    flat_sun = math.hypot(sun[0], sun[2]) + 1e-6
    for row in range(height):
        elevation = (0.5 - (row + 0.5) / height) * math.pi
        y = math.sin(elevation)
        level = math.cos(elevation)
        up = max(y, 0.0)
        climb = up**0.5
        for column in range(width):
            azimuth = ((column + 0.5) / width - 0.5) * 2.0 * math.pi
            x, z = math.cos(azimuth) * level, math.sin(azimuth) * level
            side = 0.5 - 0.5 * (x * sun[0] + z * sun[2]) / flat_sun / max(level, 1e-3)
            towards = min(max(x * sun[0] + up * sun[1] + z * sun[2], -1.0), 1.0)
            angle = math.acos(towards)
            halo = (0.55 * math.exp(-3.2 * angle) + 0.9 * math.exp(-12.0 * angle)) * (1.0 - 0.5 * climb)
            cloud, shade = 0.0, 0.0
            if y > 0.0 and cover > 0.0:
                reach = 1.0 / (y + 0.12)
                px, pz = x / max(level, 1e-3) * level * reach, z / max(level, 1e-3) * level * reach
                warp = 0.5 * fractal2(px * 0.7 + 5.0, pz * 0.7, 2, 0.0, seed + 50)
                thick = 0.5 + 0.5 * fractal2(px * 0.6 + warp, pz * 0.9 - warp, 5, 0.004 * reach, seed)
                ahead = 0.5 + 0.5 * fractal2(
                    (px + sun[0] * 0.3) * 0.6 + warp, (pz + sun[2] * 0.3) * 0.9 - warp, 4, 0.004 * reach, seed
                )
                cloud = smoothstep(1.0 - cover, 1.35 - cover, thick) * smoothstep(0.0, 0.16, y)
                shade = min(max(0.78 + 1.6 * (thick - ahead) - 0.18 * cloud, 0.45), 1.15)
            star = 0.0
            if stars > 0.0 and y > 0.03:
                # A star is a soft spot a few table cells wide: splats of the far shell can hold it.
                row_cell, column_cell = row // 5, int(column * max(level, 0.15)) // 5
                if hash01(row_cell, column_cell, 3, seed + 9) < 0.11 * stars:
                    dy = (row % 5) - 2.0
                    dx = (int(column * max(level, 0.15)) % 5) - 2.0
                    bright = hash01(row_cell, column_cell, 4, seed + 9)
                    star = math.exp(-1.3 * (dx * dx + dy * dy)) * (0.03 + 0.3 * bright**4) * (1.0 - cloud)
            glow = 0.0
            if aurora > 0.0 and y > 0.05:
                # Two curtains that wave over the sky, sharp below and fading upwards.
                for curtain in range(2):
                    px, pz = math.cos(azimuth), math.sin(azimuth)
                    foot = 0.15 + 0.2 * curtain
                    foot += 0.13 * fractal2(1.2 * px + 4.0 * curtain, 1.2 * pz, 3, 0.0, seed + 70)
                    above = elevation - foot
                    ray = 0.65 + 0.5 * fractal2(6.0 * px, 6.0 * pz + 3.0 * curtain, 2, 0.0, seed + 73)
                    part = smoothstep(-0.02, 0.05, above) * math.exp(-max(above, 0.0) * (4.5 - curtain))
                    sweep = smoothstep(-0.9, 0.5, math.cos(azimuth + 1.57 - 0.9 * curtain))
                    glow += part * max(ray, 0.0) * (0.25 + 0.75 * sweep) * (1.0 - 0.4 * curtain)
                glow *= aurora
            for k in range(3):
                haze = palette[1, k] * (1.0 - side) + palette[2, k] * side
                value = haze * (1.0 - climb) + palette[0, k] * climb + palette[3, k] * halo
                value += star
                if glow > 0.0:
                    high = smoothstep(0.35, 0.95, elevation)
                    value += glow * ((0.02, 0.3, 0.13)[k] * (1.0 - high) + (0.16, 0.06, 0.2)[k] * high)
                value = value * (1.0 - 0.9 * cloud) + palette[4, k] * shade * 0.9 * cloud
                below = smoothstep(0.0, -0.12, y)
                table[row, column, k] = value * (1.0 - below) + palette[5, k] * below


@kernel
def look_up(table, x, y, z):
    """Return the radiance (r, g, b) that comes from a unit direction."""
    height, width = table.shape[0], table.shape[1]
    u = (math.atan2(z, x) / (2.0 * math.pi) + 0.5) * width - 0.5
    v = (0.5 - math.asin(min(max(y, -1.0), 1.0)) / math.pi) * height - 0.5
    u0, v0 = math.floor(u), math.floor(v)
    fu, fv = u - u0, v - v0
    left, right = int(u0) % width, (int(u0) + 1) % width
    top = min(max(int(v0), 0), height - 1)
    bottom = min(max(int(v0) + 1, 0), height - 1)
    a, b = (1.0 - fu) * (1.0 - fv), fu * (1.0 - fv)
    c, d = (1.0 - fu) * fv, fu * fv
    r = (
        table[top, left, 0] * a
        + table[top, right, 0] * b
        + table[bottom, left, 0] * c
        + table[bottom, right, 0] * d
    )
    g = (
        table[top, left, 1] * a
        + table[top, right, 1] * b
        + table[bottom, left, 1] * c
        + table[bottom, right, 1] * d
    )
    e = (
        table[top, left, 2] * a
        + table[top, right, 2] * b
        + table[bottom, left, 2] * c
        + table[bottom, right, 2] * d
    )
    return r, g, e
