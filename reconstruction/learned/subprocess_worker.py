"""Pose models run in a process and a Python environment of their own.

Their packages pin what the rest needs newer (Depth Anything 3: numpy below 2, xformers, open3d), so the user
makes an environment for each and names its interpreter. `pose_runner` runs there; the two exchange a folder.
What comes back is checked like a stranger's file.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..cameras import Cameras
from ..checks import check_array
from ..conventions import F32
from ..errors import ImmersiveError, InvalidInputError, MissingBackendError, ModelFailedError
from . import pose_runner
from .sources import PosePrediction, Progress, SourceSettings

# Long edge that each was trained at. Pictures are sent at that size, both edges multiples of the patch, so
# that the package's own resizing and cropping have nothing left to do and pixels map back exactly.
_EDGE_PX = {"vggt": 518, "depth-anything-3": 504}
_PATCH_PX = 14
# All pictures are looked at together and attention grows with the square; 40 GB hold some 200.
MAX_PICTURES = 200
_MAX_LINE_BYTES = 1 << 20  # of all progress lines
_MAX_LOG_BYTES = 64 << 20
_MAX_JSON_BYTES = 1 << 16
_POLL_S = 0.2  # how soon a cancel or the time limit is noticed
_GRACE_S = 2.0
_ROTATION_TOLERANCE = 0.02  # half precision inside the models leaves some 0.005
_HINT = (
    "Make an environment for the model, e.g. `python -m venv da3 && da3/bin/pip install depth-anything-3`."
)


class SubprocessPoseSource:
    """One model in its environment; see `PoseSource`. Weights are loaded anew for every call."""

    def __init__(self, name: str, python: Path, settings: SourceSettings) -> None:
        self._name, self._python, self._settings = name, python, settings

    def __call__(self, images: NDArray[np.uint8], progress: Progress | None = None) -> PosePrediction:
        """Return cameras and depths of at least two pictures.

        Raises:
            InvalidInputError: The number of pictures, or the weights.
            MissingBackendError: The environment lacks the package or has another version.
            ModelFailedError: The model ran out of memory or time, or its answer cannot be used.
        """
        check_array("images", images, shape=("F", "H", "W", 3), dtype=np.uint8)
        if not 2 <= len(images) <= MAX_PICTURES:
            raise InvalidInputError(f"{self._name} takes 2 to {MAX_PICTURES} pictures, got {len(images)}")
        with tempfile.TemporaryDirectory(prefix="immersive-model-") as scratch:
            folder = Path(scratch)
            height, width = _write_request(folder, self._name, images, self._settings)
            self._run(folder, progress)
            found, about = _read_answer(folder, self._name, len(images), height, width)
        cameras = _checked_cameras(self._name, found, height, width)
        _check_maps(self._name, found)
        return PosePrediction(
            cameras.resized(images.shape[2], images.shape[1]),
            found["depths"],
            np.clip(found["confidence"], 0, 1),
            bool(about["is_metric"]),
            f"{about['model']} {about['version']}",
        )

    def _run(self, folder: Path, progress: Progress | None) -> None:
        # Beside the pictures, not in our own package: its folder comes first on the path of a script.
        script = folder / "run" / "pose_runner.py"
        script.parent.mkdir()
        script.write_text((resources.files(__package__) / "pose_runner.py").read_text("utf-8"), "utf-8")
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        if self._settings.is_offline:
            environment["HF_HUB_OFFLINE"] = "1"
        log = folder / "log.txt"
        with log.open("wb") as stderr:
            try:
                process = subprocess.Popen(
                    [str(self._python), str(script), str(folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    cwd=folder,
                    env=environment,
                    start_new_session=True,  # so that a cancel reaches the model's own workers
                )
            except OSError as error:
                raise MissingBackendError(
                    self._name, f"cannot start {str(self._python)!r}: {error.strerror}", _HINT
                ) from error
        try:
            last = self._follow(process, log, progress)
        finally:
            _end(process)
        if process.returncode:
            raise _failure(self._name, process.returncode, last, log)

    def _follow(self, process: subprocess.Popen[bytes], log: Path, progress: Progress | None) -> str:
        """Pass progress on until the process closes its output; returns what its error line says."""
        assert process.stdout is not None
        deadline = time.monotonic() + self._settings.timeout_s
        share, phrase, error, rest, received, is_open = 0.0, "starting the model", "", b"", 0, True
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while is_open or process.poll() is None:
                if progress is not None:
                    progress(share, phrase)  # also without news: this is where a cancel comes in
                if time.monotonic() > deadline:
                    raise ModelFailedError(
                        f"{self._name} took longer than {self._settings.timeout_s:g} s",
                        hint="Use fewer pictures, or a GPU.",
                    )
                if not is_open:
                    time.sleep(_POLL_S / 10)
                    continue
                if not selector.select(_POLL_S):
                    continue
                block = os.read(process.stdout.fileno(), 1 << 16)
                is_open = bool(block)
                received += len(block)
                if received > _MAX_LINE_BYTES or log.stat().st_size > _MAX_LOG_BYTES:
                    raise ModelFailedError(f"{self._name} writes messages without end")
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    kind, _, text = line.decode("utf-8", "replace").partition(" ")
                    if kind == "error":
                        error = text
                    elif kind == "progress":
                        number, _, phrase = text.partition(" ")
                        with contextlib.suppress(ValueError):
                            share = min(max(share, float(number)), 1.0)
                        if progress is not None:
                            progress(share, phrase)  # each, though several may come at once
        return error


def load(name: str, settings: SourceSettings) -> SubprocessPoseSource:
    """Return the source; raises as `load_pose_source` says."""
    if settings.python is None:
        raise MissingBackendError(name, "needs a Python environment of its own", _HINT)
    found = shutil.which(settings.python)
    if found is None:
        raise MissingBackendError(name, f"needs an interpreter, {str(settings.python)!r} is none", _HINT)
    if settings.timeout_s <= 0:
        raise InvalidInputError(f"timeout must be positive, got {settings.timeout_s:g} s")
    # Not resolved: the link itself tells Python which environment it is in.
    return SubprocessPoseSource(name, Path(found).absolute(), settings)


def _write_request(
    folder: Path, name: str, images: NDArray[np.uint8], settings: SourceSettings
) -> tuple[int, int]:
    """Write pictures and request; returns height and width that the pictures are sent at."""
    long_edge = max(images.shape[1:3])
    height, width = (
        max(_PATCH_PX, round(edge * _EDGE_PX[name] / long_edge / _PATCH_PX) * _PATCH_PX)
        for edge in images.shape[1:3]
    )
    for index, image in enumerate(images):
        picture = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(folder / f"{index:05d}.png", compress_level=1)
    weights = settings.weights
    if Path(weights).exists():
        weights = str(Path(weights).absolute())  # the process stands in another folder
    request = {"model": name, "weights": weights, "device": settings.device, "count": len(images)}
    (folder / "request.json").write_text(json.dumps(request), "utf-8")
    return height, width


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything it started."""
    for step in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, step)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    if process.stdout is not None:
        process.stdout.close()


