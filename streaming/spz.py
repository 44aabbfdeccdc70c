"""Niantic's SPZ: versions 2 and 3 (gzip) and 4 (zstd streams), read and written.

Layout after the header, planar, little-endian: positions (3 x int24 fixed point), opacities (u8), colours
(3 x u8), scales (3 x u8, logarithmic), rotations, SH (u8, coefficient by coefficient, RGB inside).

The format's owner stores right, up, back, which is our world. splat-transform, GaussForge and gsply put the
numbers of a PLY (right, down, forward) into the same file without saying so; nothing in the bytes tells the
two apart, so `frame` lets the caller say it.

Source: nianticlabs/spz, src/cc/load-spz.cc and splat-utils.h, 2026-07.
"""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import WORLD_FROM_Z_UP, wxyz_from_xyzw, xyzw_from_wxyz
from reconstruction.splats import SplatCloud

from .errors import AssetFormatError
from .limits import (
    ANY_SPZ_SPLATS,
    MAX_DEFLATE_RATIO,
    MAX_INFLATED_BYTES,
    MAX_SPLATS_PER_FILE,
    MAX_SPZ_SPLATS_PER_BYTE,
)
from .transform import flip_axes, transform, unit_quats

MAGIC = 0x5053474E
GZIP_MAGIC = b"\x1f\x8b"
_HEADER = struct.Struct("<IIIBBBB")  # magic, version, count, SH degree, fractional bits, flags, (v4) streams
_HEADER_V4_BYTES = 32
_FLAG_ANTIALIASED = 0x1
_FLAG_EXTENSIONS = 0x2
_EXTENSION_COORDINATES = 0xADBE0003
_MAX_EXTENSION_BYTES = 64 * 1024

_FRACTIONAL_BITS = 12
_COLOR_SCALE = 0.15  # not SH_C0: leaves room for colours outside 0..1
_SCALE_STEPS = 16  # per e-fold
_SCALE_OFFSET = 10
_SH_STEPS = 128
_SH_BUCKETS = (1, 8, 16, 16)  # by degree: 5 bits for the first, 4 for the others
_BASES = {0: 1, 1: 4, 2: 9, 3: 16, 4: 25}
_ZSTD_LEVEL = 12

# Signs that lead from a stored frame to right, up, back. The names say where x, y and z point.
_FRAMES = {
    1: (-1, -1, 1),
    2: (1, -1, 1),
    3: (-1, 1, 1),
    4: (1, 1, 1),
    5: (-1, -1, -1),
    6: (1, -1, -1),
    7: (-1, 1, -1),
    8: (1, 1, -1),
}
# The same for frames with the third axis up or down, to right, front, up.
_FRAMES_Z_UP = {
    9: (-1, -1, -1),
    10: (1, -1, -1),
    11: (-1, -1, 1),
    12: (1, -1, 1),
    13: (-1, 1, -1),
    14: (1, 1, -1),
    15: (-1, 1, 1),
    16: (1, 1, 1),
}
_FRAME_CODES = {"rub": 4, "rdf": 6}

Frame = Literal["auto", "rub", "rdf"]


