"""Folders whose cameras are known: nerfstudio's `transforms.json` and COLMAP models."""

from __future__ import annotations

import json
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .colmap import load_pycolmap
from .conventions import F32, viewmats_from_opengl_c2w
from .errors import InvalidInputError
from .frames import FrameSequence, Provenance
from .photos import LONG_EDGE_PX, MAX_PHOTOS, picture_size, read_picture
from .placement import F64, check_camera_height, place, z_up_or_none
from .posed_frames import PosedFrames, PoseReport, choose_held_out
from .undistortion import undistort

MAX_JSON_BYTES = 32 << 20  # 400 frames take 300 kB; the rest is room for comments and per-frame lenses
MAX_POINTS = 2_000_000
MAX_MODEL_BYTES = 2 << 30
# The writers of `inverse_depth_f16.npz` paint the sky on a sphere of this radius around each camera.
SKY_DISTANCE_M = 300.0
_HALF_ROUNDING = 1e-3  # relative; twice the spacing of half floats
_DEPTH_FILE, _DEPTH_KEY = "inverse_depth_f16.npz", "inverse_depth"
_PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE")
_LENSES = (*_PINHOLES, "OPENCV", "SIMPLE_RADIAL", "RADIAL")
_DISTORTIONS = ("k1", "k2", "p1", "p2")
_MODEL_FOLDERS = ("", "sparse/0", "sparse", "colmap/sparse/0")


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """What either format tells, in the format's own frame and unit."""

    name: str  # of the format
    paths: list[Path]
    viewmats: F32  # [F, 4, 4]
    lenses: list[tuple[str, int, int, tuple[float, ...]]]  # per frame: COLMAP model, width, height, params
    points: F64  # [P, 3]
    colors: NDArray[np.uint8]  # [P, 3]
    given: int  # frames that the format lists, with or without a pose
    test: tuple[int, ...] | None = None
    inverse_depths: NDArray | None = None  # [F, h, w] 1/metre
    notes: list[str] = field(default_factory=list)


def read_posed_folder(
    folder: Path, *, long_edge_px: int = LONG_EDGE_PX, camera_height_m: float | None = None
) -> PosedFrames | None:
    """Return the frames of a folder with known cameras in the world frame, or None if it names no cameras.

    `transforms.json` (OpenGL camera-to-world, one or many lenses, optional `test` list, optional
    `inverse_depth_f16.npz`) and COLMAP models (text or binary) are understood. Lenses with distortion are
    undistorted. Without a `test` list every eighth frame is held out. `camera_height_m` above the ground sets
    the size, if it is given; otherwise the source's unit counts, or a guess where that is unknown.

    Raises:
        InvalidInputError: Cameras are named but cannot be used, a picture is missing or damaged, or a height
            that is none.
    """
    check_camera_height(camera_height_m)
    if (folder / "transforms.json").is_file():
        return _finish(_read_transforms(folder), folder, long_edge_px, camera_height_m)
    for sub in _MODEL_FOLDERS:
        for suffix in (".bin", ".txt"):
            if all(
                (folder / sub / f"{part}{suffix}").is_file() for part in ("cameras", "images", "points3D")
            ):
                return _finish(
                    _read_colmap(folder, folder / sub, suffix), folder, long_edge_px, camera_height_m
                )
    return None


def _finish(source: _Source, folder: Path, long_edge_px: int, camera_height_m: float | None) -> PosedFrames:
    if not source.paths:
        raise _broken(source.name, "must pose at least one picture, got none")
    if len(source.paths) > MAX_PHOTOS:
        raise _broken(source.name, f"must pose at most {MAX_PHOTOS} pictures, got {len(source.paths)}")
    images, Ks = _read_images(source, long_edge_px)
    height, width = images.shape[1:3]
    cameras = Cameras(source.viewmats, Ks, width, height)
    has_depth = source.inverse_depths is not None
    up = z_up_or_none(cameras) if source.name == "transforms.json" else None
    placed = place(
        cameras,
        source.points,
        is_metric=has_depth or up is not None,
        up=up,
        images=images,
        camera_height_m=camera_height_m,
    )
    depths = None
    if source.inverse_depths is not None:
        depths = _depths(source.inverse_depths, Ks, width, height) * np.float32(placed.scale)
    held_out = choose_held_out(len(images)) if source.test is None else source.test
    provenance = Provenance("photos", is_generated=False, detail=folder.name)
    frames = FrameSequence(images, provenance, placed.cameras, depths, held_out)
    notes = (*source.notes, *placed.notes)
    report = PoseReport(
        source.name, source.given, len(images), None, notes, placed.up_error_deg, placed.scale_error
    )
    return PosedFrames(frames, placed.points, source.colors, report)


