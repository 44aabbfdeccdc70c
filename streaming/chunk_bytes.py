"""What the bytes of one chunk are: a GLB in a gzip member. The only module that knows.

Everything else asks for bytes of a cloud or the cloud of bytes, so another packing is a change of this file.
"""

from __future__ import annotations

import gzip
import zlib

import numpy as np
from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from . import gltf
from .errors import AssetFormatError
from .khr_gaussian_splatting import decode, decode_harmonics, encode, encode_harmonics
from .limits import MAX_DEFLATE_RATIO, MAX_INFLATED_BYTES

GZIP_MAGIC = b"\x1f\x8b"
# Level 9 saves 2 % more and takes four times as long.
_GZIP_LEVEL = 7


def encode_chunk(cloud: SplatCloud) -> bytes:
    """Return the bytes that travel for a rounded cloud (`round_cloud`); equal input, equal bytes."""
    return pack_glb(encode(cloud, layout="compact", with_fallback_color=False))


def decode_chunk(data: bytes) -> SplatCloud:
    """Return the splats of a chunk, in the order they were given.

    Raises:
        AssetFormatError: The bytes are not those of a chunk, or expand beyond reason.
    """
    return decode(unpack_glb(data))


def encode_harmonics_chunk(rest: NDArray[np.float32]) -> bytes:
    """Return the bytes of the view-dependent colour [N, K - 1, 3] of a chunk's splats, in their order."""
    return pack_glb(encode_harmonics(rest))


def decode_harmonics_chunk(data: bytes) -> NDArray[np.float32]:
    """Return what `encode_harmonics_chunk` was given.

    Raises:
        AssetFormatError: As for `decode_chunk`.
    """
    return decode_harmonics(unpack_glb(data))


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
