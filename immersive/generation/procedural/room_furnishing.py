"""What stands where: each kind of furniture has a rule that relates it to walls and to other pieces.

The rules run in a fixed order, the largest and most bound first. A kind that finds no room is noted in
`RoomPlan.missing`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from immersive.brief import Element, SceneBrief

from . import furniture, furniture_decor, furniture_storage
from .furniture import Piece
from .mesh import Mesh, concatenate
from .room_palette import DYES, Palette, RoomLight, Scheme, dyed
from .room_plan import Placed, Rectangle, RoomPlan, opposite
from .world import RGB, Lamp

_BOOKS: tuple[tuple[RGB, RGB], ...] = (
    ((0.10, 0.18, 0.32), (0.55, 0.42, 0.26)),
    ((0.36, 0.09, 0.07), (0.60, 0.56, 0.47)),
    ((0.12, 0.24, 0.17), (0.55, 0.30, 0.10)),
)
_WARM: RGB = (1.0, 0.72, 0.42)


class Furnisher:
    """Furnishes one room; `plan`, `hung` and `lamps` hold the result."""

    def __init__(
        self,
        brief: SceneBrief,
        wanted: dict[str, Element],
        plan: RoomPlan,
        palette: Palette,
        scheme: Scheme,
        light: RoomLight,
        side: str,
        rng: Generator,
    ) -> None:
        self.brief, self.plan, self.palette, self.scheme = brief, plan, palette, scheme
        self.light, self.side, self.rng = light, side, rng  # side: the wall that has the windows
        self.hung: list[Mesh] = []  # curtains and other things that are no piece of furniture
        self.lamps: list[Lamp] = []
        self._wanted = wanted
        self._far = opposite(side)  # the wall that daylight falls on
        self._books = _BOOKS[int(rng.integers(len(_BOOKS)))]

    def furnish(self) -> None:
        """Place everything that is wanted."""
        self._keep_door_free()
        for rule in (
            self._counter, self._fireplace, self._bed, self._sofas, self._coffee_table, self._dining,
            self._bookshelves, self._wardrobes, self._desk, self._sideboard, self._armchairs,
            self._cafe_tables, self._loose_chairs, self._nightstands, self._sculptures, self._benches,
            self._floor_lamps, self._plants, self._rug, self._table_lamps, self._pendant_lamps,
            self._pictures, self._curtains,
        ):  # fmt: skip
            rule()

    def exposure_gain(self, windows: int) -> float:
        """Return how much longer the picture is exposed for want of windows, as an eye would adapt."""
        # Dark walls pass on little light.
        shares = ((self.scheme.wall, 0.5), (self.scheme.accent_wall, 0.15), (self.scheme.floor, 0.35))
        paleness = sum(share * sum(colour) / 3 for colour, share in shares)
        adapted = float(np.clip((0.42 / paleness) ** 0.65, 0.9, 1.9)) * (
            1.12 if "bright" in self.brief.style else 1.0
        )
        if self.brief.time == "night":
            return adapted if self.lamps else 3.0
        area = self.plan.room.width * self.plan.room.depth
        # Two windows to 32 m2 is what the lights were tuned for.
        return adapted * float(np.clip((area / 32.0) ** 0.8 / max(windows / 2.0, 0.35) ** 0.5, 0.75, 2.2))

    # Words and numbers.

    def _count(self, kind: str, otherwise: int) -> int:
        element = self._wanted.get(kind)
        if element is None:
            return 0
        return otherwise if element.count is None else element.count

    def _attributes(self, kind: str) -> tuple[str, ...]:
        return self._wanted[kind].attributes if kind in self._wanted else ()

    def _colour(self, kind: str, otherwise: RGB) -> RGB:
        return dyed(self._attributes(kind), otherwise)

    def _miss(self, kind: str, is_placed: bool) -> None:
        if not is_placed:
            self.plan.missing.append(kind)

    @property
    def _size(self) -> float:
        return self.plan.room.width * self.plan.room.depth

    # Rules.

    def _keep_door_free(self) -> None:
        for opening in self.plan.openings:
            if opening.is_door:
                x, z = self.plan.room.spot(opening.wall, opening.u, 0.5)
                self.plan.kept_free.append(Rectangle(x, z, 0.5, 0.5))

    def _counter(self) -> None:
        if not self._count("counter", 1):
            return
        colour = self._colour("counter", self.scheme.seat)
        is_cafe = self.brief.setting == "cafe"
        for width in (3.0, 2.4, 1.8):
            piece = furniture_storage.counter(self.palette, colour, self.rng, width)
            walls = ("north", self._far) if is_cafe else (self._far, "north")
            if self.plan.against_wall(piece, walls, 0.0):
                return
        self._miss("counter", False)

    def _fireplace(self) -> None:
        if not self._count("fireplace", 1):
            return
        piece = furniture_storage.fireplace(self.palette, self._attributes("fireplace"), self.scheme.wood)
        self._miss("fireplace", self.plan.against_wall(piece, (self._far, "north", "south"), 0.0))
        hearth = self.plan.first("fireplace")
        if hearth is not None and hearth.wall is not None:
            x, z = self.plan.room.spot(hearth.wall, hearth.u, 0.72)
            self.lamps.append(Lamp((x, 0.42, z), (1.5, 0.62, 0.18), radius=0.12, clear_m=0.3))

    def _bed(self) -> None:
        count = self._count("bed", 1)
        cover = self._colour("bed", self.scheme.seat)
        for index in range(count):
            piece = furniture.bed(self.palette, cover, self.scheme.cushion, self.scheme.wood)
            prefer = 0.0 if count == 1 else (-0.52, 0.52)[index]
            apart = 0.55 if count == 1 else 0.1
            placed = self.plan.against_wall(piece, ("north", self._far), prefer, apart)
            self._miss("bed", placed or self.plan.against_wall(piece, ("north", self._far, "south"), prefer))

    def _sofas(self) -> None:
        cushions = self._count("cushion", 2)
        for index in range(self._count("sofa", 1)):
            width = 2.1 if self._size > 24 else 1.8
            colour = self._colour("sofa", self.scheme.seat)
            cushion = self._colour("cushion", self.scheme.cushion)
            here = cushions if index == 0 else 0
            piece = furniture.sofa(self.palette, colour, self.scheme.wood, cushion, here, width)
            walls = ("north", self._far, "south") if index == 0 else ("south", self._far, "north")
            self._miss("sofa", self.plan.against_wall(piece, walls, 0.0))

    def _hub(self) -> tuple[float, float]:
        """Return (x, z) of what seats gather around."""
        sofa = self.plan.first("sofa")
        if sofa is not None and sofa.wall is not None:
            return self.plan.room.spot(sofa.wall, sofa.u, 1.86)
        hearth = self.plan.first("fireplace")
        if hearth is not None and hearth.wall is not None:
            return self.plan.room.spot(hearth.wall, hearth.u, 2.1)
        return 0.0, -0.1 * self.plan.room.depth

    def _coffee_table(self) -> None:
        if not self._count("coffee_table", 1):
            return
        attributes = self._attributes("coffee_table")
        wood = self._colour("coffee_table", self.scheme.wood)
        piece = furniture.coffee_table(self.palette, wood, "round" in attributes, self._books)
        x, z = self._hub()
        sofa = self.plan.first("sofa")
        self._miss("coffee_table", self.plan.at(piece, x, z, 0.0 if sofa is None else sofa.yaw_deg, 0.5))

    def _armchairs(self) -> None:
        count = self._count("armchair", 2)
        colour = self._colour("armchair", self.scheme.second_seat)
        hub_x, hub_z = self._hub()
        spots = ((-1.62, 0.25), (1.62, 0.25), (-0.62, 1.5), (0.62, 1.5))
        if self.plan.first("sofa") is None:
            spots = ((-1.1, 0.45), (1.1, 0.45), (-1.0, -0.9), (1.0, -0.9))
        for x, z in spots[:count]:
            turn = float(np.degrees(np.arctan2(-x, -z)))
            piece = furniture.armchair(self.palette, colour, self.scheme.wood)
            placed = self.plan.at(piece, hub_x + x, hub_z + z, turn, 0.8)
            walls = (self._far, self.side, "south", "north")
            self._miss("armchair", placed or self.plan.against_wall(piece, walls, 0.6))

    def _chair(self) -> Piece:
        attributes = self._attributes("chair")
        asked = next((DYES[name] for name in attributes if name in DYES), None)
        wood = self.scheme.wood if asked is None else asked
        return furniture.chair(self.palette, wood, self.scheme.cushion if asked is None else None)

    def _chairs_at_table(self) -> int:
        if not self._count("dining_table", 1):
            return 0
        return self._count("chair", 4 if self._size < 36 else 6)

    def _dining(self) -> None:
        if not self._count("dining_table", 1):
            return
        seats = self._chairs_at_table()
        wood = self._colour("dining_table", self.scheme.wood)
        is_round = "round" in self._attributes("dining_table")
        table = furniture.dining_table(self.palette, wood, is_round, seats)
        group = _seated(table, self._chair(), seats, is_round)
        shares = self.plan.first("sofa") is not None or self.plan.first("bed") is not None
        room = self.plan.room
        x = 0.0 if not shares else (-0.22 if self.side == "west" else 0.22) * room.width
        z = 0.02 * room.depth if not shares else 0.30 * room.depth
        self._miss(
            "dining_table", self.plan.at(group, x, z, 0.0, 2.0) or self.plan.at(group, x, z, 90.0, 2.0)
        )

    def _cafe_tables(self) -> None:
        count = self._count("cafe_table", 4)
        if count == 0:
            return
        chairs = self._count("chair", 2 * count)
        wood = self._colour("cafe_table", self.scheme.wood)
        room = self.plan.room
        for index in range(count):
            # Early tables take the odd chair, so that the sum is what was asked for.
            here = chairs // count + (1 if index < chairs % count else 0)
            table = furniture.cafe_table(self.palette, wood)
            group = _seated(table, self._chair(), min(here, 4), is_round=True)
            x = (-0.27 if index % 2 == 0 else 0.22) * room.width
            z = (0.06 if index < 2 else 0.34) * room.depth
            self._miss("cafe_table", self.plan.at(group, x, z, 35.0 * index, 1.2))

    def _loose_chairs(self) -> None:
        """Place the chairs that no table takes: one at the desk, the others where there is room."""
        if "chair" not in self._wanted or self._count("dining_table", 1) or self._count("cafe_table", 4):
            return
        desk = self.plan.first("desk")
        count = self._count("chair", 1 if desk is not None else 2)
        hub_x, hub_z = self._hub()
        for index in range(count):
            piece = self._chair()
            if index == 0 and desk is not None and desk.wall is not None:
                x, z = self.plan.room.spot(desk.wall, desk.u, desk.piece.depth + 0.36)
                if self.plan.at(piece, x, z, desk.yaw_deg + 180.0, 0.3):
                    continue
            angle = 2 * np.pi * index / max(count, 1) + 0.6
            x, z = hub_x + 1.1 * float(np.sin(angle)), hub_z + 1.1 * float(np.cos(angle))
            turn = float(np.degrees(angle)) + 180.0
            placed = self.plan.at(piece, x, z, turn, 0.8)
            walls = ("south", self._far, self.side, "north")
            self._miss("chair", placed or self.plan.against_wall(piece, walls, 0.3))

    def _bookshelves(self) -> None:
        is_library = self.brief.setting == "library"
        count = self._count("bookshelf", 4 if is_library else 1 + (self.brief.setting == "study"))
        wood = self._colour("bookshelf", self.scheme.wood)
        height = 2.35 if is_library else 1.95
        walls = ("north", self._far, "south") if is_library else (self._far, "south", "north")
        prefers = (-0.36, 0.36, -0.4, 0.4, 0.0) if is_library else (0.45, -0.45, 0.6, -0.6, 0.0)
        for index in range(count):
            piece = furniture_storage.bookshelf(self.palette, wood, self.rng, 1.5, height)
            placed = self.plan.against_wall(piece, walls, prefers[index % 5])
            if not placed:
                piece = furniture_storage.bookshelf(self.palette, wood, self.rng, 0.9, height)
                placed = self.plan.against_wall(piece, (*walls, self.side), prefers[index % 5])
            self._miss("bookshelf", placed)

    def _wardrobes(self) -> None:
        for _ in range(self._count("wardrobe", 1)):
            piece = furniture_storage.wardrobe(self.palette, self._colour("wardrobe", self.scheme.wood))
            self._miss("wardrobe", self.plan.against_wall(piece, (self._far, "south", "north"), 0.35))

    def _desk(self) -> None:
        if not self._count("desk", 1):
            return
        piece = furniture.desk(self.palette, self._colour("desk", self.scheme.wood), self._books)
        walls = (
            ("north", self._far, "south") if self.brief.setting == "study" else (self._far, "south", "north")
        )
        self._miss("desk", self.plan.against_wall(piece, walls, -0.1))

    def _sideboard(self) -> None:
        if not self._count("sideboard", 1):
            return
        piece = furniture_storage.sideboard(self.palette, self._colour("sideboard", self.scheme.wood))
        self._miss("sideboard", self.plan.against_wall(piece, ("north", self._far, "south", self.side), 0.0))

    def _nightstands(self) -> None:
        bed = self.plan.first("bed")
        for index in range(self._count("nightstand", 2)):
            piece = furniture_storage.nightstand(self.palette, self._colour("nightstand", self.scheme.wood))
            placed = False
            if bed is not None and bed.wall is not None:
                beside = bed.u + (-1 if index == 0 else 1) * (bed.piece.width / 2 + piece.width / 2 + 0.06)
                prefer = beside / (self.plan.room.length(bed.wall) / 2)
                placed = self.plan.against_wall(piece, (bed.wall,), prefer)
            walls = (self._far, "south", "north", self.side)
            self._miss("nightstand", placed or self.plan.against_wall(piece, walls, 0.7))

    def _sculptures(self) -> None:
        is_gallery = self.brief.setting == "gallery"
        room = self.plan.room
        spots = (
            ((-0.2, -0.16), (0.2, 0.12), (-0.02, 0.3))
            if is_gallery
            else ((0.42, -0.4), (-0.4, 0.4), (0.4, 0.4))
        )
        for x, z in spots[: self._count("sculpture", 2)]:
            piece = furniture_storage.sculpture(self.palette, self.rng)
            self._miss("sculpture", self.plan.at(piece, x * room.width, z * room.depth, 0.0, 1.5))

    def _benches(self) -> None:
        for index in range(self._count("bench_seat", 1)):
            piece = furniture.bench_seat(self.palette, self.scheme.second_seat, self.scheme.wood)
            self._miss("bench_seat", self.plan.at(piece, 0.0, (0.04, 0.3)[index % 2], 90.0, 1.5))

    def _floor_lamps(self) -> None:
        for _ in range(self._count("floor_lamp", 1)):
            piece = furniture_decor.floor_lamp(self.palette, self.light.lamp)
            if self._beside_seat(piece) or self.plan.against_wall(piece, ("north", "south", self._far), 0.92):
                lamp = self.plan.placed[-1]
                self._shine(lamp.floor.x, 1.58, lamp.floor.z, 3.2, clear_m=0.32)
            else:
                self._miss("floor_lamp", False)

    def _beside_seat(self, piece: Piece) -> bool:
        for kind in ("sofa", "armchair"):
            for seat in [entry for entry in self.plan.placed if entry.piece.kind == kind]:
                if seat.wall is None:
                    if self.plan.at(piece, seat.floor.x, seat.floor.z - 0.7, 0.0, 0.3):
                        return True
                    continue
                for side in (-1, 1) if self.side == "east" else (1, -1):
                    u = seat.u + side * (seat.piece.width / 2 + 0.32)
                    x, z = self.plan.room.spot(seat.wall, u, 0.34)
                    if self.plan.at(piece, x, z, 0.0, 0.1):
                        return True
        return False

    def _plants(self) -> None:
        room = self.plan.room
        corners = [(-1, -1), (1, -1), (-1, 1), (1, 1)]
        if self.side == "east":
            corners = [(1, -1), (-1, -1), (1, 1), (-1, 1)]
        attributes = self._attributes("plant")
        low, high = (
            (1.5, 1.8) if "tall" in attributes else (0.7, 0.9) if "small" in attributes else (1.05, 1.5)
        )
        for index in range(self._count("plant", 1 if self._size < 30 else 2)):
            piece = furniture_decor.plant(self.palette, self.rng, float(self.rng.uniform(low, high)))
            placed = False
            for sx, sz in (*corners[index % 4 :], *corners[: index % 4]):
                x, z = sx * (room.width / 2 - 0.5), sz * (room.depth / 2 - 0.5)
                if self.plan.at(piece, x, z, float(self.rng.uniform(0, 360)) // 90 * 90, 0.35):
                    placed = True
                    break
            placed = placed or self.plan.against_wall(piece, (self.side, self._far, "south"), 0.0)
            self._miss("plant", placed)
            if placed:
                self.plan.placed[-1] = self._bent_by_walls(self.plan.placed[-1])

    def _bent_by_walls(self, entry: Placed) -> Placed:
        """Return a plant whose leaves end at the walls instead of beyond them."""
        half = np.array(
            [self.plan.room.width / 2 - 0.04, np.inf, self.plan.room.depth / 2 - 0.04], np.float32
        )
        return replace(entry, mesh=replace(entry.mesh, vertices=np.clip(entry.mesh.vertices, -half, half)))

    def _rug(self) -> None:
        if not self._count("rug", 1):
            return
        attributes = self._attributes("rug")
        base, motif = self._colour("rug", self.scheme.rug), self.scheme.rug_motif
        if "persian" in attributes and not any(name in DYES for name in attributes):
            base, motif = (0.36, 0.07, 0.06), (0.56, 0.42, 0.22)
        width, depth = 2.9, 2.1
        x, z = self._hub()
        bed, table = self.plan.first("bed"), self.plan.first("dining_table")
        if bed is not None:
            x, z = bed.floor.x, bed.floor.z + 0.75
            width = 2.8
        elif table is not None and self.plan.first("sofa") is None:
            x, z = table.floor.x, table.floor.z
            width, depth = 2 * table.floor.half_x + 0.5, 2 * table.floor.half_z + 0.5
        room = self.plan.room
        width, depth = min(width, room.width - 0.5), min(depth, room.depth - 0.5)
        piece = furniture_decor.rug(self.palette, base, motif, width, depth, "round" in attributes)
        x = float(np.clip(x, -room.width / 2 + width / 2 + 0.1, room.width / 2 - width / 2 - 0.1))
        z = float(np.clip(z, -room.depth / 2 + depth / 2 + 0.1, room.depth / 2 - depth / 2 - 0.1))
        self.plan.on_top(piece, x, 0.0, z, is_flat=True)

    def _table_lamps(self) -> None:
        tops = {"nightstand": 0.56, "desk": 0.76, "sideboard": 0.82, "coffee_table": 0.435}
        supports = [
            (entry, tops[kind]) for kind in tops for entry in self.plan.placed if entry.piece.kind == kind
        ]
        wanted = self._count("table_lamp", 2 if self.plan.first("nightstand") else 1)
        for support, top in supports[:wanted]:
            piece = furniture_decor.table_lamp(self.palette, self.scheme.second_seat, self.light.lamp)
            shift = {"desk": (0.52, -0.14), "sideboard": (-0.5, 0.0), "coffee_table": (0.0, 0.0)}
            dx, dz = shift.get(support.piece.kind, (0.0, -0.04))
            x, z = _beside(support, dx, dz)
            self.plan.on_top(piece, x, top, z)
            self._shine(x, top + 0.36, z, 1.5, clear_m=0.24)
        for _ in range(max(0, wanted - len(supports)) if self._was_asked("table_lamp") else 0):
            self._miss("table_lamp", False)

    def _was_asked(self, kind: str) -> bool:
        return any(element.kind == kind for element in self.brief.elements)

    def _pendant_lamps(self) -> None:
        count = self._count("pendant_lamp", 1 if self.brief.setting != "cafe" else 3)
        tables = [e for e in self.plan.placed if e.piece.kind in ("dining_table", "cafe_table")]
        room = self.plan.room
        spots = [(entry.floor.x, entry.floor.z) for entry in tables]
        spots += [
            (0.0, 0.0),
            (-0.22 * room.width, 0.18 * room.depth),
            (0.22 * room.width, -0.18 * room.depth),
        ]
        # Over a table a lamp hangs low; over open floor it clears every head.
        for index in range(count):
            low = 1.62 if index < len(tables) else 2.12
            x, z = spots[index]
            self.plan.on_top(
                furniture_decor.pendant_lamp(self.palette, room.height, low, self.light.lamp), x, 0.0, z
            )
            self._shine(x, low - 0.02, z, 2.6, clear_m=0.3)

    def _shine(self, x: float, y: float, z: float, power: float, clear_m: float) -> None:
        strength = power * self.light.lamp
        colour = (strength * _WARM[0], strength * _WARM[1], strength * _WARM[2])
        self.lamps.append(Lamp((x, y, z), colour, radius=0.1, clear_m=clear_m))

    def _pictures(self) -> None:
        is_gallery = self.brief.setting == "gallery"
        count = self._count("picture", 8 if is_gallery else 4)
        attributes = self._attributes("picture")
        sizes = [(0.8, 0.6), (0.62, 0.8), (1.05, 0.72)]
        if "large" in attributes or is_gallery:
            sizes = [(1.3, 0.95), (0.95, 1.2), (1.5, 1.0)]
        elif "small" in attributes:
            sizes = [(0.5, 0.4), (0.42, 0.52)]
        walls = ["north", self._far, "south", self.side]
        shares = (0.0, -0.5, 0.5, -0.25, 0.25) if is_gallery else (0.0, 0.42, -0.42, 0.68, -0.68, 0.2, -0.2)
        spots = [(wall, share) for share in shares for wall in walls]
        if self.plan.first("sofa") or self.plan.first("bed"):
            # Two above the head of the room before the other walls have their turn.
            spots = [("north", -0.16), ("north", 0.2), *spots]
        hung = 0
        for wall, share in spots:
            if hung == count:
                return
            width, height = sizes[hung % len(sizes)]
            frame = self.scheme.wood if hung % 2 == 0 else (0.08, 0.07, 0.06)
            piece = furniture_decor.picture(self.palette, self.rng, width, height, frame)
            hung += self.plan.hang(piece, wall, share * self.plan.room.length(wall) / 2, 1.62)
        if hung < count and self._was_asked("picture") and self._wanted["picture"].count is not None:
            self._miss("picture", False)

    def _curtains(self) -> None:
        if not self._count("curtain", 1):
            return
        colour = self._colour("curtain", self.scheme.curtain)
        for o in self.plan.openings:
            if o.is_door:
                continue
            top = min(o.high + 0.16, self.plan.room.height - 0.06)
            parts: list[Mesh] = [
                furniture_decor.curtain_rod(self.palette, o.width + 0.7, top).placed([o.u, 0, 0])
            ]
            for side in (-1, 1):
                cloth = furniture_decor.curtain(self.palette, colour, top, 0.36)
                parts.append(cloth.placed([o.u + side * (o.width / 2 + 0.14), 0, 0]))
            self.hung.append(self.plan.room.against(concatenate(parts), o.wall, 0.0, 0.0, 0.02))


def _beside(support: Placed, dx: float, dz: float) -> tuple[float, float]:
    """Return (x, z) of a point given in the frame of a placed piece."""
    turn = np.radians(support.yaw_deg)
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    return support.floor.x + cos * dx + sin * dz, support.floor.z - sin * dx + cos * dz


def _seated(table: Piece, chair: Piece, seats: int, is_round: bool) -> Piece:
    """Return a table with chairs around it, as one piece that takes the floor of both."""
    half_x, half_z = table.width / 2, table.depth / 2
    spots: list[tuple[float, float, float]] = []  # x, z, turn
    if is_round:
        for index in range(seats):
            angle = 2 * np.pi * (index + 0.5) / seats
            reach = half_x + 0.16
            spots.append(
                (reach * float(np.sin(angle)), reach * float(np.cos(angle)), float(np.degrees(angle)) + 180)
            )
    else:
        along = 3 if half_x > 0.8 else 2
        steps = [(index - (along - 1) / 2) * (2 * half_x - 0.1) / along for index in range(along)]
        pairs = [(x, side) for x in steps for side in (1, -1)]
        spots = [(x, side * (half_z + 0.14), 180.0 if side > 0 else 0.0) for x, side in pairs]
        spots += [(half_x + 0.16, 0.0, -90.0), (-half_x - 0.16, 0.0, 90.0)]
        if seats <= 2:
            spots = spots[-2:]
        elif seats == 3:
            spots = [spots[0], spots[2], spots[1]]
    meshes = [chair.mesh.placed([x, 0, z], turn) for x, z, turn in spots[:seats]]
    reach_x = max([half_x, *(abs(x) + 0.26 for x, _, _ in spots[:seats])])
    reach_z = max([half_z, *(abs(z) + 0.26 for _, z, _ in spots[:seats])])
    return Piece(table.kind, concatenate([table.mesh, *meshes]), 2 * reach_x, 2 * reach_z, table.height)
