"""`immersive archive` and `immersive restore`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from reconstruction.errors import InvalidInputError

from .archive import Contents, write_archive
from .catalog import Catalog
from .home import home_folder
from .restore import restore_archive


def archive_and_show(file: Path, *, as_json: bool) -> None:
    """Write everything into a file that is not there yet."""
    if file.exists():
        raise InvalidInputError(f"{file} exists already", hint="Give another name, or remove it first.")
    if not file.absolute().parent.is_dir():
        raise InvalidInputError(f"folder {file.absolute().parent} does not exist", hint="Make it first.")
    catalog = Catalog(home_folder())
    try:
        _show("wrote", write_archive(catalog, file), as_json=as_json)
    finally:
        catalog.close()


def restore_and_show(file: Path, *, as_json: bool) -> None:
    """Add an archive to the user's data folder."""
    if not file.is_file():
        raise InvalidInputError(f"archive not found: {file}", hint="Check the path.")
    catalog = Catalog(home_folder())
    try:
        _show("added", restore_archive(catalog, file), as_json=as_json)
    finally:
        catalog.close()


def _show(what: str, contents: Contents, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(asdict(contents)) + "\n")
        return
    megabytes = contents.byte_length / 1e6
    sys.stderr.write(f"{what} {contents.scenes} scenes ({megabytes:.1f} MB), {contents.links} links\n")
