"""A layer of view-dependent colour: the coefficients of degree 1 to 3 of one chunk's splats, in their order.

Layout, little-endian: a header of 20 bytes (`_HEADER`); one block of `rans`, whose first stream holds a class
for each splat and whose others hold luma, orange and green of each coefficient; then, bit by bit, what the
symbols leave open. Faint and small splats have a high class and coarse steps, as in `splat_steps`; classes
travel, so that a layer can be read without the chunk it colours. `viewer/src/decode/harmonics.ts` reads it.

The GLB around it has no mesh: other viewers find nothing to draw.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from . import bit_fields, gltf, rans
from .errors import AssetFormatError
from .splat_codec import MAX_COUNT
from .splat_steps import DEFAULT_FIDELITY, MAX_CLASS, Fidelity, colors_from_steps, round_colors

EXTENSION = "IMMERSIVE_splat_harmonics"
_VERSION = 1
_HEADER = struct.Struct(
    "<4B I 2f I"
)  # version, degree, 0, 0; count; steps of luma and of chroma; block bytes
_MIDDLE_CLASS = 3
_MOST_COLOR = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer's payload and the coefficients that it stands for."""

    payload: bytes
    rest: NDArray[np.float32]  # [N, K - 1, 3]


def encode(clouds: Sequence[SplatCloud], fidelity: Fidelity = DEFAULT_FIDELITY) -> list[Layer]:
    """Return the layers of clouds of degree 1 to 3 with at most 4096 splats each."""
    rounded = [_rounded(cloud, fidelity) for cloud in clouds]
    parts = [bit_fields.split(integers) for integers, *_ in rounded]
    blocks: list[bytes] = [b""] * len(parts)
    for streams in {len(symbols) for symbols, *_ in parts}:
        alike = [index for index, (symbols, *_) in enumerate(parts) if len(symbols) == streams]
        for index, block in zip(alike, rans.encode([parts[i][0] for i in alike]), strict=True):
            blocks[index] = block
    layers = []
    for (integers, luma, chroma), block, (_, fields, widths) in zip(rounded, blocks, parts, strict=True):
        degree = math.isqrt((len(integers) - 1) // 3 + 1) - 1
        header = _HEADER.pack(_VERSION, degree, 0, 0, integers.shape[1], luma, chroma, len(block))
        payload = header + block + bit_fields.pack(fields.ravel(), widths.ravel())
        layers.append(Layer(payload, _rest(integers, luma, chroma)))
    return layers


def decode(payload: bytes | memoryview) -> NDArray[np.float32]:
    """Return the coefficients [N, K - 1, 3] of a layer.

    Raises:
        AssetFormatError: It is not whole, or says what cannot be.
    """
    data = memoryview(payload)
    if len(data) < _HEADER.size:
        raise AssetFormatError(
            f"a layer of harmonics must have {_HEADER.size} bytes or more, got {len(data)}"
        )
    version, degree, _, _, count, luma, chroma, block = _HEADER.unpack_from(data)
    if version != _VERSION or not 1 <= degree <= 3 or not 1 <= count <= MAX_COUNT:
        raise AssetFormatError(
            "a layer of harmonics must be of version 1, degree 1 to 3 and 1 to 4096 splats"
        )
    if not (0 < luma < 1e30 and 0 < chroma < 1e30):
        raise AssetFormatError("steps of a layer of harmonics must be positive and finite")
    end = _HEADER.size + block
    if len(data) < end:
        raise AssetFormatError(f"a layer of harmonics must hold {block} entropy-coded bytes, got fewer")
    streams = 1 + 3 * ((degree + 1) ** 2 - 1)
    symbols = rans.decode([data[_HEADER.size : end]], streams, [count])[0]
    widths = bit_fields.open_widths(symbols)
    fields = bit_fields.unpack(data[end:], 0, widths.ravel()).reshape(widths.shape)
    integers = bit_fields.join(symbols, fields)
    if (integers[0] > MAX_CLASS).any():
        raise AssetFormatError(f"classes of a layer of harmonics must be 0 to {MAX_CLASS}")
    rest = _rest(integers, luma, chroma)
    if not (np.abs(rest) < _MOST_COLOR).all():
        raise AssetFormatError("a layer of harmonics must hold colours such as a screen shows")
    return rest


def encode_glb(payload: bytes) -> bytes:
    """Return a GLB that holds a layer and nothing to draw."""
    return gltf.encode_glb(
        {
            "asset": {"version": "2.0"},
            "extensionsUsed": [EXTENSION],
            "extensionsRequired": [EXTENSION],
            "extensions": {EXTENSION: {"bufferView": 0}},
            "bufferViews": [{"buffer": 0, "byteLength": len(payload)}],
            "buffers": [{"byteLength": len(payload)}],
        },
        payload,
    )


def glb_payload(glb: bytes) -> memoryview:
    """Return the layer of a GLB.

    Raises:
        AssetFormatError: It has none.
    """
    document = gltf.decode(glb)
    extensions = document.document.get("extensions")
    entry = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    if not isinstance(entry, dict):
        raise AssetFormatError(f"a layer of harmonics must be a GLB with {EXTENSION}")
    return gltf.read_view(document, entry.get("bufferView"))[0]


def _rounded(cloud: SplatCloud, fidelity: Fidelity) -> tuple[NDArray[np.int64], float, float]:
    """Return the class and the zigzagged coefficients of every splat [1 + 3 (K - 1), N], and the steps."""
    axes = -np.sort(-cloud.scales.astype(np.float64), axis=1)
    shown = np.maximum(cloud.opacities.astype(np.float64), 1e-2) ** 2 * axes[:, 0] * axes[:, 1] + 1e-24
    typical = np.exp(np.log(axes[:, 0] * axes[:, 1] + 1e-24).mean())
    classes = np.rint(_MIDDLE_CLASS - 0.375 * np.log2(shown / typical)).clip(0, MAX_CLASS).astype(np.int64)
    # The mean error stays that of one step for all.
    light = np.sqrt((shown * np.exp2(2.0 * (classes - _MIDDLE_CLASS))).mean() / typical)
    luma = float(np.float32(fidelity.rest * 2.0**-_MIDDLE_CLASS / light))
    chroma = float(np.float32(luma * fidelity.chroma))
    values = round_colors(cloud.sh[:, 1:], classes[:, None], luma, chroma)
    coded = bit_fields.zigzag(values.reshape(len(cloud), -1).T)
    return np.concatenate([classes[None], coded]), luma, chroma


def _rest(integers: NDArray[np.int64], luma: float, chroma: float) -> NDArray[np.float32]:
    values = bit_fields.unzigzag(integers[1:]).T.reshape(integers.shape[1], -1, 3)
    return colors_from_steps(values, integers[0][:, None], luma, chroma).astype(np.float32)