def _read_images(source: _Source, long_edge_px: int) -> tuple[NDArray[np.uint8], F32]:
    """Read, shrink and undistort the pictures; returns images [F, H, W, 3] and Ks [F, 3, 3]."""
    pycolmap = load_pycolmap()

    shapes = {_shrunk(picture_size(path), long_edge_px) for path in source.paths}
    if len(shapes) > 1:
        found = ", ".join(f"{w}x{h}" for w, h in sorted(shapes)[:3])
        raise _broken(source.name, f"must pose pictures of one size, got {found}")
    width, height = shapes.pop()
    images = np.empty((len(source.paths), height, width, 3), np.uint8)
    for slot, path in zip(images, source.paths, strict=True):
        slot[:] = read_picture(path, long_edge_px=long_edge_px)
    Ks = np.empty((len(images), 3, 3), np.float32)
    for lens in set(source.lenses):
        index = [i for i, own in enumerate(source.lenses) if own == lens]
        camera = pycolmap.Camera(model=lens[0], width=lens[1], height=lens[2], params=lens[3])
        camera.rescale(width, height)
        if lens[0] in _PINHOLES:
            Ks[index] = camera.calibration_matrix()
        else:
            images[index], Ks[index] = undistort(images[index], camera)
    return images, Ks


def _shrunk(size: tuple[int, int], long_edge_px: int) -> tuple[int, int]:
    scale = min(1.0, long_edge_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _depths(inverse: NDArray, Ks: F32, width: int, height: int) -> F32:
    """Turn inverse depths [F, h, w] into metres [F, H, W]; the sky becomes +inf."""
    rows = (np.arange(height) + 0.5) * inverse.shape[1] / height
    columns = (np.arange(width) + 0.5) * inverse.shape[2] / width
    inverse = inverse[:, rows.astype(int)][:, :, columns.astype(int)].astype(np.float32)
    if not np.isfinite(inverse).all() or (inverse < 0).any():
        raise _broken(_DEPTH_FILE, "must hold finite inverse depths >= 0, got NaN, infinite or negative ones")
    v, u = np.mgrid[0.5:height, 0.5:width].astype(np.float32)
    depths = np.empty(inverse.shape, np.float32)
    for slot, inverse_depth, K in zip(depths, inverse, Ks, strict=True):
        ray_length = np.sqrt(1 + ((u - K[0, 2]) / K[0, 0]) ** 2 + ((v - K[1, 2]) / K[1, 1]) ** 2)
        is_sky = ray_length >= inverse_depth * SKY_DISTANCE_M * (1 - _HALF_ROUNDING)
        slot[:] = np.where(is_sky, np.float32(np.inf), 1 / np.where(is_sky, 1, inverse_depth))
    return depths


# transforms.json ------------------------------------------------------------------------------------------


def _read_transforms(folder: Path) -> _Source:
    path = folder / "transforms.json"
    if path.stat().st_size > MAX_JSON_BYTES:
        raise _broken(
            path.name, f"must be at most {MAX_JSON_BYTES >> 20} MiB, got {path.stat().st_size} bytes"
        )
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _broken(path.name, "must be JSON, got something else") from error
    listed = meta.get("frames") if isinstance(meta, dict) else None
    if not isinstance(listed, list) or not all(isinstance(frame, dict) for frame in listed):
        raise _broken(path.name, 'must hold a list "frames" of objects, got none')
    if not 0 < len(listed) <= MAX_PHOTOS:
        raise _broken(path.name, f"must list 1 to {MAX_PHOTOS} frames, got {len(listed)}")
    c2w = np.stack([_matrix(frame, number) for number, frame in enumerate(listed)])
    paths = [_picture_path(folder, frame, number) for number, frame in enumerate(listed)]
    lenses = [_lens({**meta, **frame}, picture) for frame, picture in zip(listed, paths, strict=True)]
    points, colors = _read_ply(folder, meta.get("ply_file_path"))
    test = meta.get("test")
    if test is not None:
        is_index = isinstance(test, list) and all(type(i) is int and 0 <= i < len(listed) for i in test)
        if not is_index or len(set(test)) >= len(listed):
            raise _broken(
                path.name, f'"test" must list some of the {len(listed)} frames by index, got {test!r}'
            )
    return _Source(
        path.name,
        paths,
        viewmats_from_opengl_c2w(c2w),
        lenses,
        points,
        colors,
        len(listed),
        None if test is None else tuple(test),
        _read_inverse_depths(folder / _DEPTH_FILE, len(listed)),
    )


def _matrix(frame: dict[str, Any], number: int) -> F64:
    try:
        matrix = np.array(frame["transform_matrix"], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise _broken("transforms.json", f"frame {number} must have a transform_matrix of numbers") from error
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0, 0, 0, 1]])
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise _broken(
            "transforms.json", f"frame {number} must have a finite 4x4 transform_matrix, got {matrix.shape}"
        )
    turn = matrix[:3, :3]
    if not np.allclose(turn.T @ turn, np.eye(3), atol=1e-3) or np.linalg.det(turn) < 0:
        raise _broken(
            "transforms.json", f"frame {number} must hold a rotation without scale, shear or mirror"
        )
    return matrix


