"""What a ray sees: compiled steps from a hit to a displayed colour.

Nothing here knows the frame: equal points give equal colours from every camera, and the only thing a
camera adds is the footprint of its pixels.
"""

from __future__ import annotations

import math

from .jit import inlined, kernel
from .materials import albedo
from .sky import look_up

# Columns of the parameter row that `render` packs.
SUN, SUN_COLOUR, SUN_RADIUS, EXPOSURE = 0, 3, 6, 7
FOG_COLOUR, FOG_DENSITY, FOG_FALLOFF, FOG_BASE, FOG_CENTRE, FOG_CLEAR = 8, 11, 12, 13, 14, 17
PARAMETERS = 18

_LIFT_M = 0.004  # how far shadow rays start off the surface; single precision needs some
_LEAF_FRONT, _LEAF_BACK = 0.75, 0.45  # how much sunlight a leaf shows on its lit and on its far side


@kernel
def camera_rays(viewmat, focal, centre, pixels, spots, width, origins, heads):
    """Write unit rays through `pixels` [P] (row-major), one for each of `spots` [S, 2] within a pixel."""
    eye_x = -(viewmat[0, 0] * viewmat[0, 3] + viewmat[1, 0] * viewmat[1, 3] + viewmat[2, 0] * viewmat[2, 3])
    eye_y = -(viewmat[0, 1] * viewmat[0, 3] + viewmat[1, 1] * viewmat[1, 3] + viewmat[2, 1] * viewmat[2, 3])
    eye_z = -(viewmat[0, 2] * viewmat[0, 3] + viewmat[1, 2] * viewmat[1, 3] + viewmat[2, 2] * viewmat[2, 3])
    count = len(spots)
    for i in range(len(pixels)):
        row, column = pixels[i] // width, pixels[i] % width
        for s in range(count):
            x = (column + spots[s, 0] - centre[0]) / focal[0]
            y = (row + spots[s, 1] - centre[1]) / focal[1]
            length = math.sqrt(x * x + y * y + 1.0)
            x, y, z = x / length, y / length, 1.0 / length
            ray = i * count + s
            origins[ray, 0], origins[ray, 1], origins[ray, 2] = eye_x, eye_y, eye_z
            for k in range(3):
                heads[ray, k] = viewmat[0, k] * x + viewmat[1, k] * y + viewmat[2, k] * z


