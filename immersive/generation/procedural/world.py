"""A place as the renderer and the path planner see it, whether outdoors or a room.

Everything is in the world frame of `reconstruction.conventions`: metres, +Y up. Colours are linear RGB;
radiance is in the unit in which a white surface at exposure 1 looks white.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .mesh import Mesh

RGB = tuple[float, float, float]
WHITE: RGB = (1.0, 1.0, 1.0)


class Texture(IntEnum):
    """How `materials.albedo` colours a point of a surface from its `coords`, base, accent and `scale`.

    Patterns run in the part's own frame: x along the grain or the length, y up, z across, unless noted.
    """

    PLAIN = 0  # base, with faint mottling
    PLASTER = 1  # base, soft mottling and fine grain
    PLANKS = 2  # boards along x, `scale` wide across z (or y on upright faces); accent fills the gaps
    WOOD = 3  # one piece of timber, grain along x
    FABRIC = 4  # weave of base, `scale` metres between threads
    RUG = 5  # bordered pattern of base and accent in the x-z plane; `scale` is the size of a motif
    SPINES = 6  # colours change every `scale` metres along x, as books on a shelf
    PICTURE = 7  # a painted landscape in the x-y plane
    TILES = 8  # squares of `scale` metres, accent joints
    BRICK = 9  # courses `scale` metres high, accent joints
    BARK = 10  # vertical furrows
    BIRCH_BARK = 11  # pale with dark horizontal marks
    LEAVES = 12  # clumps of foliage: base, lit tips towards accent
    ROCK = 13  # base stone, accent moss on what faces up; `scale` 1 usual, more is mossier
    GROUND = 14  # terrain: uses the world's `GroundCover`
    WATER = 15  # still water: base, soft bands of accent
    SNOW = 16  # base, faint drifts
    SHINGLES = 17  # roof courses `scale` metres high along y, some in accent
    METAL = 18  # base, faint brushing along x
    STONES = 19  # rough masonry, `scale` metres a stone, accent mortar
    MOUNTAIN = 20  # forest, rock and snow by height; `scale` is the height of the snow line
    STRATA = 21  # layered rock: base in beds `scale` metres thick, accent moss on what faces up
    STRIPES = 22  # upright stripes of base and accent, a pair every `scale` metres
    WALLPAPER = 23  # leaves of accent on base in a half drop, one every `scale` metres


@dataclass(frozen=True, slots=True)
class Material:
    """A row of the table that triangles index."""

    texture: Texture
    base: RGB = WHITE  # linear albedo
    accent: RGB = WHITE  # linear albedo of the second colour
    scale: float = 1.0  # metres; what it measures depends on the texture
    contrast: float = 1.0  # 0 flat colour, 1 the texture's usual strength
    emission: RGB = (0.0, 0.0, 0.0)  # radiance given off: lamp shades, lit windows, fire
    is_foliage: bool = False  # two-sided, light passes through
    mirror: float = 0.0  # 0 matte .. 1 still water; only level surfaces, see `render`


@dataclass(frozen=True, slots=True)
class Sun:
    """Parallel light, by day the sun and by night the moon."""

    direction: RGB  # unit vector towards the light
    colour: RGB  # irradiance on a surface that faces it
    radius: float = 0.012  # half the angle the disc spans, radians; wider is softer shade


@dataclass(frozen=True, slots=True)
class Lamp:
    """A small glowing ball. Emissive materials only look bright; lighting other things is a lamp's part.

    Nothing within `clear_m` of the middle casts its shadow, so a shade of that size may surround it.
    """

    position: RGB  # metres
    power: RGB  # radiant intensity: irradiance at one metre, facing it
    radius: float = 0.08  # metres; wider is softer shade
    clear_m: float = 0.25  # metres


@dataclass(frozen=True, slots=True)
class Portal:
    """An opening through which the sky lights a room: a parallelogram, sampled rather than met by chance."""

    corner: RGB  # metres
    across: RGB  # edge from the corner, metres
    up: RGB  # the other edge; `across` x `up` points into the room


@dataclass(frozen=True, slots=True)
class Sky:
    """Radiance by direction. Smooth on purpose: splats of the far shell must be able to hold it."""

    zenith: RGB
    horizon: RGB  # on the sun's side
    opposite: RGB  # the horizon away from the sun
    glow: RGB = (0.0, 0.0, 0.0)  # added around the sun
    cloud: RGB = WHITE
    cloud_cover: float = 0.0  # 0 none .. 1 closed
    stars: float = 0.0  # 0 none .. 1
    ground: RGB = (0.08, 0.08, 0.07)  # below the horizon, where no terrain was built
    seed: int = 0
    aurora: float = 0.0  # 0 none .. 1 curtains of green light


@dataclass(frozen=True, slots=True)
class Lighting:
    """Everything that shines, and the one exposure of the whole walk."""

    sky: Sky
    sun: Sun | None = None
    lamps: tuple[Lamp, ...] = ()
    portals: tuple[Portal, ...] = ()  # when there are any, the sky gives light through them only
    exposure: float = 1.0
    ambient_gain: float = 1.0  # multiplies the light that comes from the sky
    bounces: int = 1  # how often light is passed on between surfaces; rooms need 3
    bake_rays: int = 16  # rays per vertex and bounce; rooms need 128 and tessellated walls
    bake_reach_m: float = 8.0  # outdoors, what is farther than this shades no ambient light


@dataclass(frozen=True, slots=True)
class Atmosphere:
    """Fog as it looks from the middle of the walk: what it hides depends on the place, not on the camera.

    Real fog thins as one walks into it, which no fixed set of splats can show; this one stays where it is
    and has one colour for all directions.
    """

    colour: RGB = (0.7, 0.75, 0.8)
    density: float = 0.0  # extinction per metre at y = `base`; 0 is clear air
    falloff: float = 0.03  # per metre of height above `base`
    base: float = 0.0  # metres
    centre: RGB = (0.0, 1.65, 0.0)  # metres; the middle of the walk at eye height
    clear_m: float = 8.0  # around `centre` there is no fog


@dataclass(frozen=True, slots=True)
class GroundCover:
    """Palette of `Texture.GROUND`; the weights of its layers are baked into terrain tints."""

    grass: RGB = (0.09, 0.125, 0.034)
    grass_dry: RGB = (0.12, 0.1, 0.045)
    litter: RGB = (0.12, 0.09, 0.05)
    path: RGB = (0.16, 0.115, 0.075)
    shore: RGB = (0.22, 0.18, 0.125)
    rock: RGB = (0.15, 0.143, 0.132)
    snow: RGB = (0.72, 0.75, 0.8)
    snow_amount: float = 0.0  # 0 bare .. 1 covered
    grass_amount: float = 1.0  # 0 bare .. 1 lush
    paving: float = 0.0  # metres a stone of the path; 0 is trodden earth
    strata: float = 0.0  # how clearly steep rock shows its layers, 0..1


@dataclass(frozen=True, slots=True)
class PointOfInterest:
    """Something a visitor would look at, and a camera should."""

    name: str  # "cabin", "lake", "sofa"
    position: RGB  # metres, about its middle
    weight: float = 1.0  # 1 ordinary, 3 what the prompt is about


@dataclass(frozen=True, slots=True)
class Extent:
    """The rectangle, in metres, in which people walk and cameras stand."""

    min_x: float
    max_x: float
    min_z: float
    max_z: float


# Vectorised over equal-shaped arrays of x and z in metres.
HeightField = Callable[[NDArray, NDArray], NDArray[np.float64]]
FreeField = Callable[[NDArray, NDArray], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A finished place."""

    mesh: Mesh
    materials: tuple[Material, ...]
    lighting: Lighting
    atmosphere: Atmosphere
    is_indoor: bool
    ground_height: HeightField  # y of the ground or floor under (x, z)
    is_free: FreeField  # a person can stand at (x, z): on walkable ground, >= 0.4 m from anything solid
    extent: Extent
    points_of_interest: tuple[PointOfInterest, ...] = ()
    route: tuple[tuple[float, float], ...] = ()  # (x, z) of a trail cameras may follow; () when there is none
    ground_cover: GroundCover = field(default_factory=GroundCover)
    eye_height_m: float = 1.65
    water_y: float | None = None  # height of open water, which nobody walks on; None: there is none
    # Triangles from this one on are seen but let light pass: the painted view outside windows, and flat
    # things on walls, whose shade would show as dark spots at the vertices behind them.
    shadeless_face: int | None = None
    unkept: tuple[str, ...] = ()  # relations of the brief for which no place was found, in words
