"""Splats as PLY: the layout of INRIA's 3DGS, read in any order of properties and written.

PlayCanvas' compressed form shares the container and is unpacked by `compressed_ply`.

Numbers are in COLMAP's frame (right, down, forward) and unconstrained: logarithms of scales, logits of
opacities, quaternions w first. `f_rest` is channel-major: all of red, then green, then blue.

Source: graphdeco-inria/gaussian-splatting, scene/gaussian_model.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reconstruction.splats import SplatCloud

from . import compressed_ply
from .errors import AssetFormatError
from .limits import MAX_PLY_HEADER_BYTES, MAX_SPLATS_PER_FILE
from .transform import RDF_SIGNS, flip_axes
from .unconstrained import MAX_LOGIT, cloud_from_logs

MAGIC = b"ply"
_END = b"end_header"
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "<"}
_TYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1"},
    **{"short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2"},
    **{"int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4"},
    **{"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}
_REST_COUNTS = {0: 0, 9: 1, 24: 2, 45: 3}
_MEANS = ("x", "y", "z")
_NORMALS = ("nx", "ny", "nz")
_DC = ("f_dc_0", "f_dc_1", "f_dc_2")
_SCALES = ("scale_0", "scale_1", "scale_2")
_ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")

Frame = Literal["auto", "rub", "rdf"]


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a header: its rows all have this type."""

    name: str
    count: int
    dtype: np.dtype


@dataclass(frozen=True, slots=True)
class Header:
    """What a PLY says about itself."""

    format: str  # ascii, binary_little_endian or binary_big_endian
    elements: tuple[Element, ...]
    byte_length: int  # of the header, with its last line break

    @property
    def is_compressed(self) -> bool:
        """Whether the splats are packed as PlayCanvas does."""
        packed = set(compressed_ply.PACKED)
        return any(e.name == "vertex" and packed <= set(e.dtype.names or ()) for e in self.elements)


def encode(cloud: SplatCloud) -> bytes:
    """Return a binary PLY in INRIA's layout and frame; float32 throughout, so only logs and logits round."""
    source = flip_axes(cloud, RDF_SIGNS)
    rest = cloud.sh.shape[1] - 1
    rest_names = tuple(f"f_rest_{i}" for i in range(3 * rest))
    names = (*_MEANS, *_NORMALS, *_DC, *rest_names, "opacity", *_SCALES, *_ROTATION)
    opacities = np.clip(source.opacities.astype(np.float64), 1e-7, 1 - 1e-7)
    columns = np.concatenate(
        [
            source.means,
            np.zeros_like(source.means),
            source.sh[:, 0],
            source.sh[:, 1:].swapaxes(1, 2).reshape(len(cloud), 3 * rest),
            np.log(opacities / (1 - opacities))[:, None],
            np.log(source.scales.astype(np.float64)),
            source.quats,
        ],
        axis=1,
    )
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(cloud)}"]
    lines += [f"property float {name}" for name in names]
    return "\n".join([*lines, "end_header", ""]).encode() + columns.astype("<f4").tobytes()


def decode(data: bytes, *, frame: Frame = "auto") -> SplatCloud:
    """Return the cloud of a splat PLY in our world frame.

    Args:
        data: The file.
        frame: What the stored axes mean: "rdf" (the same as "auto") as every trainer writes, or "rub".

    Raises:
        AssetFormatError: Not a PLY, not splats, cut short, or not finite; sizes are checked first.
    """
    header = read_header(data)
    # Signalling NaNs, and numbers of a text beyond float32: both are named as not finite.
    with np.errstate(invalid="ignore", over="ignore"):
        tables = _tables(data, header)
        cloud = compressed_ply.unpack(tables) if header.is_compressed else _from_columns(tables["vertex"])
    return cloud if frame == "rub" else flip_axes(cloud, RDF_SIGNS)


def read_header(data: bytes) -> Header:
    """Parse the header and check that the rows it promises fit the file.

    Raises:
        AssetFormatError: The first rule that is broken.
    """
    end = data.find(_END, 0, MAX_PLY_HEADER_BYTES)
    stop = data.find(b"\n", end, end + 16) + 1 if end >= 0 else 0
    if data[:3] != MAGIC or not stop:
        raise AssetFormatError(f"a PLY must begin with a header of at most {MAX_PLY_HEADER_BYTES} bytes")
    layout = ""
    elements: list[tuple[str, int, list[tuple[str, str] | None]]] = []
    try:
        for line in data[:end].decode("ascii", "replace").splitlines()[1:]:
            match line.split():
                case ["format", name, _] if name in _ORDERS:
                    layout = name
                case ["element", name, count]:
                    elements.append((name, int(count), []))
                case ["property", "list", *_]:
                    elements[-1][2].append(None)
                case ["property", kind, name]:
                    elements[-1][2].append((name, _ORDERS[layout] + _TYPES[kind]))
                case [] | ["comment" | "obj_info", *_]:
                    pass
                case _:
                    raise ValueError(line)
        return _checked_header(data, layout, elements, stop)
    except (ValueError, KeyError, IndexError) as error:
        raise AssetFormatError(
            f"a PLY header must follow the format, got a bad line ({error!s:.80})"
        ) from error


