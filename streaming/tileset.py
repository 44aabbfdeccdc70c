"""3D Tiles of others, read: the finest splats of a `tileset.json`, whole.

A tile that is REPLACEd by its children is left out where they hold anything, one that they ADD to is not. A
tile's content is glTF, and so y-up, inside a tile that is z-up. Most tilesets stand on the Earth, where
float32 has steps of half a metre: one that begins further out than any scene reaches is brought back to the
place of its first tile.

Source: OGC 3D Tiles 1.1 (22-025r4), sections 6.7 and 7.
"""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from reconstruction.conventions import WORLD_FROM_Z_UP
from reconstruction.splats import SplatCloud

from . import gltf
from .errors import AssetFormatError
from .khr_gaussian_splatting import decode_shown, shown_primitives
from .limits import (
    MAX_FILE_BYTES,
    MAX_GLTF_JSON_BYTES,
    MAX_POSE_METRES,
    MAX_SPLATS_PER_FILE,
    MAX_TILE_DEPTH,
    MAX_TILES,
)
from .sog_files import SogFiles
from .tiles import TILESET_NAME
from .transform import join_clouds, transform

_STILL = np.eye(4)
_LARGEST = 1e30
_SMALLEST = 1e-9
Content = tuple[str, NDArray]  # the name of a glTF file and `tileset_from_tile` [4, 4]


def decode_files(files: SogFiles) -> SplatCloud:
    """Return the finest splats of all tiles as one cloud, in the world frame.

    Args:
        files: Where the tiles are, named from the folder of `tileset.json`.

    Raises:
        AssetFormatError: A rule of 3D Tiles, of glTF or of the splats is broken; tiles are implicit, or other
            than glTF; a name leads out of the folder. Splats are counted before they are read.
    """
    found = contents(files)
    world_from_tileset = WORLD_FROM_Z_UP @ _place_of(found[0][1])
    clouds, total = [], 0
    for name, tileset_from_tile in found:
        document = gltf.decode(_glb(files.read(name, MAX_FILE_BYTES), name))
        shown = shown_primitives(document)
        total += sum(count for _, _, count in shown)
        if total > MAX_SPLATS_PER_FILE:
            raise AssetFormatError(f"a tileset must show at most {MAX_SPLATS_PER_FILE} splats, got more")
        world_from_content = world_from_tileset @ tileset_from_tile @ WORLD_FROM_Z_UP.T
        clouds += [transform(cloud, world_from_content) for cloud in decode_shown(document, shown)]
    if not clouds:
        raise AssetFormatError(
            "a tileset must hold splats, found none", hint="Meshes and point clouds cannot become splats."
        )
    return join_clouds(clouds)


def contents(files: SogFiles) -> list[Content]:
    """Return the files of the finest level, in the order of the tree; none of them is opened."""
    walk = _Walk(files)
    found = list(walk.tileset(TILESET_NAME, _STILL, 0))
    if not found:
        raise AssetFormatError(f"{TILESET_NAME} must name the content of a tile, found none")
    # Tiles share files for nothing: a small folder could ask for any amount of reading.
    twice = [name for name, uses in Counter(name for name, _ in found).items() if uses > 1]
    if twice:
        raise AssetFormatError(f"each tile must have content of its own, got {twice[0]!r:.80} twice")
    return found


