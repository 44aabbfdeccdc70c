from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from immersive.generation.clip import load_clip, load_photos
from immersive.request import CreateRequest
from immersive.sources import plan_source
from reconstruction.errors import InvalidInputError, UnliftableInputError
from tests.data import shared
from tests.reconstruction.clips import sliding, texture, write_clip
from tests.reconstruction.textured import room_walk


def _pictures(folder: Path, count: int = 4) -> Path:
    for number in range(count):
        Image.fromarray(texture(90, 120, number)).save(folder / f"{number}.png")
    return folder


def test_a_folder_with_cameras_is_taken_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "secret name" / "holiday"
    place.mkdir(parents=True)
    _pictures(place)
    frames = []
    for number in range(4):
        matrix = np.eye(4)
        matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = [1, 0, 0], [0, 0, 1], [0, -1, 0]  # z up, looks along +y
        matrix[:3, 3] = [number, 0, 1.6]
        frames.append({"file_path": f"{number}.png", "transform_matrix": matrix.tolist()})
    meta = {"w": 120, "h": 90, "fl_x": 100, "frames": frames}
    (place / "transforms.json").write_text(json.dumps(meta))

    with pytest.raises(UnliftableInputError, match="no two of them see the same things"):
        load_photos(place)

    header = "ply\nformat ascii 1.0\nelement vertex 6\nproperty float x\nproperty float y\nproperty float z\n"
    rows = "".join(f"{k} 5 {1 + 0.3 * k}\n" for k in range(6))
    (place / "points.ply").write_text(header + "end_header\n" + rows)
    meta["ply_file_path"] = "points.ply"
    (place / "transforms.json").write_text(json.dumps(meta))
    told: list[tuple[float, str]] = []

    posed = load_photos(place, progress=lambda share, phrase: told.append((share, phrase)))

    assert posed.frames.cameras.positions[:, 0] == pytest.approx([0, 1, 2, 3], abs=1e-5)
    assert posed.frames.provenance.source == "photos"
    assert posed.frames.provenance.detail == "holiday"
    assert not posed.frames.provenance.is_generated
    assert (0.3, "4 of 4 pictures have cameras") in told
    # Ours: x right, y up from the first camera's 1.6 m, the source's +y ahead.
    assert posed.points[:6] == pytest.approx(np.array([[k, 0.3 * k - 0.6, -5] for k in range(6)]), abs=1e-4)


def test_real_photos_become_posed_frames_at_the_size_that_is_fitted() -> None:
    shares: list[float] = []

    posed = load_photos(
        shared("photos/kermit"), fit_edge_px=480, progress=lambda share, _: shares.append(share)
    )

    assert posed.frames.images.shape[1:] == (360, 480, 3)
    assert (posed.frames.cameras.width, posed.frames.cameras.height) == (480, 360)
    assert posed.report.used == 11
    # The focal length that the authors of the photos published for 640 px, at 480.
    assert posed.frames.cameras.Ks[0, 0, 0] == pytest.approx(700 * 480 / 640, rel=0.08)
    assert posed.frames.provenance.detail == "kermit"
    assert shares == sorted(shares)


def test_photos_of_different_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnliftableInputError, match="cannot become a scene"):
        load_photos(_pictures(tmp_path))


def test_a_flat_clip_is_refused_for_want_of_parallax(tmp_path: Path) -> None:
    # A window that slides over one picture: whatever is near or far moves alike.
    path = write_clip(tmp_path / "pan.webm", sliding(7, 120, 160))

    with pytest.raises(UnliftableInputError) as caught:
        load_clip(path)

    assert caught.value.hint


def test_where_the_longest_shot_has_no_parallax_the_next_is_taken(tmp_path: Path) -> None:
    walk, _ = room_walk(8)
    flat = sliding(10, *walk.images.shape[1:3])
    path = write_clip(tmp_path / "two.webm", np.concatenate([flat, walk.images]))
    shares: list[float] = []

    posed = load_clip(path, progress=lambda share, _: shares.append(share))

    assert posed.report.used >= 7
    assert posed.report.notes[0] == "the clip has 2 shots; the longest was kept, frames 0 to 9 of 18"
    assert posed.report.notes[1].startswith("that shot was given up: these pictures cannot become a scene")
    assert posed.report.notes[2] == "the next longest shot was kept, frames 10 to 17 of 18"
    assert shares == sorted(shares)


def test_clips_and_folders_are_not_mixed_up(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "walk.mp4", sliding(8))

    with pytest.raises(InvalidInputError, match=r"got the clip .walk\.mp4.") as caught:
        load_photos(path)
    assert "--video" in str(caught.value.hint)
    with pytest.raises(InvalidInputError, match="got the folder") as caught:
        load_clip(tmp_path)
    assert "--images" in str(caught.value.hint)


def test_a_folder_of_text_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(InvalidInputError, match="got none among 1 files"):
        load_photos(tmp_path)


def _walk_over_a_floor(folder: Path) -> Path:
    """Write photos with z-up cameras 0.8 above a floor of 300 points."""
    _pictures(folder)
    frames = []
    for number in range(4):
        matrix = np.eye(4)
        matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = [1, 0, 0], [0, 0, 1], [0, -1, 0]
        matrix[:3, 3] = [0.4 * number, 0, 0.8]
        frames.append({"file_path": f"{number}.png", "transform_matrix": matrix.tolist()})
    lens = {"w": 120, "h": 90, "fl_x": 100, "ply_file_path": "points.ply"}
    (folder / "transforms.json").write_text(json.dumps({**lens, "frames": frames}))
    header = "ply\nformat ascii 1.0\nelement vertex 300\nproperty float x\nproperty float y\n"
    rows = "".join(f"{0.1 * (k % 20)} {1 + 0.2 * (k // 20)} 0\n" for k in range(300))
    (folder / "points.ply").write_text(header + "property float z\nend_header\n" + rows)
    return folder


def test_a_told_camera_height_sets_the_size_of_the_scene(tmp_path: Path) -> None:
    folder = _walk_over_a_floor(tmp_path)

    posed = load_photos(folder, camera_height_m=1.7)

    steps = np.diff(posed.frames.cameras.positions[:, 0])
    assert steps == pytest.approx(0.4 * 1.7 / 0.8, rel=1e-3)
    assert posed.points[:300, 1] == pytest.approx(np.full(300, -1.7), abs=1e-3)  # the rest is stereo
    assert "the camera is 1.7 m above the floor, as told" in posed.report.notes
    assert posed.report.scale_error == pytest.approx(0.1)


def test_a_camera_height_names_another_scene_and_is_checked_at_once(tmp_path: Path) -> None:
    request = CreateRequest(images=_walk_over_a_floor(tmp_path))

    digests = {plan_source(replace(request, camera_height_m=height)).digest for height in (None, 1.2, 1.7)}

    assert len(digests) == 3
    with pytest.raises(InvalidInputError, match="camera height must be from"):
        replace(request, camera_height_m=900.0)
    with pytest.raises(InvalidInputError, match="is for a video or images"):
        CreateRequest(prompt="a barn", camera_height_m=1.6)
