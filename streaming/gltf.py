"""glTF 2.0 containers: GLB bytes, embedded buffers, accessors and node transforms. Knows nothing of splats.

Source: Khronos glTF 2.0 specification, sections 3.6 (binary data) and 4 (GLB).
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import rotmats_from_quats, wxyz_from_xyzw

from .errors import AssetFormatError
from .limits import MAX_GLTF_JSON_BYTES, MAX_GLTF_NODES, MAX_SPLATS_PER_FILE

MAGIC = b"glTF"
_VERSION = 2
_JSON_CHUNK = 0x4E4F534A
_BIN_CHUNK = 0x004E4942
_DATA_URI = "data:"

ARRAY_BUFFER = 34962
ELEMENT_ARRAY_BUFFER = 34963
POINTS = 0
TRIANGLES = 4

_MESHOPT = frozenset({"EXT_meshopt_compression", "KHR_meshopt_compression"})

_DTYPES: dict[int, str] = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
SIGNED_INTEGERS = (5120, 5122)
_COMPONENT_TYPES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


@dataclass(frozen=True, slots=True)
class Gltf:
    """A parsed document and its buffers, each complete in memory."""

    document: dict[str, Any]
    buffers: tuple[bytes, ...]

    def items(self, name: str) -> list[Any]:
        """Return a top-level array of the document, empty when absent."""
        found = self.document.get(name, [])
        if not isinstance(found, list):
            raise AssetFormatError(f"glTF {name} must be an array, got {type(found).__name__}")
        return found

    def item(self, name: str, index: Any) -> dict[str, Any]:
        """Return one object of a top-level array, checked to exist."""
        found = self.items(name)
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(found):
            raise AssetFormatError(f"glTF {name} index must be below {len(found)}, got {index!r:.80}")
        if not isinstance(found[index], dict):
            raise AssetFormatError(f"glTF {name}[{index}] must be an object")
        return found[index]


@dataclass(slots=True)
class BufferBuilder:
    """Collects the accessors, buffer views and bytes of a document with one buffer."""

    accessors: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)

    def add(
        self, values: NDArray, *, target: int = ARRAY_BUFFER, normalized: bool = False, bounds: bool = True
    ) -> int:
        """Append `values` [N] or [N, 1..4] as one accessor with its own view, and return its index.

        Rows of vertex attributes are padded to four bytes, which the specification demands.
        """
        rows = np.ascontiguousarray(values.reshape(len(values), -1))
        dtype = rows.dtype.newbyteorder("<")
        width = rows.shape[1] * dtype.itemsize
        stride = width if target == ELEMENT_ARRAY_BUFFER else -(-width // 4) * 4
        padded = np.zeros((len(rows), stride), np.uint8)
        padded[:, :width] = rows.astype(dtype, copy=False).view(np.uint8).reshape(len(rows), width)
        self.data.extend(bytes(-len(self.data) % 4))
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": padded.nbytes}
        if stride != width:
            view["byteStride"] = stride
        view["target"] = target
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": _COMPONENT_TYPES[dtype],
            "count": len(rows),
            "type": _TYPES[rows.shape[1]],
        }
        if normalized:
            accessor["normalized"] = True
        if bounds:
            # Bounds hold for the stored component values, before normalisation.
            accessor["min"] = rows.min(axis=0).tolist()
            accessor["max"] = rows.max(axis=0).tolist()
        self.data.extend(padded.tobytes())
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def add_bytes(self, data: bytes) -> int:
        """Append bytes that are no accessor as one view, and return the index of that view."""
        self.data.extend(bytes(-len(self.data) % 4))
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)})
        self.data.extend(data)
        return len(self.views) - 1

    def finish(self, document: dict[str, Any]) -> bytes:
        """Return the GLB of `document` with these accessors."""
        whole = {
            **document,
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.data)}],
        }
        return encode_glb(whole, bytes(self.data))


def encode_glb(document: dict[str, Any], binary: bytes) -> bytes:
    """Return a GLB holding `document` and one binary chunk."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        (
            struct.pack("<4sII", MAGIC, _VERSION, length),
            struct.pack("<II", len(text), _JSON_CHUNK),
            text,
            struct.pack("<II", len(binary), _BIN_CHUNK),
            binary,
        )
    )