class _Walk:
    """One pass over the tiles of a tileset and of those inside it."""

    def __init__(self, files: SogFiles) -> None:
        self._files = files
        self._tiles = 0
        self._open: list[str] = []  # tilesets that the current one lies in

    def tileset(self, name: str, tileset_from_parent: NDArray, depth: int) -> Iterator[Content]:
        if name in self._open:
            raise AssetFormatError(f"{name!r:.80} must not lie in itself")
        self._open.append(name)
        document = _parse(self._files.read(name, MAX_GLTF_JSON_BYTES), name)
        version = _object(document.get("asset"), "tileset asset").get("version")
        if version not in ("1.0", "1.1"):
            raise AssetFormatError(f"tileset version must be 1.0 or 1.1, got {version!r:.20}")
        root = _object(document.get("root"), "tileset root")
        yield from self._tile(root, tileset_from_parent, posixpath.dirname(name), "REPLACE", depth)
        self._open.pop()

    def _tile(
        self, tile: dict[str, Any], parent: NDArray, folder: str, refine: str, depth: int
    ) -> Iterator[Content]:
        self._tiles += 1
        if self._tiles > MAX_TILES or depth > MAX_TILE_DEPTH:
            raise AssetFormatError(f"a tileset must have at most {MAX_TILES} tiles, {MAX_TILE_DEPTH} deep")
        if "implicitTiling" in tile or "3DTILES_implicit_tiling" in (tile.get("extensions") or ()):
            raise AssetFormatError("a tileset must list its tiles, got implicit tiling")
        refine = str(tile.get("refine", refine)).upper()
        if refine not in ("ADD", "REPLACE"):
            raise AssetFormatError(f"tile refine must be ADD or REPLACE, got {refine!r:.20}")
        with np.errstate(over="ignore", invalid="ignore"):
            here = parent @ _matrix(tile["transform"]) if "transform" in tile else parent
        if not np.abs(here).max() < _LARGEST:  # a product of products must be a number still; not for NaN
            raise AssetFormatError(f"tile transforms together must stay below {_LARGEST:.0e}")
        finer = []
        for child in _list(tile.get("children", []), "tile children"):
            finer += self._tile(_object(child, "tile"), here, folder, refine, depth + 1)
        if finer and refine == "REPLACE":
            yield from finer
            return
        for name in _content_names(tile, folder):
            if name.lower().endswith(".json"):
                yield from self.tileset(name, here, depth + 1)
            else:
                yield name, here
        yield from finer


def _content_names(tile: dict[str, Any], folder: str) -> list[str]:
    entries = [tile["content"]] if "content" in tile else _list(tile.get("contents", []), "tile contents")
    names = []
    for entry in entries:
        entry = _object(entry, "tile content")
        address = entry.get("uri", entry.get("url"))  # the latter before 1.0
        if not isinstance(address, str):
            raise AssetFormatError(f"tile content must have a uri, got {address!r:.80}")
        try:
            parts = urlsplit(address)
        except ValueError:
            parts = None
        if parts is None or parts.scheme or parts.netloc:
            raise AssetFormatError(f"tile content must lie in the folder of its tileset, got {address!r:.80}")
        # `SogFiles` refuses what leads out, also once the steps up inside the folder are taken.
        names.append(posixpath.normpath(posixpath.join(folder, unquote(parts.path))))
    return names


def _place_of(tileset_from_tile: NDArray) -> NDArray:
    """Return the map that brings a tile on the Earth to the origin and upright, else the identity."""
    if np.linalg.norm(tileset_from_tile[:3, 3]) <= MAX_POSE_METRES:
        return _STILL
    lengths = np.linalg.norm(tileset_from_tile[:3, :3], axis=0)
    place = tileset_from_tile.copy()
    place[:3, :3] /= np.maximum(lengths, _SMALLEST)
    determinant = np.linalg.det(place[:3, :3])  # of axes of unit length: 1 where they are at right angles
    if determinant < _SMALLEST or lengths.min() < _SMALLEST:
        raise AssetFormatError(f"a tile must not mirror or flatten, got determinant {determinant:.3g}")
    return np.linalg.inv(place)


def _matrix(values: Any) -> NDArray:
    ok = isinstance(values, list) and len(values) == 16
    if not ok or not all(isinstance(v, int | float) and abs(v) < _LARGEST for v in values):
        raise AssetFormatError(f"tile transform must be 16 numbers, got {values!r:.80}")
    matrix = np.array(values, np.float64).reshape(4, 4).T  # stored column-major
    if matrix[3].tolist() != [0, 0, 0, 1]:
        raise AssetFormatError("tile transform must be affine")
    return matrix


def _glb(data: bytes, name: str) -> bytes:
    if data[:4] != gltf.MAGIC and data.lstrip()[:1] != b"{":
        raise AssetFormatError(f"tile content {name!r:.80} must be glTF, got {data[:4]!r} first")
    return data


def _parse(text: bytes, name: str) -> dict[str, Any]:
    try:
        return _object(json.loads(text, parse_constant=_refuse_constant), name)
    except (ValueError, RecursionError) as error:
        if isinstance(error, AssetFormatError):
            raise
        raise AssetFormatError(f"{posixpath.basename(name)} must parse, got {error!s:.80}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"the non-JSON number {name}")


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AssetFormatError(f"{what} must be an object, got {type(value).__name__}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise AssetFormatError(f"{what} must be a list, got {type(value).__name__}")
    return value
