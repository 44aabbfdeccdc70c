"""An asset as two files: `pack.bin`, the chunks end to end, and `manifest.json`, everything else.

The manifest appears last and by rename, so a folder that has one has the whole scene, whenever the machine
stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, TypeVar, get_args

from reconstruction.reports import QualityReport, WalkabilityReport

from .asset import ChunkInfo, ChunkKind, Manifest, Portal, Sound, Spawn, SplatAsset
from .errors import AssetFormatError
from .limits import (
    MAX_CHUNKS,
    MAX_CREDIT_CHARACTERS,
    MAX_FILE_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_PORTALS,
    MAX_POSE_METRES,
    MAX_SOUND_BYTES,
    MAX_SOUNDS,
    MAX_TITLE_CHARACTERS,
)

PACK_NAME = "pack.bin"
MANIFEST_NAME = "manifest.json"
_T = TypeVar("_T")

_FORMAT = "immersive-asset"
_FORMAT_VERSION = 1
# A chunk row is about 620 characters of JSON.
_MAX_JSON_BYTES = MAX_MANIFEST_BYTES + 900 * MAX_CHUNKS


def write_pack(asset: SplatAsset, folder: Path) -> None:
    """Write the asset into `folder`, which is made if missing; it is all there or not there at all.

    Order: pack to a temporary name, fsync, rename; the same for the manifest; fsync of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_durably(folder / PACK_NAME, asset.pack)
    _write_durably(folder / MANIFEST_NAME, asset_json(asset).encode())
    _sync_folder(folder)


def read_asset(folder: Path, *, is_checked: bool = True) -> SplatAsset:
    """Read what `write_pack` wrote.

    Args:
        folder: Holds both files.
        is_checked: Compare every chunk with its sha256 (about 1 s per GB); without, call `check_chunk`.

    Raises:
        AssetFormatError: A file is missing or damaged; the message names the chunk.
    """
    manifest_path, pack_path = folder / MANIFEST_NAME, folder / PACK_NAME
    for path in (manifest_path, pack_path):
        if not path.is_file():
            raise AssetFormatError(f"an asset folder must hold {path.name}, found none")
    size = manifest_path.stat().st_size
    if size > _MAX_JSON_BYTES:
        raise AssetFormatError(f"{MANIFEST_NAME} must be at most {_MAX_JSON_BYTES} bytes, got {size}")
    manifest, chunks = parse_asset_json(manifest_path.read_bytes())
    size, wanted = pack_path.stat().st_size, sum(chunk.byte_length for chunk in chunks)
    if size != wanted or size > MAX_FILE_BYTES:
        raise AssetFormatError(f"{PACK_NAME} must hold {wanted} bytes, got {size}")
    asset = SplatAsset(manifest, chunks, pack_path.read_bytes())
    if is_checked:
        for chunk in chunks:
            check_chunk(asset, chunk.index)
    return asset


def check_chunk(asset: SplatAsset, index: int) -> None:
    """Raise AssetFormatError unless the bytes of a chunk are those it was published with."""
    found = hashlib.sha256(asset.chunk_bytes(index)).hexdigest()
    if found != asset.chunks[index].sha256:
        raise AssetFormatError(
            f"chunk {index} must have sha256 {asset.chunks[index].sha256[:12]}…, got {found[:12]}…",
            hint="The file is damaged; publish the scene again.",
        )


