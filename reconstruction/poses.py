"""Structure from motion: pictures of one place without cameras get cameras and sparse points (pycolmap)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .cameras import Cameras
from .colmap import load_pycolmap
from .conventions import F32
from .errors import InvalidInputError
from .frames import FrameSequence
from .gates import Observations, complaints, measure, refusal
from .placement import place
from .posed_frames import ParallaxFigures, PosedFrames, PoseReport, choose_held_out
from .undistortion import undistort

Progress = Callable[[float, str], None]

SIFT_PX = 1000  # more pixels find more points and cost in proportion; poses do not get better
THREADS = 2
SEED = 0
# Up to here every pair is matched: 60 pictures make 1,770 pairs, some three minutes. Longer rows are matched
# along their order, each with its next ten and then in doubling steps. That is cheaper for clips, too, but on
# one of 40 frames it turned the first five by 20 degrees against the rest; with all pairs the path is smooth.
EXHAUSTIVE_UP_TO = 60
SEQUENTIAL_OVERLAP = 10
# A phone's lens and most generated clips: focal length about as long as the picture is wide. Refining the
# focal length of a clip with little parallax runs away (0 to 15 % registered instead of 100 %).
CLIP_FOCAL_OVER_EDGE = 1.0
# COLMAP's own first guess for photos, where the solver may refine it.
PHOTO_FOCAL_OVER_EDGE = 1.2
_MIN_MODEL_FRAMES = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    """One registered model, in the solver's frame and unit."""

    kept: list[int]  # which of the given frames are registered
    cameras: Cameras
    camera: Any  # pycolmap.Camera, shared by all frames
    points: NDArray[np.float64]  # [P, 3]
    colors: NDArray[np.uint8]  # [P, 3]
    figures: ParallaxFigures
    complaints: list[str]
    focal_note: str

    @property
    def rank(self) -> tuple[int, int, int]:
        return (-len(self.complaints), len(self.kept), len(self.points))


def estimate_poses(
    frames: FrameSequence,
    *,
    is_video: bool,
    focal_px: float | None = None,
    progress: Progress | None = None,
) -> PosedFrames:
    """Return the frames that register, with cameras and points in the world frame.

    One camera is assumed for all frames. A clip is solved with a fixed pinhole lens first, photos with a
    free focal length and radial distortion first; the other way is tried if the first breaks a gate.
    Up and size are guessed as `placement` says. Every eighth frame is held out.

    Args:
        frames: At least three pictures; cameras and depths, if any, are ignored.
        is_video: The pictures are in time order and a short step apart.
        focal_px: The focal length if it is known, in pixels of the frames.
        progress: Told the share done; may raise `CancelledError`, which is passed on.

    Raises:
        InvalidInputError: Fewer than three frames.
        UnliftableInputError: The pictures do not overlap, or show too little parallax; says which.
    """
    if len(frames) < _MIN_MODEL_FRAMES:
        raise InvalidInputError(
            f"a scene needs at least {_MIN_MODEL_FRAMES} pictures, got {len(frames)}",
            hint="Take 20 or more pictures, each a step to the side of the last.",
        )
    tell = _Teller(progress)
    with tempfile.TemporaryDirectory(prefix="immersive-poses-") as scratch:
        matched = _match(frames, Path(scratch), tell)
        best: _Solution | None = None
        for is_fixed in (True, False) if is_video else (False, True):
            found = _solve(frames, matched, is_fixed, focal_px, tell)
            if found is not None and (best is None or found.rank > best.rank):
                best = found
            if best is not None and not best.complaints:
                break
    if best is None:
        raise refusal("no two of them see the same things from different places")
    if best.complaints:
        raise refusal(best.complaints[0])
    tell(1.0, f"{len(best.kept)} of {len(frames)} pictures placed")
    return _finish(frames, best)


