"""Materials of the outdoor world, by season, wetness and place."""

from __future__ import annotations

from immersive.brief import SceneBrief

from .world import RGB, GroundCover, Material, Texture

NAMES = (
    "ground", "mountain", "water", "bark", "birch_bark", "needles", "leaves", "birch_leaves",
    "bush", "grass", "reed", "petal", "stem", "rock", "log_wood", "plank_wood", "roof", "stones",
    "trim", "door", "window", "metal", "canvas", "ember", "flame", "cactus", "frond", "cap", "snow",
    "plaster", "dead_wood", "core", "paint", "pale_stone", "brick", "sandstone", "cliff", "straw", "blossom",
    "bamboo", "pane", "dark_glass", "beacon", "neon_red", "neon_blue", "basin_water", "foam",
)  # fmt: skip
SLOT = {name: index for index, name in enumerate(NAMES)}

_LEAF_COLOURS: dict[str, tuple[RGB, RGB]] = {
    "spring": ((0.085, 0.15, 0.03), (0.17, 0.24, 0.05)),
    "summer": ((0.06, 0.115, 0.025), (0.135, 0.19, 0.045)),
    "autumn": ((0.26, 0.085, 0.018), (0.42, 0.21, 0.035)),
    "winter": ((0.1, 0.085, 0.06), (0.15, 0.13, 0.1)),
}
_BIRCH_COLOURS: dict[str, tuple[RGB, RGB]] = {
    "spring": ((0.13, 0.19, 0.04), (0.22, 0.28, 0.07)),
    "summer": ((0.1, 0.14, 0.03), (0.19, 0.22, 0.05)),
    "autumn": ((0.38, 0.22, 0.025), (0.52, 0.34, 0.05)),
    "winter": ((0.1, 0.085, 0.06), (0.15, 0.13, 0.1)),
}
_CROWN_COLOURS: dict[str, tuple[RGB, RGB]] = {
    "red": ((0.3, 0.045, 0.02), (0.46, 0.1, 0.03)),
    "golden": ((0.4, 0.22, 0.02), (0.56, 0.36, 0.05)),
}
_GROUND: dict[str, GroundCover] = {
    "forest": GroundCover(),
    "meadow": GroundCover(
        grass=(0.09, 0.13, 0.03), grass_dry=(0.15, 0.145, 0.05), litter=(0.12, 0.12, 0.045)
    ),
    "lake_shore": GroundCover(grass=(0.085, 0.12, 0.032)),
    "mountain": GroundCover(
        grass=(0.085, 0.1, 0.036), grass_dry=(0.14, 0.115, 0.06), litter=(0.15, 0.14, 0.125)
    ),
    "beach": GroundCover(
        grass=(0.36, 0.285, 0.18),
        grass_dry=(0.4, 0.325, 0.215),
        litter=(0.14, 0.15, 0.06),
        path=(0.39, 0.315, 0.21),
        shore=(0.29, 0.23, 0.15),
        grass_amount=0.1,
    ),
    "desert": GroundCover(
        grass=(0.4, 0.24, 0.12),
        grass_dry=(0.46, 0.29, 0.16),
        litter=(0.3, 0.18, 0.1),
        path=(0.44, 0.29, 0.17),
        shore=(0.3, 0.22, 0.14),
        rock=(0.3, 0.16, 0.09),
        grass_amount=0.05,
    ),
    "alpine_lake": GroundCover(
        grass=(0.08, 0.105, 0.036), grass_dry=(0.14, 0.12, 0.06), litter=(0.16, 0.15, 0.135)
    ),
    "village_street": GroundCover(
        grass=(0.085, 0.115, 0.035), path=(0.21, 0.195, 0.175), litter=(0.13, 0.115, 0.075), paving=0.34
    ),
    "japanese_garden": GroundCover(
        grass=(0.05, 0.1, 0.025),
        grass_dry=(0.075, 0.115, 0.03),
        litter=(0.06, 0.095, 0.025),
        path=(0.36, 0.34, 0.3),
        shore=(0.24, 0.22, 0.19),
    ),
    "city_square": GroundCover(
        grass=(0.08, 0.1, 0.035), path=(0.25, 0.24, 0.225), litter=(0.12, 0.11, 0.09), paving=0.5
    ),
    "ruins": GroundCover(
        grass=(0.09, 0.13, 0.035),
        grass_dry=(0.14, 0.14, 0.05),
        path=(0.27, 0.25, 0.2),
        litter=(0.13, 0.125, 0.06),
    ),
    "canyon": GroundCover(
        grass=(0.36, 0.18, 0.09),
        grass_dry=(0.42, 0.23, 0.12),
        litter=(0.3, 0.14, 0.07),
        path=(0.42, 0.25, 0.14),
        shore=(0.34, 0.2, 0.11),
        rock=(0.4, 0.165, 0.08),
        grass_amount=0.05,
        strata=1.0,
    ),
    "jungle": GroundCover(
        grass=(0.055, 0.105, 0.022),
        grass_dry=(0.085, 0.11, 0.03),
        litter=(0.075, 0.06, 0.03),
        path=(0.13, 0.085, 0.05),
    ),
    "farm": GroundCover(
        grass=(0.09, 0.125, 0.03),
        grass_dry=(0.16, 0.14, 0.05),
        litter=(0.14, 0.105, 0.06),
        path=(0.2, 0.145, 0.09),
    ),
    "snow_field": GroundCover(
        grass=(0.14, 0.13, 0.085), litter=(0.13, 0.1, 0.07), snow_amount=1.0, grass_amount=0.15
    ),
}
# Where sand and rock lie in place of grass.
_BARREN = ("beach", "desert", "canyon")
_SEASON_TINT: dict[str, RGB] = {
    "spring": (1.0, 1.12, 1.0),
    "summer": (1.0, 1.0, 1.0),
    "autumn": (1.35, 0.92, 0.85),
    "winter": (1.15, 0.9, 0.95),
}