def _picture_path(folder: Path, frame: dict[str, Any], number: int) -> Path:
    name = frame.get("file_path")
    if not isinstance(name, str) or not name or "\0" in name:
        raise _broken("transforms.json", f"frame {number} must name its picture in file_path, got {name!r}")
    path = folder / name
    if path.is_file():
        return path
    for suffix in (".png", ".jpg", ".jpeg"):  # Blender's data sets leave the suffix out
        if path.with_name(path.name + suffix).is_file():
            return path.with_name(path.name + suffix)
    raise _broken("transforms.json", f"frame {number} must name a picture that exists, got {name!r}")


def _lens(meta: dict[str, Any], picture: Path) -> tuple[str, int, int, tuple[float, ...]]:
    model = meta.get("camera_model", "OPENCV")
    if model not in _LENSES:
        raise _broken("transforms.json", f"camera_model must be one of {', '.join(_LENSES)}, got {model!r}")
    try:
        if "w" in meta and "h" in meta:
            width, height = int(meta["w"]), int(meta["h"])
        else:
            width, height = picture_size(picture)
        if "fl_x" in meta:
            fx = float(meta["fl_x"])
        else:
            fx = width / 2 / float(np.tan(float(meta["camera_angle_x"]) / 2))
        fy = float(meta.get("fl_y", fx))
        cx, cy = float(meta.get("cx", width / 2)), float(meta.get("cy", height / 2))
        bends = tuple(float(meta.get(name, 0)) for name in _DISTORTIONS)
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise _broken(
            "transforms.json", "must give each lens as fl_x, fl_y, cx, cy, w, h or camera_angle_x in numbers"
        ) from error
    if not np.isfinite([fx, fy, cx, cy, *bends]).all() or min(fx, fy, width, height) <= 0:
        raise _broken("transforms.json", f"focal lengths and sizes must be positive, got {fx:g}, {fy:g} px")
    if any(bends):
        return "OPENCV", width, height, (fx, fy, cx, cy, *bends)
    return "PINHOLE", width, height, (fx, fy, cx, cy)


def _read_inverse_depths(path: Path, count: int) -> NDArray | None:
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{_DEPTH_KEY}.npy") as member:
            version = np.lib.format.read_magic(member)
            reader = np.lib.format.read_array_header_1_0
            shape, _, dtype = (reader if version == (1, 0) else np.lib.format.read_array_header_2_0)(member)
        # The header is judged before the array is allocated.
        if len(shape) != 3 or shape[0] != count or dtype.kind != "f" or shape[1] * shape[2] > 16_000_000:
            raise _broken(path.name, f"must hold floats [{count}, H, W], got {dtype} {list(shape)}")
        with np.load(path, allow_pickle=False) as arrays:
            inverse: NDArray = arrays[_DEPTH_KEY]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise _broken(path.name, f"must be an npz with {_DEPTH_KEY!r}, got something else") from error
    return inverse


