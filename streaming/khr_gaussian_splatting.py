"""Splats as a glTF primitive: the KHR_gaussian_splatting extension, base form.

Compact files are rounded before they are written, so that any general compressor shrinks plain accessors
that every client reads; `Precision` states what that costs. What travels to viewers is packed (`packed_glb`).

Source: KhronosGroup/glTF, extensions/2.0/Khronos/KHR_gaussian_splatting (release candidate, 2026-07).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import wxyz_from_xyzw, xyzw_from_wxyz
from reconstruction.spherical_harmonics import dc_from_rgb, rgb_from_dc
from reconstruction.splats import SplatCloud

from . import gltf, packed_glb, splat_codec, spz
from .errors import AssetFormatError
from .limits import MAX_DEFLATE_RATIO, MAX_SPLATS_PER_FILE
from .transform import join_clouds, transform, unit_quats
from .unconstrained import MAX_LOG_SCALE

EXTENSION = packed_glb.EXTENSION
# Drafts that nest an SPZ payload in the primitive; the last two names were shipped by older writers.
SPZ_EXTENSIONS = (
    "KHR_gaussian_splatting_compression_spz_2",
    "KHR_gaussian_splatting_compression_spz",
    "KHR_spz_gaussian_splats_compression",
)
ROTATION = f"{EXTENSION}:ROTATION"
SCALE = f"{EXTENSION}:SCALE"
OPACITY = f"{EXTENSION}:OPACITY"
COLOR_SPACE = "srgb_rec709_display"
LINEAR_COLOR_SPACE = "lin_rec709_display"
KERNEL = "ellipse"

Layout = Literal["compact", "float"]
Shown = tuple[dict[str, Any], NDArray, int]  # a primitive, `world_from_node` [4, 4], the splats it claims

# A visible splat must keep an opacity that stays inside (0, 1) after eight bits.
_OPACITY_STEPS = 255

# Nested SPZ takes at least 19 bytes for a splat before it is deflated.
_MOST_SPLATS_PER_BYTE = MAX_DEFLATE_RATIO // 19
_MOST_ATTRIBUTES = 64  # five, and fifteen of SH
_MOST_PRIMITIVES = 4096  # reading one takes a quarter of a millisecond, however small


@dataclass(frozen=True, slots=True)
class Precision:
    """How coarsely values are rounded before they are written; 0 bits or 0.0 would mean "not at all".

    Largest errors: a mean moves by `mean_step / 2` of its splat's size per axis (the size being its
    largest scale, rounded down to a power of two); a scale changes by a factor of at most
    1 +- 2 ** -(scale_bits + 1); colour of degree 0 by `SH_C0 * dc_step / 2`, other coefficients by
    `rest_step / 2`.
    """

    mean_step: float = 1 / 16
    scale_bits: int = 4
    dc_step: float = 1 / 64
    rest_step: float = 1 / 16


DEFAULT_PRECISION = Precision()


def round_cloud(cloud: SplatCloud, precision: Precision = DEFAULT_PRECISION) -> SplatCloud:
    """Return `cloud` with the values that `encode` would store; rounding twice changes nothing."""
    scales = _round_mantissa(cloud.scales, precision.scale_bits)
    step = np.exp2(np.floor(np.log2(scales.max(axis=1, keepdims=True))) + np.log2(precision.mean_step))
    means = np.rint(cloud.means / step) * step
    sh = np.empty_like(cloud.sh)
    sh[:, :1] = np.rint(cloud.sh[:, :1] / precision.dc_step) * precision.dc_step
    sh[:, 1:] = np.rint(cloud.sh[:, 1:] / precision.rest_step) * precision.rest_step
    # Adding zero turns -0.0 into 0.0: one bit pattern per value compresses better.
    return SplatCloud(
        (means + 0.0).astype(np.float32),
        cloud.quats,
        scales,
        (_opacity_bytes(cloud.opacities) / np.float32(_OPACITY_STEPS)).astype(np.float32),
        sh + np.float32(0),
    )


def encode(
    cloud: SplatCloud,
    *,
    precision: Precision | None = DEFAULT_PRECISION,
    layout: Layout = "float",
    with_fallback_color: bool = True,
) -> bytes:
    """Return a GLB whose only node shows `cloud`.

    Args:
        cloud: At least one splat, world frame, which is the glTF frame.
        precision: What to round first; None keeps every float32 as it is.
        layout: "float" stores every attribute as float32, which any reader takes; "compact" stores
            rotations in four signed bytes (largest error 1/254 per component) and opacities in one.
        with_fallback_color: Add COLOR_0, so that a viewer without the extension shows coloured points.

    Raises:
        AssetFormatError: The cloud is empty, which glTF cannot say.
    """
    builder = gltf.BufferBuilder()
    primitive = add_primitive(builder, cloud, precision, layout, with_fallback_color)
    return builder.finish(
        {
            "asset": {"version": "2.0", "generator": "immersive"},
            "extensionsUsed": [EXTENSION],
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [primitive]}],
        }
    )


def add_primitive(
    builder: gltf.BufferBuilder,
    cloud: SplatCloud,
    precision: Precision | None = DEFAULT_PRECISION,
    layout: Layout = "float",
    with_fallback_color: bool = True,
) -> dict[str, Any]:
    """Append the cloud's accessors to `builder` and return the primitive that uses them."""
    if len(cloud) == 0:
        raise AssetFormatError("a splat primitive must hold at least one splat")
    if precision is not None:
        cloud = round_cloud(cloud, precision)
    compact = layout == "compact"
    # Only POSITION's bounds are demanded; those of every other accessor would double a small chunk's JSON.
    attributes = {"POSITION": builder.add(cloud.means)}
    if with_fallback_color:
        attributes["COLOR_0"] = builder.add(_fallback_color(cloud), normalized=True, bounds=not compact)
    quats = xyzw_from_wxyz(cloud.quats)
    if compact:
        # Both signs mean the same turn; one of them halves the values that a compressor sees.
        quats = np.where(quats[:, 3:] < 0, -quats, quats)
        quats = np.rint(quats * 127).astype(np.int8)
        opacities: NDArray = _opacity_bytes(cloud.opacities)
    else:
        opacities = cloud.opacities
    attributes[ROTATION] = builder.add(quats, normalized=compact, bounds=not compact)
    attributes[SCALE] = builder.add(cloud.scales, bounds=not compact)
    attributes[OPACITY] = builder.add(opacities, normalized=compact, bounds=not compact)
    for name, index in _sh_names(cloud.sh_degree):
        attributes[name] = builder.add(cloud.sh[:, index], bounds=not compact)
    return {
        "mode": gltf.POINTS,
        "attributes": attributes,
        "extensions": {EXTENSION: {"kernel": KERNEL, "colorSpace": COLOR_SPACE}},
    }


