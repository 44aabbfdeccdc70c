"""An archive added to a catalog: looked through as a whole first, then taken without overwriting anything.

An archive comes from anywhere. No name in it becomes a path unless it has one of the forms below, nothing
in it is compressed, and no more than one pack is in memory at a time. What it says about scenes, links and
costs is believed: restore only what you would hand your catalog to.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from reconstruction.errors import ImmersiveError
from streaming.asset import SplatAsset
from streaming.limits import MAX_FILE_BYTES
from streaming.pack import MANIFEST_NAME, PACK_NAME, check_chunk, parse_asset_json, write_pack

from .archive import FORMAT, FORMAT_VERSION, LEFT_OUT, Contents, Rows, blocks
from .catalog import Catalog, content_of, version_of
from .errors import ArchiveError
from .home import make_private

_NAME = re.compile(
    r"tables/[a-z_]{1,40}\.jsonl|scenes/[0-9a-f]{64}/(pack\.bin|manifest\.json)"
    r"|pictures/[0-9a-f]{12}/[0-9A-Za-z_-]{1,80}\.png"
)
_SCENE_ID = re.compile(r"[0-9a-f]{12}")
# Rows are read into memory; a million scenes with their links take less.
_MOST_TABLE_BYTES = 1 << 30
_MOST_MANIFEST_BYTES = 64 << 20
_MOST_PICTURE_BYTES = 64 << 20
_OF_SCENES = ("scene_id", "target_id")


def restore_archive(catalog: Catalog, path: Path) -> Contents:
    """Add what an archive holds and return what was new; rows and packs that are here stay as they are.

    Raises:
        ArchiveError: It is no archive, damaged, or does not fit what is here. Nothing was taken.
        DiskFullError, StoreError: It could not be stored. Nothing was taken.
    """
    try:
        with zipfile.ZipFile(path) as file:
            members = _checked_members(file, path.stat().st_size)
            tables = _checked_tables(catalog, file, members)
            for row in tables.get("scene", []):
                # Computed and not believed: what was taken down here stays so under any name.
                row["content_sha256"] = content_of(_checked_asset(file, row))
            return _take(catalog, file, members, tables)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, UnicodeError) as error:
        raise ArchiveError(f"{path.name!r} is no archive or a damaged one: {error}") from error


def _checked_members(file: zipfile.ZipFile, file_bytes: int) -> list[str]:
    infos = {info.filename: info for info in file.infolist()}
    if len(infos) != len(file.infolist()):
        raise ArchiveError("an archive must name each member once")
    manifest_info = infos.pop("manifest.json", None)
    if manifest_info is None or manifest_info.file_size > _MOST_MANIFEST_BYTES:
        raise ArchiveError("an archive must hold a manifest.json", hint="Is it from `immersive archive`?")
    if any(
        info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1
        for info in (manifest_info, *infos.values())
    ):
        raise ArchiveError("nothing in an archive is compressed or encrypted")
    if sum(info.file_size for info in infos.values()) > file_bytes:
        raise ArchiveError("an archive is longer than all its members")
    try:
        manifest = json.loads(file.read("manifest.json"))
        listed = manifest["members"]
        of_members = {name: (facts["byte_length"], facts["sha256"]) for name, facts in listed.items()}
        form = (manifest["format"], manifest["version"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveError("the archive's manifest.json cannot be read") from error
    if form != (FORMAT, FORMAT_VERSION):
        raise ArchiveError(f"an archive must be {FORMAT} {FORMAT_VERSION}, got {form!r:.60}")
    if set(of_members) != set(infos):
        odd = sorted(set(of_members) ^ set(infos))[0]
        raise ArchiveError(f"manifest and members of the archive differ in {odd[:80]!r}")
    for name, (length, sha256) in of_members.items():
        if not _NAME.fullmatch(name):
            raise ArchiveError(f"an archive holds no member of this name: {name[:80]!r}")
        digest, found = hashlib.sha256(), 0
        with file.open(name) as member:
            for block in blocks(member):
                digest.update(block)
                found += len(block)
        if (found, digest.hexdigest()) != (length, sha256):
            raise ArchiveError(f"member {name!r} is damaged", hint="Copy the archive again.")
    return sorted(of_members)


def _checked_tables(catalog: Catalog, file: zipfile.ZipFile, members: list[str]) -> Rows:
    known = catalog.database.tables()
    tables: Rows = {}
    for member in members:
        if not member.startswith("tables/"):
            continue
        name = member.removeprefix("tables/").removesuffix(".jsonl")
        if name not in known or name in LEFT_OUT:
            raise ArchiveError(f"table {name!r} is not known here", hint="Restore it with a newer immersive.")
        if file.getinfo(member).file_size > _MOST_TABLE_BYTES:
            raise ArchiveError(f"table {name!r} must be at most {_MOST_TABLE_BYTES} bytes")
        tables[name] = [_decoded(line, name, known[name]) for line in file.read(member).splitlines()]
    for row in tables.get("scene", []):
        if not _SCENE_ID.fullmatch(str(row.get("id"))):
            raise ArchiveError(f"a scene's id must be 12 hex digits, got {row.get('id')!r:.40}")
        for name in (PACK_NAME, MANIFEST_NAME):
            if f"scenes/{row.get('version')}/{name}" not in members:
                raise ArchiveError(f"scene {row['id']!r} has no {name} in the archive")
    return tables


def _decoded(line: bytes, table: str, columns: list[str]) -> dict[str, Any]:
    try:
        row = json.loads(line)
        values = {
            name: bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
            for name, value in row.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveError(f"a row of table {table!r} cannot be read") from error
    unknown = sorted(set(values) - set(columns))
    if unknown:
        raise ArchiveError(
            f"table {table!r} has no {unknown[0][:40]!r} here", hint="Restore it with a newer immersive."
        )
    if not all(isinstance(value, str | int | float | bytes | None) for value in values.values()):
        raise ArchiveError(f"a row of table {table!r} cannot be read")
    return values


def _checked_asset(file: zipfile.ZipFile, row: dict[str, Any]) -> SplatAsset:
    """Read the asset of a scene's row and compare all that can be computed."""
    version = row["version"]
    names = (f"scenes/{version}/{MANIFEST_NAME}", f"scenes/{version}/{PACK_NAME}")
    if any(file.getinfo(name).file_size > MAX_FILE_BYTES for name in names):
        raise ArchiveError(f"scene {row['id']!r} must be at most {MAX_FILE_BYTES} bytes")
    try:
        manifest, chunks = parse_asset_json(file.read(names[0]))
        asset = SplatAsset(manifest, chunks, file.read(names[1]))
        for chunk in chunks:
            check_chunk(asset, chunk.index)
    except ImmersiveError as error:
        raise ArchiveError(f"scene {row['id']!r} of the archive is damaged: {error}") from error
    if version_of(asset) != version or row.get("byte_length") != asset.byte_length:
        raise ArchiveError(f"scene {row['id']!r} of the archive holds another pack than it says")
    return asset


