"""What is heard in a place, from its brief and from where its things stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from immersive.brief import SceneBrief
from reconstruction.audio import AudioTrack
from reconstruction.conventions import F32
from reconstruction.frames import Landmark
from streaming.asset import SoundLoop

from .opus import encode
from .synthesis import synthesise

_LONGEST_BED_S = 30  # of a clip's own sound; a minute would be the size of the splats' first level
_FADE_S = 1.0


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """One sound before it is made."""

    kind: str  # of `synthesis`
    caption: str
    position: tuple[float, float, float] | None = None
    gain: float = 0.5
    reference_m: float = 0.0


# Landmark -> sound, caption, gain, how near it is loud.
_PLACED = {
    "campfire": ("fire", "a fire crackles", 0.9, 1.5),
    "fireplace": ("fire", "a fire crackles in the fireplace", 0.8, 1.2),
    "fountain": ("brook", "a fountain splashes", 0.8, 2.0),
    "waterfall": ("brook", "water falls", 1.0, 4.0),
    "clock": ("clock", "a clock ticks", 0.6, 1.0),
}
_WATERS = {"sea": ("sea", "waves break on the shore"), "river": ("brook", "a brook runs over stones")}
_ROOMS = {
    "cafe": ("crowd", "people talk at other tables", 0.35),
    "workshop": ("machines", "machines hum", 0.25),
    "spaceship_corridor": ("machines", "the ship hums", 0.4),
}
_WOODED = ("forest", "pine_forest", "birch_forest", "broadleaf_forest", "lake_shore", "mountain", "garden")
_BARE = ("desert", "snow_field", "canyon")
_URBAN = ("city_square", "village_street")


def plan_sounds(brief: SceneBrief, landmarks: Sequence[Landmark]) -> tuple[SoundPlan, ...]:
    """Return the sounds of a place, beds first; positions are those of the landmarks."""
    plans = _indoors(brief) if brief.is_indoor else _outdoors(brief)
    for mark in landmarks:
        if mark.name in _PLACED:
            kind, caption, gain, near_m = _PLACED[mark.name]
            plans.append(SoundPlan(kind, caption, mark.position, gain, near_m))
        elif mark.name == "lake" and not _is_frozen(brief):
            kind, caption = _water(brief)
            plans.append(SoundPlan(kind, caption, mark.position, 0.7, 5.0))
    return tuple(dict.fromkeys(plans))


def make_loops(plans: Sequence[SoundPlan], seed: int) -> tuple[SoundLoop, ...]:
    """Synthesise and encode; two sounds of one kind share their samples."""
    encoded = {kind: encode(synthesise(kind, seed)) for kind in dict.fromkeys(plan.kind for plan in plans)}
    return tuple(
        SoundLoop(plan.kind, plan.caption, encoded[plan.kind], plan.position, plan.gain, plan.reference_m)
        for plan in plans
    )


def bed_of_clip(track: AudioTrack) -> SoundLoop:
    """Return a clip's own sound as a loop that is heard everywhere."""
    samples = track.samples[: _LONGEST_BED_S * track.rate_hz]
    return SoundLoop("clip", "the sound of the clip", encode(_looped(samples, track.rate_hz), track.rate_hz))


def _looped(samples: F32, rate_hz: int) -> F32:
    """Let the end fade into the beginning, at equal power."""
    fade = min(int(_FADE_S * rate_hz), len(samples) // 3)
    if fade < 2:
        return samples
    share = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    kept = samples[:-fade].copy()
    kept[:fade] = kept[:fade] * np.sqrt(share) + samples[-fade:] * np.sqrt(1 - share)
    return np.clip(kept, -1, 1)


def _indoors(brief: SceneBrief) -> list[SoundPlan]:
    plans = [SoundPlan("room", "a quiet room", gain=0.6)]
    if brief.setting in _ROOMS:
        kind, caption, gain = _ROOMS[brief.setting]
        plans.append(SoundPlan(kind, caption, gain=gain))
    elif brief.setting in ("library", "study", "living_room"):
        plans.append(SoundPlan("clock", "a clock ticks", gain=0.12))
    if brief.weather == "rain":
        plans.append(SoundPlan("rain", "rain on the window", gain=0.25))
    return plans


def _outdoors(brief: SceneBrief) -> list[SoundPlan]:
    is_wooded, is_bare = brief.setting in _WOODED, brief.setting in _BARE
    wind = "wind in the trees" if is_wooded else "wind over open ground"
    plans = [SoundPlan("wind", wind, gain=0.6 if is_bare or brief.weather == "snow" else 0.35)]
    if brief.weather == "rain":
        return [*plans, SoundPlan("rain", "rain falls", gain=0.6)]
    if brief.setting in _URBAN:
        plans.append(SoundPlan("crowd", "people talk somewhere", gain=0.15))
    if is_bare or brief.weather == "snow" or brief.season == "winter":
        return plans
    if brief.time == "night":
        plans.append(SoundPlan("crickets", "crickets chirp", gain=0.4))
    elif brief.setting not in _URBAN:
        plans.append(SoundPlan("birds", "birds sing", gain=0.45 if brief.time == "dawn" else 0.3))
    return plans


def _water(brief: SceneBrief) -> tuple[str, str]:
    if brief.setting == "beach":
        return _WATERS["sea"]
    words = brief.prompt.lower()
    for name in ("river", "stream", "brook", "creek"):
        if name in words:
            return _WATERS["river"]
    return "lake", "the lake laps at its shore"


def _is_frozen(brief: SceneBrief) -> bool:
    return any(element.kind == "lake" and "frozen" in element.attributes for element in brief.elements)