@kernel
def surfaces(
    heads, origins, distances, hits, u, v, vertices, faces, materials, normals, tints, coords, light,
    sheen, palette, cover, parameters, spread, steady, sunny, points,
):  # fmt: skip
    """Write for each hit the colour it shows without sun, what sun would add, and its shadow ray's start."""
    for i in range(len(hits)):
        face = hits[i]
        for k in range(3):
            steady[i, k] = 0.0
            sunny[i, k] = 0.0
        if face < 0:
            continue
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        w = 1.0 - u[i] - v[i]
        ex, ey, ez = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        fx, fy, fz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        gx, gy, gz = ey * fz - ez * fy, ez * fx - ex * fz, ex * fy - ey * fx
        length = math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-20
        turn = -1.0 / length if gx * heads[i, 0] + gy * heads[i, 1] + gz * heads[i, 2] > 0.0 else 1.0 / length
        gx, gy, gz = gx * turn, gy * turn, gz * turn
        nx = normals[a, 0] * w + normals[b, 0] * u[i] + normals[c, 0] * v[i]
        ny = normals[a, 1] * w + normals[b, 1] * u[i] + normals[c, 1] * v[i]
        nz = normals[a, 2] * w + normals[b, 2] * u[i] + normals[c, 2] * v[i]
        length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-20
        nx, ny, nz = nx / length, ny / length, nz / length
        row = palette[materials[face]]
        is_leaf = row[12] > 0.0
        if not is_leaf and nx * gx + ny * gy + nz * gz < 0.0:
            nx, ny, nz = -nx, -ny, -nz
        ex, ey, ez = coords[b, 0] - coords[a, 0], coords[b, 1] - coords[a, 1], coords[b, 2] - coords[a, 2]
        fx, fy, fz = coords[c, 0] - coords[a, 0], coords[c, 1] - coords[a, 1], coords[c, 2] - coords[a, 2]
        tr = tints[a, 0] * w + tints[b, 0] * u[i] + tints[c, 0] * v[i]
        tg = tints[a, 1] * w + tints[b, 1] * u[i] + tints[c, 1] * v[i]
        tb = tints[a, 2] * w + tints[b, 2] * u[i] + tints[c, 2] * v[i]
        red, green, blue = albedo(
            row, cover,
            coords[a, 0] * w + coords[b, 0] * u[i] + coords[c, 0] * v[i],
            coords[a, 1] * w + coords[b, 1] * u[i] + coords[c, 1] * v[i],
            coords[a, 2] * w + coords[b, 2] * u[i] + coords[c, 2] * v[i],
            ey * fz - ez * fy, ez * fx - ex * fz, ex * fy - ey * fx, ny,
            tr, tg, tb, distances[i] * spread,
        )  # fmt: skip
        red, green, blue = max(red, 0.002), max(green, 0.002), max(blue, 0.002)
        cosine = nx * parameters[0] + ny * parameters[1] + nz * parameters[2]
        if is_leaf:
            shine = max(cosine, 0.0) * _LEAF_FRONT + max(-cosine, 0.0) * _LEAF_BACK + 0.08
        else:
            shine = max(cosine, 0.0)
        steady[i, 0] = (
            red / math.pi * (light[a, 0] * w + light[b, 0] * u[i] + light[c, 0] * v[i]) + row[6] * tr
        )
        steady[i, 1] = (
            green / math.pi * (light[a, 1] * w + light[b, 1] * u[i] + light[c, 1] * v[i]) + row[7] * tg
        )
        steady[i, 2] = (
            blue / math.pi * (light[a, 2] * w + light[b, 2] * u[i] + light[c, 2] * v[i]) + row[8] * tb
        )
        sunny[i, 0] = red / math.pi * shine * parameters[3]
        sunny[i, 1] = green / math.pi * shine * parameters[4]
        sunny[i, 2] = blue / math.pi * shine * parameters[5]
        if row[13] > 0.0:
            share = sheen[a, 3] * w + sheen[b, 3] * u[i] + sheen[c, 3] * v[i]
            for k in range(3):
                mirrored = sheen[a, k] * w + sheen[b, k] * u[i] + sheen[c, k] * v[i]
                steady[i, k] = steady[i, k] * (1.0 - share) + mirrored
                sunny[i, k] *= 1.0 - share
        # Leaves are lit from both sides, so their ray starts on the side of the sun.
        side = -1.0 if is_leaf and gx * parameters[0] + gy * parameters[1] + gz * parameters[2] < 0.0 else 1.0
        lift = side * (_LIFT_M + 2e-4 * distances[i])
        points[i, 0] = origins[i, 0] + heads[i, 0] * distances[i] + gx * lift
        points[i, 1] = origins[i, 1] + heads[i, 1] * distances[i] + gy * lift
        points[i, 2] = origins[i, 2] + heads[i, 2] * distances[i] + gz * lift


@kernel
def shadow_rays(sunny, points, parameters, spots, starts, heads, owners):
    """Write the rays of all points that sun may reach and return how many; `spots` [S, 2] lie in its disc."""
    sx, sy, sz = parameters[0], parameters[1], parameters[2]
    level = math.sqrt(sx * sx + sz * sz) + 1e-9
    ax, az = -sz / level, sx / level
    bx, by, bz = sy * az, sz * ax - sx * az, -sy * ax
    count = 0
    for i in range(len(sunny)):
        if sunny[i, 0] + sunny[i, 1] + sunny[i, 2] <= 0.0:
            continue
        p, q = spots[i % len(spots), 0] * parameters[6], spots[i % len(spots), 1] * parameters[6]
        heads[count, 0] = sx + ax * p + bx * q
        heads[count, 1] = sy + by * q
        heads[count, 2] = sz + az * p + bz * q
        for k in range(3):
            starts[count, k] = points[i, k]
        owners[count] = i
        count += 1
    return count