def decode(data: bytes) -> Gltf:
    """Parse a GLB, or a glTF JSON text whose buffers are data URIs.

    Raises:
        AssetFormatError: A rule of the container is broken, or a buffer lies outside the file.
    """
    if data[:4] == MAGIC:
        document, binary = _split_glb(data)
    else:
        document, binary = _parse_json(data), None
    if not isinstance(document, dict) or not isinstance(document.get("asset"), dict):
        raise AssetFormatError("a glTF document must be an object with an asset")
    if str(document["asset"].get("version", "")).split(".")[0] != "2":
        raise AssetFormatError(f"glTF version must be 2.x, got {document['asset'].get('version')!r:.80}")
    gltf = Gltf(document, ())
    buffers = tuple(_buffer(i, entry, binary) for i, entry in enumerate(gltf.items("buffers")))
    return Gltf(document, buffers)


def read_accessor(gltf: Gltf, index: Any) -> NDArray:
    """Return the values [N, width] of an accessor; normalised integers become float32 in -1..1 or 0..1.

    Raises:
        AssetFormatError: The accessor does not exist, is sparse or empty, or reaches outside its buffer.
    """
    accessor = gltf.item("accessors", index)
    where = f"glTF accessor {index}"
    dtype = _DTYPES.get(_choice(accessor.get("componentType")))
    width = _WIDTHS.get(_choice(accessor.get("type")))
    if dtype is None or width is None:
        found = f"{accessor.get('type')!r:.80} of {accessor.get('componentType')!r:.80}"
        raise AssetFormatError(f"{where} must have a known type, got {found}")
    if "sparse" in accessor or "bufferView" not in accessor:
        raise AssetFormatError(f"{where} must be stored plainly in a bufferView")
    count = _size(accessor.get("count"), f"{where} count", at_least=1)
    if count > MAX_SPLATS_PER_FILE:
        raise AssetFormatError(f"{where} count must be at most {MAX_SPLATS_PER_FILE}, got {count}")
    raw, stride = read_view(gltf, accessor["bufferView"])
    start = _size(accessor.get("byteOffset", 0), f"{where} byteOffset")
    item = np.dtype(dtype).itemsize
    stride = stride or width * item
    if stride < width * item:
        raise AssetFormatError(f"{where} stride must cover {width * item} bytes, got {stride}")
    needed = start + (count - 1) * stride + width * item
    if needed > len(raw):
        raise AssetFormatError(f"{where} must fit its bufferView of {len(raw)} bytes, got {needed}")
    values = np.ndarray((count, width), dtype, raw, start, (stride, item))
    if accessor.get("normalized") is True and dtype != "<f4":
        return np.maximum(values.astype(np.float32) / np.iinfo(dtype).max, -1.0)
    return np.array(values)


def read_view(gltf: Gltf, index: Any) -> tuple[memoryview, int]:
    """Return the bytes of a bufferView and its stride, 0 when packed."""
    view = gltf.item("bufferViews", index)
    where = f"glTF bufferView {index}"
    number = _size(view.get("buffer"), f"{where} buffer")
    if number >= len(gltf.buffers):
        raise AssetFormatError(f"{where} must name one of {len(gltf.buffers)} buffers, got {number}")
    raw = gltf.buffers[number]
    if not raw:
        raise AssetFormatError(
            f"{where} must be plain, got meshopt compression", hint="Save the model without compression."
        )
    start = _size(view.get("byteOffset", 0), f"{where} byteOffset")
    length = _size(view.get("byteLength"), f"{where} byteLength", at_least=1)
    if start + length > len(raw):
        raise AssetFormatError(
            f"{where} must end inside its buffer of {len(raw)} bytes, got {start + length}"
        )
    return memoryview(raw)[start : start + length], _size(view.get("byteStride", 0), f"{where} byteStride")


