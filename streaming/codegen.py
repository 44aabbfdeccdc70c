"""Writes what the page shares: `protocol/generated.ts` from `messages` and `asset`, `device/budgets.ts` from
`devices`.

Run `python -m streaming.codegen` after a change of either; a test fails while the file is out of date.
"""

from __future__ import annotations

import json
import sys
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from reconstruction.reports import QualityReport, WalkabilityReport

from . import messages, people_messages
from .asset import Manifest, Portal, Sound, Spawn
from .devices import PAGE_DEVICES, Device
from .limits import (
    MAX_BUDGET_SPLATS,
    MAX_CLIENT_MESSAGE_BYTES,
    MAX_CREDIT_BYTES,
    PRESENCE_TICKS_PER_SECOND,
)
from .wire import HASH_PREFIX_BYTES, layout_of

_PAGE: Final = Path(__file__).resolve().parents[1] / "viewer" / "src"
TARGET: Final = _PAGE / "protocol" / "generated.ts"
BUDGETS_TARGET: Final = _PAGE / "device" / "budgets.ts"

_CONSTANTS: Final[dict[str, str | int]] = {
    "SUBPROTOCOL": messages.SUBPROTOCOL,
    "PROTOCOL_VERSION": messages.PROTOCOL_VERSION,
    "CHUNK_HEADER_BYTES": messages.CHUNK_HEADER_BYTES,
    "TREE_HASH_BYTES": messages.TREE_HASH_BYTES,
    "HASH_PREFIX_BYTES": HASH_PREFIX_BYTES,
    "MAX_CLIENT_MESSAGE_BYTES": MAX_CLIENT_MESSAGE_BYTES,
    "MAX_CREDIT_BYTES": MAX_CREDIT_BYTES,
    "MAX_BUDGET_SPLATS": MAX_BUDGET_SPLATS,
    "PRESENCE_TICKS_PER_SECOND": PRESENCE_TICKS_PER_SECOND,
    "PEER_LEFT_HAND": people_messages.PEER_LEFT_HAND,
    "PEER_RIGHT_HAND": people_messages.PEER_RIGHT_HAND,
    "PEER_EXPONENT_SHIFT": people_messages.PEER_EXPONENT_SHIFT,
    "PEER_LARGEST_EXPONENT": people_messages.PEER_LARGEST_EXPONENT,
    "PEER_HAND_BYTES": people_messages.PEER_HAND_BYTES,
}
_DATA_VIEW: Final = {
    "u8": ("Uint8", 1),
    "i16": ("Int16", 2),
    "u16": ("Uint16", 2),
    "u32": ("Uint32", 4),
    "f32": ("Float32", 4),
    "f64": ("Float64", 8),
}
_TAIL_TYPES: Final = {
    "utf8": "string",
    "bytes": "Uint8Array",
    "u32s": "Uint32Array",
    "prefixes": "Uint8Array",
}
_VECTORS: Final = {"vec3": "f32", "i16vec3": "i16"}
_COLUMN_ARRAYS: Final = {
    "u8": "Uint8Array",
    "u16": "Uint16Array",
    "u32": "Uint32Array",
    "i32": "Int32Array",
    "f32": "Float32Array",
}

_PREAMBLE: Final = """\
// Made by `python -m streaming.codegen` from streaming/messages.py. Do not edit.

/** Bytes from the server that do not follow the protocol. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

type Vec3 = readonly [number, number, number];
"""

_SUPPORT: Final = """\
const text = new TextDecoder("utf-8", { fatal: true });

function start(type: number, headBytes: number, tailBytes: number): [Uint8Array<ArrayBuffer>, DataView] {
  const bytes = new Uint8Array(headBytes + tailBytes);
  bytes[0] = type;
  return [bytes, new DataView(bytes.buffer)];
}

function check(name: string, length: number, least: number, isOpenEnded: boolean): void {
  if (length < least || (length > least && !isOpenEnded)) {
    const rule = `${isOpenEnded ? "at least " : ""}${least} bytes`;
    throw new ProtocolError(`${name} must hold ${rule}, got ${length}`);
  }
}
"""


def camel(name: str) -> str:
    """Return `name` as TypeScript spells it: snake_case and CamelCase both become camelCase."""
    first, *others = name.split("_")
    return first[0].lower() + first[1:] + "".join(other.capitalize() for other in others)


