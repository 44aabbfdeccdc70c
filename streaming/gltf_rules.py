"""What a strict reader would hold against the splats of a glTF file, and which wrong dialects it speaks.

Source: KhronosGroup/glTF, extensions/2.0/Khronos/KHR_gaussian_splatting, tables of accessors (2026-07).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reconstruction.spherical_harmonics import rgb_from_dc

from . import gltf
from .errors import AssetFormatError
from .khr_gaussian_splatting import (
    COLOR_SPACE,
    EXTENSION,
    KERNEL,
    LINEAR_COLOR_SPACE,
    OPACITY,
    ROTATION,
    SCALE,
    SPZ_EXTENSIONS,
    is_log_scale,
    linear_from_srgb,
    shown_primitives,
)

# The four wrong dialects seen in the wild. The last is of SPZ files and found by `validate`.
Dialect = Literal["logarithmic SCALE", "sRGB COLOR_0", "early SPZ names", "PLY axes in SPZ"]

_QUANTIZATION = "KHR_mesh_quantization"  # allows positions of any integer type
_I8, _U8, _I16, _U16, _FLOAT = 5120, 5121, 5122, 5123, 5126
_DC = f"{EXTENSION}:SH_DEGREE_0_COEF_0"
_SH = re.compile(rf"{EXTENSION}:SH_DEGREE_([0-3])_COEF_([0-6])$")
_REQUIRED = ("POSITION", ROTATION, SCALE, OPACITY, _DC)
# Type, and component types with whether they must be normalised (None: either).
_ACCESSORS: dict[str, tuple[str, dict[int, bool | None]]] = {
    "POSITION": ("VEC3", {_FLOAT: False}),
    ROTATION: ("VEC4", {_FLOAT: False, _I8: True, _I16: True}),
    SCALE: ("VEC3", {_FLOAT: False, _U8: None, _U16: None}),
    OPACITY: ("SCALAR", {_FLOAT: False, _U8: True, _U16: True}),
}
_SH_ACCESSOR = ("VEC3", {_FLOAT: False})
_EARLY_PREFIX = re.compile(r"_(ROTATION|SCALE|OPACITY|SH_DEGREE_\d_COEF_\d)$")
_UNIT = 0.02  # steps of int8 leave a length off by 0.014
_LEAST_TO_JUDGE = 32  # splats, before a habit of their writer is told from chance
_MOST_NOTES = 8
_COLOR_MARGIN = 0.01  # mean; bytes round to 0.002, and decoding takes 0.13 off a middle grey


@np.errstate(invalid="ignore", over="ignore")  # of values that `_value_problems` names as not finite
def problems(document: gltf.Gltf) -> list[str]:
    """Return what a strict reader would hold against the splats of a document, one sentence each."""
    found = []
    if EXTENSION not in document.items("extensionsUsed"):
        found.append(f"extensionsUsed must list {EXTENSION}")
    primitives = _primitives(document)
    # One sentence for all primitives that share a fault.
    counts = Counter(line for primitive in primitives for line in _primitive_problems(document, primitive))
    several = len(primitives) > 1
    found += [
        f"{line} ({n} of {len(primitives)} primitives)" if several else line for line, n in counts.items()
    ]
    return found


def notes(document: gltf.Gltf) -> list[str]:
    """Return what no rule forbids and yet a reader of others may lack, one sentence each."""
    found = [
        f"it requires {name!r:.80}, which most splat viewers lack"
        for name in document.items("extensionsRequired")[:_MOST_NOTES]
        if name != EXTENSION
    ]
    if any(_has_spz(primitive) for primitive in _primitives(document)):
        found.append("its SPZ compression is a draft that Babylon, PlayCanvas and three cannot read")
    return found


@np.errstate(invalid="ignore", over="ignore")
def dialects(document: gltf.Gltf) -> list[Dialect]:
    """Return the wrong dialects that the splats of a document speak."""
    found: list[Dialect] = []
    for primitive in _primitives(document):
        nested = primitive["extensions"][EXTENSION].get("extensions") or {}
        early = isinstance(nested, dict) and any(name in nested for name in SPZ_EXTENSIONS[1:])
        attributes = primitive.get("attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        if early or any(_EARLY_PREFIX.match(name) for name in attributes):
            found.append("early SPZ names")
        columns = {name: _values(document, index) for name, index in attributes.items()}
        scales, color, dc = (columns.get(name) for name in (SCALE, "COLOR_0", _DC))
        if scales is not None and is_log_scale(document, primitive, scales):
            found.append("logarithmic SCALE")
        if color is not None and dc is not None and len(color) == len(dc) and dc.shape[1] == 3:
            is_srgb = primitive["extensions"][EXTENSION].get("colorSpace") == COLOR_SPACE
            if is_srgb and _is_left_srgb(color[:, :3], dc):
                found.append("sRGB COLOR_0")
    return sorted(set(found))


def _is_left_srgb(color: NDArray, dc: NDArray) -> bool:
    """Tell whether fallback colours are the display values that they should have been decoded from."""
    display = np.clip(rgb_from_dc(dc.astype(np.float64)), 0, 1)
    as_display = np.abs(color - display).mean()
    as_linear = np.abs(color - linear_from_srgb(display)).mean()
    return bool(as_display <= _COLOR_MARGIN < as_linear)


def _primitives(document: gltf.Gltf) -> list[dict[str, Any]]:
    # Once each, however often they are shown; and only after their sizes were judged.
    return list({id(primitive): primitive for primitive, *_ in shown_primitives(document)}.values())


def _has_spz(primitive: dict[str, Any]) -> bool:
    nested = primitive["extensions"][EXTENSION].get("extensions") or {}
    return isinstance(nested, dict) and any(name in nested for name in SPZ_EXTENSIONS)


def _primitive_problems(document: gltf.Gltf, primitive: dict[str, Any]) -> Iterator[str]:
    extension, attributes = primitive["extensions"][EXTENSION], primitive.get("attributes")
    if primitive.get("mode") != gltf.POINTS:
        yield f"mode must be {gltf.POINTS} (points), got {primitive.get('mode')!r:.80}"
    for name, known in (("kernel", (KERNEL,)), ("colorSpace", (COLOR_SPACE, LINEAR_COLOR_SPACE))):
        if extension.get(name) not in known:
            yield f"{name} must be {' or '.join(known)}, got {extension.get(name)!r:.80}"
    if not isinstance(attributes, dict):
        yield "a splat primitive must have attributes"
        return
    if "COLOR_0" not in attributes:
        yield "without COLOR_0, viewers that lack the extension show white points"
    if _has_spz(primitive):
        return
    missing = [name for name in _REQUIRED if name not in attributes]
    if missing:
        yield f"a splat primitive must have the attribute {missing[0]}, found none"
    yield from _sh_problems(attributes)
    counts = set()
    for name, index in attributes.items():
        accessor = document.item("accessors", index)
        counts.add(str(accessor.get("count"))[:20])
        if name == "POSITION" and ("min" not in accessor or "max" not in accessor):
            yield "POSITION must state min and max"
        yield from _accessor_problems(document, name, accessor)
    if len(counts) > 1:
        yield f"all attributes must have one count, got {sorted(counts)!s:.80}"
    yield from _value_problems(document, attributes)
    scales = _values(document, attributes.get(SCALE))
    if scales is not None and is_log_scale(document, primitive, scales):
        yield "its scales are logarithms, as drafts before April 2026 stored them"
    if "sRGB COLOR_0" in dialects(_only(document, primitive)):
        yield "COLOR_0 must be linear, got sRGB values: its fallback points are too bright"


def _sh_problems(attributes: dict[str, Any]) -> Iterator[str]:
    present = {(int(m[1]), int(m[2])) for m in map(_SH.match, attributes) if m}
    highest = max((degree for degree, _ in present), default=0)
    absent = [(l, m) for l in range(1, highest + 1) for m in range(2 * l + 1) if (l, m) not in present]
    if absent:
        l, m = absent[0]
        yield f"SH must be complete up to degree {highest}, found no SH_DEGREE_{l}_COEF_{m}"
    for name in attributes:
        if name.startswith(f"{EXTENSION}:") and name not in _ACCESSORS and not _SH.match(name):
            yield f"{_label(name)} is not an attribute of the extension"


def _accessor_problems(document: gltf.Gltf, name: str, accessor: dict[str, Any]) -> Iterator[str]:
    view = document.item("bufferViews", accessor.get("bufferView"))
    places = accessor.get("byteOffset", 0), view.get("byteOffset", 0), view.get("byteStride", 0)
    if any(isinstance(place, int) and place % 4 for place in places):
        yield f"{_label(name)} must be aligned to 4 bytes"
    wanted = _SH_ACCESSOR if _SH.match(name) else _ACCESSORS.get(name)
    if wanted is None:
        return
    kind, components = wanted
    component, normalized = accessor.get("componentType"), accessor.get("normalized", False)
    component = component if isinstance(component, int) else None
    if name == "POSITION" and _QUANTIZATION in document.items("extensionsUsed"):
        return
    if accessor.get("type") != kind:
        yield f"{name} must be {kind}, got {accessor.get('type')!r:.20}"
    if component is None or component not in components:
        yield f"{name} must not have components of type {component!r:.20}"
    elif components[component] not in (None, normalized):
        yield f"{name} must be {'normalized' if components[component] else 'plain, not normalized'}"


def _label(name: str) -> str:
    """Return the name of an attribute as it may be shown: one may be of any length and hold line breaks."""
    return f"{name:.80}" if name.isprintable() else f"{name!r:.80}"


def _value_problems(document: gltf.Gltf, attributes: dict[str, Any]) -> Iterator[str]:
    for name, index in attributes.items():
        values = _values(document, index)
        if values is not None and not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).any(axis=1).sum())
            yield f"{_label(name)} must be finite, got {bad} of {len(values)} splats that are not"
    opacities, quats = _values(document, attributes.get(OPACITY)), _values(document, attributes.get(ROTATION))
    if opacities is not None and ((opacities < 0) | (opacities > 1)).any():
        yield "opacities must lie between 0 and 1; logits are those of a PLY"
    if quats is None or quats.shape[1] != 4:
        return
    lengths = np.linalg.norm(quats, axis=1)
    if not (np.abs(lengths - 1) <= _UNIT).all():
        yield "rotations must have unit length"
    # Many writers keep w positive: if the first component is and the last is not, it is w that comes first.
    positive = (quats >= 0).all(axis=0)
    if len(quats) >= _LEAST_TO_JUDGE and positive[0] and not positive[1:].any():
        yield "rotations look as if w came first; glTF wants x, y, z, w"


def _only(document: gltf.Gltf, primitive: dict[str, Any]) -> gltf.Gltf:
    alone = {"meshes": [{"primitives": [primitive]}], "nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}]}
    return gltf.Gltf({**document.document, **alone, "scene": 0}, document.buffers)


def _values(document: gltf.Gltf, index: Any) -> NDArray[np.float32] | None:
    """Return an accessor's values, None where they cannot be read (which `decode` says more about)."""
    try:
        return gltf.read_accessor(document, index).astype(np.float32)
    except AssetFormatError:
        return None
