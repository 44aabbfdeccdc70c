"""Still pictures: one file, or a folder of photos taken by one camera."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import InvalidInputError
from .frames import FrameSequence, Provenance

Say = Callable[[str], None]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# SIFT finds what it needs at 1000 px, and no stage later on looks at more.
LONG_EDGE_PX = 1000
# The largest phone sensors make 200 megapixels; a file that claims more is a decompression bomb.
MAX_PIXELS = 210_000_000
MIN_EDGE_PX = 64
MAX_PHOTOS = 400  # at 1000 px they take 0.9 GB
# Two photos and a baseline between them are the least that shows depth; three check each other.
MIN_PHOTOS = 3
# Photos whose shape differs by more than this were cropped or turned: another camera to the solver.
SHAPE_TOLERANCE = 0.01
SAME_SHAPE_SHARE = 0.8
# EXIF rounds focal lengths, and focusing changes them by a few per cent; more is a zoom.
ZOOM_TOLERANCE = 0.08
_ORIENTATION, _EXIF = 0x0112, 0x8769  # tags
_FOCAL_35MM, _FOCAL_MM, _PLANE_X, _PLANE_UNIT = 0xA405, 0x920A, 0xA20E, 0xA210  # tags inside _EXIF
_TAKEN_WIDTH, _TAKEN_HEIGHT = 0xA002, 0xA003  # the same
_FILM_WIDTH_MM = 36.0
_MM_PER_UNIT = {2: 25.4, 3: 10.0}  # EXIF FocalPlaneResolutionUnit


def list_photos(folder: Path) -> list[Path]:
    """Return the picture files of a folder, or of its `images` folder, in natural order.

    Raises:
        InvalidInputError: The folder is missing, is a file, is empty or holds no picture.
    """
    if not folder.exists():
        raise InvalidInputError(f"photo folder must exist, got {folder.name!r}", hint="Check the path.")
    if not folder.is_dir():
        raise InvalidInputError(
            f"photos must be in a folder, got the file {folder.name!r}", hint="Pass the folder that holds it."
        )
    for place in (folder, folder / "images"):
        if place.is_dir():
            names = [p for p in place.iterdir() if p.is_file() and not p.name.startswith(".")]
            found = [p for p in names if p.suffix.lower() in SUFFIXES]
            if found:
                return sorted(found, key=lambda p: _natural(p.name))
    others = sum(1 for p in folder.iterdir() if p.is_file())
    state = f"none among {others} files" if others else "an empty folder"
    raise InvalidInputError(
        f"photo folder {folder.name!r} must hold JPEG, PNG or WebP files, got {state}",
        hint="Put at least 10 overlapping photos of one place into the folder.",
    )


def read_picture(path: Path, *, long_edge_px: int = LONG_EDGE_PX) -> NDArray[np.uint8]:
    """Return one picture [H, W, 3] sRGB, turned as EXIF says and shrunk to `long_edge_px`, never enlarged.

    Raises:
        InvalidInputError: No such file, no picture, a damaged one, or one beyond the size limits.
    """
    with _opened(path) as image:
        _check_size(path, image.size)
        scale = long_edge_px / max(image.size)
        if scale < 1 and image.format == "JPEG":
            image.draft("RGB", (round(image.width * scale) * 2, round(image.height * scale) * 2))
        try:
            # A damaged file may warn before it fails; the error below says all there is to say.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                upright = _as_rgb(ImageOps.exif_transpose(image))
            return resized(np.asarray(upright, np.uint8), long_edge_px)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise _damaged(path) from error


def _as_rgb(image: Image.Image) -> Image.Image:
    """Return the picture in 8 bits a channel; Pillow itself would cut 16-bit greys off at 255."""
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray(((deep.clip(0, 65_535) * 255 + 32_767) // 65_535).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def resized(image: NDArray[np.uint8], long_edge_px: int) -> NDArray[np.uint8]:
    """Return an image [H, W, 3] shrunk by area averaging to `long_edge_px`, never enlarged."""
    height, width = image.shape[:2]
    scale = long_edge_px / max(width, height)
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX), np.uint8)


def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height after EXIF orientation.

    Raises:
        InvalidInputError: No such file, no picture, or one beyond the size limits.
    """
    with _opened(path) as image:
        _check_size(path, image.size)
        is_sideways = _exif(path, image).get(_ORIENTATION, 1) in (5, 6, 7, 8)
        return (image.height, image.width) if is_sideways else image.size