def _read_ply(folder: Path, name: Any) -> tuple[F64, NDArray[np.uint8]]:
    """Return the points [P, 3] and colours [P, 3] of the named file; none if none is named."""
    if not isinstance(name, str) or not (folder / name).is_file():
        return np.zeros((0, 3)), np.zeros((0, 3), np.uint8)
    import trimesh

    path = folder / name
    if path.stat().st_size > MAX_POINTS * 64:
        raise _broken(path.name, f"must hold at most {MAX_POINTS} points, got {path.stat().st_size} bytes")
    try:
        cloud = trimesh.load(path, file_type="ply", process=False)
        points = np.asarray(cloud.vertices, np.float64)  # type: ignore[union-attr]
        colors = getattr(getattr(cloud, "visual", None), "vertex_colors", None)
        colors = getattr(cloud, "colors", colors)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OSError) as error:
        raise _broken(path.name, "must be a PLY of points, got something else") from error
    if colors is None or len(colors) != len(points):
        colors = np.full((len(points), 3), 128, np.uint8)
    is_finite = np.isfinite(points).all(axis=1)
    return points[is_finite], np.asarray(colors)[is_finite, :3].astype(np.uint8)


# COLMAP ---------------------------------------------------------------------------------------------------


def _read_colmap(folder: Path, model_folder: Path, suffix: str) -> _Source:
    pycolmap = load_pycolmap()

    name = "COLMAP model"
    sizes = {
        part: (model_folder / f"{part}{suffix}").stat().st_size for part in ("cameras", "images", "points3D")
    }
    if sum(sizes.values()) > MAX_MODEL_BYTES:
        raise _broken(name, f"must be at most {MAX_MODEL_BYTES >> 30} GiB, got {sum(sizes.values())} bytes")
    if suffix == ".bin":
        _check_counts(model_folder, sizes)
    model = pycolmap.Reconstruction()
    try:
        (model.read_binary if suffix == ".bin" else model.read_text)(str(model_folder))
    except (ValueError, RuntimeError, IndexError, KeyError) as error:
        raise _broken(name, "must be readable, got a damaged file") from error
    images = sorted((im for im in model.images.values() if im.has_pose), key=lambda im: im.name)
    pictures = folder / "images" if (folder / "images").is_dir() else folder
    lenses = []
    for image in images:
        camera = model.cameras[image.camera_id]
        if camera.model.name not in _LENSES:
            raise _broken(name, f"lens must be one of {', '.join(_LENSES)}, got {camera.model.name}")
        lenses.append((camera.model.name, camera.width, camera.height, tuple(map(float, camera.params))))
    viewmats = np.tile(np.eye(4), (len(images), 1, 1))
    for slot, image in zip(viewmats, images, strict=True):
        slot[:3] = image.cam_from_world().matrix()
    found = list(model.points3D.values())[:MAX_POINTS]
    points = np.array([point.xyz for point in found], np.float64).reshape(-1, 3)
    colors = np.array([point.color for point in found], np.uint8).reshape(-1, 3)
    if not np.isfinite(viewmats).all() or not np.isfinite(points).all():
        raise _broken(name, "must hold finite poses and points, got NaN")
    given = len(model.images)
    lost = given - len(images)
    notes = [f"{lost} of {given} pictures of the model have no pose and were left out"] if lost else []
    paths = [pictures / image.name for image in images]
    return _Source(name, paths, viewmats.astype(np.float32), lenses, points, colors, given, notes=notes)


def _check_counts(model_folder: Path, sizes: dict[str, int]) -> None:
    """Refuse a binary file whose header promises more records than its bytes can hold."""
    smallest_record = {"cameras": 24 + 24, "images": 64, "points3D": 43}
    for part, size in sizes.items():
        with (model_folder / f"{part}.bin").open("rb") as file:
            header = file.read(8)
        count = struct.unpack("<Q", header)[0] if len(header) == 8 else 1
        if len(header) < 8 or count * smallest_record[part] > size:
            raise _broken(
                "COLMAP model", f"must be whole, got {part}.bin of {size} bytes for {count} records"
            )


def _broken(subject: str, rule: str) -> InvalidInputError:
    return InvalidInputError(
        f"{subject} {rule}",
        hint="Export the cameras again, or pass the photos alone and let their poses be estimated.",
    )