def scene_nodes(gltf: Gltf) -> Iterator[tuple[dict[str, Any], NDArray]]:
    """Yield every node of the default scene with its `world_from_node` [4, 4], parents first.

    Raises:
        AssetFormatError: The node graph has a cycle or a node with two parents.
    """
    roots: list[Any] = list(range(len(gltf.items("nodes"))))
    if gltf.items("scenes"):
        roots = gltf.item("scenes", gltf.document.get("scene", 0)).get("nodes", [])
    yield from nodes_below(gltf, _list(roots, "scene nodes"))


def nodes_below(gltf: Gltf, roots: list[Any]) -> Iterator[tuple[dict[str, Any], NDArray]]:
    """Yield nodes and all their children with their `world_from_node` [4, 4], as if `roots` were a scene.

    Raises as `scene_nodes`.
    """
    reached = [(index, -1) for index in roots]  # with the place of the parent in here
    nodes: list[dict[str, Any]] = []
    seen: set[int] = set()
    for place, (index, _) in enumerate(reached):  # grows while it is walked
        node = gltf.item("nodes", index)
        if index in seen or len(seen) >= MAX_GLTF_NODES:
            raise AssetFormatError(f"glTF nodes must form a tree, node {index} is reached twice")
        seen.add(index)
        nodes.append(node)
        reached += [(child, place) for child in _list(node.get("children", []), "node children")]
    moves = _node_matrices(nodes, [index for index, _ in reached])
    world_from: list[NDArray] = []
    with np.errstate(over="ignore", invalid="ignore"):  # what grows beyond all numbers is named below
        for (_, parent), move in zip(reached, moves, strict=True):
            world_from_parent = world_from[parent] if parent >= 0 else _STILL
            world_from.append(world_from_parent if move is None else world_from_parent @ move)
    if not np.isfinite(world_from).all():
        raise AssetFormatError("glTF nodes must stay within the numbers that there are")
    yield from zip(nodes, world_from, strict=True)


_STILL = np.eye(4)


def _node_matrices(nodes: list[dict[str, Any]], indices: list[int]) -> list[NDArray | None]:
    """Return `parent_from_node` of each node, None where it does not move.

    All at once: a small file can hold a hundred thousand nodes, and one at a time each takes 80 microseconds.
    """
    matrices: list[NDArray | None] = [None] * len(nodes)
    moved: list[tuple[int, NDArray, NDArray, NDArray]] = []
    for place, (node, index) in enumerate(zip(nodes, indices, strict=True)):
        if "matrix" in node:
            matrix = (
                _floats(node["matrix"], 16, f"node {index} matrix").reshape(4, 4).T
            )  # stored column-major
            if matrix[3].tolist() != [0, 0, 0, 1]:
                raise AssetFormatError(f"glTF node {index} matrix must be affine")
            matrices[place] = matrix
        elif node.keys() & {"translation", "rotation", "scale"}:
            rotation = _floats(node.get("rotation", [0, 0, 0, 1]), 4, f"node {index} rotation")
            if not rotation.any():
                raise AssetFormatError(f"glTF node {index} rotation must not be zero")
            scale = _floats(node.get("scale", [1, 1, 1]), 3, f"node {index} scale")
            shift = _floats(node.get("translation", [0, 0, 0]), 3, f"node {index} translation")
            moved.append((place, rotation, scale, shift))
    if moved:
        places, rotations, scales, shifts = zip(*moved, strict=True)
        stacked = np.tile(_STILL, (len(moved), 1, 1))
        quats = wxyz_from_xyzw(np.array(rotations))
        turns = rotmats_from_quats(quats / np.abs(quats).max(axis=1, keepdims=True))
        with np.errstate(over="ignore"):
            stacked[:, :3, :3] = turns * np.array(scales)[:, None, :]
        stacked[:, :3, 3] = shifts
        for place, matrix in zip(places, stacked, strict=True):
            matrices[place] = matrix
    return matrices


