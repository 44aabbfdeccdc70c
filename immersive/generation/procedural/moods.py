"""Light by time of day and weather: palettes chosen by eye, which beat a physical sky at dusk and at night.

A mood is a sky, a sun or moon, fog and one exposure; see `world` for the units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from immersive.brief import SceneBrief

from .world import RGB, Atmosphere, Lighting, Sky, Sun


@dataclass(frozen=True, slots=True)
class Mood:
    """A row of the table: everything that time of day decides."""

    elevation_deg: float
    sun: RGB
    sun_radius: float
    zenith: RGB
    horizon: RGB
    opposite: RGB
    glow: RGB
    cloud: RGB
    cover: float
    fog: RGB
    density: float
    exposure: float
    stars: float = 0.0
    ambient: float = 1.0
    is_lit: bool = False  # windows and lanterns are on


_TIMES = {
    "dawn": Mood(
        elevation_deg=11.0,
        sun=(3.3, 2.05, 1.15),
        sun_radius=0.02,
        zenith=(0.2, 0.34, 0.66),
        horizon=(0.82, 0.58, 0.4),
        opposite=(0.44, 0.47, 0.6),
        glow=(0.9, 0.46, 0.19),
        cloud=(0.98, 0.68, 0.54),
        cover=0.45,
        fog=(0.62, 0.54, 0.5),
        density=0.0036,
        exposure=1.15,
        is_lit=True,
    ),
    "day": Mood(
        elevation_deg=43.0,
        sun=(5.2, 4.6, 3.75),
        sun_radius=0.014,
        zenith=(0.085, 0.22, 0.58),
        horizon=(0.5, 0.64, 0.82),
        opposite=(0.36, 0.54, 0.8),
        glow=(0.5, 0.42, 0.26),
        cloud=(1.0, 1.01, 1.03),
        cover=0.5,
        fog=(0.42, 0.56, 0.76),
        density=0.0007,
        exposure=1.05,
        ambient=1.5,
    ),
    "dusk": Mood(
        elevation_deg=7.0,
        sun=(2.7, 1.3, 0.56),
        sun_radius=0.025,
        zenith=(0.115, 0.16, 0.38),
        horizon=(0.82, 0.46, 0.34),
        opposite=(0.34, 0.29, 0.44),
        glow=(1.3, 0.55, 0.2),
        cloud=(1.0, 0.5, 0.4),
        cover=0.5,
        fog=(0.46, 0.36, 0.4),
        density=0.004,
        exposure=1.3,
        ambient=1.15,
        is_lit=True,
    ),
    "night": Mood(
        elevation_deg=36.0,
        sun=(0.34, 0.42, 0.6),
        sun_radius=0.02,
        zenith=(0.014, 0.024, 0.06),
        horizon=(0.05, 0.075, 0.135),
        opposite=(0.04, 0.06, 0.11),
        glow=(0.08, 0.1, 0.13),
        cloud=(0.07, 0.09, 0.135),
        cover=0.36,
        fog=(0.045, 0.064, 0.108),
        density=0.0026,
        exposure=2.6,
        stars=1.0,
        ambient=1.4,
        is_lit=True,
    ),
}


def _greyed(colour: RGB, share: float, gain: float = 1.0) -> RGB:
    grey = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
    r, g, b = (gain * (c * (1 - share) + grey * share) for c in colour)
    return (r, g, b)


def mood_of(brief: SceneBrief) -> Mood:
    """Return the table's row for a brief's time, changed by its weather."""
    mood = _TIMES[brief.time]
    if brief.weather == "clear":
        return mood
    # The sun behind clouds is a large, weak lamp, and its light comes from the whole sky instead.
    dull = replace(
        mood,
        sun=_greyed(mood.sun, 0.5, 0.3),
        sun_radius=0.08,
        zenith=_greyed(mood.horizon, 0.75, 0.82),
        horizon=_greyed(mood.horizon, 0.7, 1.02),
        opposite=_greyed(mood.opposite, 0.7, 1.05),
        glow=_greyed(mood.glow, 0.6, 0.25),
        cloud=_greyed(mood.horizon, 0.8, 0.86),
        cover=0.82,
        fog=_greyed(mood.fog, 0.5, 1.12),
        density=max(0.004, mood.density),
        stars=0.0,
        ambient=mood.ambient * 1.15,
    )
    if brief.weather == "fog":
        haze = dull.fog
        return replace(
            dull,
            density=0.024,
            zenith=haze,
            horizon=haze,
            opposite=haze,
            cover=0.0,
            sun=_greyed(mood.sun, 0.4, 0.4),
        )
    if brief.weather == "rain":
        return replace(dull, density=0.009, exposure=mood.exposure * 0.9, is_lit=True)
    if brief.weather == "snow":
        return replace(dull, density=0.011, fog=_greyed(mood.fog, 0.8, 1.25))
    return dull


def lighting_of(mood: Mood, azimuth_deg: float, seed: int) -> Lighting:
    """Return the light of a mood with its sun at an azimuth: 0 is -Z, straight ahead, 90 is +X."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(mood.elevation_deg)
    towards = (
        float(np.sin(azimuth) * np.cos(elevation)),
        float(np.sin(elevation)),
        float(-np.cos(azimuth) * np.cos(elevation)),
    )
    sky = Sky(
        mood.zenith,
        mood.horizon,
        mood.opposite,
        mood.glow,
        mood.cloud,
        mood.cover,
        mood.stars,
        mood.fog,
        seed,
    )
    return Lighting(
        sky=sky,
        sun=Sun(towards, mood.sun, mood.sun_radius),
        exposure=mood.exposure,
        ambient_gain=mood.ambient,
        bounces=1,
        bake_rays=14,
    )


def atmosphere_of(mood: Mood, centre: RGB) -> Atmosphere:
    """Return the fog of a mood around the middle of the walk."""
    is_thick = mood.density > 0.02
    return Atmosphere(mood.fog, mood.density, 0.05 if is_thick else 0.035, centre[1] - 1.65, centre, 7.0)
