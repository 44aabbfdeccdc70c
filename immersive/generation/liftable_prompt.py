"""Prompts that make video models film what can be lifted: one still place, one steady camera.

Models hold the geometry of what does not move, and structure from motion needs a camera that travels. So the
camera is named first, then the place, then everything that must not happen. Zoom is no parallax.
"""

from __future__ import annotations

from immersive.brief import SceneBrief

CAMERA = (
    "One continuous shot. The camera glides slowly and steadily forward at eye level, at constant speed, "
    "with a slight drift to the side."
)
# Of a clip that begins with the last picture of another.
ONWARD = (
    "One continuous shot that goes on from this picture, in the same place and the same light. The camera "
    "glides on slowly and steadily forward at eye level, at constant speed, past what is in front and "
    "beyond it, with a slight drift to the side."
)
_STILL = (
    "A static scene in a frozen moment: nothing moves, no people, no animals, no vehicles, no text. "
    "Deep focus, everything sharp, fixed exposure and white balance, steady light, calm matte water."
)
_NEGATIVE = (
    "motion blur, camera shake, zoom, cut, fade, flicker, morphing, people, animals, moving vehicles, "
    "rain drops, falling leaves, reflections, lens flare, bokeh, shallow depth of field, timelapse, text, "
    "watermark"
)


def positive(brief: SceneBrief, *, camera: str = CAMERA) -> str:
    """Return what a video model is asked for: camera, place, stillness, in that order."""
    place = brief.prompt.strip().rstrip(".")
    light = [brief.time] if brief.time not in place.lower() else []
    if brief.weather != "clear" and brief.weather not in place.lower():
        light.append(
            {"fog": "misty", "rain": "after rain", "snow": "snow lies"}.get(brief.weather, brief.weather)
        )
    told = f"{place}, {', '.join(light)}" if light else place
    return f"{camera} {told[:1].upper()}{told[1:]}. {_STILL}"


def negative() -> str:
    """Return what must not be in the picture, for models that take a second prompt."""
    return _NEGATIVE
