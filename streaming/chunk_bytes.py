"""What the bytes of one chunk are: a GLB in a gzip member. The only module that knows.

Splats inside are packed (`packed_glb`); a chunk of plain accessors, as older packs hold, is read as well.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from . import gltf, harmonics_codec, packed_glb, splat_codec
from .errors import AssetFormatError
from .khr_gaussian_splatting import decode
from .limits import MAX_DEFLATE_RATIO, MAX_INFLATED_BYTES
from .splat_steps import DEFAULT_FIDELITY, Fidelity

GZIP_MAGIC = b"\x1f\x8b"
# Level 9 saves 2 % more and takes four times as long.
_GZIP_LEVEL = 7
_GZIP_HEAD = (
    b"\x1f\x8b\x08" + bytes(6) + b"\xff"
)  # deflate, no name, no time, no system: equal input, equal bytes
_STORED_BYTES = 65_535
_BEFORE_BINARY = 28  # GLB header and two chunk headers, without the JSON


def encode_chunks(
    clouds: Sequence[SplatCloud],
    segments: Sequence[Sequence[int]] | None = None,
    fidelity: Fidelity = DEFAULT_FIDELITY,
) -> list[tuple[bytes, splat_codec.Packed]]:
    """Return what travels for each cloud, and what it stands for; equal input, equal bytes.

    Arguments as of `splat_codec.encode`.
    """
    packed = splat_codec.encode(clouds, segments=segments, fidelity=fidelity)
    return [(_wrap(packed_glb.encode_glb(one)), one) for one in packed]


def decode_chunks(chunks: Sequence[bytes]) -> list[SplatCloud]:
    """Return the splats of chunks, in the order they travel; many at once are unpacked much faster.

    Raises:
        AssetFormatError: Bytes are not those of a chunk, or expand beyond reason.
    """
    glbs = [unpack_glb(data) for data in chunks]
    payloads = [packed_glb.payload(glb) for glb in glbs]
    unpacked = iter(splat_codec.decode([payload for payload in payloads if payload is not None]))
    return [decode(glb) if one is None else next(unpacked) for glb, one in zip(glbs, payloads, strict=True)]


def encode_harmonics_chunks(
    clouds: Sequence[SplatCloud], fidelity: Fidelity = DEFAULT_FIDELITY
) -> list[tuple[bytes, harmonics_codec.Layer]]:
    """Return what travels for the view-dependent colour of each cloud, and what it stands for.

    Args:
        clouds: Of degree 1 to 3, splats in the order in which their chunk holds them.
        fidelity: How finely colours are rounded.
    """
    layers = harmonics_codec.encode(clouds, fidelity)
    return [(_wrap(harmonics_codec.encode_glb(layer.payload)), layer) for layer in layers]


def decode_harmonics_chunk(data: bytes) -> NDArray[np.float32]:
    """Return the coefficients [N, K - 1, 3] of a chunk of view-dependent colour.

    Raises:
        AssetFormatError: The bytes are not those of such a chunk, or expand beyond reason.
    """
    return harmonics_codec.decode(harmonics_codec.glb_payload(unpack_glb(data)))


def pack_glb(glb: bytes) -> bytes:
    """Return any GLB as a chunk's bytes."""
    return gzip.compress(glb, _GZIP_LEVEL, mtime=0)


def unpack_glb(data: bytes) -> bytes:
    """Return the GLB of a chunk's bytes.

    Raises:
        AssetFormatError: The bytes are neither a GLB nor a gzip member, or expand beyond reason.
    """
    if data[:4] == gltf.MAGIC:
        return data
    if data[:2] != GZIP_MAGIC:
        raise AssetFormatError(f"a chunk must begin as glTF or gzip does, got {data[:4]!r}")
    limit = min(len(data) * MAX_DEFLATE_RATIO, MAX_INFLATED_BYTES)
    unpacker = zlib.decompressobj(31)
    try:
        unpacked = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise AssetFormatError(f"a chunk must unpack, got {error}") from error
    if not unpacker.eof:
        raise AssetFormatError(f"a chunk must be a whole gzip member of at most {limit} bytes unpacked")
    return unpacked


def _wrap(glb: bytes) -> bytes:
    """Return a gzip member that deflates the JSON and stores the payload, which nothing makes smaller."""
    json_bytes = struct.unpack_from("<I", glb, 12)[0]
    split = _BEFORE_BINARY + json_bytes
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [_GZIP_HEAD, deflater.compress(glb[:split]), deflater.flush(zlib.Z_FULL_FLUSH)]
    for start in range(split, len(glb), _STORED_BYTES):
        block = glb[start : start + _STORED_BYTES]
        is_last = start + _STORED_BYTES >= len(glb)
        parts += [struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack("<II", zlib.crc32(glb), len(glb))])