def _checked_header(
    data: bytes, layout: str, elements: list[tuple[str, int, list[tuple[str, str] | None]]], stop: int
) -> Header:
    if not layout:
        raise AssetFormatError("a PLY header must name its format")
    known: list[Element] = []
    for name, count, properties in elements:
        if not 0 <= count <= MAX_SPLATS_PER_FILE:
            raise AssetFormatError(
                f"PLY element {name} must have 0 to {MAX_SPLATS_PER_FILE} rows, got {count}"
            )
        if None in properties:
            # Lists make rows of unequal length; splat files have none before their vertices.
            if not any(element.name == "vertex" for element in known):
                raise AssetFormatError(f"PLY element {name} must not hold lists", hint=_NOT_SPLATS)
            break
        if any(element.name == name for element in known):
            raise AssetFormatError(f"PLY elements must have names of their own, got {name!r:.80} twice")
        known.append(Element(name, count, np.dtype(properties)))
    if not any(element.name == "vertex" and element.count for element in known):
        raise AssetFormatError("a PLY of splats must have at least one vertex", hint=_NOT_SPLATS)
    if layout == "ascii":
        needed = sum(2 * element.count * len(element.dtype.names or ()) - 1 for element in known)
    else:
        needed = sum(element.count * element.dtype.itemsize for element in known)
    if needed > len(data) - stop:
        raise AssetFormatError(f"a PLY body must hold {needed} bytes, got {len(data) - stop}")
    return Header(layout, tuple(known), stop)


_NOT_SPLATS = "Meshes and plain point clouds cannot become splats."


def _tables(data: bytes, header: Header) -> dict[str, NDArray]:
    tables, offset = {}, header.byte_length
    if header.format == "ascii":
        words = data[offset:].split()
        at = 0
        for element in header.elements:
            width = len(element.dtype.names or ())
            part = words[at : at + element.count * width]
            if len(part) < element.count * width:
                wanted = element.count * width
                raise AssetFormatError(
                    f"PLY element {element.name} must hold {wanted} numbers, got {len(part)}"
                )
            try:
                rows = np.array(part, np.float64).reshape(element.count, width)
            except ValueError as error:
                raise AssetFormatError(f"a PLY body must hold numbers only, got {error!s:.80}") from error
            table = np.empty(element.count, element.dtype)
            for column, name in enumerate(element.dtype.names or ()):
                table[name] = rows[:, column]
            tables[element.name] = table
            at += element.count * width
        return tables
    for element in header.elements:
        tables[element.name] = np.frombuffer(data, element.dtype, element.count, offset)
        offset += element.count * element.dtype.itemsize
    return tables


def _from_columns(vertices: NDArray) -> SplatCloud:
    names = vertices.dtype.names or ()
    missing = [n for n in (*_MEANS, *_DC, "opacity", *_SCALES, *_ROTATION) if n not in names]
    if missing:
        raise AssetFormatError(
            f"a splat PLY must have the property {missing[0]}, found none", hint=_NOT_SPLATS
        )
    rest = sum(name.startswith("f_rest_") for name in names)
    if rest not in _REST_COUNTS or any(f"f_rest_{i}" not in names for i in range(rest)):
        raise AssetFormatError(f"a splat PLY must have 0, 9, 24 or 45 f_rest properties, got {rest}")

    def block(wanted: tuple[str, ...]) -> NDArray[np.float64]:
        return np.stack([vertices[name].astype(np.float64) for name in wanted], axis=1)

    sh = np.empty((len(vertices), 1 + rest // 3, 3))
    sh[:, 0] = block(_DC)
    if rest:
        by_channel = block(tuple(f"f_rest_{i}" for i in range(rest)))
        sh[:, 1:] = by_channel.reshape(len(vertices), 3, rest // 3).swapaxes(1, 2)
    logits = np.clip(vertices["opacity"].astype(np.float64), -MAX_LOGIT, MAX_LOGIT)
    return cloud_from_logs(block(_MEANS), block(_ROTATION), block(_SCALES), 1 / (1 + np.exp(-logits)), sh)