def generate() -> str:
    """Return the whole TypeScript module."""
    parts = [_PREAMBLE]
    for name, value in _CONSTANTS.items():
        parts.append(f"export const {name} = {_literal(value)};")
    kinds = ", ".join(f"{kind}: {index}" for index, kind in enumerate(messages.CHUNK_KINDS))
    parts.append(f"export const ChunkKind = {{ {kinds} }} as const;")
    for name, table in (("CloseCode", messages.CLOSE_CODES), ("NackReason", messages.NACK_REASONS)):
        entries = ", ".join(f"{key}: {value}" for key, value in table.items())
        parts.append(f"export const {name} = {{ {entries} }} as const;")
    everything = list(dict.fromkeys((*messages.CLIENT_MESSAGES, *messages.SERVER_MESSAGES)))
    parts.extend(_interface(message) for message in everything)
    for name, group in (("Client", messages.CLIENT_MESSAGES), ("Server", messages.SERVER_MESSAGES)):
        union = " | ".join(f"{message.__name__}Message" for message in group)
        parts.append(f"export type {name}Message = {union};\n")
    parts.append(_SUPPORT)
    parts.append(_encoder())
    parts.append(_decoder())
    parts.append(
        "// The JSON inside SceneMessage.json; its names are those of streaming/asset.py.\n"
        "export interface SceneJson {\n"
        "  readonly id: string;\n"
        "  readonly version: string;\n"
        "  readonly chunk_count: number;\n"
        "  readonly byte_length: number;\n"
        "  readonly manifest: Manifest;\n"
        "}\n"
    )
    parts.extend(
        _json_interface(cls) for cls in (Spawn, Portal, Sound, QualityReport, WalkabilityReport, Manifest)
    )
    return "\n".join(parts)


# Of a file, not of the page.
_NOT_FOR_THE_PAGE: Final = {"max_file_bytes"}


def generate_budgets() -> str:
    """Return the TypeScript module of what devices draw."""
    shown = [item.name for item in fields(Device) if item.name not in _NOT_FOR_THE_PAGE]
    hints = get_type_hints(Device)
    names = " | ".join(f'"{device.name}"' for device in PAGE_DEVICES)
    kinds = {name: names if name == "name" else _json_type(hints[name]) for name in shown}
    lines = ["// Made by `python -m streaming.codegen` from streaming/devices.py. Do not edit.", ""]
    lines += [f"/** {_summary(Device)} */", "export interface DeviceProfile {"]
    lines += [f"  readonly {camel(name)}: {kinds[name]};" for name in shown]
    lines += ["}", "", 'export const PROFILES: Readonly<Record<DeviceProfile["name"], DeviceProfile>> = {']
    for device in PAGE_DEVICES:
        lines.append(f"  {device.name}: {{")
        lines += [f"    {camel(name)}: {json.dumps(getattr(device, name))}," for name in shown]
        lines.append("  },")
    return "\n".join([*lines, "};", ""])


def _literal(value: str | int) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _summary(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())


def _interface(message: type) -> str:
    lines = [f"/** {_summary(message)} */", f"export interface {message.__name__}Message {{"]
    lines.append(f'  readonly type: "{camel(message.__name__)}";')
    if layout_of(message).columns:
        lines.append("  readonly count: number;")
    for item in fields(message):
        lines.append(f"  /** {item.metadata['doc']} */")
        lines.append(f"  readonly {camel(item.name)}: {_field_type(item.metadata['wire'])};")
    return "\n".join([*lines, "}\n"])


def _field_type(place: str) -> str:
    if place in _DATA_VIEW:
        return "number"
    if place in _VECTORS:
        return "Vec3"
    if place.startswith("column:"):
        return _COLUMN_ARRAYS[place.split(":")[1]]
    return _TAIL_TYPES[place]


def _encoder() -> str:
    lines = ["/** Return the bytes of a message to the server. */"]
    lines.append("export function encodeClientMessage(message: ClientMessage): Uint8Array<ArrayBuffer> {")
    lines.append("  switch (message.type) {")
    for message in messages.CLIENT_MESSAGES:
        lines.append(f'    case "{camel(message.__name__)}": {{')
        lines.extend(f"      {line}" for line in _encode_case(message))
        lines.append("    }")
    return "\n".join([*lines, "  }", "}\n"])


def _encode_case(message: Any) -> list[str]:
    layout = layout_of(message)
    tail_name = camel(layout.tail[0]) if layout.tail else ""
    sizes = {
        "u32s": f"4 * message.{tail_name}.length",
        "prefixes": f"message.{tail_name}.length",
        "bytes": f"message.{tail_name}.length",
        "utf8": f"{tail_name}Bytes.length",
    }
    tail_bytes = sizes[layout.tail[1]] if layout.tail else "0"
    is_bare = not layout.head_fields and not (layout.tail and layout.tail[1] == "u32s")
    names = "[bytes]" if is_bare else "[bytes, view]"
    lines = []
    if layout.tail and layout.tail[1] == "utf8":
        lines.append(f"const {tail_name}Bytes = new TextEncoder().encode(message.{tail_name});")
    lines += [f"const {names} = start({message.TYPE:#04x}, {layout.head.size}, {tail_bytes});"]
    at = 1
    for item in fields(message):
        name, place = camel(item.name), item.metadata["wire"]
        if place in _DATA_VIEW:
            setter, size = _DATA_VIEW[place]
            endian = ", true" if size > 1 else ""
            lines.append(f"view.set{setter}({at}, message.{name}{endian});")
            at += size
        elif place in _VECTORS:
            setter, size = _DATA_VIEW[_VECTORS[place]]
            for axis in range(3):
                lines.append(f"view.set{setter}({at + size * axis}, message.{name}[{axis}], true);")
            at += 3 * size
        elif place in ("prefixes", "bytes"):
            lines.append(f"bytes.set(message.{name}, {layout.head.size});")
        elif place == "utf8":
            lines.append(f"bytes.set({name}Bytes, {layout.head.size});")
        elif place == "u32s":
            lines.append(
                f"message.{name}.forEach((value, index) =>"
                f" view.setUint32({layout.head.size} + 4 * index, value, true));"
            )
    return [*lines, "return bytes;"]


