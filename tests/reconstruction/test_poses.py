from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from reconstruction.cameras import intrinsics
from reconstruction.errors import CancelledError, InvalidInputError, UnliftableInputError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.photos import exif_focal_px, list_photos, read_photos
from reconstruction.posed_folder import read_posed_folder
from reconstruction.poses import estimate_poses, triangulate
from reconstruction.video import read_clip
from tests.data import shared
from tests.reconstruction.alignment import aligned
from tests.reconstruction.clips import texture


def _turned(count: int = 8) -> FrameSequence:
    """A camera on a tripod that pans over a far wall: a pure turn, rendered by the homography K R inv(K)."""
    wall = texture(420, 900, seed=8).astype(np.float32)
    K = intrinsics(320, 320, 200).astype(float)
    v, u = np.mgrid[0.5:200, 0.5:320]
    images = []
    for heading in np.radians(np.linspace(-12, 12, count)):
        turn = np.array(
            [[np.cos(heading), 0, np.sin(heading)], [0, 1, 0], [-np.sin(heading), 0, np.cos(heading)]]
        )
        x = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(K).T @ turn.T
        at = [x[..., 1] / x[..., 2] * 400 + 210, x[..., 0] / x[..., 2] * 400 + 450]
        image = np.stack([map_coordinates(wall[..., c], at, order=1, mode="mirror") for c in range(3)], -1)
        images.append(image.astype(np.uint8))
    return FrameSequence(np.stack(images), Provenance("clip", is_generated=False))


def test_a_pan_is_refused_for_want_of_parallax(capfd) -> None:
    with pytest.raises(UnliftableInputError) as caught:
        estimate_poses(_turned(), is_video=True)

    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_pictures_of_different_things_are_refused() -> None:
    images = np.stack([texture(200, 320, seed) for seed in range(5)])

    with pytest.raises(UnliftableInputError, match="no two of them see the same things"):
        estimate_poses(FrameSequence(images, Provenance("photos", is_generated=False)), is_video=False)


def test_two_pictures_are_too_few() -> None:
    with pytest.raises(InvalidInputError, match="at least 3 pictures, got 2"):
        estimate_poses(_turned(2), is_video=True)