def decode(data: bytes) -> SplatCloud:
    """Return every splat of the default scene of a GLB (or self-contained glTF), in the world frame.

    Node transforms are applied. Primitives of unequal SH degree are padded with zeros to the highest.
    Colours that are blended linearly in the file are converted at degree 0 and, to first order, above.

    Raises:
        AssetFormatError: No splats, or a rule of glTF or of the extension is broken.
    """
    return join_clouds(decode_primitives(gltf.decode(data)))


def decode_primitives(document: gltf.Gltf) -> list[SplatCloud]:
    """Return one cloud per splat primitive of the default scene, in the world frame.

    Raises as `decode`.
    """
    found = shown_primitives(document)
    if not found:
        raise AssetFormatError(
            f"a glTF splat file must hold a {EXTENSION} primitive, found none",
            hint="Meshes and plain point clouds cannot become splats.",
        )
    return decode_shown(document, found)


def decode_shown(document: gltf.Gltf, shown: list[Shown]) -> list[SplatCloud]:
    """Return one cloud for each of `shown_primitives`, in the world frame; errors as for `decode`."""
    return [transform(_decode_primitive(document, primitive), matrix) for primitive, matrix, _ in shown]


def shown_primitives(document: gltf.Gltf) -> list[Shown]:
    """Return the splat primitives of the default scene, each as often as it is shown.

    Nodes share meshes and accessors share bytes for nothing: a small file could ask for any number of splats.
    Nothing is read before their sum is known.

    Raises:
        AssetFormatError: More splats than a file of this size may show, or a broken rule of glTF.
    """
    of_mesh: dict[Any, list[tuple[dict[str, Any], int]]] = {}
    found: list[Shown] = []
    total = 0
    most = min(MAX_SPLATS_PER_FILE, sum(map(len, document.buffers)) * _MOST_SPLATS_PER_BYTE)
    for node, world_from_node in gltf.scene_nodes(document):
        if "mesh" not in node:
            continue
        mesh = document.item("meshes", node["mesh"])
        if node["mesh"] not in of_mesh:
            of_mesh[node["mesh"]] = [(p, _splat_count(document, p)) for p in splat_primitives(mesh)]
        found += [(primitive, world_from_node, count) for primitive, count in of_mesh[node["mesh"]]]
        total += sum(count for _, count in of_mesh[node["mesh"]])
        if total > most or len(found) > _MOST_PRIMITIVES:
            raise AssetFormatError(
                f"a glTF file of this size must show at most {most} splats in {_MOST_PRIMITIVES} primitives, "
                f"got {total} in {len(found)}"
            )
    return found