def encode(cloud: SplatCloud, *, version: int = 3) -> bytes:
    """Return an SPZ file of `cloud` in the frame its owner specifies (right, up, back); version 4 states it.

    Largest errors: position 0.122 mm per axis; opacity 1/510; degree-0 colour 0.0037; scale 3.2 %; SH 1/32
    in degree 1 and 1/16 above, inside -1..1. Rotations are within 0.35 degrees in versions 3 and 4; version 2
    keeps x, y, z in steps of 1/127.5 and derives w, which is 14 degrees off at worst, where w is about 0.
    Positions further than 2048 m from the origin do not fit.

    Raises:
        AssetFormatError: The cloud is empty or too far out, or the version cannot be written.
    """
    if version not in (2, 3, 4):
        raise AssetFormatError(f"SPZ version to write must be 2, 3 or 4, got {version}")
    if len(cloud) == 0:
        raise AssetFormatError("an SPZ file must hold at least one splat")
    fixed = np.rint(cloud.means.astype(np.float64) * 2**_FRACTIONAL_BITS)
    if np.abs(fixed).max() >= 2**23:
        # The reference encoder wraps around in silence.
        raise AssetFormatError(
            f"SPZ positions must lie within 2048 m of the origin, got {np.abs(cloud.means).max():.0f} m"
        )
    fixed = fixed.astype("<i4")
    positions = fixed.view(np.uint8).reshape(-1, 3, 4)[:, :, :3]
    dc = cloud.sh[:, 0].astype(np.float64)
    degree = np.sqrt(np.arange(1, cloud.sh.shape[1])).astype(int)
    bucket = np.array(_SH_BUCKETS)[degree][None, :, None]
    rest = np.rint(cloud.sh[:, 1:].astype(np.float64) * _SH_STEPS) + _SH_STEPS
    rest = np.floor((rest + bucket // 2) / bucket) * bucket
    xyzw = xyzw_from_wxyz(cloud.quats.astype(np.float64))
    streams = [
        positions.tobytes(),
        _byte(cloud.opacities * 255.0),
        _byte(dc * (_COLOR_SCALE * 255) + 127.5),
        _byte((np.log(cloud.scales.astype(np.float64)) + _SCALE_OFFSET) * _SCALE_STEPS),
        (_pack_first_three(xyzw) if version == 2 else _pack_smallest_three(xyzw)).tobytes(),
        _byte(rest),
    ]
    if version < 4:
        header = _HEADER.pack(MAGIC, version, len(cloud), cloud.sh_degree, _FRACTIONAL_BITS, 0, 0)
        compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
        return compressor.compress(header + b"".join(streams)) + compressor.flush()
    import zstandard

    compressed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
    frames = [(compressed.compress(stream), len(stream)) for stream in streams if stream]
    # Versions 2 and 3 cannot say so in a way that all take: three refuses bytes after the coefficients, and
    # the owner's own 0.2.3 misreads the record there.
    stated = struct.pack("<III", _EXTENSION_COORDINATES, 4, _FRAME_CODES["rub"])
    header = _HEADER.pack(
        *(MAGIC, 4, len(cloud), cloud.sh_degree, _FRACTIONAL_BITS, _FLAG_EXTENSIONS, len(frames))
    )
    header += struct.pack("<I12x", _HEADER_V4_BYTES + len(stated)) + stated
    table = b"".join(struct.pack("<QQ", len(frame), size) for frame, size in frames)
    return header + table + b"".join(frame for frame, _ in frames)


def decode(data: bytes, *, frame: Frame = "auto") -> SplatCloud:
    """Return the cloud of an SPZ file in our world frame.

    Args:
        data: The file. Coefficients of degree 4 (version 4 only) are left out.
        frame: What the stored axes mean: "rub" as the format's owner says, "rdf" as some converters write,
            "auto" for the file's own statement if it makes one, else "rub".

    Raises:
        AssetFormatError: A rule of the format is broken; found before memory is taken for the splats.
    """
    header, streams, stated = _split(data)
    _, version, count, degree, fractional_bits, _, _ = header
    positions, alphas, colors, scales, rotations, rest = streams
    fixed = np.zeros((count, 3, 4), np.uint8)
    fixed[:, :, 1:] = np.frombuffer(positions, np.uint8).reshape(count, 3, 3)
    # The three bytes sit at the top of an int32, so the shift back brings the sign along.
    means = (fixed.view("<i4")[:, :, 0] >> 8) * 2.0**-fractional_bits
    if version == 2:
        quats = _unpack_first_three(np.frombuffer(rotations, np.uint8).reshape(count, 3))
    else:
        quats = _unpack_smallest_three(np.frombuffer(rotations, "<u4"))
    bases = min(_BASES[degree], 16)
    sh = np.empty((count, bases, 3), np.float32)
    sh[:, 0] = (np.frombuffer(colors, np.uint8).reshape(count, 3) / 255.0 - 0.5) / _COLOR_SCALE
    coefficients = np.frombuffer(rest, np.uint8).reshape(count, _BASES[degree] - 1, 3)
    sh[:, 1:] = (coefficients[:, : bases - 1].astype(np.float32) - _SH_STEPS) / _SH_STEPS
    log_scales = np.frombuffer(scales, np.uint8).reshape(count, 3) / _SCALE_STEPS - _SCALE_OFFSET
    cloud = SplatCloud(
        means.astype(np.float32),
        unit_quats(wxyz_from_xyzw(quats)),
        np.exp(log_scales).astype(np.float32),
        (np.frombuffer(alphas, np.uint8) / 255).astype(np.float32),
        sh,
    )
    code = (stated or _FRAME_CODES["rub"]) if frame == "auto" else _FRAME_CODES[frame]
    if code in _FRAMES_Z_UP:
        return transform(flip_axes(cloud, _FRAMES_Z_UP[code]), WORLD_FROM_Z_UP)
    return cloud if code == _FRAME_CODES["rub"] else flip_axes(cloud, _FRAMES[code])


def splat_count(data: bytes) -> int:
    """Return the count that the header states, unpacking nothing else; 0 where there is no header."""
    start = _inflate(data, _HEADER.size) if data[:2] == GZIP_MAGIC else data[: _HEADER.size]
    return _HEADER.unpack(start)[2] if len(start) == _HEADER.size else 0


def describe(data: bytes) -> tuple[int, bool, bool]:
    """Return version, whether trained with anti-aliasing, and whether the file states its frame."""
    header, _, stated = _split(data)
    return header[1], bool(header[5] & _FLAG_ANTIALIASED), stated is not None


def _split(data: bytes) -> tuple[tuple[int, ...], list[bytes], int | None]:
    """Check everything that can be checked by sizes; return header, six streams and the stated frame."""
    is_gzip = data[:2] == GZIP_MAGIC
    start = _inflate(data, _HEADER.size) if is_gzip else data[: _HEADER.size]
    if len(start) < _HEADER.size or start[:4] != MAGIC.to_bytes(4, "little"):
        raise AssetFormatError("an SPZ file must begin with NGSP, plain or inside gzip")
    header = _HEADER.unpack(start)
    _, version, count, degree, fractional_bits, flags, _ = header
    if version not in (2, 3, 4) or (version == 4 and is_gzip):
        raise AssetFormatError(f"SPZ version must be 2, 3 or (with zstd inside) 4, got {version}")
    if not 0 < count <= MAX_SPLATS_PER_FILE:
        raise AssetFormatError(f"SPZ splat count must be 1 to {MAX_SPLATS_PER_FILE}, got {count}")
    if degree not in _BASES or (degree == 4 and version < 4):
        raise AssetFormatError(f"SPZ SH degree must be 0 to {4 if version == 4 else 3}, got {degree}")
    if fractional_bits > 23:
        raise AssetFormatError(f"SPZ fractional bits must be at most 23, got {fractional_bits}")
    sizes = [9 * count, count, 3 * count, 3 * count, (3 if version == 2 else 4) * count]
    sizes.append(3 * (_BASES[degree] - 1) * count)
    expected = _HEADER.size + sum(sizes)
    # Zstd has no such limit, but files that hold a scene stay far below it too.
    most = min(MAX_INFLATED_BYTES, len(data) * MAX_DEFLATE_RATIO + 64)
    if expected > most or count > ANY_SPZ_SPLATS + len(data) * MAX_SPZ_SPLATS_PER_BYTE:
        raise AssetFormatError(f"SPZ splat count must fit the file of {len(data)} bytes, got {count}")
    if version == 4:
        return header, *_split_v4(data, sizes, bool(flags & _FLAG_EXTENSIONS))
    body = _inflate(data, expected + _MAX_EXTENSION_BYTES) if is_gzip else data
    if len(body) < expected:
        raise AssetFormatError(f"SPZ body must hold {expected} bytes, got {len(body)}")
    ends = np.cumsum([_HEADER.size, *sizes])
    streams = [body[a:b] for a, b in pairwise(ends)]
    stated = _stated_frame(body[expected:]) if flags & _FLAG_EXTENSIONS else None
    return header, streams, stated


def _split_v4(data: bytes, sizes: list[int], has_extensions: bool) -> tuple[list[bytes], int | None]:
    import zstandard

    if len(data) < _HEADER_V4_BYTES:
        raise AssetFormatError(f"an SPZ version 4 header must hold {_HEADER_V4_BYTES} bytes, got {len(data)}")
    stream_count, table = data[15], int.from_bytes(data[16:20], "little")
    wanted = [size for size in sizes if size]
    if stream_count != len(wanted):
        raise AssetFormatError(f"SPZ stream count must be {len(wanted)}, got {stream_count}")
    offset = table + 16 * stream_count
    if not _HEADER_V4_BYTES <= table <= offset <= len(data):
        raise AssetFormatError(f"SPZ stream table must lie inside the file of {len(data)} bytes, got {table}")
    streams = []
    for i, size in enumerate(wanted):
        packed, unpacked = struct.unpack_from("<QQ", data, table + 16 * i)
        if unpacked != size or offset + packed > len(data):
            raise AssetFormatError(f"SPZ stream {i} must hold {size} bytes inside the file, got {unpacked}")
        part = data[offset : offset + packed]
        try:
            parameters = zstandard.get_frame_parameters(part)
            if parameters.content_size not in (size, zstandard.CONTENTSIZE_UNKNOWN):
                raise AssetFormatError(f"SPZ stream {i} must unpack to {size} bytes")
            stream = zstandard.ZstdDecompressor().decompress(part, max_output_size=size)
        except zstandard.ZstdError as error:
            raise AssetFormatError(
                f"SPZ stream {i} must be a zstd frame of {size} bytes, got {error!s:.80}"
            ) from error
        if len(stream) != size:
            raise AssetFormatError(f"SPZ stream {i} must hold {size} bytes, got {len(stream)}")
        streams.append(stream)
        offset += packed
    streams += [b""] * (len(sizes) - len(streams))
    return streams, _stated_frame(data[_HEADER_V4_BYTES:table]) if has_extensions else None


def _stated_frame(records: bytes) -> int | None:
    offset = 0
    while offset + 8 <= len(records):
        kind, size = struct.unpack_from("<II", records, offset)
        payload = records[offset + 8 : offset + 8 + size]
        if kind == _EXTENSION_COORDINATES and len(payload) == 4:
            code = int.from_bytes(payload, "little")
            if code not in _FRAMES and code not in _FRAMES_Z_UP:
                raise AssetFormatError(f"SPZ coordinate system must be 1 to 16, got {code}")
            return code
        offset += 8 + size
    return None


def _inflate(data: bytes, limit: int) -> bytes:
    """Unpack at most `limit` bytes of a gzip member."""
    try:
        return zlib.decompressobj(31).decompress(data, limit)
    except zlib.error as error:
        raise AssetFormatError(f"SPZ gzip data must unpack, got {error!s:.80}") from error


def _byte(values: NDArray) -> bytes:
    return np.rint(values).clip(0, 255).astype(np.uint8).tobytes()


def _pack_smallest_three(xyzw: NDArray) -> NDArray[np.uint32]:
    rows = np.arange(len(xyzw))
    largest = np.abs(xyzw).argmax(axis=1)
    flipped = xyzw[rows, largest] < 0
    packed = largest.astype(np.uint32)
    for i in range(4):
        sign = ((xyzw[:, i] < 0) ^ flipped).astype(np.uint32)
        size = np.floor(511 * np.abs(xyzw[:, i]) / np.sqrt(0.5) + 0.5).astype(np.uint32)
        packed = np.where(largest == i, packed, (packed << 10) | (sign << 9) | np.minimum(size, 511))
    return packed.astype("<u4")


def _unpack_smallest_three(packed: NDArray) -> NDArray:
    rows = np.arange(len(packed))
    largest = (packed >> 30).astype(np.int64)
    left = packed.copy()
    xyzw = np.zeros((len(packed), 4))
    for i in (3, 2, 1, 0):
        value = (left & 511) * (np.sqrt(0.5) / 511) * np.where(left & 512, -1.0, 1.0)
        xyzw[:, i] = np.where(largest == i, 0.0, value)
        left = np.where(largest == i, left, left >> 10)
    xyzw[rows, largest] = np.sqrt(np.maximum(0, 1 - (xyzw**2).sum(axis=1)))
    return xyzw


def _pack_first_three(xyzw: NDArray) -> NDArray[np.uint8]:
    turned = np.where(xyzw[:, 3:] < 0, -xyzw, xyzw)
    return np.rint(turned[:, :3] * 127.5 + 127.5).clip(0, 255).astype(np.uint8)


def _unpack_first_three(packed: NDArray) -> NDArray:
    xyz = packed / 127.5 - 1
    w = np.sqrt(np.maximum(0, 1 - (xyz**2).sum(axis=1, keepdims=True)))
    return np.concatenate([xyz, w], axis=1)
