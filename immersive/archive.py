"""Everything in one file: a plain zip, nothing compressed, with the sha256 of every member in its manifest.

    manifest.json                             format, version, and of each member its length and sha256
    tables/NAME.jsonl                         the rows of a table, one JSON object a line; bytes as {"hex"}
    scenes/VERSION/pack.bin, manifest.json    an asset as `streaming.pack` writes it; its recipe is inside
    pictures/SCENE/NAME.png                   its held-out pictures

Links are hashes of their secrets. The owner's token, certificates and keys are not in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import immersive
from streaming.pack import MANIFEST_NAME, PACK_NAME

from .catalog import Catalog
from .errors import DiskFullError, StoreError, is_disk_full
from .home import make_private

FORMAT = "immersive-archive"
FORMAT_VERSION = 1
BLOCK_BYTES = 1 << 20
# What happened while a job ran is nobody's concern elsewhere; its ids are of this catalog alone. What is
# still being made is made from the start where it is asked for again.
LEFT_OUT = frozenset(("job_event", "growth"))
# The zip's own time stamps begin in 1980; equal catalogs give equal archives.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive holds, or what was taken from one."""

    scenes: int
    links: int
    rows: int  # of all tables
    byte_length: int  # of the packs


def write_archive(catalog: Catalog, target: Path) -> Contents:
    """Write everything into one file, whole or not at all; servers and jobs may go on meanwhile.

    Raises:
        DiskFullError, StoreError: It cannot be written.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with _held_still(catalog) as (tables, packs):
            contents = _write(catalog, tables, packs, draft)
        descriptor = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(target)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        if is_disk_full(error):
            raise DiskFullError("the disk has no room for the archive, nothing was written") from error
        raise StoreError(f"the archive cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return contents


Rows = dict[str, list[dict[str, Any]]]


@contextmanager
def _held_still(catalog: Catalog) -> Iterator[tuple[Rows, Path]]:
    """Give all rows as of one moment, and a folder of their packs that nobody takes away."""
    packs = make_private(catalog.home / f"archiving-{secrets.token_hex(8)}")
    try:
        # Second names of the files, made in an instant: scenes may be deleted while these are read.
        with catalog.blobs.exclusive(), catalog.database.transaction():
            tables = {
                name: [dict(row) for row in catalog.database.read(f"SELECT * FROM {name} ORDER BY 1")]
                for name in sorted(catalog.database.tables())
                if name not in LEFT_OUT
            }
            _leave_out(tables, {row["scene_id"] for row in catalog.database.read("SELECT * FROM growth")})
            for row in tables["scene"]:
                folder = catalog.pack_folder(catalog.get(row["id"]))
                (packs / row["version"]).mkdir()
                for name in (PACK_NAME, MANIFEST_NAME):
                    os.link(folder / name, packs / row["version"] / name)
        yield tables, packs
    finally:
        shutil.rmtree(packs, ignore_errors=True)


def _leave_out(tables: Rows, scenes: set[str]) -> None:
    """Remove scenes and what refers to them."""
    tables["scene"] = [row for row in tables["scene"] if row["id"] not in scenes]
    links = {row["id"] for row in tables["link"] if row["scene_id"] in scenes}
    for name, rows in tables.items():
        tables[name] = [
            row for row in rows if row.get("scene_id") not in scenes and row.get("link_id") not in links
        ]


def _write(catalog: Catalog, tables: Rows, packs: Path, draft: Path) -> Contents:
    members: dict[str, dict[str, Any]] = {}
    byte_length = 0
    with zipfile.ZipFile(draft, "x", zipfile.ZIP_STORED, allowZip64=True) as file:
        draft.chmod(0o600)

        def add(name: str, blocks: Iterator[bytes]) -> int:
            digest, length = hashlib.sha256(), 0
            with file.open(zipfile.ZipInfo(name, _EPOCH), "w", force_zip64=True) as member:
                for block in blocks:
                    digest.update(block)
                    length += len(block)
                    member.write(block)
            members[name] = {"byte_length": length, "sha256": digest.hexdigest()}
            return length

        for name, rows in tables.items():
            add(f"tables/{name}.jsonl", (encode_row(row) for row in rows))
        for row in tables["scene"]:
            for name in (PACK_NAME, MANIFEST_NAME):
                byte_length += add(
                    f"scenes/{row['version']}/{name}", _blocks_of(packs / row["version"] / name)
                )
            for path in sorted((catalog.home / "pictures" / row["id"]).glob("*.png")):
                add(f"pictures/{row['id']}/{path.name}", _blocks_of(path))
        manifest = {"format": FORMAT, "version": FORMAT_VERSION, "immersive": immersive.__version__}
        text = json.dumps({**manifest, "members": members}, indent=1, sort_keys=True)
        file.writestr(zipfile.ZipInfo("manifest.json", _EPOCH), text)
    rows = sum(map(len, tables.values()))
    return Contents(len(tables["scene"]), len(tables["link"]), rows, byte_length)


def encode_row(row: dict[str, Any]) -> bytes:
    """Return a row as one line of JSON; bytes become {"hex": ...}."""
    plain = {name: {"hex": value.hex()} if isinstance(value, bytes) else value for name, value in row.items()}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from blocks(file)


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what is left of a file in blocks."""
    while block := file.read(BLOCK_BYTES):
        yield block