def _failure(name: str, code: int, said: str, log: Path) -> ImmersiveError:
    """Return the error for an exit status."""
    if code == pose_runner.MISSING_PACKAGE:
        return MissingBackendError(name, f"cannot run in that environment: {said}", _HINT)
    if code == pose_runner.WRONG_VERSION:
        return MissingBackendError(name, f"has the wrong version: {said}", _HINT)
    if code in (pose_runner.BAD_WEIGHTS, pose_runner.NO_POSES):
        return InvalidInputError(f"{name}: {said}", hint="Pass a folder with weights or a name on the hub.")
    if code == pose_runner.OUT_OF_MEMORY:
        return ModelFailedError(f"{name} {said}", hint="Use fewer pictures, or a GPU with more memory.")
    if code == -signal.SIGKILL:
        return ModelFailedError(
            f"{name} was killed, most likely for want of memory", hint="Use fewer pictures."
        )
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 4096))
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    last = lines[-1].strip()[:300] if lines else "no message"
    return ModelFailedError(f"{name} stopped with status {code}: {last}")


def _read_answer(
    folder: Path, name: str, count: int, height: int, width: int
) -> tuple[dict[str, F32], dict[str, Any]]:
    """Read the arrays, whose headers must hold exactly the right shapes before anything is allocated."""
    shapes = {
        "viewmats": (count, 4, 4),
        "Ks": (count, 3, 3),
        "depths": (count, height, width),
        "confidence": (count, height, width),
    }
    try:
        text = folder / "response.json"
        if text.stat().st_size > _MAX_JSON_BYTES:
            raise ValueError("response.json is too large")
        about = json.loads(text.read_text("utf-8"))
        wanted = {"format": int, "model": str, "version": str, "is_metric": bool}
        if not isinstance(about, dict) or any(type(about.get(k)) is not v for k, v in wanted.items()):
            raise ValueError("response.json lacks a field")
        if about["format"] != 1:
            raise ValueError(f"format must be 1, got {about['format']}")
        with zipfile.ZipFile(folder / "arrays.npz") as archive:
            for key, shape in shapes.items():
                with archive.open(f"{key}.npy") as member:
                    if np.lib.format.read_magic(member) != (1, 0):
                        raise ValueError(f"{key} has another version of the npy format")
                    found, _, dtype = np.lib.format.read_array_header_1_0(member)
                if found != shape or dtype != np.float32:
                    raise ValueError(
                        f"{key} must be float32 of shape {list(shape)}, got {dtype} {list(found)}"
                    )
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            return {key: arrays[key] for key in shapes}, about
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFailedError(f"{name} gave an answer that cannot be read: {error}") from error