def splat_primitives(mesh: Any) -> list[dict[str, Any]]:
    """Return the primitives of a mesh that carry the extension."""
    primitives = mesh.get("primitives") if isinstance(mesh, dict) else None
    return [p for p in primitives if is_splat_primitive(p)] if isinstance(primitives, list) else []


def is_splat_primitive(primitive: Any) -> bool:
    """Tell whether a primitive carries the extension."""
    extensions = primitive.get("extensions") if isinstance(primitive, dict) else None
    return isinstance(extensions, dict) and isinstance(extensions.get(EXTENSION), dict)


def is_log_scale(document: gltf.Gltf, primitive: dict[str, Any], scales: NDArray) -> bool:
    """Tell whether SCALE holds logarithms, as drafts of the extension before April 2026 did.

    Linear scales are unsigned, so a signed component type or a negative value gives the older draft away.
    """
    accessor = document.item("accessors", primitive["attributes"].get(SCALE))
    return accessor.get("componentType") in gltf.SIGNED_INTEGERS or bool((scales < 0).any())


def linear_from_srgb(values: NDArray) -> NDArray:
    """Decode sRGB values 0..1 to linear light (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0.04045) + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(values: NDArray) -> NDArray:
    """Encode linear light 0..1 as sRGB."""
    return np.where(
        values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0.0031308) ** (1 / 2.4) - 0.055
    )


def _decode_primitive(document: gltf.Gltf, primitive: dict[str, Any]) -> SplatCloud:
    extension = primitive["extensions"][EXTENSION]
    for name, wanted in (("kernel", (KERNEL,)), ("colorSpace", (COLOR_SPACE, LINEAR_COLOR_SPACE))):
        if extension.get(name) not in wanted:
            raise AssetFormatError(
                f"{EXTENSION} {name} must be {' or '.join(wanted)}, got {extension.get(name)!r:.80}"
            )
    packed = packed_glb.primitive_payload(document, primitive)
    payload = None if packed is not None else _spz_payload(document, primitive)
    if packed is not None:
        cloud = splat_codec.decode([packed])[0]
    elif payload is not None:
        # The draft stores the glTF frame itself, so the numbers are ours as they stand.
        cloud = spz.decode(payload, frame="rub")
    else:
        cloud = _decode_attributes(document, primitive)
    return _srgb_cloud(cloud) if extension["colorSpace"] == LINEAR_COLOR_SPACE else cloud


def _spz_payload(document: gltf.Gltf, primitive: dict[str, Any]) -> bytes | None:
    nested = primitive["extensions"][EXTENSION].get("extensions") or {}
    if not isinstance(nested, dict):
        raise AssetFormatError(f"{EXTENSION} extensions must be an object, got {type(nested).__name__}")
    entry = next((nested[name] for name in SPZ_EXTENSIONS if name in nested), None)
    if entry is None:
        unknown = sorted(nested)
        if unknown:
            raise AssetFormatError(f"{EXTENSION} must not use an unknown compression, got {unknown[0]!r:.80}")
        return None
    view = entry.get("bufferView") if isinstance(entry, dict) else None
    return bytes(gltf.read_view(document, view)[0])


def _splat_count(document: gltf.Gltf, primitive: dict[str, Any]) -> int:
    """Return how many rows a primitive claims; what is wrong with it is said when it is read."""
    attributes = primitive.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    if len(attributes) > _MOST_ATTRIBUTES:
        raise AssetFormatError(
            f"a splat primitive must have at most {_MOST_ATTRIBUTES} attributes, got {len(attributes)}"
        )
    packed = packed_glb.primitive_payload(document, primitive)
    if packed is not None:
        return splat_codec.splat_count(packed)
    payload = _spz_payload(document, primitive)
    if payload is not None:
        return spz.splat_count(payload)
    counts = [document.item("accessors", index).get("count") for index in attributes.values()]
    return max((count for count in counts if isinstance(count, int)), default=0)


def _decode_attributes(document: gltf.Gltf, primitive: dict[str, Any]) -> SplatCloud:
    attributes = primitive.get("attributes")
    if not isinstance(attributes, dict):
        raise AssetFormatError("a splat primitive must have attributes")

    def column(name: str, width: int, count: int | None = None) -> NDArray:
        if name not in attributes:
            raise AssetFormatError(f"a splat primitive must have the attribute {name}, found none")
        values = gltf.read_accessor(document, attributes[name])
        if values.shape[1] != width or (count is not None and len(values) != count):
            raise AssetFormatError(
                f"{name} must have shape [{count or 'N'}, {width}], got {list(values.shape)}"
            )
        values = values.astype(np.float32)
        if not np.isfinite(values).all():
            raise AssetFormatError(f"{name} must be finite")
        return values

    means = column("POSITION", 3)
    count = len(means)
    degree = 0
    while degree < 3 and f"{EXTENSION}:SH_DEGREE_{degree + 1}_COEF_0" in attributes:
        degree += 1
    sh = np.stack([column(name, 3, count) for name, _ in _sh_names(degree)], axis=1)
    scales = column(SCALE, 3, count)
    if is_log_scale(document, primitive, scales):
        if (scales > MAX_LOG_SCALE).any():
            raise AssetFormatError(f"{SCALE} must be linear or logarithms up to {MAX_LOG_SCALE}")
        scales = np.exp(scales)
    opacities = column(OPACITY, 1, count)[:, 0]
    quats = column(ROTATION, 4, count)
    if (np.abs(quats).max(axis=1) < 1e-6).any():
        raise AssetFormatError("splat rotations must not be zero")
    # Quantised scales may round to zero; the smallest positive size keeps the covariance invertible.
    return SplatCloud(
        means,
        unit_quats(wxyz_from_xyzw(quats)),
        np.maximum(scales, np.float32(1e-9)),
        np.clip(opacities, 0, 1),
        sh,
    )


def _sh_names(degree: int) -> list[tuple[str, int]]:
    """Attribute names with the index of their coefficient, in order."""
    return [
        (f"{EXTENSION}:SH_DEGREE_{l}_COEF_{m}", l * l + m)
        for l in range(degree + 1)
        for m in range(2 * l + 1)
    ]


def _fallback_color(cloud: SplatCloud) -> NDArray[np.uint8]:
    # glTF's COLOR_0 is linear whatever the splats' colour space.
    rgb = linear_from_srgb(np.clip(rgb_from_dc(cloud.sh[:, 0].astype(np.float64)), 0, 1))
    return (
        np.rint(np.concatenate([rgb, cloud.opacities[:, None]], axis=1) * 255).clip(0, 255).astype(np.uint8)
    )


def _srgb_cloud(cloud: SplatCloud) -> SplatCloud:
    linear = np.maximum(rgb_from_dc(cloud.sh[:, 0].astype(np.float64)), 0)
    delta = 1e-4
    slope = (srgb_from_linear(linear + delta) - srgb_from_linear(linear)) / delta
    with np.errstate(over="ignore"):
        sh = cloud.sh * slope[:, None, :]
        sh[:, 0] = dc_from_rgb(srgb_from_linear(linear))
        sh = sh.astype(np.float32)
    if not np.isfinite(sh).all():
        raise AssetFormatError("linear colours must be such as sRGB can hold")
    return SplatCloud(cloud.means, cloud.quats, cloud.scales, cloud.opacities, sh)


def _opacity_bytes(opacities: NDArray) -> NDArray[np.uint8]:
    return np.rint(opacities * _OPACITY_STEPS).clip(1, _OPACITY_STEPS - 1).astype(np.uint8)


def _round_mantissa(values: NDArray, bits: int) -> NDArray[np.float32]:
    """Round positive floats to `bits` explicit mantissa bits; relative error at most 2 ** -(bits + 1)."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, bits + 1)), exponent - bits - 1).astype(np.float32)