def test_cancelling_ends_the_work_and_leaves_no_files(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def stop(share: float, phrase: str) -> None:
        if share >= 0.4:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        estimate_poses(_turned(4), is_video=True, progress=stop)

    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def kermit():
    folder = shared("photos/kermit")
    shares: list[float] = []
    posed = estimate_poses(
        read_photos(folder),
        is_video=False,
        focal_px=exif_focal_px(folder),
        progress=lambda share, _: shares.append(share),
    )
    return posed, shares


def test_kermit_registers_whole_with_the_published_path_and_focal_length(kermit) -> None:
    posed, _ = kermit
    lines = (shared("photos/kermit") / "reference_bundle.out").read_text().splitlines()[2:]
    published, focals, solved = [], [], []
    for index in range(11):
        rows = [np.array(line.split(), float) for line in lines[5 * index : 5 * index + 5]]
        if rows[0][0] > 0:  # its authors registered nine of eleven
            turn, shift = np.stack(rows[1:4]), rows[4]
            published.append(-turn.T @ shift)
            focals.append(rows[0][0])
            solved.append(index)

    ours = posed.frames.cameras.positions.astype(float)[solved]

    assert posed.report.used == posed.report.given == 11
    theirs = np.array(published)
    extent = np.linalg.norm(theirs[:, None] - theirs[None], axis=-1).max()
    assert np.linalg.norm(aligned(ours, theirs) - theirs, axis=1).max() < 0.05 * extent
    # Undistorting widens the focal length a little.
    assert posed.frames.cameras.Ks[0, 0, 0] == pytest.approx(np.median(focals), rel=0.08)


def test_points_are_seen_in_the_colours_that_they_have(kermit) -> None:
    posed, _ = kermit
    cameras, hits = posed.frames.cameras, 0
    for index in range(len(cameras)):
        x_cam = posed.points @ cameras.viewmats[index, :3, :3].T + cameras.viewmats[index, :3, 3]
        pixel = (x_cam @ cameras.Ks[index].T)[:, :2] / x_cam[:, 2:]
        inside = (x_cam[:, 2] > 0) & (pixel > 0).all(axis=1) & (pixel < (640, 480)).all(axis=1)
        at = pixel[inside].astype(int)
        shown = posed.frames.images[index][at[:, 1], at[:, 0]].astype(int)
        hits += np.median(np.abs(shown - posed.colors[inside])) < 25
    assert hits >= 9  # of 11; some points are hidden in some pictures


def test_the_world_is_upright_and_every_guess_is_said(kermit) -> None:
    posed, shares = kermit

    assert posed.frames.cameras.positions[0] == pytest.approx([0, 0, 0], abs=1e-5)
    assert posed.frames.cameras.forwards[0][0] == pytest.approx(0, abs=1e-5)
    assert np.abs(posed.frames.cameras.viewmats[:, 0, 1]).mean() < 0.1  # right axes are level
    assert sum("guess" in note for note in posed.report.notes) == 2
    assert len(posed.frames.held_out) == 2
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_points_of_known_cameras_are_the_surfaces_that_the_set_lists() -> None:
    given = read_posed_folder(shared("photos/lund_door"), long_edge_px=400)

    found = triangulate(given)

    # The set's own points are a reference that came from other software and all of the pictures' pixels.
    distance, _ = cKDTree(given.points).query(found.points)
    assert len(found.points) > 300
    assert np.median(distance) < 0.01 * np.median(np.linalg.norm(given.points, axis=1))
    assert found.frames is given.frames


@pytest.mark.slow
def test_forest_walk_registers_every_frame_on_a_smooth_path() -> None:
    frames = read_clip(shared("generated/matrixgame2_forest.mp4"))

    posed = estimate_poses(frames, is_video=True)

    assert 36 <= posed.report.used == len(frames) <= 40
    # The walk is level and smooth: no frame turns or jumps against the one before it.
    turns = posed.frames.cameras.viewmats[:, :3, :3]
    cosines = (np.einsum("fij,fij->f", turns[1:], turns[:-1]) - 1) / 2
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 6
    positions = posed.frames.cameras.positions
    assert np.ptp(positions[:, 1]) < 0.25 * np.ptp(positions[:, 2])


@pytest.mark.slow
def test_a_street_in_long_steps_is_placed_whole_along_the_path_that_its_phone_recorded() -> None:
    folder = shared("photos/lund_street")

    posed = estimate_poses(read_photos(folder), is_video=False, focal_px=exif_focal_px(folder))

    assert posed.report.used == 29
    # The phone wrote its place into every photo; it says itself that it is off by up to 10 m.
    notes = []
    for path in list_photos(folder):
        with Image.open(path) as image:
            notes.append(json.loads(image.getexif()[270]))
    degrees = np.array([[float(note["MAPLongitude"]), float(note["MAPLatitude"])] for note in notes])
    east, north = ((degrees - degrees.mean(axis=0)) * 111_320 * [np.cos(np.radians(degrees[0, 1])), 1]).T
    recorded = np.stack([east, np.zeros(29), -north], axis=1)
    found = aligned(posed.frames.cameras.positions.astype(float) * [1, 0, 1], recorded)
    off = np.linalg.norm(found - recorded, axis=1)
    assert np.ptp(north) > 150
    assert np.median(off) < 8
    assert off.max() < 20


@pytest.mark.slow
def test_a_real_still_camera_is_refused_for_want_of_parallax() -> None:
    with pytest.raises(UnliftableInputError, match="no parallax"):
        estimate_poses(read_clip(shared("generated/wan21_hiker_static.mp4")), is_video=True)


@pytest.mark.slow
def test_estimated_poses_agree_with_the_given_ones_of_a_posed_set() -> None:
    given = read_posed_folder(shared("photos/lund_door"), long_edge_px=700)

    found = estimate_poses(given.frames, is_video=False)

    theirs = given.frames.cameras.positions.astype(float)
    extent = np.linalg.norm(theirs.max(0) - theirs.min(0))
    assert found.report.used == 12
    ours = aligned(found.frames.cameras.positions.astype(float), theirs)
    assert np.linalg.norm(ours - theirs, axis=1).max() < 0.02 * extent


@pytest.mark.slow
@pytest.mark.parametrize(("place", "truth"), [("lund_door", 1.240), ("kermit", 1.094)])
def test_the_lens_of_real_pictures_is_found_from_the_guess_for_clips(place: str, truth: float) -> None:
    frames = read_photos(shared(f"photos/{place}"), long_edge_px=700)

    posed = estimate_poses(frames, is_video=True)

    cameras = posed.frames.cameras
    assert posed.report.used == len(frames)
    # lund_door's own cameras, and the calibration that kermit's authors published (700 of 640 px).
    assert cameras.Ks[0, 0, 0] / max(cameras.width, cameras.height) == pytest.approx(truth, rel=0.05)
