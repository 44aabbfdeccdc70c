"""Colours and light of rooms: named dyes, colour schemes by style, and what shines at each time of day."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from numpy.random import Generator

from immersive.brief import SceneBrief

from .world import RGB, Material, Texture

# Linear albedo of dyed cloth and paint, by the colour's name in the vocabulary.
DYES: dict[str, RGB] = {
    "red": (0.34, 0.058, 0.048),
    "orange": (0.55, 0.20, 0.055),
    "yellow": (0.62, 0.40, 0.075),
    "green": (0.10, 0.21, 0.085),
    "teal": (0.07, 0.21, 0.22),
    "blue": (0.06, 0.13, 0.31),
    "purple": (0.20, 0.085, 0.27),
    "pink": (0.62, 0.28, 0.31),
    "brown": (0.20, 0.11, 0.06),
    "white": (0.72, 0.70, 0.66),
    "cream": (0.66, 0.58, 0.45),
    "grey": (0.27, 0.27, 0.275),
    "black": (0.035, 0.034, 0.034),
    "leather": (0.24, 0.105, 0.045),
    "fabric": (0.42, 0.37, 0.30),
}


@dataclass(frozen=True, slots=True)
class Scheme:
    """Colours that go together, linear albedo."""

    wall: RGB
    accent_wall: RGB
    floor: RGB
    wood: RGB
    seat: RGB
    second_seat: RGB
    rug: RGB
    rug_motif: RGB
    curtain: RGB
    cushion: RGB
    trim: RGB = (0.72, 0.70, 0.65)
    ceiling: RGB = (0.78, 0.76, 0.72)
    dado: RGB | None = None  # panelling of the lower wall
    has_boards: bool = False  # upright boards below, not framed fields
    beams: RGB | None = None  # timbers under the ceiling
    is_coffered: bool = False  # they run both ways
    paper: Texture = Texture.PLASTER  # of the walls
    accent_paper: Texture = Texture.PLASTER


_TEAL_AND_OCHRE = Scheme(
    wall=(0.66, 0.60, 0.50),
    accent_wall=(0.20, 0.31, 0.33),
    floor=(0.36, 0.205, 0.105),
    wood=(0.31, 0.175, 0.09),
    seat=(0.085, 0.19, 0.20),
    second_seat=(0.50, 0.27, 0.09),
    rug=(0.36, 0.095, 0.07),
    rug_motif=(0.58, 0.47, 0.30),
    curtain=(0.56, 0.25, 0.12),
    cushion=(0.62, 0.38, 0.07),
    dado=(0.15, 0.25, 0.27),
    has_boards=True,
    accent_paper=Texture.WALLPAPER,
)
_SAGE_AND_CLAY = Scheme(
    wall=(0.64, 0.63, 0.54),
    accent_wall=(0.30, 0.37, 0.27),
    floor=(0.40, 0.25, 0.14),
    wood=(0.36, 0.215, 0.115),
    seat=(0.44, 0.19, 0.11),
    second_seat=(0.17, 0.24, 0.16),
    rug=(0.50, 0.42, 0.31),
    rug_motif=(0.24, 0.29, 0.21),
    curtain=(0.62, 0.55, 0.42),
    cushion=(0.62, 0.55, 0.42),
    dado=(0.70, 0.68, 0.62),
    paper=Texture.STRIPES,
    accent_paper=Texture.WALLPAPER,
)
_BLUE_AND_SAND = Scheme(
    wall=(0.68, 0.65, 0.58),
    accent_wall=(0.17, 0.25, 0.36),
    floor=(0.42, 0.27, 0.155),
    wood=(0.33, 0.19, 0.10),
    seat=(0.07, 0.125, 0.25),
    second_seat=(0.55, 0.42, 0.26),
    rug=(0.11, 0.17, 0.30),
    rug_motif=(0.60, 0.52, 0.38),
    curtain=(0.58, 0.50, 0.38),
    cushion=(0.58, 0.27, 0.12),
    dado=(0.70, 0.68, 0.63),
    paper=Texture.WALLPAPER,
    accent_paper=Texture.STRIPES,
)
_USUAL = (_TEAL_AND_OCHRE, _SAGE_AND_CLAY, _BLUE_AND_SAND)

_BY_STYLE: dict[str, Scheme] = {
    "rustic": Scheme(
        wall=(0.60, 0.50, 0.37),
        accent_wall=(0.33, 0.19, 0.105),
        floor=(0.25, 0.135, 0.07),
        wood=(0.25, 0.13, 0.065),
        seat=(0.25, 0.105, 0.05),
        second_seat=(0.13, 0.18, 0.10),
        rug=(0.33, 0.07, 0.055),
        rug_motif=(0.53, 0.41, 0.23),
        curtain=(0.45, 0.30, 0.14),
        cushion=(0.50, 0.33, 0.12),
        dado=(0.27, 0.15, 0.08),
        has_boards=True,
        beams=(0.20, 0.11, 0.06),
    ),
    "minimal": Scheme(
        wall=(0.75, 0.74, 0.71),
        accent_wall=(0.53, 0.56, 0.55),
        floor=(0.53, 0.40, 0.265),
        wood=(0.55, 0.39, 0.235),
        seat=(0.36, 0.37, 0.38),
        second_seat=(0.62, 0.55, 0.45),
        rug=(0.66, 0.62, 0.55),
        rug_motif=(0.44, 0.43, 0.41),
        curtain=(0.70, 0.69, 0.66),
        cushion=(0.16, 0.22, 0.25),
    ),
    "grand": Scheme(
        wall=(0.15, 0.24, 0.19),
        accent_wall=(0.13, 0.20, 0.17),
        floor=(0.24, 0.12, 0.06),
        wood=(0.18, 0.08, 0.04),
        seat=(0.33, 0.05, 0.06),
        second_seat=(0.45, 0.30, 0.09),
        rug=(0.34, 0.06, 0.06),
        rug_motif=(0.58, 0.43, 0.18),
        curtain=(0.50, 0.34, 0.10),
        cushion=(0.58, 0.42, 0.14),
        trim=(0.62, 0.55, 0.42),
        dado=(0.17, 0.08, 0.042),
        beams=(0.20, 0.095, 0.05),
        is_coffered=True,
        paper=Texture.WALLPAPER,
        accent_paper=Texture.WALLPAPER,
    ),
    "serene": Scheme(
        wall=(0.63, 0.68, 0.66),
        accent_wall=(0.42, 0.52, 0.53),
        floor=(0.47, 0.34, 0.215),
        wood=(0.44, 0.30, 0.18),
        seat=(0.55, 0.54, 0.49),
        second_seat=(0.24, 0.34, 0.36),
        rug=(0.36, 0.44, 0.45),
        rug_motif=(0.64, 0.62, 0.55),
        curtain=(0.66, 0.67, 0.63),
        cushion=(0.27, 0.38, 0.40),
        dado=(0.72, 0.72, 0.69),
        accent_paper=Texture.WALLPAPER,
    ),
    "bright": Scheme(
        wall=(0.77, 0.76, 0.71),
        accent_wall=(0.66, 0.52, 0.19),
        floor=(0.50, 0.35, 0.205),
        wood=(0.52, 0.35, 0.19),
        seat=(0.15, 0.37, 0.47),
        second_seat=(0.66, 0.30, 0.20),
        rug=(0.62, 0.46, 0.13),
        rug_motif=(0.70, 0.67, 0.58),
        curtain=(0.70, 0.68, 0.60),
        cushion=(0.66, 0.28, 0.20),
        dado=(0.76, 0.75, 0.71),
        has_boards=True,
        accent_paper=Texture.STRIPES,
    ),
    "eerie": Scheme(
        wall=(0.31, 0.30, 0.31),
        accent_wall=(0.19, 0.13, 0.17),
        floor=(0.16, 0.095, 0.06),
        wood=(0.13, 0.075, 0.05),
        seat=(0.18, 0.05, 0.07),
        second_seat=(0.12, 0.13, 0.16),
        rug=(0.17, 0.06, 0.07),
        rug_motif=(0.30, 0.26, 0.20),
        curtain=(0.19, 0.07, 0.08),
        cushion=(0.26, 0.22, 0.15),
        trim=(0.26, 0.23, 0.20),
        ceiling=(0.46, 0.45, 0.44),
        dado=(0.12, 0.07, 0.05),
        paper=Texture.STRIPES,
        accent_paper=Texture.WALLPAPER,
    ),
}


_SHIP = Scheme(
    wall=(0.40, 0.42, 0.45),
    accent_wall=(0.50, 0.52, 0.55),
    floor=(0.21, 0.22, 0.24),
    wood=(0.30, 0.31, 0.33),
    seat=(0.10, 0.16, 0.25),
    second_seat=(0.40, 0.18, 0.05),
    rug=(0.10, 0.11, 0.13),
    rug_motif=(0.30, 0.32, 0.35),
    curtain=(0.20, 0.22, 0.25),
    cushion=(0.60, 0.27, 0.04),
    trim=(0.58, 0.59, 0.60),
)
_DERELICT = replace(
    _SHIP,
    wall=(0.27, 0.25, 0.22),
    accent_wall=(0.33, 0.30, 0.25),
    floor=(0.17, 0.14, 0.11),
    cushion=(0.42, 0.20, 0.05),
    trim=(0.36, 0.33, 0.28),
)


def scheme_of(brief: SceneBrief, rng: Generator) -> Scheme:
    """Return the colours of a brief: of its first style that has some, else one of the usual ones."""
    usual = _USUAL[int(rng.integers(len(_USUAL)))]
    scheme = next((_BY_STYLE[style] for style in brief.style if style in _BY_STYLE), usual)
    if brief.setting == "spaceship_corridor":
        scheme = _DERELICT if {"eerie", "rustic"} & set(brief.style) else _SHIP
    elif brief.setting == "gallery":
        white = (0.76, 0.75, 0.73)
        plain = Texture.PLASTER
        scheme = replace(scheme, wall=white, accent_wall=white, dado=None, paper=plain, accent_paper=plain)
    elif brief.setting in ("kitchen", "workshop"):  # where nobody papers a wall
        scheme = replace(scheme, paper=Texture.PLASTER, accent_paper=Texture.PLASTER)
    return scheme


def papered(colour: RGB, paper: Texture) -> Material:
    """Return a wall of a colour: plaster, or paper with a pattern a little lighter or darker."""
    if paper == Texture.PLASTER:
        return Material(Texture.PLASTER, colour)
    light = sum(colour) / 3 > 0.4
    r, g, b = (0.52 * part if light else min(1.0, 1.8 * part + 0.03) for part in colour)
    scale = 0.34 if paper == Texture.WALLPAPER else 0.3
    return Material(paper, colour, (r, g, 0.94 * b), scale, contrast=0.85)


def dyed(attributes: tuple[str, ...], otherwise: RGB) -> RGB:
    """Return the colour an element's attributes ask for, else `otherwise`."""
    return next((DYES[name] for name in attributes if name in DYES), otherwise)


