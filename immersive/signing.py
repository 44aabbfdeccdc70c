"""Signs an exported file: a C2PA manifest in a side-car, bound to all bytes of the file."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import immersive
from reconstruction.errors import InvalidInputError
from streaming import xmp
from streaming.asset import Manifest
from streaming.export import write_whole

from .exporting import FOLDER_FILES
from .provenance import OTHER, format_of, load_c2pa, side_car_of, told
from .signing_key import ensure_signing_key

# Pictures of a place that were computed from many; C2PA wants a word for how anything came to be.
_CAPTURED = xmp.SOURCE_TYPES + "computationalCapture"
_FOOTAGE = ("clip", "photos")


def check_signable(path: Path) -> None:
    """Raise unless a file of this name can be signed here; before it is written."""
    load_c2pa()
    if path.name.lower() in FOLDER_FILES:
        raise InvalidInputError(
            f"{path.name} is several files, and a signature is for one", hint="Sign a .glb or a .sog."
        )


def sign_file(path: Path, manifest: Manifest, home: Path) -> Path:
    """Sign a file with the key of `home`, and return the side-car beside it.

    Args:
        path: The file, which stays as it is.
        manifest: Of the scene in it: says what the file is and how it was made.
        home: Where the key is, or is made.

    Raises:
        MissingBackendError: c2pa-python is not installed.
        InvalidInputError: The key cannot be used.
        OSError: The side-car cannot be written.
    """
    c2pa = load_c2pa()
    key = ensure_signing_key(home)
    description, ingredient = _description(path, manifest)
    try:
        with c2pa.Builder(description) as builder, path.open("rb") as source:
            builder.set_no_embed()
            if ingredient is not None:
                builder.add_ingredient(ingredient, OTHER, io.BytesIO(b"-"))
            # No time-stamp authority: it would be told of every file, and there is none offline.
            info = c2pa.C2paSignerInfo(b"es256", key.chain, key.key, None)
            signer = c2pa.Signer.from_info(info)
            data = builder.sign(signer, format_of(path), source, _Nowhere())
    except c2pa.C2paError as error:
        raise InvalidInputError(f"{path.name} cannot be signed: {told(error)}") from error
    side_car = side_car_of(path)
    write_whole(side_car, data)
    return side_car


def _description(path: Path, manifest: Manifest) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the manifest for c2pa, and the ingredient that a scene of unknown origin was opened from."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    tool = {"name": "immersive", "version": immersive.__version__}
    action: dict[str, Any] = {"action": "c2pa.created", "when": now, "softwareAgent": tool}
    provenance = manifest.recipe.get("provenance")
    source = provenance.get("source") if isinstance(provenance, Mapping) else None
    ingredient = None
    if manifest.is_generated:
        action["digitalSourceType"] = xmp.source_type(manifest.recipe, True)
    elif source in _FOOTAGE:
        action["digitalSourceType"] = _CAPTURED
    else:
        # How somebody else's splats came to be is not ours to say: a file was opened.
        name = str(manifest.recipe.get("file") or manifest.title)
        ingredient = {"title": name, "relationship": "parentOf", "instance_id": "opened", "label": "opened"}
        action |= {"action": "c2pa.opened", "parameters": {"ingredientIds": ["opened"]}}
    actions = {"label": "c2pa.actions.v2", "created": True, "data": {"actions": [action]}}
    return {
        "claim_generator_info": [tool],
        "title": manifest.title,
        "format": format_of(path),
        "assertions": [actions],
    }, ingredient


class _Nowhere(io.RawIOBase):
    """Takes the copy of the file that c2pa insists on writing, and keeps none of it."""

    def __init__(self) -> None:
        self._at = self._size = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0

    def write(self, data: Any) -> int:
        count = len(data)
        self._at += count
        self._size = max(self._size, self._at)
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at
