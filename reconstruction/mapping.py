"""Matched pictures become cameras and points by one idea of the lens (pycolmap's mappers)."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .cameras import Cameras
from .colmap import SEED, THREADS, load_pycolmap
from .gates import Observations, complaints, measure
from .lens import LensPrior
from .matching import Progress, frame_index, verify_pairs
from .posed_frames import ParallaxFigures
from .refinement import refined

# Incremental: picture by picture, each adjusted to those before; exact, and lost where one step is too large.
# Global (GLOMAP): all turns, then all places at once, from every pair; needs a lens that is about right.
Mapper = Literal["incremental", "global"]
MIN_MODEL_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to solve pictures."""

    mapper: Mapper
    # A pinhole of the prior's focal length; otherwise focal length and a radial distortion are refined.
    is_fixed: bool
    # Of a fixed lens: refine the focal length once all pictures are placed.
    refine_after: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """One registered model, in the solver's frame and unit."""

    kept: list[int]  # which of the given frames are registered
    cameras: Cameras
    camera: Any  # pycolmap.Camera, shared by all frames
    points: NDArray[np.float64]  # [P, 3]
    colors: NDArray[np.uint8]  # [P, 3]
    figures: ParallaxFigures
    lens_complaint: str | None  # why the solved lens cannot be believed
    complaints: list[str]  # broken gates, worst first, and that about the lens
    is_assumed: bool  # the lens is exactly as the prior says

    @property
    def rank(self) -> tuple[int, int, int]:
        """Sorts solutions; the best is the greatest."""
        return (-len(self.complaints), len(self.kept), len(self.points))


def solve(
    database: Path, given: int, size: tuple[int, int], prior: LensPrior, plan: Plan, tell: Progress
) -> Solution | None:
    """Run a mapper and return its largest model, or None.

    Args:
        database: As `match_pictures` returns it; its lens and verified pairs are overwritten.
        given: Number of pictures in it.
        size: Width and height of each, in pixels.
        prior: Where the focal length starts, and how far it may move before that is a complaint.
        plan: How.
        tell: Told the share done; what it raises is passed on.
    """
    _set_lens(database, size, prior, plan.is_fixed)
    verify_pairs(database)
    with tempfile.TemporaryDirectory(dir=database.parent) as out:
        run = _map_globally if plan.mapper == "global" else _map_incrementally
        models = run(database, Path(out), given, plan.is_fixed, tell)
    if not models:
        return None
    model = max(models.values(), key=lambda m: (m.num_reg_images(), m.num_points3D()))
    solution = _read_solution(model, given, size, prior, is_assumed=plan.is_fixed)
    if plan.refine_after and not solution.complaints:
        tell(0.96, "refining the lens")
        better = refined(model, prior)
        if better is not None:
            found = _read_solution(better, given, size, prior, is_assumed=False)
            return solution if found.complaints else found
    return solution


def _map_incrementally(
    database: Path, out: Path, given: int, is_fixed: bool, tell: Progress
) -> dict[int, Any]:
    pycolmap = load_pycolmap()
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = THREADS, SEED
    options.min_model_size = MIN_MODEL_FRAMES
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
            tell(0.6 + 0.35 * min(1.0, placed / given), "placing pictures")
        except BaseException as error:  # noqa: BLE001 (must not unwind through C++; raised below)
            raised.append(error)
            token.cancel()

    try:
        return pycolmap.incremental_mapping(
            database,
            database.parent / "images",
            out,
            options,
            next_image_callback=on_picture,
            cancellation_token=token,
        )
    except InterruptedError as error:  # how pycolmap answers the token
        raise raised[0] from error


def _map_globally(database: Path, out: Path, given: int, is_fixed: bool, tell: Progress) -> dict[int, Any]:
    pycolmap = load_pycolmap()
    tell(0.6, f"placing {given} pictures at once")
    options = pycolmap.GlobalPipelineOptions()
    mapper = options.mapper
    for part in (options, mapper, mapper.rotation_averaging, mapper.global_positioning):
        part.random_seed = SEED
    options.num_threads = mapper.num_threads = THREADS
    options.min_model_size = MIN_MODEL_FRAMES
    mapper.global_positioning.use_gpu = mapper.bundle_adjustment.ceres.use_gpu = False
    mapper.bundle_adjustment.refine_focal_length = not is_fixed
    mapper.bundle_adjustment.refine_extra_params = not is_fixed
    return pycolmap.global_mapping(database, database.parent / "images", out, options)


def points_of(model: Any) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return a model's points [P, 3] and their colours [P, 3]; there may be none."""
    found = list(model.points3D.values())
    points = np.array([point.xyz for point in found], np.float64).reshape(-1, 3)
    return points, np.array([point.color for point in found], np.uint8).reshape(-1, 3)


def _set_lens(database: Path, size: tuple[int, int], prior: LensPrior, is_fixed: bool) -> None:
    pycolmap = load_pycolmap()
    models, (width, height) = pycolmap.CameraModelId, size
    with pycolmap.Database.open(database) as opened:
        camera = opened.read_all_cameras()[0]
        camera.model = models.SIMPLE_PINHOLE if is_fixed else models.SIMPLE_RADIAL
        camera.params = [prior.focal_px, width / 2, height / 2] + ([] if is_fixed else [0.0])
        camera.has_prior_focal_length = is_fixed or prior.is_recorded
        opened.update_camera(camera)
        opened.clear_two_view_geometries()


def _read_solution(
    model: Any, given: int, size: tuple[int, int], prior: LensPrior, *, is_assumed: bool
) -> Solution:
    width, height = size
    images = sorted((model.images[i] for i in model.reg_image_ids()), key=lambda image: image.name)
    kept = [frame_index(image.name) for image in images]
    camera = model.cameras[images[0].camera_id]
    viewmats = np.tile(np.eye(4), (len(images), 1, 1))
    for slot, image in zip(viewmats, images, strict=True):
        slot[:3] = image.cam_from_world().matrix()
    Ks = np.tile(camera.calibration_matrix().astype(np.float32), (len(images), 1, 1))
    cameras = Cameras(viewmats.astype(np.float32), Ks, width, height)
    slots = {point_id: slot for slot, point_id in enumerate(model.points3D)}
    points, colors = points_of(model)
    sightings = [
        (frame, slots[pixel.point3D_id], *pixel.xy)
        for frame, image in enumerate(images)
        for pixel in image.points2D
        if pixel.has_point3D()
    ]
    table = np.array(sightings, np.float64).reshape(-1, 4)
    seen = Observations(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])
    figures = measure(cameras, points, seen, given)
    about_lens = prior.complaint(camera.focal_length_x, width)
    found = complaints(figures, given) + ([about_lens] if about_lens else [])
    return Solution(kept, cameras, camera, points, colors, figures, about_lens, found, is_assumed)