def _decoder() -> str:
    lines = [
        "/**",
        " * Return the message in `data`, or undefined for a type that this version does not know.",
        " * Byte and column fields are views into `data`, not copies.",
        " *",
        " * @throws ProtocolError The bytes do not follow the layout.",
        " */",
        "export function decodeServerMessage(data: ArrayBuffer): ServerMessage | undefined {",
        "  const view = new DataView(data);",
        '  check("a message", data.byteLength, 1, true);',
        "  switch (view.getUint8(0)) {",
    ]
    for message in messages.SERVER_MESSAGES:
        lines.append(f"    case {message.TYPE:#04x}: {{")
        lines.extend(f"      {line}" for line in _decode_case(message))
        lines.append("    }")
    return "\n".join([*lines, "    default:", "      return undefined;", "  }", "}\n"])


def _decode_case(message: Any) -> list[str]:
    layout = layout_of(message)
    head = layout.head.size
    is_open_ended = "true" if layout.tail or layout.columns else "false"
    lines = [f'check("{message.__name__}", data.byteLength, {head}, {is_open_ended});']
    if layout.columns:
        row = layout.row_bytes
        lines += [
            f"const count = (data.byteLength - {head}) / {row};",
            "if (!Number.isInteger(count)) {",
            f"  throw new ProtocolError(`{message.__name__} must hold whole rows of {row} bytes`);",
            "}",
        ]
    values = [f'type: "{camel(message.__name__)}"'] + (["count"] if layout.columns else [])
    at, column_at = 1, 0
    for item in fields(message):
        name, place = camel(item.name), item.metadata["wire"]
        if place in _DATA_VIEW:
            getter, size = _DATA_VIEW[place]
            values.append(f"{name}: view.get{getter}({at}{', true' if size > 1 else ''})")
            at += size
        elif place == "vec3":
            axes = ", ".join(f"view.getFloat32({at + 4 * axis}, true)" for axis in range(3))
            values.append(f"{name}: [{axes}]")
            at += 12
        elif place == "bytes":
            values.append(f"{name}: new Uint8Array(data, {head})")
        elif place == "utf8":
            values.append(f"{name}: text.decode(new Uint8Array(data, {head}))")
        elif place.startswith("column:"):
            _, element, width = place.split(":")
            offset = f"{head} + {column_at} * count" if column_at else f"{head}"
            length = f"{width} * count" if width != "1" else "count"
            values.append(f"{name}: new {_COLUMN_ARRAYS[element]}(data, {offset}, {length})")
            column_at += int(width) * _DATA_VIEW.get(element, ("", 4))[1]
    return [*lines, "return {", *(f"  {value}," for value in values), "};"]


def _json_interface(cls: type) -> str:
    hints = get_type_hints(cls)
    lines = [f"/** {_summary(cls)} */", f"export interface {cls.__name__} {{"]
    lines += [f"  readonly {item.name}: {_json_type(hints[item.name])};" for item in fields(cls)]
    return "\n".join([*lines, "}\n"])


def _json_type(hint: Any) -> str:
    plain = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
    if hint in plain:
        return plain[hint]
    if is_dataclass(hint):
        return str(hint.__name__)  # type: ignore[union-attr]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(_json_type(argument) for argument in arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"readonly {_wrapped(_json_type(arguments[0]))}[]"
    if origin is tuple:
        return f"readonly [{', '.join(_json_type(argument) for argument in arguments)}]"
    if origin is dict:
        return "Readonly<Record<string, unknown>>"
    raise TypeError(f"no TypeScript type for {hint!r}")


def _wrapped(name: str) -> str:
    return f"({name})" if " " in name else name


def main() -> None:
    """Write the file."""
    for target, text in ((TARGET, generate()), (BUDGETS_TARGET, generate_budgets())):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        sys.stderr.write(f"wrote {target.name}\n")


if __name__ == "__main__":
    main()
