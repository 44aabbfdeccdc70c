"""The outdoor world: a plan drawn from the brief and the seed, and everything built on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from immersive.brief import SceneBrief

from .layout import Layout, plan
from .mesh import concatenate
from .moods import atmosphere_of, lighting_of, mood_of
from .outdoor_builder import OutdoorBuilder
from .palette import ground_cover, outdoor_materials
from .placement import Ground
from .terrain import Terrain
from .world import World

_EYE_M = 1.65


def build_outdoor(brief: SceneBrief) -> World:
    """Return the world of an outdoor brief; the same brief gives the same world."""
    rng = np.random.default_rng([brief.seed, 17])
    layout = plan(brief, rng)
    cover = ground_cover(brief)
    terrain = Terrain(layout, cover)
    ground = Ground(layout, terrain)
    mood = mood_of(brief)
    built = OutdoorBuilder(brief, ground, rng, mood.is_lit)
    built.everything()
    mesh = concatenate([terrain.mesh(), *built.parts])
    centre = (0.0, float(ground.surface(0.0, 0.0)) + _EYE_M, 0.0)
    lighting = lighting_of(mood, _sun_azimuth(layout, rng), layout.seed)
    if "aurora" in layout.elements:
        lighting = replace(lighting, sky=replace(lighting.sky, aurora=1.0))
    return World(
        mesh=mesh,
        materials=outdoor_materials(
            brief, mood.is_lit, layout.lake is not None and layout.lake.is_frozen, built.cabin_style
        ),
        lighting=replace(lighting, lamps=tuple(built.lamps)),
        atmosphere=atmosphere_of(mood, centre),
        is_indoor=False,
        ground_height=ground.surface,
        is_free=ground.is_free,
        extent=layout.extent,
        points_of_interest=tuple(built.points),
        route=layout.trail,
        ground_cover=cover,
        eye_height_m=_EYE_M,
        water_y=None if layout.lake is None or layout.lake.is_frozen else 0.0,
        unkept=tuple(built.relations.unkept),
    )


def _sun_azimuth(layout: Layout, rng: Generator) -> float:
    """Return where the sun stands: beside the view, so that things have a lit and a shaded side."""
    side = 1.0 if layout.sites and layout.sites[0].x < 0 else -1.0
    return float(side * rng.uniform(55, 105))