class _Teller:
    """Passes progress on; a second attempt does not take the share back."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._share = 0.0

    def __call__(self, share: float, phrase: str) -> None:
        self._share = max(self._share, min(share, 1.0))
        if self._progress is not None:
            self._progress(self._share, phrase)


def triangulate(posed: PosedFrames, progress: Progress | None = None) -> PosedFrames:
    """Return frames of known cameras with points in place of those they had.

    For posed folders that bring neither points nor depths. There may be no point at all.
    """
    pycolmap = load_pycolmap()
    frames, tell = posed.frames, _Teller(progress)
    assert frames.cameras is not None  # posed frames always have them
    model = pycolmap.Reconstruction()
    with tempfile.TemporaryDirectory(prefix="immersive-poses-") as scratch:
        database = _match(frames, Path(scratch), tell, pycolmap.CameraMode.PER_IMAGE)
        with pycolmap.Database.open(database) as opened:
            for image in sorted(opened.read_all_images(), key=lambda image: image.name):
                index = int(Path(image.name).stem)
                K, viewmat = frames.cameras.Ks[index], frames.cameras.viewmats[index].astype(np.float64)
                camera = opened.read_camera(image.camera_id)
                camera.model = pycolmap.CameraModelId.PINHOLE
                camera.params = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
                camera.has_prior_focal_length = True
                opened.update_camera(camera)
                model.add_camera_with_trivial_rig(camera)
                bare = pycolmap.Image(name=image.name, camera_id=camera.camera_id, image_id=image.image_id)
                turn = pycolmap.Rotation3d(viewmat[:3, :3])
                model.add_image_with_trivial_frame(bare, pycolmap.Rigid3d(turn, viewmat[:3, 3]))
        _verify_pairs(database)
        tell(0.8, "placing points")
        options = pycolmap.IncrementalPipelineOptions()
        options.num_threads, options.random_seed = THREADS, SEED
        out = Path(scratch) / "points"
        out.mkdir()
        model = pycolmap.triangulate_points(model, database, Path(scratch) / "images", out, options=options)
    points, colors = _points_of(model)
    tell(1.0, f"{len(points)} points")
    return replace(posed, points=points.astype(np.float32), colors=colors)


def _points_of(model: Any) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    found = list(model.points3D.values())
    points = np.array([point.xyz for point in found], np.float64).reshape(-1, 3)
    return points, np.array([point.color for point in found], np.uint8).reshape(-1, 3)


def _verify_pairs(database: Path) -> None:
    """Keep of every pair the matches that the lenses in the database explain.

    With a known lens a pair has five unknowns instead of seven and more pairs pass: 15 instead of 2 of 29
    photos of one test set register.
    """
    pycolmap = load_pycolmap()
    verifier = pycolmap.GeometricVerifierOptions()
    verifier.num_threads = THREADS
    geometry = pycolmap.TwoViewGeometryOptions()
    geometry.ransac.random_seed = SEED
    pycolmap.set_random_seed(SEED)
    pycolmap.geometric_verification(database, verifier, two_view_geometry_options=geometry)


def _match(frames: FrameSequence, scratch: Path, tell: _Teller, camera_mode: Any = None) -> Path:
    """Find and match features; returns the database. Pictures lie beside it in `images`.

    All pictures share a camera unless `camera_mode` says otherwise.
    """
    pycolmap = load_pycolmap()
    pictures = scratch / "images"
    pictures.mkdir()
    tell(0.0, "finding features")
    for index, image in enumerate(frames.images):
        Image.fromarray(image).save(pictures / _name(index), compress_level=1)
    database = scratch / "matches.db"
    pycolmap.set_random_seed(SEED)
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.use_gpu, extraction.num_threads, extraction.max_image_size = False, THREADS, SIFT_PX
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = "SIMPLE_RADIAL"
    pycolmap.extract_features(
        database,
        pictures,
        camera_mode=pycolmap.CameraMode.SINGLE if camera_mode is None else camera_mode,
        reader_options=reader,
        extraction_options=extraction,
    )
    tell(0.4, "matching pictures")
    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu, matching.num_threads = False, THREADS
    matching.skip_geometric_verification = True  # depends on the lens, see `_solve`
    if len(frames) > EXHAUSTIVE_UP_TO:
        pairing = pycolmap.SequentialPairingOptions()
        pairing.overlap, pairing.num_threads = SEQUENTIAL_OVERLAP, THREADS
        pycolmap.match_sequential(database, matching_options=matching, pairing_options=pairing)
    else:
        pycolmap.match_exhaustive(database, matching_options=matching)
    return database


def _solve(
    frames: FrameSequence, database: Path, is_fixed: bool, focal_px: float | None, tell: _Teller
) -> _Solution | None:
    """Run the incremental mapper with one idea of the lens; returns its largest model, or None."""
    pycolmap = load_pycolmap()
    height, width = frames.images.shape[1:3]
    edge = max(width, height)
    focal = focal_px or edge * (CLIP_FOCAL_OVER_EDGE if is_fixed else PHOTO_FOCAL_OVER_EDGE)
    with pycolmap.Database.open(database) as opened:
        camera = opened.read_all_cameras()[0]
        camera.model = (
            pycolmap.CameraModelId.SIMPLE_PINHOLE if is_fixed else pycolmap.CameraModelId.SIMPLE_RADIAL
        )
        camera.params = [focal, width / 2, height / 2] + ([] if is_fixed else [0.0])
        camera.has_prior_focal_length = is_fixed or focal_px is not None
        opened.update_camera(camera)
        opened.clear_two_view_geometries()
    _verify_pairs(database)
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = THREADS, SEED
    options.min_model_size = _MIN_MODEL_FRAMES
    options.ba_refine_focal_length = options.ba_refine_extra_params = not is_fixed
    options.mapper.abs_pose_refine_focal_length = not is_fixed
    options.mapper.abs_pose_refine_extra_params = not is_fixed
    token = pycolmap.CancellationToken()
    raised: list[BaseException] = []
    placed = 0

    def on_picture() -> None:
        nonlocal placed
        placed += 1
        try:
            tell(0.6 + 0.35 * min(1.0, placed / len(frames)), "placing pictures")
        except BaseException as error:  # noqa: BLE001 (must not unwind through C++; raised below)
            raised.append(error)
            token.cancel()

    with tempfile.TemporaryDirectory(dir=database.parent) as out:
        models = pycolmap.incremental_mapping(
            database,
            database.parent / "images",
            out,
            options,
            next_image_callback=on_picture,
            cancellation_token=token,
        )
    if raised:
        raise raised[0]
    if not models:
        return None
    model = max(models.values(), key=lambda m: (m.num_reg_images(), m.num_points3D()))
    return _read_solution(model, len(frames), width, height, is_fixed)


def _read_solution(model: Any, given: int, width: int, height: int, is_fixed: bool) -> _Solution:
    images = sorted((model.images[i] for i in model.reg_image_ids()), key=lambda image: image.name)
    kept = [int(Path(image.name).stem) for image in images]
    camera = model.cameras[images[0].camera_id]
    viewmats = np.tile(np.eye(4), (len(images), 1, 1))
    for slot, image in zip(viewmats, images, strict=True):
        slot[:3] = image.cam_from_world().matrix()
    Ks = np.tile(camera.calibration_matrix().astype(np.float32), (len(images), 1, 1))
    cameras = Cameras(viewmats.astype(np.float32), Ks, width, height)
    slots = {point_id: slot for slot, point_id in enumerate(model.points3D)}
    points, colors = _points_of(model)
    sightings = [
        (frame, slots[pixel.point3D_id], *pixel.xy)
        for frame, image in enumerate(images)
        for pixel in image.points2D
        if pixel.has_point3D()
    ]
    table = np.array(sightings, np.float64).reshape(-1, 4)
    seen = Observations(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])
    figures = measure(cameras, points, seen, given)
    degrees = 2 * float(np.degrees(np.arctan(width / 2 / camera.focal_length_x)))
    how = "assumed" if is_fixed else "estimated"
    note = f"the lens is {how} to see {degrees:.0f} degrees across"
    return _Solution(kept, cameras, camera, points, colors, figures, complaints(figures, given), note)


def _finish(frames: FrameSequence, best: _Solution) -> PosedFrames:
    pycolmap = load_pycolmap()
    images, cameras = frames.images[best.kept], best.cameras
    if best.camera.model != pycolmap.CameraModelId.SIMPLE_PINHOLE:
        images, K = undistort(images, best.camera)
        cameras = replace(cameras, Ks=_repeated(K, len(cameras)))
    placed = place(cameras, best.points, is_metric=False)
    lost = len(frames) - len(best.kept)
    notes = [f"{lost} of {len(frames)} pictures could not be placed and were left out"] if lost else []
    posed = FrameSequence(images, frames.provenance, placed.cameras, held_out=choose_held_out(len(best.kept)))
    report = PoseReport(
        "structure from motion",
        len(frames),
        len(best.kept),
        best.figures,
        (*notes, best.focal_note, *placed.notes),
    )
    return PosedFrames(posed, placed.points, best.colors, report)


def _repeated(K: F32, count: int) -> F32:
    return np.tile(K, (count, 1, 1)).astype(np.float32)


def _name(index: int) -> str:
    return f"{index:05d}.png"