@inlined
def _fog_share(parameters, x, y, z, is_sky):
    """Return how much of the fog's colour covers a point, or, for a direction, the sky."""
    density, falloff = parameters[11], parameters[12]
    if density <= 0.0:
        return 0.0
    if not is_sky:
        x, y, z = x - parameters[14], y - parameters[15], z - parameters[16]
    length = math.sqrt(x * x + y * y + z * z) + 1e-9
    rise = falloff * y / length
    near = parameters[17]
    start = density * math.exp(-falloff * (parameters[15] - parameters[13]))
    if is_sky:
        depth = start * math.exp(-rise * near) / rise if rise > 1e-5 else 1e9
    else:
        if length <= near:
            return 0.0
        reach = length - near
        if abs(rise * reach) < 1e-4:
            depth = start * math.exp(-rise * near) * reach
        else:
            depth = start * math.exp(-rise * near) * (1.0 - math.exp(-rise * reach)) / rise
    return 1.0 - math.exp(-min(depth, 50.0))


@inlined
def _display(value, exposure):
    """Return linear radiance as the sRGB value 0..1 that a screen is sent."""
    x = value * exposure
    # Source: K. Narkowicz, "ACES Filmic Tone Mapping Curve" (2015).
    x = min(max((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), 0.0), 1.0)
    return 12.92 * x if x <= 0.0031308 else 1.055 * x ** (1.0 / 2.4) - 0.055


@kernel
def add_sun(steady, sunny, owners, is_free, count):
    """Add `sunny` to `steady` for the shadow rays that got through."""
    for ray in range(count):
        if is_free[ray]:
            i = owners[ray]
            for k in range(3):
                steady[i, k] += sunny[i, k]


@kernel
def add_air(steady, heads, origins, distances, hits, table, parameters):
    """Turn the colour of surfaces into radiance that arrives: with fog, and sky where nothing was hit."""
    for i in range(len(hits)):
        if hits[i] < 0:
            r, g, b = look_up(table, heads[i, 0], heads[i, 1], heads[i, 2])
            fog = _fog_share(parameters, heads[i, 0], heads[i, 1], heads[i, 2], True)
        else:
            r, g, b = steady[i, 0], steady[i, 1], steady[i, 2]
            x = origins[i, 0] + heads[i, 0] * distances[i]
            y = origins[i, 1] + heads[i, 1] * distances[i]
            z = origins[i, 2] + heads[i, 2] * distances[i]
            fog = _fog_share(parameters, x, y, z, False)
        steady[i, 0] = r * (1.0 - fog) + parameters[8] * fog
        steady[i, 1] = g * (1.0 - fog) + parameters[9] * fog
        steady[i, 2] = b * (1.0 - fog) + parameters[10] * fog


@kernel
def display(radiance, parameters):
    """Turn radiance [R, 3] into displayed colour, 0..1, in place: exposure and tone curve."""
    for i in range(len(radiance)):
        for k in range(3):
            radiance[i, k] = _display(radiance[i, k], parameters[7])


@kernel
def rough_pixels(picture, depths, is_leaf, threshold, out):
    """Mark pixels [H, W] that one ray does not describe: edges, and whatever differs from a neighbour."""
    height, width = depths.shape
    for row in range(height):
        for column in range(width):
            rough = is_leaf[row, column]
            for step in range(4):
                if rough:
                    break
                r = row + (1 if step == 0 else -1 if step == 1 else 0)
                c = column + (1 if step == 2 else -1 if step == 3 else 0)
                if r < 0 or c < 0 or r >= height or c >= width:
                    continue
                rough = is_leaf[r, c]
                here, there = depths[row, column], depths[r, c]
                if max(here, there) > 1.1 * min(here, there):
                    rough = True
                for k in range(3):
                    if abs(picture[row, column, k] - picture[r, c, k]) > threshold:
                        rough = True
            out[row, column] = rough


@kernel
def average_into(picture, pixels, samples, width):
    """Replace each of `pixels` [P] by the mean of its samples [P * S, 3].

    The mean is taken of displayed values, because that is how splats blend.
    """
    count = len(samples) // max(len(pixels), 1)
    for i in range(len(pixels)):
        row, column = pixels[i] // width, pixels[i] % width
        for k in range(3):
            total = 0.0
            for s in range(count):
                total += samples[i * count + s, k]
            picture[row, column, k] = total / count
