"""The interior world: a room with windows, furnished by relations, lit by daylight and its own lamps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from immersive.brief import Element, SceneBrief
from reconstruction.errors import UnliftableInputError

from . import corridor
from .corridor import SPACESHIP_CORRIDOR
from .mesh import Mesh, concatenate, tessellated
from .room_furnishing import Furnisher
from .room_palette import DYES, Palette, Scheme, dyed, light_of, pale, papered, scheme_of, tone_of
from .room_plan import Placed, RoomPlan
from .room_shell import WALLS, Opening, Room, build_shell, build_view, portal_of, view_colours
from .vocabulary import SETTINGS
from .world import Atmosphere, Extent, Lighting, Material, PointOfInterest, Sky, Sun, Texture, World

WALKABLE_M2 = 10.5  # least floor to walk on; walkability asks for 8 after lifting
_EYE_M = 1.6
_CAMERA_BODY_M = 0.4  # how far eyes stay from furniture

_SIZES = {"small": (5.0, 4.4), "medium": (6.2, 5.2), "large": (7.6, 6.2)}  # metres, width and depth
_CORRIDOR_M = {"small": 9.0, "medium": 12.0, "large": 15.0}
_HALLS = frozenset({"gallery", "cafe", "library"})  # a little larger and higher
_GROWTH = 1.08  # when something finds no room, the next try is larger by this
_TRIES = 9
_TRIES_FOR_RELATIONS = 4


def build_room(brief: SceneBrief) -> World:
    """Return the room of an indoor brief; the same brief gives the same room.

    Raises:
        UnliftableInputError: What the brief asks for does not fit even the largest room.
    """
    wanted = wanted_indoors(brief)
    smallest: Furnisher | None = None
    for attempt in range(_TRIES):
        # Every try starts from the same numbers, so that only the size of the room changes.
        furnisher = _furnish(brief, wanted, _GROWTH**attempt)
        asked = {element.kind for element in brief.elements}
        lacking = [kind for kind in furnisher.plan.missing if kind in asked]
        if not lacking and furnisher.plan.walkable_m2() >= WALKABLE_M2:
            if not furnisher.plan.unrelated:
                return _finish(brief, wanted, furnisher)
            # A little more room may put all where it is wanted; a hall for its sake would only be empty.
            smallest = smallest or furnisher
        if smallest is not None and attempt >= _TRIES_FOR_RELATIONS:
            return _finish(brief, wanted, smallest)
    raise UnliftableInputError(
        f"the furniture must leave {WALKABLE_M2} m2 to walk on, and does not in the largest room",
        hint="Ask for fewer things.",
    )


def wanted_indoors(brief: SceneBrief) -> dict[str, Element]:
    """Return what is to be built by kind: what is usual in the room, changed by what the brief says."""
    wanted = {kind: Element(kind) for kind in SETTINGS[brief.setting].usual}
    if "lush" in brief.style:
        wanted["plant"] = Element("plant", 4)
    if "cozy" in brief.style:
        wanted.setdefault("floor_lamp", Element("floor_lamp"))
        wanted.setdefault("rug", Element("rug"))
    if "minimal" in brief.style:
        wanted.pop("curtain", None)
    for element in brief.elements:
        wanted[element.kind] = element
    return {kind: element for kind, element in wanted.items() if element.count != 0}


def _furnish(brief: SceneBrief, wanted: dict[str, Element], growth: float) -> Furnisher:
    rng = np.random.default_rng([brief.seed, 0x726F_6F6D])
    width, depth = _SIZES[brief.size]
    is_hall = brief.setting in _HALLS
    scale = growth * (1.12 if is_hall else 1.0)
    room = Room(round(width * scale, 2), round(depth * scale, 2), 3.0 if is_hall else 2.7)
    side = "west" if rng.random() < 0.5 else "east"
    if brief.setting == SPACESHIP_CORRIDOR:
        room = Room(3.3, round(_CORRIDOR_M[brief.size] * growth, 2), 2.75)
        openings = corridor.doors(room) if "door" in wanted else ()
        return _furnished(brief, wanted, RoomPlan(room, openings), side, rng)
    openings = (*_windows(room, side, wanted.get("window")), *_doors(room, side, "door" in wanted))
    return _furnished(brief, wanted, RoomPlan(room, openings), side, rng)


def _furnished(
    brief: SceneBrief, wanted: dict[str, Element], plan: RoomPlan, side: str, rng: np.random.Generator
) -> Furnisher:
    scheme = scheme_of(brief, rng)
    furnisher = Furnisher(brief, wanted, plan, Palette(), scheme, light_of(brief), side, rng)
    furnisher.furnish()
    return furnisher


def _windows(room: Room, side: str, element: Element | None) -> tuple[Opening, ...]:
    if element is None:
        return ()
    width, low, high = 1.45, 0.85, room.height - 0.38
    if "large" in element.attributes:
        width, low, high = 2.1, 0.42, room.height - 0.28
    elif "small" in element.attributes:
        width, low, high = 0.95, 1.05, room.height - 0.6
    count = element.count if element.count is not None else (2 if room.depth < 6.4 else 3)
    openings = []
    # The long wall of light first; what does not fit there looks north.
    for wall in (side, "north"):
        fits = min(count - len(openings), int((room.length(wall) - 0.5) // (width + 0.75)))
        step = room.length(wall) / max(fits, 1)
        openings += [Opening(wall, (i - (fits - 1) / 2) * step, width, low, high) for i in range(fits)]
    return tuple(openings)


def _doors(room: Room, side: str, is_wanted: bool) -> tuple[Opening, ...]:
    if not is_wanted:
        return ()
    # Seen from inside, the far end of the south wall is on the left when light comes from the west.
    u = (room.width / 2 - 0.85) * (-1 if side == "west" else 1)
    return (Opening("south", u, 0.92, 0.0, 2.05, is_door=True),)


def _finish(brief: SceneBrief, wanted: dict[str, Element], furnisher: Furnisher) -> World:
    room, palette, scheme = furnisher.plan.room, furnisher.palette, furnisher.scheme
    openings, light = furnisher.plan.openings, furnisher.light
    if "door" in wanted:
        scheme = _with_door(scheme, wanted["door"])
    if brief.setting == SPACESHIP_CORRIDOR:
        ship = _ship(brief, wanted)
        shell, lamps = corridor.build_corridor(room, openings, palette, scheme, ship, furnisher.rng)
        furnisher.lamps += lamps
        fitted: list[Mesh] = []
    else:
        walls, floor = _surfaces(wanted, palette, scheme, furnisher.side)
        shell, fittings = build_shell(room, openings, palette, scheme, walls, floor)
        fitted = [fittings]
    placed = furnisher.plan.placed
    things = concatenate([_named(entry) for entry in placed if not entry.is_flat] + furnisher.hung)
    flat = [_named(entry) for entry in placed if entry.is_flat]
    solid = concatenate([shell, tessellated(things, 0.3)])
    windows = [opening for opening in openings if not opening.is_door]
    view = _view_of(brief, wanted)
    is_white = view == "snow" or brief.weather == "snow" or brief.season == "winter"
    colours = view_colours(brief.time, brief.weather, is_white)
    painted = "meadow" if view == "snow" else view
    views = [
        build_view(room, wall, palette, painted, light, colours, brief.seed % 10_007 + WALLS.index(wall))
        for wall in dict.fromkeys(opening.wall for opening in windows)
    ]
    plan = furnisher.plan

    def ground_height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.zeros(np.broadcast(x, z).shape)

    def is_free(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return plan.is_free(x, z, _CAMERA_BODY_M)

    return World(
        mesh=concatenate([solid, *(tessellated(part, 0.3) for part in (*fitted, *flat)), *views]),
        materials=tuple(palette.materials),
        lighting=Lighting(
            sky=Sky(light.zenith, light.horizon, light.horizon, ground=_scaled(light.horizon, 0.22)),
            sun=_sun(furnisher, bool(windows)),
            lamps=tuple(furnisher.lamps),
            portals=tuple(portal_of(room, opening) for opening in windows),
            exposure=light.exposure * furnisher.exposure_gain(len(windows)),
            bounces=4,
            bake_rays=96,
        ),
        atmosphere=Atmosphere(),
        is_indoor=True,
        ground_height=ground_height,
        is_free=is_free,
        extent=Extent(-room.width / 2, room.width / 2, -room.depth / 2, room.depth / 2),
        points_of_interest=_points_of_interest(brief, furnisher),
        eye_height_m=_EYE_M,
        shadeless_face=len(solid.faces),
    )


def _ship(brief: SceneBrief, wanted: dict[str, Element]) -> corridor.Ship:
    lamp = wanted.get("pendant_lamp")
    return corridor.Ship(
        tone=tone_of(lamp.attributes) if lamp is not None and lamp.attributes else (0.86, 0.94, 1.0),
        lit_share=0.4 if "eerie" in brief.style else 1.0,
        has_portholes="window" in wanted,
        has_lights=lamp is not None,
        has_pipes="pipe" in wanted,
    )


def _named(entry: Placed) -> Mesh:
    return entry.mesh.labelled(entry.piece.kind)


def _surfaces(
    wanted: dict[str, Element], palette: Palette, scheme: Scheme, side: str
) -> tuple[dict[str, int], int]:
    """Return the material slots of the walls by name, and of the floor."""
    attributes = wanted["wall"].attributes if "wall" in wanted else ()
    plain = palette.slot(papered(scheme.wall, scheme.paper))
    walls = dict.fromkeys(WALLS, plain)
    if "wooden" in attributes:
        boards = Material(Texture.PLANKS, (0.40, 0.24, 0.125), (0.15, 0.085, 0.045), 0.2, contrast=0.7)
        walls = dict.fromkeys(WALLS, palette.slot(boards))
    elif any(name in DYES for name in attributes):
        paint = Material(Texture.PLASTER, pale(dyed(attributes, scheme.wall)))
        walls = dict.fromkeys(WALLS, palette.slot(paint))
    accent = "east" if side == "west" else "west"  # the wall that daylight falls on
    if "brick" in attributes:
        walls[accent] = palette.slot(Material(Texture.BRICK, (0.40, 0.18, 0.115), (0.44, 0.39, 0.33), 0.14))
    elif "stone" in attributes:
        walls[accent] = palette.slot(Material(Texture.STONES, (0.36, 0.34, 0.31), (0.25, 0.235, 0.21), 0.3))
    elif not attributes:
        walls[accent] = palette.slot(papered(scheme.accent_wall, scheme.accent_paper))
    kind = wanted["floor"].attributes if "floor" in wanted else ()
    if "tiled" in kind:
        floor = Material(Texture.TILES, (0.52, 0.44, 0.36), (0.38, 0.34, 0.29), 0.45)
    elif "stone" in kind:
        floor = Material(Texture.TILES, (0.34, 0.32, 0.29), (0.24, 0.225, 0.20), 0.7)
    else:
        dark = _scaled(scheme.floor, 0.28)
        floor = Material(Texture.PLANKS, scheme.floor, dark, 0.16, contrast=1.1)
    return walls, palette.slot(floor)


def _with_door(scheme: Scheme, door: Element) -> Scheme:
    return scheme if not door.attributes else _replaced_trim(scheme, dyed(door.attributes, scheme.trim))


def _replaced_trim(scheme: Scheme, colour: tuple[float, float, float]) -> Scheme:
    return replace(scheme, trim=colour)


def _view_of(brief: SceneBrief, wanted: dict[str, Element]) -> str:
    attributes = wanted["window"].attributes if "window" in wanted else ()
    named = next((name.removesuffix("_view") for name in attributes if name.endswith("_view")), None)
    if named is not None:
        return named
    return ("meadow", "forest", "mountain")[brief.seed % 3]


def _sun(furnisher: Furnisher, has_windows: bool) -> Sun | None:
    light = furnisher.light
    if max(light.sun) <= 0 or not has_windows:
        return None
    out = -1.0 if furnisher.side == "west" else 1.0
    turn = np.radians(float(furnisher.rng.uniform(16, 34)) * (1 if furnisher.rng.random() < 0.5 else -1))
    rise = np.radians(light.elevation_deg)
    direction = (
        float(out * np.cos(rise) * np.cos(turn)),
        float(np.sin(rise)),
        float(np.cos(rise) * np.sin(turn)),
    )
    return Sun(direction, light.sun, radius=0.02)


def _points_of_interest(brief: SceneBrief, furnisher: Furnisher) -> tuple[PointOfInterest, ...]:
    asked = {element.kind for element in brief.elements}
    main = {"sofa", "bed", "fireplace", "dining_table", "desk", "bookshelf", "counter", "sculpture"}
    points = []
    for entry in furnisher.plan.placed:
        kind = entry.piece.kind
        if kind in asked or kind in main:
            weight = (3.0 if kind in asked else 1.0) + (0.5 if kind in main else 0.0)
            middle = (entry.floor.x, min(0.6 * entry.piece.height, 1.2), entry.floor.z)
            points.append(PointOfInterest(kind, middle, weight))
    return tuple(points)


def _scaled(colour: tuple[float, float, float], gain: float) -> tuple[float, float, float]:
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)