def _checked_cameras(name: str, found: dict[str, F32], height: int, width: int) -> Cameras:
    """Return cameras with exact rotations, or refuse what is no pinhole camera."""
    for key in ("viewmats", "Ks"):
        bad = ~np.isfinite(found[key]).all(axis=(1, 2))
        if bad.any():
            raise ModelFailedError(
                f"{name} must give finite {key}, those of picture {int(bad.argmax())} are not"
            )
    viewmats, Ks = found["viewmats"].astype(np.float64), found["Ks"].astype(np.float64)
    turns = viewmats[:, :3, :3]
    mirrored = np.linalg.det(turns) < 0
    if mirrored.any():
        raise ModelFailedError(
            f"{name} must give rotations, that of picture {int(mirrored.argmax())} is mirrored"
        )
    off = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    if (off > _ROTATION_TOLERANCE).any():
        raise ModelFailedError(
            f"{name} must give rotations, that of picture {int(off.argmax())} is off by {off.max():.3g}"
        )
    left, _, right = np.linalg.svd(turns)
    viewmats[:, :3, :3] = left @ right
    viewmats[:, 3] = (0, 0, 0, 1)
    focal, center = Ks[:, [0, 1], [0, 1]], Ks[:, :2, 2]
    wrong = (focal <= 0).any(axis=1) | (center <= 0).any(axis=1) | (center >= (width, height)).any(axis=1)
    if wrong.any():
        index = int(wrong.argmax())
        raise ModelFailedError(f"{name} must give a lens, got {Ks[index].tolist()} for picture {index}")
    Ks = np.array([[[f[0], 0, c[0]], [0, f[1], c[1]], [0, 0, 1]] for f, c in zip(focal, center, strict=True)])
    return Cameras(viewmats.astype(np.float32), Ks.astype(np.float32), width, height)


def _check_maps(name: str, found: dict[str, F32]) -> None:
    for key in ("depths", "confidence"):
        bad = ~(np.isfinite(found[key]) & (found[key] >= 0)).all(axis=(1, 2))
        if bad.any():
            raise ModelFailedError(
                f"{name} must give finite {key} >= 0, those of picture {int(bad.argmax())} are not"
            )
