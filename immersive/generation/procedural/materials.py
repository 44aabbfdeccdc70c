"""What colour a surface has at a point: one compiled function for every `Texture`.

Textures live in the world (terrain) or in the part's own frame (everything else), never in the picture,
so every camera sees the same surface. Detail finer than a pixel's footprint is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .jit import inlined, kernel
from .noise import fractal2, fractal3, gradient2, hash01, smoothstep
from .world import GroundCover, Material, Texture

# numba freezes globals, which an IntEnum's members are not plain enough for.
_PLASTER, _PLANKS, _WOOD, _FABRIC = (
    int(Texture.PLASTER),
    int(Texture.PLANKS),
    int(Texture.WOOD),
    int(Texture.FABRIC),
)
_RUG, _SPINES, _PICTURE, _TILES = (
    int(Texture.RUG),
    int(Texture.SPINES),
    int(Texture.PICTURE),
    int(Texture.TILES),
)
_BRICK, _BARK, _BIRCH_BARK = int(Texture.BRICK), int(Texture.BARK), int(Texture.BIRCH_BARK)
_LEAVES, _ROCK, _GROUND, _WATER = (
    int(Texture.LEAVES),
    int(Texture.ROCK),
    int(Texture.GROUND),
    int(Texture.WATER),
)
_SNOW, _SHINGLES, _METAL = int(Texture.SNOW), int(Texture.SHINGLES), int(Texture.METAL)
_STONES, _MOUNTAIN, _STRATA = int(Texture.STONES), int(Texture.MOUNTAIN), int(Texture.STRATA)
_STRIPES, _WALLPAPER = int(Texture.STRIPES), int(Texture.WALLPAPER)

# Columns of the table that `pack_materials` makes.
BASE, ACCENT, EMISSION, SCALE, CONTRAST, TEXTURE, FOLIAGE, MIRROR = 0, 3, 6, 9, 10, 11, 12, 13


def pack_materials(materials: Sequence[Material]) -> NDArray[np.float64]:
    """Return the table [M, 14] that the kernels read; its columns are named above."""
    return np.array(
        [
            [
                *m.base,
                *m.accent,
                *m.emission,
                m.scale,
                m.contrast,
                float(m.texture),
                float(m.is_foliage),
                m.mirror,
            ]
            for m in materials
        ],
        np.float64,
    ).reshape(len(materials), 14)


def pack_ground(cover: GroundCover) -> NDArray[np.float64]:
    """Return the terrain palette [8, 3]: grass to snow as in `GroundCover`, then (snow, paving, strata)."""
    colours = [cover.grass, cover.grass_dry, cover.litter, cover.path, cover.shore, cover.rock, cover.snow]
    return np.array([*colours, (cover.snow_amount, cover.paving, cover.strata)], np.float64)


@inlined
def _mix(a, b, t):
    return a * (1.0 - t) + b * t


@kernel
def _seams(along, across, length, width, seed, footprint):
    """Return for a pattern of boards two random numbers of the board, and how much of the point is gap."""
    row = math.floor(across / width)
    offset = hash01(int(row), 0, 0, seed) * length
    column = math.floor((along + offset) / length)
    edge = abs(across / width - row - 0.5) * width
    end = abs((along + offset) / length - column - 0.5) * length
    thin = 0.006 + 0.5 * footprint
    share = min(1.0, 0.010 / (footprint + 0.006))
    gap = max(
        smoothstep(0.5 * width - 0.006 - thin, 0.5 * width - 0.003, edge),
        smoothstep(0.5 * length - 0.006 - thin, 0.5 * length - 0.003, end),
    )
    first = hash01(int(row), int(column), 1, seed)
    second = hash01(int(row), int(column), 2, seed)
    return first, second, gap * share


@kernel
def _leaves(p, q, soft):
    """Return the pattern of a wallpaper, 0..1: palmettes in a half drop, with a bud between each two."""
    column = math.floor(p)
    px = p - column - 0.5
    row = q + 0.5 * (int(column) & 1)
    py = row - math.floor(row) - 0.5
    spread = math.sqrt(px * px * 1.5 + py * py)
    turn = math.atan2(px * 1.2, py + 0.12)
    petals = 0.27 + 0.10 * math.cos(5.0 * turn) + 0.05 * math.cos(turn)
    flower = 1.0 - smoothstep(petals - soft, petals + soft, spread)
    heart = 1.0 - smoothstep(0.085 - soft, 0.085 + soft, spread)
    ring = 1.0 - smoothstep(0.13 - soft, 0.13 + soft, spread)
    bx, by = abs(px) - 0.5, abs(py) - 0.0
    bud = 1.0 - smoothstep(0.11 - soft, 0.11 + soft, math.sqrt(bx * bx * 2.0 + by * by))
    stem = 1.0 - smoothstep(0.018, 0.018 + soft, abs(abs(px) - 0.5 + 0.05 * math.cos(6.2831853 * py)))
    return max(max(flower - 0.85 * ring, heart), max(bud, 0.6 * stem))


@kernel
def _beds(x, y, z, footprint):
    """Return how light the layer of rock at a height is, -1..1: beds of uneven thickness, a little bent."""
    bent = y + 0.5 * fractal2(x * 0.12, z * 0.12, 2, footprint * 0.12, 31)
    return fractal2(bent * 1.1, 7.0, 3, footprint * 1.1, 33)


@kernel
def _cracks(x, y, z, footprint):
    """Return how dark a crack of rock makes a point, -1..0: thin, steep lines where two masses meet."""
    mass = fractal3(x * 0.7, y * 0.35, z * 0.7, 3, footprint * 0.7, 37)
    wide = 0.05 + 1.5 * footprint
    return -min(1.0, 0.05 / wide) * (1.0 - smoothstep(0.0, wide, abs(mass)))


@kernel
def _ground(cover, x, y, z, up, path, shore, litter, contrast, footprint):
    broad = fractal2(x / 5.0, z / 5.0, 3, footprint / 5.0, 5)
    patch = fractal2(x * 0.9, z * 0.9, 3, footprint * 0.9, 6)
    fine = fractal2(x * 6.0, z * 6.0, 2, footprint * 6.0, 8)
    blades = fractal2(x * 22.0, z * 22.0, 2, footprint * 22.0, 12)
    grain = 1.0 + contrast * (0.22 * broad + 0.26 * patch + 0.36 * fine + 0.3 * blades)
    dry = smoothstep(-0.1, 0.7, broad + 0.5 * patch)
    ruffled = 0.55 * patch + 0.25 * fine
    path = smoothstep(0.25, 0.75, path + 0.25 * ruffled)
    shore = smoothstep(0.2, 0.8, shore + 0.25 * ruffled)
    litter = smoothstep(0.15, 0.85, litter + 0.45 * ruffled)
    stone = smoothstep(0.2, 0.38, 1.0 - up + 0.08 * patch)
    snow = cover[7, 0] * smoothstep(0.55, 0.85, up + 0.1 * patch)
    snow *= smoothstep(0.0, 0.35, cover[7, 0] * 1.25 + 0.35 * broad + 0.25 * patch) * (1.0 - 0.75 * path)
    paved, joint = 1.0, 0.0
    if cover[7, 1] > 0.0:
        first, _, joint = _seams(
            x + 0.06 * gradient2(x * 3.0, z * 3.0, 3),
            z + 0.06 * gradient2(x * 3.0, z * 3.0, 4),
            1.4 * cover[7, 1],
            cover[7, 1],
            6,
            footprint,
        )
        paved = (0.78 + 0.42 * first) * (1.0 - 0.45 * joint)
    layered = 1.0
    if cover[7, 2] > 0.0:
        layered += cover[7, 2] * (0.8 * _beds(x, y, z, footprint) + 0.5 * _cracks(x, y, z, footprint))
    gritty = 1.0 + contrast * (0.1 * broad + 0.16 * patch + 0.28 * fine + 0.28 * blades)
    smooth = 1.0 + contrast * (0.06 * broad + 0.08 * patch + 0.1 * fine)
    r, g, b = 0.0, 0.0, 0.0
    for k in range(3):
        c = _mix(cover[0, k], cover[1, k], dry) * grain
        c = _mix(c, cover[2, k] * gritty, litter)
        c = _mix(c, cover[4, k] * smooth, shore)
        c = _mix(c, cover[3, k] * (gritty if cover[7, 1] == 0.0 else paved * smooth), path)
        c = _mix(c, cover[5, k] * gritty * layered, stone)
        c = _mix(c, cover[6, k] * smooth, snow)
        if k == 0:
            r = c
        elif k == 1:
            g = c
        else:
            b = c
    return r, g, b


@kernel
def albedo(m, cover, cx, cy, cz, ox, oy, oz, up, tr, tg, tb, footprint):
    """Return linear albedo (r, g, b).

    Args:
        m: One row of the material table.
        cover: The terrain palette.
        cx, cy, cz: Point in the part's own frame, metres.
        ox, oy, oz: Face normal in that frame.
        up: How far the shaded normal points up in the world, -1..1.
        tr, tg, tb: Tint at the point; for terrain the weights of path, shore and litter.
        footprint: Size of a pixel there, metres.
    """
    texture = int(m[11])
    scale, contrast = m[9], m[10]
    mix, gain = 0.0, 1.0
    if texture == _GROUND:
        return _ground(cover, cx, cy, cz, up, tr, tg, tb, contrast, footprint)
    ax, ay, az = abs(ox), abs(oy), abs(oz)
    # Texture plane of the face: u along the length, v across.
    if ay >= ax and ay >= az:
        u, v = cx, cz
    elif az >= ax:
        u, v = cx, cy
    else:
        u, v = cz, cy
    if texture == _PLASTER:
        gain = 1.0 + 0.07 * fractal2(u * 1.3, v * 1.3, 3, footprint * 1.3, 2)
        gain += 0.07 * fractal2(u * 7.0, v * 7.0, 3, footprint * 7.0, 5)
    elif texture == _STRIPES:
        place = u / scale - math.floor(u / scale)
        soft = 0.02 + 0.6 * footprint / scale
        broad = smoothstep(0.25 - soft, 0.25 + soft, place) - smoothstep(0.75 - soft, 0.75 + soft, place)
        pin = abs(abs(place - 0.5) - 0.39)
        line = 1.0 - smoothstep(0.02, 0.02 + soft, pin)
        mix = contrast * max(broad, 0.7 * line) * min(1.0, 0.4 * scale / (footprint + 1e-6))
        gain = 1.0 + 0.04 * fractal2(u * 2.0, v * 2.0, 3, footprint * 2.0, 2)
    elif texture == _WALLPAPER:
        mix = contrast * _leaves(u / scale, v / (1.25 * scale), 0.02 + footprint / scale)
        mix *= min(1.0, 0.4 * scale / (footprint + 1e-6))
        gain = 1.0 + 0.04 * fractal2(u * 2.0, v * 2.0, 3, footprint * 2.0, 2)
    elif texture == _PLANKS:
        first, second, gap = _seams(u, v, 9.0 * scale + 0.4, scale, 3, footprint)
        figure = fractal2(u * 1.6 + 40.0 * first, v * 22.0 + 9.0 * second, 3, footprint * 8.0, 9)
        gain = 1.0 + contrast * (0.6 * (first - 0.5) + 0.26 * figure)
        mix = gap
    elif texture == _WOOD:
        figure = fractal3(cx * 1.5, cy * 16.0, cz * 16.0, 3, footprint * 8.0, 9)
        gain = 1.0 + 0.3 * contrast * figure
    elif texture == _FABRIC:
        weave = math.sin(u / scale * 6.28) * math.sin(v / scale * 6.28)
        visible = min(max(2.0 - 6.0 * footprint / scale, 0.0), 1.0)
        gain = 1.0 + contrast * (
            0.1 * weave * visible + 0.07 * fractal2(u * 9.0, v * 9.0, 3, footprint * 9.0, 8)
        )
    elif texture == _RUG:
        px, pz = u / scale, v / scale
        diamond = abs(px - math.floor(px) - 0.5) + abs(pz - math.floor(pz) - 0.5)
        soft = 0.03 + footprint / scale
        inner = 1.0 - smoothstep(0.2 - soft, 0.2 + soft, diamond)
        ring = smoothstep(0.38 - soft, 0.38 + soft, diamond) * (
            1.0 - smoothstep(0.47 - soft, 0.47 + soft, diamond)
        )
        mix = max(inner, ring) * min(1.0, 0.6 * scale / (footprint + 1e-6))
        gain = 1.0 + 0.1 * contrast * fractal2(u * 14.0, v * 14.0, 2, footprint * 14.0, 7)
    elif texture == _SPINES:
        book = hash01(math.floor(cx / scale), math.floor(cy / 0.36), 1, 5)
        gain = 0.55 + 0.9 * hash01(math.floor(cx / scale), math.floor(cy / 0.36), 2, 5)
        mix = book
    elif texture == _PICTURE:
        hill = 0.05 * gradient2(cx * 5.0, 3.0, 11) + 0.03 * gradient2(cx * 13.0, 7.0, 12)
        mix = smoothstep(-0.015, 0.015, cy - hill)
        gain = 1.0 + 0.3 * fractal2(cx * 9.0, cy * 14.0, 3, footprint * 14.0, 1) + 0.8 * cy
    elif texture == _TILES:
        iu, iv = math.floor(u / scale), math.floor(v / scale)
        edge = max(abs(u / scale - iu - 0.5), abs(v / scale - iv - 0.5)) * scale
        mix = smoothstep(0.5 * scale - 0.006 - footprint, 0.5 * scale - 0.002, edge)
        mix *= min(1.0, 0.008 / (footprint + 0.003))
        gain = 0.93 + 0.14 * hash01(int(iu), int(iv), 0, 7)
    elif texture == _BRICK:
        first, second, gap = _seams(u, v, 2.6 * scale, scale, 4, footprint)
        gain = 0.75 + 0.5 * first + 0.12 * fractal2(u * 12.0, v * 12.0, 2, footprint * 12.0, 4)
        mix = gap
    elif texture == _STONES:
        first, second, gap = _seams(
            u + 0.08 * gradient2(u * 4.0, v * 4.0, 3),
            v + 0.05 * gradient2(u * 3.0, v * 5.0, 4),
            1.7 * scale,
            scale,
            6,
            footprint,
        )
        gain = 0.7 + 0.55 * first + 0.18 * fractal2(u * 7.0, v * 7.0, 3, footprint * 7.0, 4)
        mix = 0.8 * gap
    elif texture == _BARK:
        furrow = fractal3(cx * 9.0, cy * 1.6, cz * 9.0, 3, footprint * 9.0, 3)
        gain = 1.0 + 0.55 * contrast * furrow
    elif texture == _BIRCH_BARK:
        band = fractal3(cx * 1.5, cy * 9.0, cz * 1.5, 2, footprint * 9.0, 3)
        mix = smoothstep(0.28, 0.45, band) * contrast
        gain = 1.0 + 0.1 * fractal3(cx * 4.0, cy * 4.0, cz * 4.0, 2, footprint * 4.0, 4)
    elif texture == _LEAVES:
        clump = fractal3(cx * 2.2, cy * 2.2, cz * 2.2, 2, footprint * 2.2, 6)
        mix = smoothstep(-0.3, 0.6, clump)
        gain = 1.0 + 0.2 * contrast * clump
    elif texture == _ROCK:
        crust = fractal3(cx * 2.5, cy * 2.5, cz * 2.5, 4, footprint * 2.5, 6)
        gain = 1.0 + 0.45 * contrast * crust
        mix = smoothstep(0.45, 0.8, up + 0.35 * crust + 0.8 * (scale - 1.0))
    elif texture == _STRATA:
        crust = fractal3(cx * 1.8, cy * 1.8, cz * 1.8, 3, footprint * 1.8, 6)
        gain = 1.0 + contrast * (0.3 * crust + 0.5 * _beds(cx, cy / scale, cz, footprint))
        gain *= 1.0 + 0.5 * _cracks(cx, cy, cz, footprint)
        mix = smoothstep(0.5, 0.85, up + 0.3 * crust)
    elif texture == _WATER:
        band = fractal2(cx * 0.10, cz * 0.34, 3, footprint * 0.34, 21)
        mix = smoothstep(0.0, 0.6, band)
    elif texture == _SNOW:
        gain = 1.0 + 0.05 * fractal2(cx * 0.8, cz * 0.8, 3, footprint * 0.8, 5)
    elif texture == _SHINGLES:
        first, second, gap = _seams(u, v, 1.15 * scale, scale, 8, footprint)
        gain = 0.75 + 0.5 * first
        mix = smoothstep(0.78, 0.86, second)
        gain *= 1.0 - 0.55 * gap
    elif texture == _METAL:
        gain = 1.0 + 0.1 * contrast * fractal2(u * 2.0, v * 60.0, 2, footprint * 60.0, 4)
    elif texture == _MOUNTAIN:
        rough = fractal2(cx / 90.0, cz / 90.0, 4, footprint / 90.0, 14)
        forest = 1.0 - smoothstep(0.35, 0.62, cy / scale + 0.12 * rough)
        snow = smoothstep(0.9, 1.15, cy / scale + 0.22 * rough + 0.6 * (up - 0.75)) * contrast
        shade = 1.0 + 0.3 * rough
        r = _mix(_mix(m[0], m[3], forest) * shade, 0.62 * cover[6, 0], snow)
        g = _mix(_mix(m[1], m[4], forest) * shade, 0.62 * cover[6, 1], snow)
        b = _mix(_mix(m[2], m[5], forest) * shade, 0.62 * cover[6, 2], snow)
        return r * tr, g * tg, b * tb
    else:
        gain = 1.0 + 0.06 * contrast * fractal3(cx * 3.0, cy * 3.0, cz * 3.0, 3, footprint * 3.0, 4)
    r = _mix(m[0], m[3], mix) * gain * tr
    g = _mix(m[1], m[4], mix) * gain * tg
    b = _mix(m[2], m[5], mix) * gain * tb
    return r, g, b