def tone_of(attributes: tuple[str, ...]) -> RGB:
    """Return the hue of lamps by an element's attributes, its strongest part 1; white where none is asked."""
    r, g, b = dyed(attributes, (1.0, 1.0, 1.0))
    most = max(r, g, b)
    return (max(r / most, 0.12), max(g / most, 0.12), max(b / most, 0.12))


def pale(colour: RGB) -> RGB:
    """Return a colour as wall paint mixes it: a deep one would swallow the light of the room."""
    r, g, b = (0.55 * part + 0.45 * white for part, white in zip(colour, (0.70, 0.68, 0.64), strict=True))
    return (r, g, b)


@dataclass(slots=True)
class Palette:
    """Collects the materials of a world; equal ones share a slot."""

    materials: list[Material] = field(default_factory=list)

    def slot(self, material: Material) -> int:
        """Return the index of a material, adding it when it is new."""
        if material not in self.materials:
            self.materials.append(material)
        return self.materials.index(material)

    def wood(self, colour: RGB) -> int:
        """Return the slot of one piece of timber."""
        return self.slot(Material(Texture.WOOD, colour, contrast=1.0))

    def paint(self, colour: RGB) -> int:
        """Return the slot of a smooth painted surface."""
        return self.slot(Material(Texture.PLAIN, colour, contrast=0.4))

    def cloth(self, colour: RGB) -> int:
        """Return the slot of upholstery; threads finer than a pixel would not survive lifting."""
        return self.slot(Material(Texture.FABRIC, colour, scale=0.12, contrast=0.5))

    def metal(self, colour: RGB) -> int:
        """Return the slot of brushed metal."""
        return self.slot(Material(Texture.METAL, colour, contrast=0.5))

    def glow(self, colour: RGB) -> int:
        """Return the slot of something that shines."""
        return self.slot(Material(Texture.PLAIN, (0.6, 0.5, 0.4), emission=colour, contrast=0.0))


