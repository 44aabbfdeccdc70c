"""How a message dataclass becomes bytes: each field names its place, this module packs and unpacks it.

One message is a type byte, the fixed fields in the order written, unpadded and little-endian, and then at
most one kind of tail. Where the tail is a GLB or columns, zeros pad the head to a multiple of 4, so that a
browser can look at it in place.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import ProtocolError
from .limits import MAX_CHUNKS

HASH_PREFIX_BYTES: Final = 8  # of sha256, in lists of chunks held: a clash in 65 000 chunks is 1 in 2^33

_SCALARS: Final = {"u8": "B", "u16": "H", "u32": "I", "f32": "f", "f64": "d"}
_VECTORS: Final = {"vec3": "3f", "i16vec3": "3h"}
_ELEMENTS: Final[dict[str, np.dtype[Any]]] = {
    "u8": np.dtype("u1"),
    "u16": np.dtype("<u2"),
    "u32": np.dtype("<u4"),
    "i32": np.dtype("<i4"),
    "f32": np.dtype("<f4"),
}


def wire(layout: str, doc: str) -> dict[str, str]:
    """Return the metadata that gives a dataclass field its place on the wire.

    Layouts: a scalar (`u8` `u16` `u32` `f32` `f64`), `vec3` (three f32), `i16vec3` (three i16), and, last in
    a message, one of `utf8`, `bytes`, `u32s`, `prefixes` (8 bytes each), or any number of
    `column:ELEMENT:WIDTH`, which share the rest of the message: as many rows as fit, one whole column after
    another.
    """
    return {"wire": layout, "doc": doc}


@dataclass(frozen=True, slots=True)
class Layout:
    """A message class taken apart."""

    head: struct.Struct  # type byte, fixed fields, padding
    head_fields: tuple[tuple[str, int], ...]  # name, how many numbers it takes
    tail: tuple[str, str] | None  # name, one of utf8 bytes u32s prefixes
    columns: tuple[tuple[str, np.dtype[Any], int], ...]  # name, element, width

    @property
    def row_bytes(self) -> int:
        """Bytes that one row takes over all columns."""
        return sum(element.itemsize * width for _, element, width in self.columns)


@cache
def layout_of(message: Any) -> Layout:
    """Return the wire layout of a message class."""
    form = "<B"
    head: list[tuple[str, int]] = []
    columns: list[tuple[str, np.dtype[Any], int]] = []
    tail: tuple[str, str] | None = None
    for item in fields(message):
        place: str = item.metadata["wire"]
        if place in _SCALARS:
            form += _SCALARS[place]
            head.append((item.name, 1))
        elif place in _VECTORS:
            form += _VECTORS[place]
            head.append((item.name, 3))
        elif place.startswith("column:"):
            _, element, width = place.split(":")
            columns.append((item.name, _ELEMENTS[element], int(width)))
        else:
            tail = (item.name, place)
    if columns or (tail and tail[1] == "bytes"):
        form += f"{-struct.calcsize(form) % 4}x"
    return Layout(struct.Struct(form), tuple(head), tail, tuple(columns))


def encode_message(message: Any) -> bytes:
    """Return the bytes of one message.

    Raises:
        ProtocolError: A number does not fit its field, or columns differ in length.
    """
    kind: Any = type(message)
    layout = layout_of(kind)
    numbers: list[float] = []
    for name, width in layout.head_fields:
        value = getattr(message, name)
        numbers.extend(value if width > 1 else (value,))
    try:
        head = layout.head.pack(kind.TYPE, *numbers)
    except (struct.error, OverflowError) as error:
        raise ProtocolError(f"{kind.__name__} must fit its fields, got {numbers}: {error}") from error
    if layout.columns:
        return head + _encode_columns(message, layout)
    if layout.tail is None:
        return head
    name, place = layout.tail
    return head + _TAIL_ENCODERS[place](getattr(message, name))


def decode_message(known: Mapping[int, Any], data: bytes) -> Any:
    """Return the message in `data`, of a class in `known` (by type byte), or None for any other type.

    Raises:
        ProtocolError: The bytes do not follow the layout or a value is out of its range.
    """
    if not data:
        raise ProtocolError("a message must hold at least its type byte, got 0 bytes")
    kind = known.get(data[0])
    if kind is None:
        return None
    layout = layout_of(kind)
    size = layout.head.size
    is_open_ended = layout.tail is not None or bool(layout.columns)
    if len(data) < size or (len(data) > size and not is_open_ended):
        rule = f"at least {size}" if is_open_ended else f"{size}"
        raise ProtocolError(f"{kind.__name__} must hold {rule} bytes, got {len(data)}")
    numbers = layout.head.unpack_from(data)[1:]
    values: dict[str, Any] = {}
    for name, width in layout.head_fields:
        values[name] = numbers[:width] if width > 1 else numbers[0]
        numbers = numbers[width:]
    rest = memoryview(data)[size:]
    if layout.columns:
        values.update(_decode_columns(kind.__name__, layout, rest))
    elif layout.tail is not None:
        values[layout.tail[0]] = _decode_tail(kind.__name__, layout.tail[1], rest)
    return kind(**values)


_TAIL_ENCODERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "utf8": str.encode,
    "bytes": bytes,
    "u32s": lambda numbers: np.asarray(numbers, dtype="<u4").tobytes(),
    "prefixes": b"".join,
}


def _decode_tail(name: str, place: str, rest: memoryview) -> Any:
    if place == "bytes":
        return bytes(rest)
    if place == "utf8":
        try:
            return str(rest, "utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError(f"{name} must hold UTF-8, got {error.reason}") from error
    item = HASH_PREFIX_BYTES if place == "prefixes" else 4
    if len(rest) % item:
        raise ProtocolError(f"{name} must hold whole items of {item} bytes, got {len(rest)} bytes")
    if place == "prefixes":
        return tuple(bytes(rest[at : at + item]) for at in range(0, len(rest), item))
    return tuple(np.frombuffer(rest, "<u4").tolist())


def _encode_columns(message: Any, layout: Layout) -> bytes:
    rows = len(getattr(message, layout.columns[0][0]))
    parts = []
    for name, element, width in layout.columns:
        column = np.ascontiguousarray(getattr(message, name), dtype=element)
        if column.size != rows * width or rows > MAX_CHUNKS:
            raise ProtocolError(
                f"{name} must have {rows} rows of {width} and at most {MAX_CHUNKS}, got {column.shape}"
            )
        parts.append(column.tobytes())
    return b"".join(parts)


def _decode_columns(name: str, layout: Layout, rest: memoryview) -> dict[str, NDArray[Any]]:
    rows, left = divmod(len(rest), layout.row_bytes)
    if left or rows > MAX_CHUNKS:
        raise ProtocolError(
            f"{name} must hold whole rows of {layout.row_bytes} bytes and at most {MAX_CHUNKS} of them,"
            f" got {len(rest)} bytes"
        )
    columns: dict[str, NDArray[Any]] = {}
    at = 0
    for field_name, element, width in layout.columns:
        column = np.frombuffer(rest, element, rows * width, at)
        columns[field_name] = column.reshape(rows, width) if width > 1 else column
        at += column.nbytes
    return columns


def within(name: str, value: float, low: float, high: float) -> None:
    """Raise ProtocolError unless a value lies between two others, both allowed."""
    if not low <= value <= high:
        raise ProtocolError(f"{name} must be between {low:g} and {high:g}, got {value:g}")
