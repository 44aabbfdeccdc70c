from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reconstruction.colmap import load_pycolmap
from reconstruction.errors import InvalidInputError
from reconstruction.posed_folder import read_posed_folder
from tests.data import shared
from tests.reconstruction.clips import texture

# Three z-up OpenGL cameras that stand 1.5, 1.6 and 1.7 m high and look along +x, +y and in between, level.
_POSITIONS = np.array([[2.0, -1.0, 1.5], [2.5, -1.2, 1.6], [3.5, 0.5, 1.7]])
_HEADINGS_DEG = [0.0, 90.0, 40.0]


def _opengl_c2w(position, heading_deg: float) -> np.ndarray:
    a = np.radians(heading_deg)
    matrix = np.eye(4)
    matrix[:3, 0] = [np.sin(a), -np.cos(a), 0]  # right
    matrix[:3, 1] = [0, 0, 1]  # up
    matrix[:3, 2] = [-np.cos(a), -np.sin(a), 0]  # back
    matrix[:3, 3] = position
    return matrix


def _write(folder: Path, **changes) -> Path:
    (folder / "images").mkdir(exist_ok=True)
    frames = []
    for number, (position, heading) in enumerate(zip(_POSITIONS, _HEADINGS_DEG, strict=True)):
        Image.fromarray(texture(90, 120, number)).save(folder / f"images/{number}.png")
        matrix = _opengl_c2w(position, heading).tolist()
        frames.append({"file_path": f"images/{number}.png", "transform_matrix": matrix})
    meta = {"w": 120, "h": 90, "fl_x": 100.0, "fl_y": 104.0, "cx": 58.0, "cy": 47.0, "frames": frames}
    meta |= changes
    (folder / "transforms.json").write_text(json.dumps(meta))
    return folder


def _project(cameras, index: int, x_world) -> np.ndarray:
    x_cam = cameras.viewmats[index] @ np.append(x_world, 1.0)
    pixel = cameras.Ks[index] @ x_cam[:3]
    return np.append(pixel[:2] / pixel[2], x_cam[2])


def test_a_point_is_seen_where_the_source_says(tmp_path: Path) -> None:
    cameras = read_posed_folder(_write(tmp_path)).frames.cameras
    # In the source's frame: 5 m ahead of camera 0, 1 m to its left, 0.5 m above it; by hand.
    x_source = _POSITIONS[0] + [5.0, 1.0, 0.5]
    # In ours: camera 0 is the origin and looks along -Z.
    x_world = [-1.0, 0.5, -5.0]

    u, v, depth = _project(cameras, 0, x_world)

    assert (u, v, depth) == pytest.approx((58 - 100 / 5, 47 - 104 * 0.5 / 5, 5.0), abs=1e-3)
    for index in (1, 2):
        x_opengl = np.linalg.inv(_opengl_c2w(_POSITIONS[index], _HEADINGS_DEG[index])) @ np.append(
            x_source, 1
        )
        depth = -x_opengl[2]
        expected = (58 + 100 * x_opengl[0] / depth, 47 - 104 * x_opengl[1] / depth, depth)
        assert tuple(_project(cameras, index, x_world)) == pytest.approx(expected, rel=1e-4)


def test_z_up_metres_are_kept_without_a_guess(tmp_path: Path) -> None:
    posed = read_posed_folder(_write(tmp_path))

    assert posed.report.notes == ()
    heights = posed.frames.cameras.positions[:, 1]
    assert heights == pytest.approx([0, 0.1, 0.2], abs=1e-6)
    assert posed.frames.cameras.forwards[0] == pytest.approx([0, 0, -1], abs=1e-6)


def test_intrinsics_follow_the_pictures_size(tmp_path: Path) -> None:
    posed = read_posed_folder(_write(tmp_path), long_edge_px=60)

    assert posed.frames.images.shape == (3, 45, 60, 3)
    assert posed.frames.cameras.Ks[1] == pytest.approx(np.array([[50, 0, 29], [0, 52, 23.5], [0, 0, 1]]))


def test_a_frame_may_have_a_lens_of_its_own(tmp_path: Path) -> None:
    _write(tmp_path)
    meta = json.loads((tmp_path / "transforms.json").read_text())
    meta["frames"][1]["fl_x"] = 77.0
    (tmp_path / "transforms.json").write_text(json.dumps(meta))

    assert read_posed_folder(tmp_path).frames.cameras.Ks[:, 0, 0].tolist() == [100, 77, 100]