def is_snowy(brief: SceneBrief) -> bool:
    """Return whether snow lies on the ground."""
    return brief.weather == "snow" or brief.setting == "snow_field" or brief.season == "winter"


def ground_cover(brief: SceneBrief) -> GroundCover:
    """Return the terrain palette of a brief."""
    cover = _GROUND[brief.setting]
    tint = _SEASON_TINT[brief.season]
    wet = 0.72 if brief.weather == "rain" else 1.0

    def dyed(colour: RGB, is_green: bool) -> RGB:
        r, g, b = colour
        return (
            r * wet * (tint[0] if is_green else 1.0),
            g * wet * (tint[1] if is_green else 1.0),
            b * wet * (tint[2] if is_green else 1.0),
        )

    is_green = brief.setting not in _BARREN
    snow = 0.0
    if is_snowy(brief) and brief.setting not in _BARREN:
        snow = 1.0
    elif brief.weather == "snow":
        snow = 0.6
    return GroundCover(
        grass=dyed(cover.grass, is_green),
        grass_dry=dyed(cover.grass_dry, is_green),
        litter=dyed(cover.litter, is_green),
        path=dyed(cover.path, False),
        shore=dyed(cover.shore, False),
        rock=dyed(cover.rock, False),
        snow=cover.snow,
        snow_amount=snow,
        grass_amount=cover.grass_amount * (0.35 if snow else 1.0),
        paving=cover.paving,
        strata=cover.strata,
    )