def read_photos(
    folder: Path, *, long_edge_px: int = LONG_EDGE_PX, say: Say = lambda _: None
) -> FrameSequence:
    """Return the photos of a folder in natural order, without cameras.

    Photos must share one shape, since they are solved as one camera: other sizes of the shape are scaled
    to it, and if at least four of five share a shape the rest is left out and `say` is told.

    Raises:
        InvalidInputError: As `list_photos` and `read_picture`; too few or too many; mixed shapes.
    """
    paths = list_photos(folder)
    if len(paths) > MAX_PHOTOS:
        raise InvalidInputError(
            f"photo folder must hold at most {MAX_PHOTOS} photos, got {len(paths)}",
            hint="Keep every second or third one.",
        )
    sizes = {path: picture_size(path) for path in paths}
    (width, height), _ = Counter(sizes.values()).most_common(1)[0]
    kept = [p for p in paths if abs(sizes[p][0] * height / (sizes[p][1] * width) - 1) <= SHAPE_TOLERANCE]
    if len(kept) < len(paths) * SAME_SHAPE_SHARE:
        raise InvalidInputError(
            f"photos must share one shape, got {len(kept)} of {len(paths)} that look like {width}x{height}",
            hint="Use uncropped photos of one camera, all landscape or all portrait.",
        )
    if len(kept) < len(paths):
        say(f"{len(paths) - len(kept)} of {len(paths)} photos have another shape and were left out")
    if len(kept) < MIN_PHOTOS:
        raise InvalidInputError(
            f"a scene needs at least {MIN_PHOTOS} photos, got {len(kept)}",
            hint="Take 20 or more photos, each a step to the side of the last.",
        )
    first = read_picture(kept[0], long_edge_px=long_edge_px)
    images = np.empty((len(kept), *first.shape), np.uint8)
    for slot, path in zip(images, kept, strict=True):
        picture = read_picture(path, long_edge_px=long_edge_px)
        if picture.shape != first.shape:
            picture = np.asarray(
                Image.fromarray(picture).resize(first.shape[1::-1], Image.Resampling.LANCZOS), np.uint8
            )
        slot[:] = picture
    return FrameSequence(images, Provenance("photos", is_generated=False, detail=folder.name))


def exif_focal_px(
    folder: Path, *, long_edge_px: int = LONG_EDGE_PX, say: Say = lambda _: None
) -> float | None:
    """Return the photos' median focal length in pixels of `read_photos`, or None without EXIF.

    `say` is told if they were zoomed, since all photos are solved as one lens.
    """
    focals = []
    for path in list_photos(folder):
        with _opened(path) as image:
            focal = _focal_over_width(_exif(path, image).get_ifd(_EXIF), max(image.size))
            if focal is not None:
                focals.append(focal * min(max(image.size), long_edge_px))
    if not focals:
        return None
    usual = float(np.median(focals))
    zoomed = int((np.abs(np.array(focals) / usual - 1) > ZOOM_TOLERANCE).sum())
    if zoomed:
        say(f"{zoomed} of {len(focals)} photos were taken at another zoom; one lens is assumed for all")
    return usual


def _focal_over_width(exif: dict[int, Any], edge_px: int) -> float | None:
    """Return focal length / long edge from EXIF, or None; nonsense values count as absent."""
    try:
        if float(exif.get(_FOCAL_35MM, 0)) > 0:
            ratio = float(exif[_FOCAL_35MM]) / _FILM_WIDTH_MM
        else:
            # Pixels per unit on the sensor: exact where cameras write it, and old ones do. They are pixels of
            # the picture as taken, which programs that shrink it leave in EXIF.
            taken_px = max(int(exif.get(_TAKEN_WIDTH, 0)), int(exif.get(_TAKEN_HEIGHT, 0)))
            edge_px = taken_px if taken_px > 0 else edge_px
            px_per_mm = float(exif[_PLANE_X]) / _MM_PER_UNIT[int(exif.get(_PLANE_UNIT, 2))]
            ratio = float(exif[_FOCAL_MM]) * px_per_mm / edge_px
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return ratio if 0.3 < ratio < 10 else None


def _opened(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limit follows, with a sentence of its own
            return Image.open(path)
    except FileNotFoundError as error:
        raise InvalidInputError(
            f"picture {path.name!r} must exist, got nothing", hint="Check the path."
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large(path, "more") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InvalidInputError(
            f"picture {path.name!r} must be JPEG, PNG or WebP, got something else or a damaged file",
            hint="Open it in an image viewer to see whether it is whole.",
        ) from error


def _exif(path: Path, image: Image.Image) -> Image.Exif:
    """Return the EXIF block; Pillow decodes a whole PNG to find it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return image.getexif()
    except (OSError, SyntaxError, ValueError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> InvalidInputError:
    return InvalidInputError(
        f"picture {path.name!r} must decode, got a damaged file", hint="Copy or export it again."
    )


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(path, f"{size[0]}x{size[1]}")
    if min(size) < MIN_EDGE_PX:
        raise InvalidInputError(
            f"picture {path.name!r} must have edges of at least {MIN_EDGE_PX} px, got {size[0]}x{size[1]}",
            hint="Use the original photo instead of its thumbnail.",
        )


def _too_large(path: Path, found: str) -> InvalidInputError:
    return InvalidInputError(
        f"picture {path.name!r} must have at most {MAX_PIXELS // 1_000_000} megapixels, got {found}",
        hint="Shrink it to 4000 pixels on its long edge.",
    )


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key in which 10 follows 9."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name.lower())
    ]
