"""Structure from motion: pictures of one place without cameras get cameras and sparse points (pycolmap)."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from .colmap import SEED, THREADS, load_pycolmap
from .conventions import F32
from .errors import InvalidInputError
from .frames import FrameSequence
from .gates import refusal
from .lens import LensPrior, lens_prior, view_deg
from .mapping import MIN_MODEL_FRAMES, Plan, Solution, points_of, solve
from .matching import Progress, frame_index, match_pictures, verify_pairs
from .placement import check_camera_height, place
from .posed_frames import PosedFrames, PoseReport, choose_held_out
from .undistortion import undistort

# In this order until one breaks no gate. Both solvers come within a thousandth of the path to each other on 8
# inputs. The global one costs a third less where parallax is small, as in clips, and a generated clip of 39
# frames, which it placed in 160 CPU-s, kept the incremental one busy for more than 350. A free lens runs away
# on clips; on photos it is the better one.
_CLIP_PLANS = (
    Plan("global", is_fixed=True, refine_after=True),
    Plan("incremental", is_fixed=True, refine_after=True),
    Plan("incremental", is_fixed=False),
)
_PHOTO_PLANS = (
    Plan("incremental", is_fixed=False),
    Plan("global", is_fixed=True, refine_after=True),
    Plan("incremental", is_fixed=True, refine_after=True),
)


def estimate_poses(
    frames: FrameSequence,
    *,
    is_video: bool,
    focal_px: float | None = None,
    camera_height_m: float | None = None,
    progress: Progress | None = None,
) -> PosedFrames:
    """Return the frames that register, with cameras and points in the world frame.

    One camera is assumed for all frames. A clip is solved with a fixed pinhole lens first, which is refined
    if the clip fixes it (see `refinement`), photos with a free focal length and radial distortion first;
    other ways are tried if that breaks a gate. A free focal length far from `focal_px` breaks one (see
    `lens`).
    Up and size are found as `placement` says. Every eighth frame is held out.

    Args:
        frames: At least three pictures; cameras and depths, if any, are ignored.
        is_video: The pictures are in time order and a short step apart.
        focal_px: The focal length that the camera recorded or the user knows, in pixels of the frames.
        camera_height_m: How high the camera was carried above the ground, if the user knows; sets the size.
        progress: Told the share done; may raise `CancelledError`, which is passed on.

    Raises:
        InvalidInputError: Fewer than three frames, or a focal length or height that is none.
        UnliftableInputError: The pictures do not overlap, or show too little parallax; says which.
    """
    if len(frames) < MIN_MODEL_FRAMES:
        raise InvalidInputError(
            f"a scene needs at least {MIN_MODEL_FRAMES} pictures, got {len(frames)}",
            hint="Take 20 or more pictures, each a step to the side of the last.",
        )
    if focal_px is not None and not (np.isfinite(focal_px) and focal_px > 0):
        raise InvalidInputError(f"focal_px must be a positive number of pixels, got {focal_px!r}")
    check_camera_height(camera_height_m)
    tell = _Teller(progress)
    height, width = frames.images.shape[1:3]
    prior = lens_prior(width, height, is_video=is_video, focal_px=focal_px)
    with tempfile.TemporaryDirectory(prefix="immersive-poses-") as scratch:
        matched = match_pictures(frames, Path(scratch), tell)
        tried: list[Solution] = []
        for plan in _CLIP_PLANS if is_video else _PHOTO_PLANS:
            found = solve(matched, len(frames), (width, height), prior, plan, tell)
            tried += [] if found is None else [found]
            if tried and not tried[-1].complaints:
                break
            # The worst complaint comes first, so these placed enough pictures. A third way would find no more
            # parallax and be the slowest: with a free lens there is nothing that holds it.
            if sum("no parallax" in other.complaints[0] for other in tried) >= 2:
                break
    if not tried:
        raise refusal("no two of them see the same things from different places")
    best = max(tried, key=lambda solution: solution.rank)
    if best.complaints:
        raise refusal(best.complaints[0])
    tell(1.0, f"{len(best.kept)} of {len(frames)} pictures placed")
    # Only what an attempt says that failed by its lens alone is worth telling.
    rejected = [other.lens_complaint for other in tried if other.complaints == [other.lens_complaint]]
    kept = "the record is kept" if prior.is_recorded else "that was not taken"
    lens_notes = [f"{reason}; {kept}" for reason in rejected]
    return _finish(frames, best, prior, lens_notes, camera_height_m)


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
        database = match_pictures(frames, Path(scratch), tell, pycolmap.CameraMode.PER_IMAGE)
        with pycolmap.Database.open(database) as opened:
            for image in sorted(opened.read_all_images(), key=lambda image: image.name):
                index = frame_index(image.name)
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
        verify_pairs(database)
        tell(0.8, "placing points")
        options = pycolmap.IncrementalPipelineOptions()
        options.num_threads, options.random_seed = THREADS, SEED
        out = Path(scratch) / "points"
        out.mkdir()
        model = pycolmap.triangulate_points(model, database, Path(scratch) / "images", out, options=options)
    points, colors = points_of(model)
    tell(1.0, f"{len(points)} points")
    return replace(posed, points=points.astype(np.float32), colors=colors)


def _finish(
    frames: FrameSequence,
    best: Solution,
    prior: LensPrior,
    lens_notes: list[str],
    camera_height_m: float | None,
) -> PosedFrames:
    pycolmap = load_pycolmap()
    images, cameras = frames.images[best.kept], best.cameras
    if best.camera.model != pycolmap.CameraModelId.SIMPLE_PINHOLE:
        images, K = undistort(images, best.camera)
        cameras = replace(cameras, Ks=_repeated(K, len(cameras)))
    placed = place(cameras, best.points, is_metric=False, images=images, camera_height_m=camera_height_m)
    lost = len(frames) - len(best.kept)
    notes = [f"{lost} of {len(frames)} pictures could not be placed and were left out"] if lost else []
    posed = FrameSequence(images, frames.provenance, placed.cameras, held_out=choose_held_out(len(best.kept)))
    report = PoseReport(
        "structure from motion",
        len(frames),
        len(best.kept),
        best.figures,
        (*notes, _lens_note(best, prior), *lens_notes, *placed.notes),
        placed.up_error_deg,
        placed.scale_error,
    )
    return PosedFrames(posed, placed.points, best.colors, report)


def _lens_note(best: Solution, prior: LensPrior) -> str:
    width = best.cameras.width
    seen = f"see {view_deg(best.camera.focal_length_x, width):.0f} degrees across"
    if not prior.is_recorded:
        return f"the lens is {'assumed' if best.is_assumed else 'estimated'} to {seen}"
    if best.is_assumed:
        return f"the lens is taken to {seen}, as its camera recorded"
    return f"the lens is estimated to {seen}; its camera recorded {view_deg(prior.focal_px, width):.0f}"


def _repeated(K: F32, count: int) -> F32:
    return np.tile(K, (count, 1, 1)).astype(np.float32)
