"""PlayCanvas' compressed PLY: groups of 256 splats, whose values lie between limits of their group.

A `chunk` row holds the limits as 18 floats; a `vertex` row four 32-bit words: position 11-10-11 bits,
rotation 2-10-10-10 (index of the largest of w, x, y, z, then the others in order, times sqrt(1/2) plus 1/2),
logarithm of scale 11-10-11, colour and opacity 8-8-8-8. An `sh` row holds a byte for each higher
coefficient, channel-major: 256 cells of -4..4. The frame is that of a PLY: right, down, forward.

Source: playcanvas/splat-transform, src/lib/writers/write-compressed-ply.ts and compressed-chunk.ts, 2026-07.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reconstruction.spherical_harmonics import dc_from_rgb, rgb_from_dc
from reconstruction.splats import SplatCloud

from .errors import AssetFormatError
from .morton import morton_order
from .transform import RDF_SIGNS, flip_axes
from .unconstrained import MAX_LOG_SCALE, cloud_from_logs

PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
_GROUP = 256
_RANGES = (("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b"))
_REST_COUNTS = (0, 9, 24, 45)
_REST_REACH = 4.0
_BITS = (11, 10, 11)


def encode(cloud: SplatCloud) -> bytes:
    """Return a compressed PLY of `cloud`, splats along a Morton curve.

    Largest errors, r being the range of a value inside its group of 256: position and logarithm of scale
    r / 4094 in x and z and r / 2046 in y; colour of degree 0 as RGB r / 510; opacity 1/510; rotation
    sqrt(1/2) / 1023 in each of three components; higher coefficients 1/64 inside -4..4, and 1/32 in the
    outermost cells.

    Raises:
        AssetFormatError: The cloud is empty.
    """
    if len(cloud) == 0:
        raise AssetFormatError("a compressed PLY must hold at least one splat")
    source = flip_axes(cloud.subset(morton_order(cloud.means)), RDF_SIGNS)
    count, rest = len(source), source.sh.shape[1] - 1
    starts = np.arange(0, count, _GROUP)
    group = np.arange(count) // _GROUP
    log_scales = np.log(np.maximum(source.scales.astype(np.float64), np.exp(-MAX_LOG_SCALE)))
    columns, limits = [], []
    for values in (source.means, log_scales, rgb_from_dc(source.sh[:, 0].astype(np.float64))):
        low, high = (np.asarray(f.reduceat(values, starts), np.float32) for f in (np.minimum, np.maximum))
        limits += [low, high]
        extent = (high.astype(np.float64) - low)[group]
        columns.append(((values - low[group]) / np.where(extent > 0, extent, 1)).clip(0, 1))
    words = np.stack(
        [
            _pack(columns[0], _BITS),
            _pack_quats(source.quats.astype(np.float64)),
            _pack(columns[1], _BITS),
            _pack(np.concatenate([columns[2], source.opacities[:, None]], axis=1), (8, 8, 8, 8)),
        ],
        axis=1,
    )
    lines = ["ply", "format binary_little_endian 1.0", f"element chunk {len(starts)}"]
    lines += [f"property float {end}_{name}" for names in _RANGES for end in ("min", "max") for name in names]
    lines += [f"element vertex {count}", *(f"property uint {name}" for name in PACKED)]
    if rest:
        lines += [f"element sh {count}", *(f"property uchar f_rest_{i}" for i in range(3 * rest))]
    by_channel = source.sh[:, 1:].swapaxes(1, 2).reshape(count, 3 * rest)
    cells = np.floor((by_channel.astype(np.float64) / (2 * _REST_REACH) + 0.5) * 256).clip(0, 255)
    return b"".join(
        (
            "\n".join([*lines, "end_header", ""]).encode(),
            np.concatenate(limits, axis=1).astype("<f4").tobytes(),
            words.astype("<u4").tobytes(),
            cells.astype(np.uint8).tobytes(),
        )
    )


def unpack(tables: dict[str, NDArray]) -> SplatCloud:
    """Return the cloud of the tables of a PLY, in the frame it is stored in.

    Raises:
        AssetFormatError: A table or column is absent, or has too few rows.
    """
    vertices, groups = tables["vertex"], tables.get("chunk")
    count = len(vertices)
    if groups is None or len(groups) < -(-count // _GROUP):
        raise AssetFormatError(f"a compressed PLY must have a chunk for each {_GROUP} vertices")
    group = np.arange(count) // _GROUP
    known = groups.dtype.names or ()

    def spread(unit: NDArray, names: tuple[str, ...]) -> NDArray:
        missing = [f"{end}_{n}" for n in names for end in ("min", "max") if f"{end}_{n}" not in known]
        if missing:
            raise AssetFormatError(f"a compressed PLY must have the property {missing[0]}, found none")
        low, high = (
            np.stack([groups[f"{end}_{n}"] for n in names], axis=1)[group].astype(np.float64)
            for end in ("min", "max")
        )
        return low + unit * (high - low)

    position, rotation, scale, color = (vertices[name].astype(np.int64) for name in PACKED)
    rgba = _unpack(color, (8, 8, 8, 8))
    # Files before 2024 store colours between 0 and 1, without limits.
    rgb = spread(rgba[:, :3], _RANGES[2]) if "min_r" in known else rgba[:, :3]
    three = (_unpack(rotation & 0x3FFFFFFF, (10, 10, 10)) - 0.5) * np.sqrt(2)
    fourth = np.sqrt(np.maximum(0, 1 - (three**2).sum(axis=1)))
    quats = np.empty((count, 4))
    for largest in range(4):
        chosen = rotation >> 30 == largest
        quats[chosen] = np.insert(three[chosen], largest, fourth[chosen], axis=1)
    rest = np.empty((count, 0, 3))
    if "sh" in tables:
        names = tables["sh"].dtype.names or ()
        if len(tables["sh"]) != count or len(names) not in _REST_COUNTS:
            raise AssetFormatError("a compressed PLY must have one row of 9, 24 or 45 coefficients per splat")
        cells = np.empty((count, len(names)))
        for column, name in enumerate(names):
            cells[:, column] = tables["sh"][name]
        # The first and last of 256 cells stand for the ends of -4..4, the others for their middles.
        unit = np.where(cells == 0, 0, np.where(cells == 255, 1, (cells + 0.5) / 256))
        rest = ((unit - 0.5) * (2 * _REST_REACH)).reshape(count, 3, -1).swapaxes(1, 2)
    sh = np.concatenate([dc_from_rgb(rgb)[:, None], rest], axis=1)
    means = spread(_unpack(position, _BITS), _RANGES[0])
    log_scales = spread(_unpack(scale, _BITS), _RANGES[1])
    return cloud_from_logs(means, quats, log_scales, rgba[:, 3], sh)


def _pack(units: NDArray, bits: tuple[int, ...]) -> NDArray[np.uint32]:
    """Return one word for each row of values 0..1, the first in its highest bits."""
    word = np.zeros(len(units), np.uint32)
    for column, width in zip(units.T, bits, strict=True):
        word = word << np.uint32(width) | np.rint(column * (2**width - 1)).astype(np.uint32)
    return word


def _unpack(words: NDArray[np.int64], bits: tuple[int, ...]) -> NDArray[np.float64]:
    units, shift = [], sum(bits)
    for width in bits:
        shift -= width
        units.append((words >> shift & (2**width - 1)) / (2**width - 1))
    return np.stack(units, axis=1)


def _pack_quats(quats: NDArray[np.float64]) -> NDArray[np.uint32]:
    rows = np.arange(len(quats))
    largest = np.abs(quats).argmax(axis=1)
    turned = quats * np.where(quats[rows, largest] < 0, -1.0, 1.0)[:, None]
    others = turned[np.arange(4)[None, :] != largest[:, None]].reshape(-1, 3)
    return _pack((others * np.sqrt(0.5) + 0.5).clip(0, 1), (10, 10, 10)) | largest.astype(np.uint32) << 30
