"""Pose models in a process of their own, by stand-ins with the real packages' interfaces.

The real packages and their weights cannot be had here. The stand-ins are written into a folder that only the
other interpreter sees; their "weights" hold cameras and depths of a wall that is known in closed form.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from reconstruction.cameras import Cameras
from reconstruction.errors import (
    CancelledError,
    ImmersiveError,
    InvalidInputError,
    MissingBackendError,
    ModelFailedError,
    UnliftableInputError,
)
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.learned.posing import pose_frames
from reconstruction.learned.sources import PoseSource, SourceSettings, load_pose_source
from tests.reconstruction.walls import HEIGHT, WIDTH, walk, wall_depths

UNIT = 0.37  # the model's unit in metres
VGGT_SIZE = (378, 518)  # 44 x 60 at a long edge of 518, in multiples of 14
DA3_SIZE = (364, 504)

_VGGT = """
import os, signal, subprocess, sys, time
from pathlib import Path
import torch

print("progress 0.99 packages may print anything")

class VGGT(torch.nn.Module):
    @classmethod
    def from_pretrained(cls, folder):
        model = cls()
        for name, value in torch.load(Path(folder) / "weights.pt").items():
            model.register_buffer(name, value)
        model.mode = (Path(folder) / "mode.txt").read_text()
        return model

    def forward(self, images):
        assert images.shape[0] == 1 and images.shape[2] == 3
        pose_enc, depth = self.pose_enc[None].clone(), self.depth[None, ..., None].clone()
        if self.mode == "nan":
            depth[0, 3, 5, 5] = float("nan")
        elif self.mode == "nan pose":
            pose_enc[0, 2, 1] = float("nan")
        elif self.mode == "small":
            depth = depth[:, :, ::2]
        elif self.mode == "memory":
            raise torch.OutOfMemoryError("tried to allocate 80 GiB\\nand more")
        elif self.mode == "crash":
            raise ZeroDivisionError("head 3 fell off")
        elif self.mode == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.mode == "hang":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(os.environ["CHILD_FILE"]).write_text(str(child.pid))
            time.sleep(600)
        return {"pose_enc": pose_enc, "depth": depth, "depth_conf": 1 + images.mean(2)}
"""
# Scalar-last quaternions and vertical before horizontal field of view, as in VGGT.
_POSE_ENC = """
import torch

def pose_encoding_to_extri_intri(pose_encoding, image_size_hw):
    x, y, z, w = pose_encoding[..., 3:7].unbind(-1)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]
    turns = torch.stack(rows, -1).reshape(*pose_encoding.shape[:2], 3, 3)
    height, width = image_size_hw
    Ks = torch.zeros_like(turns)
    Ks[..., 0, 0] = width / 2 / torch.tan(pose_encoding[..., 8] / 2)
    Ks[..., 1, 1] = height / 2 / torch.tan(pose_encoding[..., 7] / 2)
    Ks[..., 0, 2], Ks[..., 1, 2], Ks[..., 2, 2] = width / 2, height / 2, 1
    return torch.cat([turns, pose_encoding[..., :3, None]], -1), Ks
"""
_DA3 = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np, torch

@dataclass
class Prediction:
    depth: np.ndarray
    is_metric: int
    sky: object = None
    conf: object = None
    extrinsics: object = None
    intrinsics: object = None
    scale_factor: object = None

class DepthAnything3(torch.nn.Module):
    @classmethod
    def from_pretrained(cls, folder):
        model = cls()
        model.found = torch.load(Path(folder) / "weights.pt")
        model.mode = (Path(folder) / "mode.txt").read_text()
        return model

    def inference(self, image, process_res=504, process_res_method="upper_bound_resize"):
        assert process_res_method == "upper_bound_resize" and process_res == max(image[0].shape[:2])
        found = {name: value.numpy() for name, value in self.found.items()}
        if self.mode == "mirrored":
            found["extrinsics"][1, 0] *= -1
        if self.mode == "sheared":
            found["extrinsics"][2, 0, :3] += 0.2
        if self.mode == "no poses":
            found["extrinsics"] = None
        if self.mode == "sky":
            found["sky"] = np.zeros(found["depth"].shape, bool)
            found["sky"][:, :40] = True
        found["conf"] = np.full(found["depth"].shape, 3.0, np.float32)
        return Prediction(is_metric=int(self.mode == "metric"), **found)
"""