def test_lens_distortion_is_removed(tmp_path: Path) -> None:
    pycolmap = load_pycolmap()
    bent = pycolmap.Camera(
        model="OPENCV", width=120, height=90, params=[100, 104, 58, 47, 0.12, 0.02, 0.004, 0]
    )
    rays = np.array([[0.3, -0.2, 1], [-0.35, 0.25, 1], [0.05, 0.3, 1], [-0.3, -0.3, 1]])
    v, u = np.mgrid[0.5:90, 0.5:120]
    picture = np.zeros((90, 120))
    for spot in bent.img_from_cam(rays):
        picture += 255 * np.exp(-((u - spot[0]) ** 2 + (v - spot[1]) ** 2) / 4)
    _write(tmp_path, k1=0.12, k2=0.02, p1=0.004, p2=0.0)
    Image.fromarray(np.repeat(picture[..., None], 3, 2).astype(np.uint8)).save(tmp_path / "images/0.png")

    posed = read_posed_folder(tmp_path)

    K, image = posed.frames.cameras.Ks[0], posed.frames.images[0, ..., 0].astype(float)
    for ray in rays:
        x, y = (K @ ray)[:2]
        near = np.exp(-((u - x) ** 2 + (v - y) ** 2) / 30) * image
        found = (near * u).sum() / near.sum(), (near * v).sum() / near.sum()
        assert found == pytest.approx((x, y), abs=0.35)


def test_the_test_list_is_held_out_else_every_eighth(tmp_path: Path) -> None:
    assert read_posed_folder(_write(tmp_path, test=[2])).frames.held_out == (2,)
    assert read_posed_folder(_write(tmp_path)).frames.held_out == (1,)


def test_inverse_depths_become_metres_and_the_far_sphere_becomes_sky(tmp_path: Path) -> None:
    _write(tmp_path)
    inverse = np.full((3, 90, 120), 0.25, np.float16)
    v, u = np.mgrid[0.5:90, 0.5:120]
    ray_length = np.sqrt(1 + ((u - 58) / 100) ** 2 + ((v - 47) / 104) ** 2)
    inverse[1, :40] = (ray_length / 300)[:40]
    inverse[2] = 1 / 250
    np.savez_compressed(tmp_path / "inverse_depth_f16.npz", inverse_depth=inverse)

    depths = read_posed_folder(tmp_path).frames.depths

    assert (depths[0] == 4.0).all()
    assert np.isinf(depths[1, :40]).all()
    assert (depths[1, 40:] == 4.0).all()
    assert np.isfinite(depths[2, 30:60, 40:80]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5])
def test_depth_that_is_no_depth_is_refused(tmp_path: Path, bad: float) -> None:
    _write(tmp_path)
    inverse = np.full((3, 90, 120), 0.25, np.float16)
    inverse[1, 5, 7] = bad
    np.savez_compressed(tmp_path / "inverse_depth_f16.npz", inverse_depth=inverse)

    with pytest.raises(InvalidInputError, match=r"inverse_depth_f16\.npz must hold finite inverse depths"):
        read_posed_folder(tmp_path)


def test_depth_of_another_frame_count_is_refused_by_its_header(tmp_path: Path) -> None:
    _write(tmp_path)
    np.savez_compressed(tmp_path / "inverse_depth_f16.npz", inverse_depth=np.zeros((4, 90, 120), np.float16))
    with pytest.raises(InvalidInputError, match=r"must hold floats \[3, H, W\]"):
        read_posed_folder(tmp_path)
    (tmp_path / "inverse_depth_f16.npz").write_bytes(b"PK no")
    with pytest.raises(InvalidInputError, match="must be an npz"):
        read_posed_folder(tmp_path)


_NAN_MATRIX = [[float("nan")] * 4] * 4
_SCALED = (np.diag([2.0, 2.0, 2.0, 1.0])).tolist()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frames": []}, "must list 1 to 400 frames, got 0"),
        ({"frames": 3}, 'must hold a list "frames"'),
        ({"frames": [{"file_path": "images/0.png"}]}, "frame 0 must have a transform_matrix"),
        (
            {"frames": [{"file_path": "images/0.png", "transform_matrix": _NAN_MATRIX}]},
            "frame 0 must have a finite",
        ),
        ({"frames": [{"file_path": "images/0.png", "transform_matrix": _SCALED}]}, "without scale"),
        (
            {"frames": [{"file_path": "images/7.png", "transform_matrix": np.eye(4).tolist()}]},
            "must name a picture that exists, got 'images/7.png'",
        ),
        ({"fl_x": "wide"}, "must give each lens"),
        ({"fl_x": -5}, "must be positive"),
        ({"camera_model": "OPENCV_FISHEYE"}, "camera_model must be one of"),
        ({"test": [0, 3]}, '"test" must list some of the 3 frames'),
        ({"test": [0, 1, 2]}, '"test" must list some of the 3 frames'),
    ],
)
def test_broken_transforms_are_one_sentence(tmp_path: Path, changes, sentence: str) -> None:
    _write(tmp_path, **changes)

    with pytest.raises(InvalidInputError) as caught:
        read_posed_folder(tmp_path)

    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00\xff"])
def test_transforms_that_are_no_json_are_refused(tmp_path: Path, text: str) -> None:
    _write(tmp_path)
    (tmp_path / "transforms.json").write_text(text, "latin-1")

    with pytest.raises(InvalidInputError, match=r"must be JSON|must hold a list"):
        read_posed_folder(tmp_path)


