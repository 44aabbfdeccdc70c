"""`--depth`: a learned depth source for footage, from the option to the points."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from immersive.generation.clip import load_photos
from immersive.progress import Silent
from immersive.request import CreateRequest
from immersive.sources import plan_source
from immersive.stage_runner import StageRunner
from immersive.stages import StageStore
from reconstruction.cameras import Cameras
from reconstruction.conventions import opengl_c2w_from_viewmats
from reconstruction.errors import InvalidInputError, UnliftableInputError
from reconstruction.learned.consistency import unproject
from reconstruction.learned.sources import DepthPrediction
from tests.reconstruction.walls import HEIGHT, WIDTH, walk, wall_depths


def _cameras() -> Cameras:
    return walk().resized(2 * WIDTH, 2 * HEIGHT)  # photos have 64 px at least


def _folder(place: Path) -> Path:
    """Write the walk past the wall as a folder with cameras and 60 points."""
    cameras = _cameras()
    frames = []
    for index, c2w in enumerate(opengl_c2w_from_viewmats(cameras.viewmats)):
        picture = np.full((2 * HEIGHT, 2 * WIDTH, 3), 40 * index, np.uint8)
        Image.fromarray(picture).save(place / f"{index}.png")
        frames.append({"file_path": f"{index}.png", "transform_matrix": c2w.tolist()})
    points = unproject(wall_depths(cameras)[1], cameras, 1)
    points = points[np.random.default_rng(1).choice(len(points), 60, replace=False)]
    header = (
        "ply\nformat ascii 1.0\nelement vertex 60\nproperty float x\nproperty float y\nproperty float z\n"
    )
    rows = "".join(f"{x} {y} {z}\n" for x, y, z in points)
    (place / "points.ply").write_text(header + "end_header\n" + rows)
    lens = {"w": 2 * WIDTH, "h": 2 * HEIGHT, "fl_x": 104, "ply_file_path": "points.ply"}
    (place / "transforms.json").write_text(json.dumps({**lens, "frames": frames}))
    return place


class _Wall:
    """A relative model that knows the wall."""

    def __call__(
        self, images: NDArray[np.uint8], cameras: Cameras | None, progress: object = None
    ) -> DepthPrediction:
        assert cameras is not None and len(cameras) == len(images)
        shown = [int(image[0, 0, 0]) // 40 for image in images]  # the pictures' colour is their number
        inverse = 3 / wall_depths(_cameras())[shown] - 0.1
        return DepthPrediction(inverse.astype(np.float32), "relative")


def test_footage_takes_its_points_from_the_model(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    plain = load_photos(folder, fit_edge_px=2 * WIDTH)

    dense = load_photos(folder, fit_edge_px=2 * WIDTH, depths=_Wall())

    first = dense.points[:60].astype(np.float64)
    *plane, offset = np.linalg.lstsq(np.c_[first[:, :2], np.ones(60)], first[:, 2], rcond=None)[0]
    assert len(dense.points) > 5 * len(plain.points) > 0
    assert (
        np.abs(dense.points[:, :2] @ plane + offset - dense.points[:, 2]).max() < 0.02 * np.abs(first).max()
    )
    assert "depths are guessed by a model" in dense.report.notes
    assert "depths are guessed by a model" not in plain.report.notes


@pytest.mark.parametrize(
    ("source", "depth", "rule"),
    [
        ({"images": Path()}, "midas", "depth must be one of depth-anything, depth-pro, got 'midas'"),
        (
            {"images": Path()},
            "depth-pro=",
            "depth must be one of .*, got 'depth-pro='",
        ),
        ({"prompt": "a barn"}, "depth-pro", "depth is for a video or images"),
    ],
)
def test_a_depth_that_cannot_be_is_refused_at_once(source: dict, depth: str, rule: str) -> None:
    with pytest.raises(InvalidInputError, match=rule):
        CreateRequest(**source, depth=depth)


def test_weights_are_named_or_the_usual_ones() -> None:
    usual = CreateRequest(images=Path(), depth="depth-pro")
    own = CreateRequest(images=Path(), depth="depth-anything=some/folder=1")

    assert usual.depth_source == ("depth-pro", "apple/DepthPro-hf")
    assert own.depth_source == ("depth-anything", "some/folder=1")


def test_other_weights_are_another_scene(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"one")
    plain = CreateRequest(images=_folder(tmp_path / "photos"))
    depth = replace(plain, depth=f"depth-pro={tmp_path / 'weights'}")

    names = [plan_source(request).digest for request in (plain, depth, replace(plain, depth="depth-pro"))]
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"two")
    names.append(plan_source(depth).digest)

    assert len(set(names)) == 4


def test_a_model_of_noise_is_refused_by_the_points(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from tests.reconstruction.tiny_models import depth_anything_weights

    for name in ("photos", "weights", "home"):
        (tmp_path / name).mkdir()
    weights = depth_anything_weights(tmp_path / "weights", "relative")
    request = CreateRequest(images=_folder(tmp_path / "photos"), depth=f"depth-anything={weights}")

    with pytest.raises(UnliftableInputError, match="no picture's depth fits the points") as error:
        plan_source(request).read(StageRunner(StageStore(tmp_path / "home"), Silent()))

    assert error.value.hint is not None and "Leave the learned depth out" in error.value.hint