def outdoor_materials(brief: SceneBrief, is_lit: bool, is_frozen: bool, cabin: str) -> tuple[Material, ...]:
    """Return the table in the order of `NAMES`.

    Args:
        brief: Season, weather, setting.
        is_lit: Windows shine.
        is_frozen: The lake is ice.
        cabin: Colour or stuff of cabin walls: "log", "red", "white" or "stone".
    """
    said = {element.kind: element.attributes for element in brief.elements}
    leaf = _LEAF_COLOURS[brief.season]
    for name, colours in _CROWN_COLOURS.items():
        if name in said.get("broadleaf", ()):
            leaf = colours
    birch = _BIRCH_COLOURS[brief.season]
    cover = ground_cover(brief)
    snow = is_snowy(brief)
    moss = (
        (0.7, 0.73, 0.78)
        if snow
        else (0.42, 0.3, 0.18)
        if brief.setting in ("desert", "canyon")
        else (0.075, 0.105, 0.03)
    )
    stone = cover.rock if brief.setting in ("desert", "canyon") else (0.17, 0.163, 0.15)
    needle_tip = (0.5, 0.54, 0.58) if snow else (0.085, 0.13, 0.05)
    water = _water(brief, is_frozen)
    wood = {"red": (0.26, 0.05, 0.035), "white": (0.55, 0.54, 0.5), "stone": (0.2, 0.19, 0.17)}.get(
        cabin, (0.25, 0.145, 0.078)
    )
    if "old" in said.get("cabin", ()):  # weathered timber turns grey
        wood = tuple(0.45 * part + 0.55 * 0.13 for part in wood)
    table = {
        "ground": Material(Texture.GROUND, contrast=1.55),
        "mountain": Material(Texture.MOUNTAIN, cover.rock, _far_forest(brief), 95.0),
        "water": water,
        "bark": Material(Texture.BARK, (0.115, 0.08, 0.055)),
        "birch_bark": Material(Texture.BIRCH_BARK, (0.56, 0.54, 0.49), (0.07, 0.06, 0.05)),
        "needles": Material(Texture.LEAVES, (0.042, 0.08, 0.034), needle_tip, contrast=0.6, is_foliage=True),
        "leaves": Material(Texture.LEAVES, *leaf, is_foliage=True),
        "birch_leaves": Material(Texture.LEAVES, *birch, is_foliage=True),
        "bush": Material(Texture.LEAVES, (0.05, 0.085, 0.025), (0.1, 0.14, 0.04), is_foliage=True),
        "grass": Material(Texture.LEAVES, cover.grass, cover.grass_dry, contrast=0.5, is_foliage=True),
        "reed": Material(Texture.LEAVES, (0.13, 0.13, 0.05), (0.2, 0.17, 0.075), is_foliage=True),
        "petal": Material(Texture.PLAIN, (1.0, 1.0, 1.0), contrast=0.3, is_foliage=True),
        "stem": Material(Texture.PLAIN, (0.07, 0.11, 0.03), is_foliage=True),
        "rock": Material(Texture.ROCK, stone, moss, 1.6 if "mossy" in said.get("rock", ()) else 1.0),
        "log_wood": Material(Texture.WOOD, wood),
        "plank_wood": Material(Texture.PLANKS, (0.27, 0.175, 0.105), (0.07, 0.045, 0.03), 0.16),
        "roof": Material(
            Texture.SHINGLES,
            (0.68, 0.71, 0.76) if snow else (0.12, 0.095, 0.08),
            (0.74, 0.77, 0.82) if snow else (0.085, 0.1, 0.045),
            0.26,
            contrast=0.3 if snow else 1.0,
        ),
        "stones": Material(Texture.STONES, (0.22, 0.21, 0.195), (0.13, 0.125, 0.115), 0.28),
        "trim": Material(Texture.WOOD, (0.42, 0.38, 0.31)),
        "door": Material(Texture.PLANKS, (0.17, 0.075, 0.045), (0.05, 0.025, 0.015), 0.18),
        "window": Material(
            Texture.PLAIN,
            (0.06, 0.075, 0.09),
            contrast=0.0,
            emission=(1.5, 0.82, 0.3) if is_lit else (0.02, 0.025, 0.03),
        ),
        "metal": Material(Texture.METAL, (0.1, 0.1, 0.1)),
        "canvas": Material(Texture.FABRIC, (1.0, 1.0, 1.0), scale=0.03, contrast=0.5),
        "ember": Material(Texture.ROCK, (0.05, 0.04, 0.035), (0.05, 0.04, 0.035), emission=(0.5, 0.1, 0.01)),
        "flame": Material(Texture.PLAIN, (0.5, 0.3, 0.1), emission=(2.6, 1.05, 0.2), contrast=0.0),
        "cactus": Material(Texture.PLAIN, (0.08, 0.125, 0.055)),
        "frond": Material(Texture.LEAVES, (0.06, 0.12, 0.025), (0.13, 0.18, 0.045), is_foliage=True),
        "cap": Material(Texture.PLAIN, (1.0, 1.0, 1.0), contrast=0.5),
        "snow": Material(Texture.SNOW, cover.snow),
        "plaster": Material(Texture.PLASTER, (0.5, 0.47, 0.41)),
        "dead_wood": Material(Texture.BARK, (0.19, 0.165, 0.14)),
        "core": Material(Texture.PLAIN, (0.03, 0.025, 0.02)),
        "paint": Material(Texture.PLAIN, (1.0, 1.0, 1.0), contrast=0.8),
        "pale_stone": Material(Texture.ROCK, (0.44, 0.42, 0.37), moss if snow else (0.3, 0.31, 0.22), 0.75),
        "brick": Material(Texture.BRICK, (0.3, 0.12, 0.075), (0.32, 0.29, 0.25), 0.13),
        "sandstone": Material(Texture.STONES, (0.5, 0.36, 0.2), (0.36, 0.25, 0.14), 0.5),
        "cliff": Material(Texture.STRATA, cover.rock, moss, 1.1, contrast=1.4),
        "straw": Material(Texture.FABRIC, (0.46, 0.33, 0.12), scale=0.12, contrast=0.8),
        "blossom": Material(Texture.LEAVES, (0.6, 0.27, 0.33), (0.78, 0.5, 0.54), is_foliage=True),
        "bamboo": Material(Texture.PLAIN, (0.13, 0.19, 0.055)),
        "pane": Material(Texture.PLAIN, (0.3, 0.38, 0.42), contrast=0.2, emission=(0.03, 0.04, 0.05)),
        "dark_glass": Material(
            Texture.PLAIN, (0.035, 0.045, 0.055), contrast=0.0, emission=(0.01, 0.013, 0.017)
        ),
        "beacon": Material(
            Texture.PLAIN,
            (0.4, 0.4, 0.35),
            contrast=0.0,
            emission=(3.2, 2.7, 1.7) if is_lit else (0.2, 0.2, 0.18),
        ),
        "neon_red": Material(Texture.PLAIN, (0.4, 0.05, 0.08), contrast=0.0, emission=(1.9, 0.12, 0.32)),
        "neon_blue": Material(Texture.PLAIN, (0.05, 0.2, 0.4), contrast=0.0, emission=(0.1, 0.75, 1.7)),
        "basin_water": Material(Texture.WATER, (0.07, 0.17, 0.2), (0.11, 0.23, 0.26)),
        "foam": Material(Texture.PLAIN, (0.66, 0.73, 0.77), contrast=2.5),
    }
    return tuple(table[name] for name in NAMES)


def _water(brief: SceneBrief, is_frozen: bool) -> Material:
    if is_frozen:
        return Material(Texture.WATER, (0.5, 0.58, 0.64), (0.66, 0.71, 0.75), mirror=0.3)
    if brief.setting == "beach":
        return Material(Texture.WATER, (0.045, 0.23, 0.27), (0.09, 0.33, 0.36), mirror=0.45)
    return Material(Texture.WATER, (0.04, 0.08, 0.095), (0.06, 0.105, 0.125), mirror=1.0)


def _far_forest(brief: SceneBrief) -> RGB:
    if brief.setting in ("desert", "canyon"):
        return (0.3, 0.165, 0.09)
    if is_snowy(brief):
        return (0.2, 0.23, 0.24)
    return (0.1, 0.085, 0.035) if brief.season == "autumn" else (0.042, 0.065, 0.03)