def test_a_folder_without_cameras_is_not_a_posed_folder(tmp_path: Path) -> None:
    assert read_posed_folder(tmp_path) is None


# COLMAP


def _colmap(folder: Path, is_binary: bool):
    pycolmap = load_pycolmap()
    pycolmap.set_random_seed(3)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 5
    options.num_points3D, options.camera_width, options.camera_height = 60, 120, 90
    options.camera_model_id = pycolmap.CameraModelId.PINHOLE
    options.camera_params = [100.0, 104.0, 58.0, 47.0]
    model = pycolmap.synthesize_dataset(options)
    place = folder / "sparse/0"
    place.mkdir(parents=True)
    (model.write_binary if is_binary else model.write_text)(str(place))
    (folder / "images").mkdir()
    for image in model.images.values():
        target = folder / "images" / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(texture(90, 120, image.image_id)).save(target)
    return model


@pytest.mark.parametrize("is_binary", [True, False])
def test_colmap_points_are_seen_where_colmap_saw_them(tmp_path: Path, is_binary: bool) -> None:
    model = _colmap(tmp_path, is_binary)

    posed = read_posed_folder(tmp_path)

    cameras = posed.frames.cameras
    images = sorted(model.images.values(), key=lambda image: image.name)
    for index, image in enumerate(images):
        assert np.array_equal(posed.frames.images[index], texture(90, 120, image.image_id))
        for x_world, point in zip(posed.points, model.points3D.values(), strict=True):
            seen = image.project_point(point.xyz)
            if seen is not None and (np.abs(seen) < 1000).all():
                assert _project(cameras, index, x_world)[:2] == pytest.approx(seen, abs=0.05)
    assert cameras.positions[0] == pytest.approx([0, 0, 0], abs=1e-5)
    assert any("guess" in note for note in posed.report.notes)


def test_truncated_colmap_models_are_refused(tmp_path: Path) -> None:
    _colmap(tmp_path, is_binary=True)
    for part in ("cameras", "images", "points3D"):
        path = tmp_path / f"sparse/0/{part}.bin"
        whole = path.read_bytes()
        for cut in (b"", whole[:8], b"\xff" * 8 + whole[8:]):
            path.write_bytes(cut)
            with pytest.raises(InvalidInputError, match="COLMAP model must"):
                read_posed_folder(tmp_path)
        path.write_bytes(whole)


# Real sets


def test_lift_set_depths_agree_between_frames() -> None:
    frames = read_posed_folder(shared("lift_set_cabin")).frames

    # Frame 0 unprojected lands on what frame 1 measured, wherever both see the same surface.
    cameras, depths = frames.cameras, frames.depths
    v, u = np.mgrid[0.5:270:7, 0.5:480:7]
    depth = depths[0, ::7, ::7]
    rays = np.stack([(u - 240) / cameras.Ks[0, 0, 0], (v - 135) / cameras.Ks[0, 1, 1], np.ones_like(u)], -1)
    near = depth < 60
    x_cam = np.c_[rays[near] * depth[near][:, None], np.ones(near.sum())]
    there = x_cam @ (cameras.viewmats[1] @ np.linalg.inv(cameras.viewmats[0])).T
    pixel = there[:, :2] / there[:, 2:3] * cameras.Ks[1, [0, 1], [0, 1]] + (240, 135)
    inside = (there[:, 2] > 0) & (pixel > 0).all(axis=1) & (pixel < (479, 269)).all(axis=1)
    measured = depths[1][pixel[inside, 1].astype(int), pixel[inside, 0].astype(int)]
    error = np.abs(measured / there[inside, 2] - 1)
    assert inside.sum() > 300
    assert np.median(error) < 0.02
    assert frames.held_out == (4, 13, 22, 31, 40, 49, 58, 67)
    assert 0.05 < np.isinf(depths).mean() < 0.15


def test_lund_door_is_upright_and_its_points_are_in_view() -> None:
    posed = read_posed_folder(shared("photos/lund_door"), long_edge_px=484)

    assert posed.frames.images.shape == (12, 484, 324, 3)
    assert len(posed.points) == 17_650
    cameras = posed.frames.cameras
    rights = cameras.viewmats[:, 0, :3]
    assert np.abs(rights[:, 1]).max() < 0.05  # nobody rolls by 3 degrees
    x_cam = posed.points @ cameras.viewmats[4, :3, :3].T + cameras.viewmats[4, :3, 3]
    pixel = (x_cam @ cameras.Ks[4].T)[:, :2] / x_cam[:, 2:]
    assert ((pixel > 0) & (pixel < (324, 484))).all(axis=1).mean() > 0.7
    # The colours of the file agree with the picture there.
    inside = ((pixel > 0) & (pixel < (324, 484))).all(axis=1)
    at = pixel[inside].astype(int)
    shown = posed.frames.images[4][at[:, 1], at[:, 0]].astype(int)
    assert np.median(np.abs(shown - posed.colors[inside])) < 16