def _pictures() -> NDArray[np.uint8]:
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [np.sin(u / (9 + k) + c) * np.cos(v / (7 + 2 * c)) for k in range(5) for c in range(3)]
    images = np.stack(waves).reshape(5, 3, HEIGHT, WIDTH).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(140 + 90 * images, np.uint8)


def _model_cameras(cameras: Cameras, unit: float) -> NDArray[np.float64]:
    """The walk as a model says it: the first camera is the world, and the unit is its own."""
    viewmats = cameras.viewmats.astype(np.float64)
    viewmats = viewmats @ np.linalg.inv(viewmats[0])
    viewmats[:, :3, 3] /= unit
    return viewmats


class _Lab:
    """An environment of a stand-in, and a folder of weights for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages, self.weights = folder / "packages", folder / "weights"
        for name in ("vggt/models", "vggt/utils", "depth_anything_3"):
            (self.packages / name).mkdir(parents=True)
        self.weights.mkdir()
        (self.packages / "vggt/models/vggt.py").write_text(_VGGT)
        (self.packages / "vggt/utils/pose_enc.py").write_text(_POSE_ENC)
        (self.packages / "depth_anything_3/api.py").write_text(_DA3)
        self.release("0.1.1")
        self.child = folder / "child.txt"
        self.python = self.interpreter(
            f"PYTHONPATH={shlex.quote(str(self.packages))} CHILD_FILE={shlex.quote(str(self.child))} "
            f'exec {shlex.quote(sys.executable)} "$@"'
        )

    def release(self, version: str) -> None:
        info = self.packages / "depth_anything_3-0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: depth-anything-3\nVersion: {version}\n")

    def interpreter(self, line: str) -> Path:
        script = self.folder / f"python{len(list(self.folder.iterdir()))}"
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
        return script

    def source(self, name: str, mode: str = "", python: Path | None = None, **more: object) -> PoseSource:
        cameras = walk()
        (self.weights / "mode.txt").write_text(mode)
        height, width = VGGT_SIZE if name == "vggt" else DA3_SIZE
        at_size = cameras.resized(width, height)
        viewmats = _model_cameras(cameras, UNIT)
        depths = torch.from_numpy(wall_depths(at_size) / np.float32(UNIT))
        if name == "vggt":
            quats = Rotation.from_matrix(viewmats[:, :3, :3]).as_quat()
            fov = 2 * np.arctan([HEIGHT / 2 / 52, WIDTH / 2 / 52])
            pose_enc = np.c_[viewmats[:, :3, 3], quats, np.tile(fov, (5, 1))]
            content = {"pose_enc": torch.from_numpy(pose_enc).float(), "depth": depths}
        else:
            content = {
                "extrinsics": torch.from_numpy(viewmats[:, :3]).float(),
                "intrinsics": torch.from_numpy(at_size.Ks),
                "depth": depths,
            }
        torch.save(content, self.weights / "weights.pt")
        more = {"is_offline": True, "device": "cpu", "python": python or self.python, **more}
        return load_pose_source(name, SourceSettings(str(self.weights), **more))  # type: ignore[arg-type]


@pytest.fixture
def lab(tmp_path: Path) -> _Lab:
    return _Lab(tmp_path)


def _frames(images: NDArray[np.uint8] | None = None) -> FrameSequence:
    images = _pictures() if images is None else images
    return FrameSequence(images, Provenance("clip", is_generated=False))


@pytest.mark.parametrize("name", ["vggt", "depth-anything-3"])
def test_cameras_and_depths_come_back_for_the_pictures_as_given(lab: _Lab, name: str) -> None:
    truth = walk()
    told: list[tuple[float, str]] = []

    found = lab.source(name)(_pictures(), lambda share, phrase: told.append((share, phrase)))

    assert (found.cameras.width, found.cameras.height) == (WIDTH, HEIGHT)
    np.testing.assert_allclose(found.cameras.viewmats, _model_cameras(truth, UNIT), atol=1e-5)
    np.testing.assert_allclose(found.cameras.Ks, truth.Ks, rtol=1e-5)
    height, width = VGGT_SIZE if name == "vggt" else DA3_SIZE
    np.testing.assert_allclose(found.depths, wall_depths(truth.resized(width, height)) / UNIT, rtol=1e-5)
    assert not found.is_metric
    assert found.model == ("VGGT unknown" if name == "vggt" else "Depth Anything 3 0.1.1")
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and ("loading weights" in dict(map(reversed, told)))  # type: ignore[call-overload]
    assert (0.99, "packages may print anything") not in told


def test_the_model_sees_the_pictures_themselves(lab: _Lab) -> None:
    images = _pictures()

    confidence = lab.source("vggt")(images).confidence  # m / (1 + m) of the mean colour m, by the stand-in

    for image, seen in zip(images, confidence, strict=True):
        resized = Image.fromarray(image).resize(VGGT_SIZE[::-1], Image.Resampling.BICUBIC)
        mean = np.asarray(resized).mean(axis=2) / 255
        np.testing.assert_allclose(seen, mean / (1 + mean), atol=1e-5)


def test_a_walk_becomes_posed_frames_in_the_world_frame(lab: _Lab) -> None:
    truth = walk()

    posed = pose_frames(_frames(), lab.source("vggt"))

    cameras, depths = posed.frames.cameras, posed.frames.depths
    assert cameras is not None and depths is not None
    steps = np.linalg.norm(cameras.positions - cameras.positions[0], axis=1)
    want = np.linalg.norm(truth.positions - truth.positions[0], axis=1)
    scale = steps[-1] / want[-1]
    np.testing.assert_allclose(steps, scale * want, atol=1e-3)
    np.testing.assert_allclose(cameras.positions[0], 0, atol=1e-5)
    known = depths > 0
    assert known.mean() > 0.9
    np.testing.assert_allclose(depths[known], scale * wall_depths(truth)[known], rtol=0.01)
    assert posed.report.source == "VGGT unknown" and posed.report.used == 5
    assert posed.report.figures is not None and posed.report.figures.wide_share > 0.9
    assert any("size is a guess" in note for note in posed.report.notes)
    # Points lie on one plane, and carry the colours of where they are seen.
    centered = posed.points - posed.points.mean(axis=0)
    assert np.linalg.svd(centered)[1][2] / np.linalg.svd(centered)[1][1] < 0.01
    x_cam = posed.points @ cameras.viewmats[0, :3, :3].T + cameras.viewmats[0, :3, 3]
    pixel = (x_cam[:, :2] / x_cam[:, 2:]) * 52 + [WIDTH / 2, HEIGHT / 2]
    own = np.arange(150)  # those that the first frame gave
    want_colors = posed.frames.images[0][pixel[own, 1].astype(int), pixel[own, 0].astype(int)]
    assert (posed.colors[own] == want_colors).all(axis=1).mean() > 0.95  # some stand on a pixel's very edge


def test_a_metric_model_keeps_its_metres_and_sky_has_no_depth(lab: _Lab) -> None:
    metric = pose_frames(_frames(), lab.source("depth-anything-3", "metric"))
    sky = lab.source("depth-anything-3", "sky")(_pictures())

    assert metric.frames.cameras is not None
    steps = np.linalg.norm(metric.frames.cameras.positions[-1])
    truth = walk()
    assert steps == pytest.approx(np.linalg.norm(truth.positions[-1] - truth.positions[0]) / UNIT, rel=1e-3)
    assert not any("size is a guess" in note for note in metric.report.notes)
    assert (sky.depths[:, :40] == 0).all() and (sky.depths[:, 40:] > 0).all()


def test_pictures_without_parallax_are_refused_although_the_model_answers(lab: _Lab) -> None:
    source = lab.source("depth-anything-3")
    weights = torch.load(lab.weights / "weights.pt")
    weights["extrinsics"][:] = weights["extrinsics"][0]
    weights["depth"][:] = weights["depth"][0]
    torch.save(weights, lab.weights / "weights.pt")

    with pytest.raises(UnliftableInputError, match="there is no parallax: the picture moves by 0"):
        pose_frames(_frames(), source)


@pytest.mark.parametrize(
    ("name", "mode", "kind", "rule"),
    [
        ("vggt", "nan", ModelFailedError, "finite depths >= 0, those of picture 3 are not"),
        ("vggt", "nan pose", ModelFailedError, "finite viewmats, those of picture 2 are not"),
        ("vggt", "small", ModelFailedError, r"depths must be float32 of shape \[5, 378, 518\], got float32"),
        (
            "vggt",
            "memory",
            ModelFailedError,
            r"ran out of memory on 5 pictures \(tried to allocate 80 GiB\)$",
        ),
        ("vggt", "crash", ModelFailedError, "stopped with status 1: ZeroDivisionError: head 3 fell off"),
        ("vggt", "killed", ModelFailedError, "was killed, most likely for want of memory"),
        ("depth-anything-3", "mirrored", ModelFailedError, "that of picture 1 is mirrored"),
        ("depth-anything-3", "sheared", ModelFailedError, "that of picture 2 is off by 0"),
        ("depth-anything-3", "no poses", InvalidInputError, "these weights guess depth only"),
    ],
)
def test_failures_are_one_precise_sentence(
    lab: _Lab, name: str, mode: str, kind: type[ImmersiveError], rule: str
) -> None:
    with pytest.raises(kind, match=rule) as error:
        lab.source(name, mode)(_pictures())

    assert "\n" not in str(error.value)


def test_a_missing_interpreter_package_version_or_weights_is_named(lab: _Lab) -> None:
    bare = lab.interpreter(f'exec {shlex.quote(sys.executable)} "$@"')
    broken = lab.interpreter("")
    broken.write_bytes(b"\x7fELF nothing")

    with pytest.raises(MissingBackendError, match=r"needs an interpreter, '.*absent' is none"):
        lab.source("vggt", python=lab.folder / "absent")
    with pytest.raises(MissingBackendError, match=r"cannot start '.*': Exec format error"):
        lab.source("vggt", python=broken)(_pictures())
    with pytest.raises(MissingBackendError, match="package 'vggt' is not installed"):
        lab.source("vggt", python=bare)(_pictures())
    lab.release("0.3.0")
    with pytest.raises(MissingBackendError, match=r"depth-anything-3 must be 0\.1\.x, got 0\.3\.0"):
        lab.source("depth-anything-3")(_pictures())
    (lab.packages / "vggt/utils/pose_enc.py").write_text("")
    with pytest.raises(
        MissingBackendError, match=r"vggt\.utils\.pose_enc must have pose_encoding_to_extri_in"
    ):
        lab.source("vggt")(_pictures())
    lab.release("0.1.1")
    source = lab.source("depth-anything-3")
    (lab.weights / "weights.pt").unlink()
    with pytest.raises(InvalidInputError, match=r"weights '.*' cannot be loaded: .*No such file"):
        source(_pictures())


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("exit 0", "cannot be read: .*response.json"),
        ("echo '{}' > $2/response.json", "response.json lacks a field"),
        ("echo [ > $2/response.json", "cannot be read: Expecting value"),
        ("head -c 100000 /dev/zero > $2/response.json", "response.json is too large"),
        (
            """echo '{"format":1,"model":"m","version":"1","is_metric":false}' > $2/response.json
            echo junk > $2/arrays.npz""",
            "cannot be read: File is not a zip file",
        ),
        ("yes", "writes messages without end"),
    ],
)
def test_a_stranger_that_answers_nonsense_is_refused(lab: _Lab, line: str, rule: str) -> None:
    with pytest.raises(ModelFailedError, match=rule):
        lab.source("vggt", python=lab.interpreter(line))(_pictures())


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for the process in /proc")
def test_a_cancel_ends_the_model_and_everything_it_started(lab: _Lab) -> None:
    def stop(share: float, phrase: str) -> None:
        if lab.child.exists() and lab.child.read_text():
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        lab.source("vggt", "hang")(_pictures(), stop)

    child = int(lab.child.read_text())
    for _ in range(100):  # the kernel needs a moment to end it
        if not _is_running(child):
            break
        time.sleep(0.02)
    assert not _is_running(child)


def test_a_model_that_takes_too_long_is_ended(lab: _Lab) -> None:
    source = lab.source("vggt", python=lab.interpreter("exec sleep 600"), timeout_s=0.3)

    with pytest.raises(ModelFailedError, match=r"took longer than 0\.3 s"):
        source(_pictures())


def test_one_picture_or_too_many_are_refused_before_anything_runs(lab: _Lab) -> None:
    source = lab.source("vggt", python=lab.interpreter("touch ran; exit 1"))

    with pytest.raises(InvalidInputError, match="takes 2 to 200 pictures, got 1"):
        source(_pictures()[:1])
    with pytest.raises(InvalidInputError, match="takes 2 to 200 pictures, got 201"):
        source(np.zeros((201, 14, 28, 3), np.uint8))


def test_our_own_path_does_not_leak_into_the_other_environment(
    lab: _Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = lab.interpreter(f'exec {shlex.quote(sys.executable)} "$@"')
    monkeypatch.setitem(os.environ, "PYTHONPATH", str(lab.packages))

    with pytest.raises(MissingBackendError, match="package 'vggt' is not installed"):
        lab.source("vggt", python=bare)(_pictures())