def _split_glb(data: bytes) -> tuple[Any, bytes | None]:
    if len(data) < 20:
        raise AssetFormatError(f"a GLB must be at least 20 bytes, got {len(data)}")
    version, length = struct.unpack_from("<II", data, 4)
    if version != _VERSION:
        raise AssetFormatError(f"GLB version must be {_VERSION}, got {version}")
    if not 20 <= length <= len(data):
        raise AssetFormatError(f"GLB length must be within the {len(data)} bytes present, got {length}")
    offset, text, binary = 12, None, None
    while offset + 8 <= length:
        size, kind = struct.unpack_from("<II", data, offset)
        offset += 8
        if offset + size > length:
            raise AssetFormatError(
                f"GLB chunk must end inside the file of {length} bytes, got {offset + size}"
            )
        if text is None and kind != _JSON_CHUNK:
            raise AssetFormatError("the first chunk of a GLB must be JSON")
        if kind == _JSON_CHUNK and text is None:
            text = data[offset : offset + size]
        elif kind == _BIN_CHUNK and binary is None:
            binary = data[offset : offset + size]
        offset += size
    if text is None:
        raise AssetFormatError("a GLB must hold a JSON chunk")
    return _parse_json(text), binary


def _parse_json(text: bytes) -> Any:
    if len(text) > MAX_GLTF_JSON_BYTES:
        raise AssetFormatError(f"glTF JSON must be at most {MAX_GLTF_JSON_BYTES} bytes, got {len(text)}")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    # RecursionError: the parser is recursive and nesting is free for an attacker.
    except (ValueError, RecursionError) as error:
        raise AssetFormatError(f"glTF JSON must parse, got {error!s:.80}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"the non-JSON number {name}")


def _buffer(index: int, entry: Any, binary: bytes | None) -> bytes:
    where = f"glTF buffer {index}"
    if not isinstance(entry, dict):
        raise AssetFormatError(f"{where} must be an object")
    length = _size(entry.get("byteLength"), f"{where} byteLength", at_least=1)
    uri = entry.get("uri")
    extensions = entry.get("extensions")
    if uri is None and isinstance(extensions, dict) and not _MESHOPT.isdisjoint(extensions):
        return b""  # has no bytes: those of its views are packed elsewhere, which `read_view` refuses
    if uri is None:
        if index != 0 or binary is None:
            raise AssetFormatError(f"{where} must be embedded, got no uri and no binary chunk")
        data = binary
    elif isinstance(uri, str) and uri.startswith(_DATA_URI) and ";base64," in uri[:100]:
        try:
            data = base64.b64decode(uri.split(",", 1)[1], validate=True)
        except binascii.Error as error:
            raise AssetFormatError(f"{where} must be valid base64, got {error!s:.80}") from error
    else:
        # Following a path or an address from an uploaded file would let it read this machine.
        raise AssetFormatError(
            f"{where} must be embedded, got a reference to another file",
            hint="Save the model as a single .glb.",
        )
    if length > len(data):
        raise AssetFormatError(f"{where} must hold {length} bytes, got {len(data)}")
    return data[:length]


def _size(value: Any, what: str, at_least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise AssetFormatError(f"{what} must be an integer of at least {at_least}, got {value!r:.80}")
    return value


def _choice(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise AssetFormatError(f"glTF {what} must be an array, got {type(value).__name__}")
    return value


def _floats(values: Any, count: int, what: str) -> NDArray:
    ok = isinstance(values, list) and len(values) == count
    if not ok or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise AssetFormatError(f"glTF {what} must be {count} numbers, got {values!r:.80}")
    try:
        array = np.array(values, np.float64)
    except OverflowError:  # JSON has integers of any size
        array = np.array([np.inf])
    if not np.isfinite(array).all():
        raise AssetFormatError(f"glTF {what} must be finite")
    return array