def _take(catalog: Catalog, file: zipfile.ZipFile, members: list[str], tables: Rows) -> Contents:
    database, new_packs = catalog.database, []
    scenes = tables.get("scene", [])
    with catalog.blobs.exclusive():
        here = {record.id: record.version for record in catalog.list()}
        ids = {version: scene_id for scene_id, version in here.items()}
        for row in scenes:
            if here.get(row["id"], row["version"]) != row["version"]:
                raise ArchiveError(f"scene id {row['id']!r} is another scene here")
        # The same scene may have another id here; what refers to it follows.
        renamed = {row["id"]: ids.get(row["version"], row["id"]) for row in scenes}
        fresh = [row for row in scenes if row["version"] not in ids]
        try:
            for row in scenes:
                if not catalog.blobs.has(row["version"]):
                    new_packs.append(row["version"])
                    asset = _checked_asset(file, row)
                    catalog.blobs.put(row["version"], lambda folder, asset=asset: write_pack(asset, folder))
            with database.transaction():
                database.check_references_last()
                taken = {name: 0 for name in tables}
                for name, rows in tables.items():
                    for row in fresh if name == "scene" else rows:
                        taken[name] += _insert(catalog, name, row, renamed)
        except BaseException:
            for version in new_packs:
                catalog.blobs.delete(version)
            raise
    for name in members:
        if name.startswith("pictures/"):
            _, scene_id, picture = name.split("/")
            _take_picture(catalog, file, name, renamed.get(scene_id), picture)
    byte_length = sum(int(row["byte_length"]) for row in fresh)
    return Contents(len(fresh), taken.get("link", 0), sum(taken.values()), byte_length)


def _insert(catalog: Catalog, table: str, row: dict[str, Any], renamed: dict[str, str]) -> int:
    values = {
        name: renamed.get(value, value) if name in _OF_SCENES and isinstance(value, str) else value
        for name, value in row.items()
    }
    # The names are columns of ours; see `_decoded`.
    marks = ", ".join("?" * len(values))
    return catalog.database.write(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks}) ON CONFLICT DO NOTHING",
        tuple(values.values()),
    )


def _take_picture(
    catalog: Catalog, file: zipfile.ZipFile, name: str, scene_id: str | None, picture: str
) -> None:
    if scene_id is None or file.getinfo(name).file_size > _MOST_PICTURE_BYTES:
        return
    target = make_private(catalog.home / "pictures" / scene_id) / picture
    if not target.exists():
        with file.open(name) as member, target.open("xb") as out:
            for block in blocks(member):
                out.write(block)
