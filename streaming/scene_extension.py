"""IMMERSIVE_scene: what a walkable place is besides its splats, in a glTF document.

What a standard can say stands where it says so: the collider is a mesh in a glTF scene of its own, sounds
are KHR_audio_emitter, title, licence, credit and label are KHR_xmp_json_ld. The rest of the manifest is one
object under `extensions` of the root, with the fields of `asset.Manifest` by their names. README.md has the
table. The start is no glTF camera: PlayCanvas's loader then needs a whole application (2.x), and some viewers
would look through it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from reconstruction.reports import Verdict

from . import gltf, xmp
from .assemble import add_collider, collider_mesh
from .asset import Manifest, SoundLoop, SplatAsset
from .audio_emitter import add_sounds, read_sounds
from .errors import AssetFormatError
from .limits import (
    MAX_COLLIDER_TRIANGLES,
    MAX_CREDIT_CHARACTERS,
    MAX_MANIFEST_BYTES,
    MAX_POSE_METRES,
    MAX_SCENE_DEPTH,
)
from .mesh_file import triangles_of_nodes
from .pack import manifest_from_json

EXTENSION = "IMMERSIVE_scene"
VERSION = 1
COLLIDER = "collider"  # name of its node, its mesh and its scene

# Fields of the manifest that stand in the object; the others are the splats' or have a standard's place.
_FIELDS = (
    "spawn",
    "eye_height_m",
    "background",
    "bounds_min",
    "bounds_max",
    "camera_path",
    "portals",
    "is_generated",
    "recipe",
    "quality",
    "walkability",
)
_LEAST_EYE_M, _MOST_EYE_M = 0.1, 10.0
# JSON numbers beyond it are no longer whole in every reader.
_MOST_INTEGER = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class CarriedScene:
    """What came with splats. Counts of splats, levels and chunks in the manifest are nobody's yet."""

    manifest: Manifest
    collider: (
        tuple[NDArray[np.float32], NDArray[np.int32]] | None
    )  # vertices [V, 3] world frame, faces [T, 3]
    loops: tuple[SoundLoop, ...]
    notes: tuple[str, ...]  # what of it was broken and is left out, one sentence each


def label_of(manifest: Manifest) -> xmp.Label:
    """Return what a scene's packet says."""
    kind = xmp.source_type(manifest.recipe, manifest.is_generated)
    return xmp.Label(manifest.title, manifest.licence, manifest.credit, kind)


def add_scene(builder: gltf.BufferBuilder, document: dict[str, Any], asset: SplatAsset) -> None:
    """Put everything but the splats of `asset` into a document whose first scene shows those."""
    manifest = asset.manifest
    block: dict[str, Any] = {"version": VERSION}
    mesh = collider_mesh(asset)
    if mesh is not None:
        block["collider"] = len(document["nodes"])
        primitive = add_collider(builder, *mesh)
        document["scenes"].append({"name": COLLIDER, "nodes": [len(document["nodes"])]})
        document["nodes"].append({"name": COLLIDER, "mesh": len(document["meshes"])})
        document["meshes"].append({"name": COLLIDER, "primitives": [primitive]})
    xmp.add_packet(document, label_of(manifest), manifest.recipe)
    sounds = manifest.sounds
    loops = [
        SoundLoop(s.kind, s.caption, asset.chunk_bytes(s.chunk), s.position, s.gain, s.reference_m)
        for s in sounds
    ]
    add_sounds(builder, document, loops)
    whole = asdict(manifest)
    block |= {name: whole[name] for name in _FIELDS}
    block["captions"] = [sound.caption for sound in sounds]
    document["extensions"][EXTENSION] = block
    document["extensionsUsed"].append(EXTENSION)


def read_scene(document: gltf.Gltf, *, title: str) -> CarriedScene | None:
    """Return what a document carries beside splats, or None if it was not written by `add_scene`.

    A broken collider or sound is left out with a note, as a scene without it is still that scene.

    Args:
        document: Its buffers complete.
        title: For a document that says none.

    Raises:
        AssetFormatError: The object is broken or from a newer version.
    """
    extensions = document.document.get("extensions")
    if not isinstance(extensions, dict) or EXTENSION not in extensions:
        return None
    block = extensions[EXTENSION]
    if not isinstance(block, dict) or block.get("version") != VERSION:
        found = block.get("version") if isinstance(block, dict) else block
        raise AssetFormatError(f"{EXTENSION} version must be {VERSION}, got {found!r:.80}")
    _check_json(block)
    missing = [name for name in _FIELDS if name not in block]
    if missing:
        raise AssetFormatError(f"{EXTENSION} must have {missing[0]}, found none")
    label = xmp.read_label(document)
    plain = {
        **{name: block[name] for name in _FIELDS},
        "title": label.title or title,
        "licence": label.licence,
        "credit": label.credit,
        "splat_count": 0,
        "sh_degree": 0,
        "level_count": 0,
    }
    plain["is_generated"] = plain["is_generated"] is not False or label.is_generated
    manifest = manifest_from_json(plain)
    _check_values(manifest)
    notes = []
    mesh, loops = None, ()
    try:
        mesh = _read_collider(document, block.get("collider"))
    except AssetFormatError as error:
        notes.append(f"its collider is broken and left out: {error}")
        manifest = replace(manifest, walkability=None)
    try:
        loops = _read_loops(document, block.get("captions", []), plain)
    except AssetFormatError as error:
        notes.append(f"its sounds are broken and left out: {error}")
    return CarriedScene(manifest, mesh, loops, tuple(notes))


