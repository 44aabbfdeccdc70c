"""Stage results as plain arrays and facts, the form in which `stages` keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reconstruction.audio import AudioTrack
from reconstruction.cameras import Cameras
from reconstruction.frames import FrameSequence, Landmark, Provenance
from reconstruction.reports import WalkabilityReport
from reconstruction.splats import SplatCloud
from reconstruction.walkable_space import WalkableSpace

Arrays = dict[str, NDArray]


def arrays_from_frames(frames: FrameSequence) -> tuple[Arrays, dict[str, Any]]:
    """Take a frame sequence apart; `frames_from_arrays` puts it together again, bit for bit."""
    arrays: Arrays = {"images": frames.images}
    if frames.depths is not None:
        arrays["depths"] = frames.depths
    if frames.cameras is not None:
        arrays |= {"viewmats": frames.cameras.viewmats, "Ks": frames.cameras.Ks}
    facts: dict[str, Any] = {"held_out": list(frames.held_out), "provenance": asdict(frames.provenance)}
    if frames.audio is not None:
        arrays["audio"] = frames.audio.samples
        facts["audio_rate_hz"] = frames.audio.rate_hz
    facts["landmarks"] = [[mark.name, list(mark.position)] for mark in frames.landmarks]
    return arrays, facts | {"water_y": frames.water_y}


def frames_from_arrays(arrays: Mapping[str, NDArray], facts: Mapping[str, Any]) -> FrameSequence:
    """Rebuild and check again what `arrays_from_frames` took apart."""
    images = arrays["images"]
    cameras = None
    if "viewmats" in arrays:
        height, width = images.shape[1:3]
        cameras = Cameras(arrays["viewmats"], arrays["Ks"], width, height)
    audio = AudioTrack(arrays["audio"], facts["audio_rate_hz"]) if "audio" in arrays else None
    return FrameSequence(
        images=images,
        provenance=Provenance(**facts["provenance"]),
        cameras=cameras,
        depths=arrays.get("depths"),
        held_out=tuple(facts["held_out"]),
        water_y=facts["water_y"],
        audio=audio,
        landmarks=tuple(Landmark(name, tuple(place)) for name, place in facts.get("landmarks", ())),
    )


def arrays_from_cloud(cloud: SplatCloud) -> Arrays:
    """Take splats apart."""
    return {name: getattr(cloud, name) for name in ("means", "quats", "scales", "opacities", "sh")}


def cloud_from_arrays(arrays: Mapping[str, NDArray]) -> SplatCloud:
    """Rebuild splats."""
    return SplatCloud(**{name: arrays[name] for name in ("means", "quats", "scales", "opacities", "sh")})


@dataclass(frozen=True, slots=True, eq=False)
class FittedScene:
    """What the later stages need of a fit."""

    cloud: SplatCloud
    exposures: NDArray[np.float32] | None  # as in `reconstruction.optimize.FitResult`
    notes: tuple[str, ...]  # what disagreed between the pictures and what was cleaned, one sentence each


def arrays_from_fit(fitted: FittedScene) -> tuple[Arrays, dict[str, Any]]:
    """Take a fitted scene apart."""
    arrays = arrays_from_cloud(fitted.cloud)
    if fitted.exposures is not None:
        arrays["exposures"] = fitted.exposures
    return arrays, {"notes": list(fitted.notes)}


def fit_from_arrays(arrays: Mapping[str, NDArray], facts: Mapping[str, Any]) -> FittedScene:
    """Rebuild a fitted scene."""
    return FittedScene(cloud_from_arrays(arrays), arrays.get("exposures"), tuple(facts["notes"]))


_SPACE_ARRAYS = ("vertices", "faces", "spawn_position", "bounds_min", "bounds_max")
_SPACE_FACTS = ("boundary_start", "floor_y", "spawn_yaw_deg", "metres_per_unit", "eye_height_m")


def arrays_from_space(space: WalkableSpace) -> tuple[Arrays, dict[str, Any]]:
    """Take a walkable space apart."""
    facts = {name: getattr(space, name) for name in _SPACE_FACTS}
    return {name: getattr(space, name) for name in _SPACE_ARRAYS}, facts | {"report": asdict(space.report)}


def space_from_arrays(arrays: Mapping[str, NDArray], facts: Mapping[str, Any]) -> WalkableSpace:
    """Rebuild a walkable space."""
    report = WalkabilityReport(**{**facts["report"], "reasons": tuple(facts["report"]["reasons"])})
    return WalkableSpace(
        **{name: arrays[name] for name in _SPACE_ARRAYS},
        **{name: facts[name] for name in _SPACE_FACTS},
        report=report,
    )