@dataclass(frozen=True, slots=True)
class RoomLight:
    """What shines into and inside a room at a time of day, in the unit of `world`."""

    zenith: RGB
    horizon: RGB
    sun: RGB
    elevation_deg: float
    lamp: float  # share of a lamp's full power
    view_gain: float  # how bright the painted view is
    exposure: float


_LIGHTS: dict[str, RoomLight] = {
    "day": RoomLight((3.4, 4.3, 5.6), (5.6, 5.8, 5.8), (14.5, 12.2, 9.4), 39.0, 0.16, 1.0, 1.26),
    "dawn": RoomLight((2.2, 2.7, 3.6), (5.6, 4.4, 3.4), (12.0, 7.8, 4.5), 23.0, 0.4, 0.85, 1.15),
    "dusk": RoomLight((0.95, 1.0, 1.6), (2.7, 1.65, 1.25), (3.8, 1.95, 1.05), 16.0, 0.8, 0.6, 1.4),
    "night": RoomLight((0.04, 0.06, 0.13), (0.08, 0.11, 0.2), (0.10, 0.13, 0.22), 38.0, 1.0, 0.11, 1.6),
}


def light_of(brief: SceneBrief) -> RoomLight:
    """Return the light of a brief: its time of day, dulled by weather."""
    if brief.setting == "spaceship_corridor":  # where it is never day
        return replace(_LIGHTS["night"], exposure=0.95 if "eerie" in brief.style else 1.15)
    light = _LIGHTS[brief.time]
    if brief.weather != "clear":
        # Clouds take the sun away and spread its light over the sky.
        grey = tuple(0.95 * sum(light.horizon) / 3 for _ in range(3))
        light = replace(
            light,
            sun=(0.0, 0.0, 0.0),
            zenith=(grey[0] * 0.96, grey[1], grey[2] * 1.04),
            horizon=(grey[0], grey[1], grey[2]),
            exposure=light.exposure * 1.15,
            lamp=max(light.lamp, 0.3),
            view_gain=light.view_gain * 0.85,
        )
    if "cozy" in brief.style:
        light = replace(light, lamp=max(light.lamp, 0.45))
    if "eerie" in brief.style:
        light = replace(light, exposure=light.exposure * 0.8)
    return light