def claims_generated(document: gltf.Gltf) -> bool:
    """Return whether a document says in any way that it is AI-made; also one whose object is broken."""
    extensions = document.document.get("extensions")
    block = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    is_said = isinstance(block, dict) and block.get("is_generated", False) is not False
    return is_said or xmp.read_label(document).is_generated


def _read_collider(document: gltf.Gltf, node: Any) -> tuple[NDArray[np.float32], NDArray[np.int32]] | None:
    if node is None:
        return None
    found = triangles_of_nodes(document, gltf.nodes_below(document, [node]), MAX_COLLIDER_TRIANGLES)
    if found is None:
        raise AssetFormatError("a collider must hold at least one triangle, got none")
    return found


def _read_loops(document: gltf.Gltf, captions: Any, plain: Mapping[str, Any]) -> tuple[SoundLoop, ...]:
    if not isinstance(captions, list):
        raise AssetFormatError(f"captions must be a list, got {type(captions).__name__}")
    loops = read_sounds(document, captions)
    names = ("kind", "caption", "position", "gain", "reference_m")
    rows = [{name: getattr(loop, name) for name in names} | {"chunk": 0} for loop in loops]
    manifest_from_json({**plain, "sounds": rows})  # its rules for sounds are ours
    return loops


def _check_json(block: dict[str, Any]) -> None:
    """Check what a reader of plain fields cannot: depth, size, and numbers that JSON can write only."""
    pending: list[tuple[Any, int]] = [(block, 0)]
    while pending:
        value, depth = pending.pop()
        if depth > MAX_SCENE_DEPTH:
            raise AssetFormatError(f"{EXTENSION} must be at most {MAX_SCENE_DEPTH} deep, got more")
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            pending += [(one, depth + 1) for one in inner]
        elif isinstance(value, int) and abs(value) > _MOST_INTEGER:
            raise AssetFormatError(f"{EXTENSION} must hold whole numbers up to 2^53, got a larger one")
        elif isinstance(value, float) and not math.isfinite(value):
            raise AssetFormatError(f"{EXTENSION} must hold finite numbers, got {value}")
    try:
        size = len(json.dumps(block, ensure_ascii=False).encode())
    except UnicodeEncodeError as error:
        raise AssetFormatError(f"{EXTENSION} must hold text, got half a character") from error
    if size > MAX_MANIFEST_BYTES:
        raise AssetFormatError(f"{EXTENSION} must be at most {MAX_MANIFEST_BYTES:,} bytes, got {size:,}")


def _check_values(manifest: Manifest) -> None:
    """Check ranges that a pack of our own need not: a file comes from anywhere."""
    if not isinstance(manifest.recipe, dict):
        raise AssetFormatError(f"recipe must be an object, got {type(manifest.recipe).__name__}")
    places = [manifest.spawn.position, manifest.bounds_min, manifest.bounds_max]
    for stop in manifest.camera_path:
        ok = isinstance(stop, tuple) and len(stop) == 4
        if not ok or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in stop):
            raise AssetFormatError(f"a stop of camera_path must be 4 numbers, got {stop!r:.80}")
        places.append(stop[:3])
    if any(abs(number) > MAX_POSE_METRES for place in places for number in place):
        raise AssetFormatError(f"start, bounds and camera path must lie within {MAX_POSE_METRES:.0f} m")
    if not _LEAST_EYE_M <= manifest.eye_height_m <= _MOST_EYE_M:
        raise AssetFormatError(
            f"eye_height_m must be {_LEAST_EYE_M} to {_MOST_EYE_M}, got {manifest.eye_height_m}"
        )
    if not all(0 <= number <= 1 for number in manifest.background):
        raise AssetFormatError(f"background must be 0 to 1, got {manifest.background}")
    for name in ("quality", "walkability"):
        report = getattr(manifest, name)
        if report is None:
            continue
        if report.verdict not in get_args(Verdict):
            raise AssetFormatError(f"{name}.verdict must be one of {get_args(Verdict)}")
        for reason in report.reasons:
            if not isinstance(reason, str) or len(reason) > MAX_CREDIT_CHARACTERS or not reason.isprintable():
                raise AssetFormatError(f"reasons of {name} must be lines of text")