def asset_json(asset: SplatAsset) -> str:
    """Return manifest and chunk table as JSON, keys in a fixed order."""
    document = {
        "format": _FORMAT,
        "version": _FORMAT_VERSION,
        "manifest": asdict(asset.manifest),
        "chunks": [asdict(chunk) for chunk in asset.chunks],
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def parse_asset_json(text: bytes) -> tuple[Manifest, tuple[ChunkInfo, ...]]:
    """Return what `asset_json` wrote, checked.

    Raises:
        AssetFormatError: Not this format, a field is missing, unknown or of the wrong kind, or the chunks
            do not lie end to end.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AssetFormatError(f"{MANIFEST_NAME} must be JSON, got {error}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise AssetFormatError(f"{MANIFEST_NAME} must say format {_FORMAT!r}")
    if document.get("version") != _FORMAT_VERSION:
        raise AssetFormatError(f"asset version must be {_FORMAT_VERSION}, got {document.get('version')!r}")
    rows = document.get("chunks")
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_CHUNKS:
        raise AssetFormatError(f"{MANIFEST_NAME} must list 1 to {MAX_CHUNKS} chunks")
    chunks = tuple(_build(ChunkInfo, row, f"chunk {i}") for i, row in enumerate(rows))
    _check_table(chunks)
    manifest = manifest_from_json(document.get("manifest"))
    _check_sounds(manifest, chunks)
    return manifest, chunks


def manifest_from_json(value: Any) -> Manifest:
    """Return the Manifest of a parsed JSON object; the inverse of `dataclasses.asdict`.

    Raises:
        AssetFormatError: A field is missing, unknown or of the wrong kind.
    """
    if not isinstance(value, dict):
        raise AssetFormatError(f"manifest must be an object, got {type(value).__name__}")
    parts = dict(value)
    parts["spawn"] = _build(Spawn, value.get("spawn"), "spawn")
    for name, kind in (("quality", QualityReport), ("walkability", WalkabilityReport)):
        parts[name] = None if value.get(name) is None else _build(kind, value[name], name)
    parts["portals"] = _portals(value.get("portals", []))
    parts["sounds"] = _sounds(value.get("sounds", []))
    manifest = _build(Manifest, parts, "manifest")
    for name in ("licence", "credit"):
        line = getattr(manifest, name)
        if len(line) > MAX_CREDIT_CHARACTERS or not line.isprintable():
            raise AssetFormatError(f"{name} must be one line of at most {MAX_CREDIT_CHARACTERS} characters")
    return manifest


def _portals(rows: Any) -> tuple[Portal, ...]:
    if not isinstance(rows, list | tuple) or len(rows) > MAX_PORTALS:
        raise AssetFormatError(f"manifest.portals must be a list of at most {MAX_PORTALS}")
    portals = tuple(_build(Portal, row, f"portal {i}") for i, row in enumerate(rows))
    for i, portal in enumerate(portals):
        places = (*portal.position, *portal.arrive_position, portal.yaw_deg, portal.arrive_yaw_deg)
        if not all(abs(number) <= MAX_POSE_METRES for number in places):
            raise AssetFormatError(f"portal {i} must lie within {MAX_POSE_METRES:.0f} m")
        if not (0.3 <= portal.width_m <= 20 and 0.3 <= portal.height_m <= 20):
            raise AssetFormatError(f"portal {i} must be 0.3 to 20 m wide and high")
        if not 0 < len(portal.title) <= MAX_TITLE_CHARACTERS or not portal.title.isprintable():
            raise AssetFormatError(
                f"the title of portal {i} must be one line of 1 to {MAX_TITLE_CHARACTERS} characters"
            )
    return portals


def _sounds(rows: Any) -> tuple[Sound, ...]:
    if not isinstance(rows, list | tuple) or len(rows) > MAX_SOUNDS:
        raise AssetFormatError(f"manifest.sounds must be a list of at most {MAX_SOUNDS}")
    sounds = tuple(_build(Sound, row, f"sound {i}") for i, row in enumerate(rows))
    for i, sound in enumerate(sounds):
        place = sound.position
        if place is not None and not all(abs(number) <= MAX_POSE_METRES for number in place):
            raise AssetFormatError(f"sound {i} must lie within {MAX_POSE_METRES:.0f} m")
        if not (0 <= sound.gain <= 1 and 0 <= sound.reference_m <= 1_000):
            raise AssetFormatError(f"sound {i} must have a gain of 0 to 1 and reach 0 to 1000 m")
        for words in (sound.kind, sound.caption):
            if not 0 < len(words) <= MAX_TITLE_CHARACTERS or not words.isprintable():
                raise AssetFormatError(
                    f"kind and caption of sound {i} must be a line of 1 to {MAX_TITLE_CHARACTERS} characters"
                )
    return sounds


def _check_sounds(manifest: Manifest, chunks: tuple[ChunkInfo, ...]) -> None:
    for i, sound in enumerate(manifest.sounds):
        if not 0 <= sound.chunk < len(chunks) or chunks[sound.chunk].kind != "sound":
            raise AssetFormatError(f"sound {i} must name a chunk of sound, got {sound.chunk}")
    for chunk in chunks:
        if chunk.kind == "sound" and chunk.byte_length > MAX_SOUND_BYTES:
            raise AssetFormatError(
                f"a sound must be at most {MAX_SOUND_BYTES:,} bytes, chunk {chunk.index} is larger"
            )


def _build(kind: type[_T], value: Any, what: str) -> _T:
    if not isinstance(value, dict):
        raise AssetFormatError(f"{what} must be an object, got {type(value).__name__}")
    rules = {item.name: str(item.type) for item in fields(kind)}  # type: ignore[arg-type]
    # Fields with a default are younger than the format: assets made before them are still read.
    young = {item.name for item in fields(kind) if item.default is not MISSING}  # type: ignore[arg-type]
    odd = sorted((value.keys() - rules.keys()) | (rules.keys() - value.keys() - young))
    if odd:
        raise AssetFormatError(f"{what} must have exactly its fields, got a difference in {odd[0]!r}")
    given = {name: rule for name, rule in rules.items() if name in value}
    return kind(**{name: _field(value[name], rule, f"{what}.{name}") for name, rule in given.items()})


def _field(value: Any, rule: str, what: str) -> Any:
    """Check one field by the annotation that declares it; JSON has no tuples, so lists become them."""
    if rule.endswith("| None") and value is None:
        return None
    if rule.startswith("tuple"):
        if not isinstance(value, list | tuple):
            raise AssetFormatError(f"{what} must be a list, got {type(value).__name__}")
        if rule.startswith("tuple[float") and (len(value) != rule.count("float") or not _all_numbers(value)):
            raise AssetFormatError(f"{what} must be {rule.count('float')} numbers, got {value!r:.80}")
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "int": isinstance(value, int) and is_number and value >= -1,
        "float": is_number,
        "str": isinstance(value, str),
        "bool": isinstance(value, bool),
    }.get(rule, True)
    if not fits:
        raise AssetFormatError(f"{what} must be {rule}, got {value!r:.80}")
    return value


def _all_numbers(values: list[Any] | tuple[Any, ...]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _check_table(chunks: tuple[ChunkInfo, ...]) -> None:
    offset = 0
    for i, chunk in enumerate(chunks):
        if chunk.index != i or chunk.byte_offset != offset or chunk.byte_length < 1:
            raise AssetFormatError(f"chunk {i} must begin at byte {offset}, got {chunk.byte_offset}")
        if chunk.kind not in get_args(ChunkKind) or not chunk.parent < i:
            raise AssetFormatError(f"chunk {i} must have a known kind and an earlier parent")
        if chunk.parent >= 0:
            most = chunks[chunk.parent].splat_count
            if not 0 <= chunk.range_start < chunk.range_stop <= most:
                found = f"{chunk.range_start}..{chunk.range_stop}"
                raise AssetFormatError(f"chunk {i} must replace a range of 0..{most}, got {found}")
        offset += chunk.byte_length


def _write_durably(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    # Without it a power cut may forget the names, though not the bytes.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
