"""What stands where: each kind of furniture has a rule that relates it to walls and to other pieces.

The rules run in a fixed order, the largest and most bound first. A kind that finds no room is noted in
`RoomPlan.missing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from . import furniture, furniture_decor, furniture_storage
from .furniture import Piece
from .mesh import concatenate
from .room_objects import Keeper
from .room_palette import DYES
from .room_plan import Rectangle
from .world import Lamp


class Furnisher(Keeper):
    """Furnishes one room: furniture first, then what `Dresser` and `Keeper` add."""

    def furnish(self) -> None:
        """Place everything that is wanted."""
        self._keep_door_free()
        rules: dict[str, Callable[[], None]] = {
            "counter": self._counter, "fireplace": self._fireplace, "bed": self._bed, "sofa": self._sofas,
            "coffee_table": self._coffee_table, "dining_table": self._dining,
            "bookshelf": self._bookshelves, "wardrobe": self._wardrobes, "desk": self._desk,
            "sideboard": self._sideboard, "armchair": self._armchairs, "cafe_table": self._cafe_tables,
            "chair": self._loose_chairs, "nightstand": self._nightstands, "sculpture": self._sculptures,
            "bench_seat": self._benches, "floor_lamp": self._floor_lamps, "plant": self._plants,
            "rug": self._rug, "table_lamp": self._table_lamps, "pendant_lamp": self._pendant_lamps,
            "blanket": self._blankets,
            **self.object_rules(), "picture": self._pictures, "wall_lamp": self._wall_lamps,
            "curtain": self._curtains,
        }  # fmt: skip
        for kind in self._targets_first(list(rules)):
            rules[kind]()

    def _targets_first(self, kinds: list[str]) -> list[str]:
        """Return the kinds in their order, but what something is placed by before that.

        What stands beside a thing comes right after it, before that side is taken.
        """
        order = list(kinds)
        for kind in kinds:
            element = self._wanted.get(kind)
            relation = None if element is None else element.relation
            if relation is None or relation.to not in order or relation.to == "pendant_lamp":
                continue  # a lamp is hung over what stands already
            target, is_early = relation.to, order.index(relation.to) > order.index(kind)
            if is_early or relation.kind == "beside":
                order.remove(kind)
                order.insert(order.index(target) + 1, kind)
        return order

    def exposure_gain(self, windows: int) -> float:
        """Return how much longer the picture is exposed for want of windows, as an eye would adapt."""
        # Dark walls pass on little light.
        shares = ((self.scheme.wall, 0.5), (self.scheme.accent_wall, 0.15), (self.scheme.floor, 0.35))
        paleness = sum(share * sum(colour) / 3 for colour, share in shares)
        adapted = float(np.clip((0.42 / paleness) ** 0.65, 0.9, 1.9)) * (
            1.12 if "bright" in self.brief.style else 1.0
        )
        if self.brief.setting == "spaceship_corridor":
            return 1.0
        if self.brief.time == "night":
            return adapted if self.lamps else 3.0
        area = self.plan.room.width * self.plan.room.depth
        # Two windows to 32 m2 is what the lights were tuned for.
        return adapted * float(np.clip((area / 32.0) ** 0.8 / max(windows / 2.0, 0.35) ** 0.5, 0.75, 2.2))

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
        # Stools along it want their room.
        long = 0.4 * self._stools + 0.1
        for width in (*([long] if long > 3.0 else []), 3.0, 2.4, 1.8):
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
            if index == 0 and self._blanket_on == "bed":
                piece = self._covered(piece, 1.76, 0.0, ((0.42, 0.608), (1.03, 0.605)))
            prefer = 0.0 if count == 1 else (-0.52, 0.52)[index]
            apart = 0.55 if count == 1 else 0.1
            placed = self._related(piece) or self.plan.against_wall(
                piece, ("north", self._far), prefer, apart
            )
            self._miss("bed", placed or self.plan.against_wall(piece, ("north", self._far, "south"), prefer))

    def _sofas(self) -> None:
        cushions = self._count("cushion", 2)
        for index in range(self._count("sofa", 1)):
            width = 2.1 if self._size > 24 else 1.8
            colour = self._colour("sofa", self.scheme.seat)
            cushion = self._colour("cushion", self.scheme.cushion)
            here = cushions if index == 0 else 0
            piece = furniture.sofa(self.palette, colour, self.scheme.wood, cushion, here, width)
            if index == 0 and self._blanket_on == "sofa":
                piece = self._covered(
                    piece,
                    0.42,
                    0.12,
                    ((-0.47, 0.915), (-0.1, 0.92), (-0.08, 0.59), (0.46, 0.585), (0.485, 0.3)),
                )
            walls = ("north", self._far, "south") if index == 0 else ("south", self._far, "north")
            self._miss("sofa", self._related(piece) or self.plan.against_wall(piece, walls, 0.0))

    def _coffee_table(self) -> None:
        if not self._count("coffee_table", 1):
            return
        attributes = self._attributes("coffee_table")
        wood = self._colour("coffee_table", self.scheme.wood)
        piece = furniture.coffee_table(
            self.palette, wood, "round" in attributes, self._books, "small" in attributes
        )
        if self._related(piece):
            return
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
            if self._blanket_on == "armchair" and self.plan.first("armchair") is None:
                piece = self._covered(
                    piece,
                    0.4,
                    0.0,
                    ((-0.42, 0.99), (-0.19, 0.985), (-0.17, 0.56), (0.38, 0.555), (0.41, 0.3)),
                )
            placed = self._related(piece) or self.plan.at(piece, hub_x + x, hub_z + z, turn, 0.8)
            walls = (self._far, self.side, "south", "north")
            self._miss("armchair", placed or self.plan.against_wall(piece, walls, 0.6))

    @property
    def _blanket_on(self) -> str | None:
        """What a blanket lies on: what the brief says, else the softest thing there is."""
        if not self._count("blanket", 1):
            return None
        asked = self._target("blanket", "on", "beside")
        soft = ("bed", "sofa", "armchair")
        return asked if asked in soft else next((kind for kind in soft if kind in self._wanted), None)

    def _blankets(self) -> None:
        if self._count("blanket", 1):
            self._miss("blanket", self._blanket_on is not None)

    def _covered(self, piece: Piece, width: float, x: float, run: tuple[tuple[float, float], ...]) -> Piece:
        """Return a piece with a blanket along the (z, y) points of `run`."""
        colour = self._colour("blanket", self.scheme.second_seat)
        stripe = self.scheme.cushion if colour != self.scheme.cushion else (0.66, 0.6, 0.5)
        cloth = furniture_decor.throw(self.palette, colour, stripe, width, run).placed([x, 0, 0])
        whole = concatenate([piece.mesh.labelled(piece.kind), cloth.labelled("blanket")])
        return replace(piece, mesh=whole)

    def _chair(self) -> Piece:
        attributes = self._attributes("chair")
        asked = next((DYES[name] for name in attributes if name in DYES), None)
        wood = self.scheme.wood if asked is None else asked
        return furniture.chair(self.palette, wood, self.scheme.cushion if asked is None else None)

    def _are_chairs_loose(self) -> bool:
        """Whether chairs stand by themselves: there is no table, or the brief puts them elsewhere."""
        if not (self._count("dining_table", 1) or self._count("cafe_table", 4)):
            return True
        target = self._target("chair", "beside", "in_front_of", "facing", "along")
        return target is not None and target not in ("dining_table", "cafe_table")

    @property
    def _stools(self) -> int:
        """How many stools the brief puts along a counter."""
        return self._count("chair", 3) if self._target("chair", "along") == "counter" else 0

    def _stools_placed(self) -> int:
        """Place stools in a row before the counter and return how many found room."""
        counter, placed = self.plan.first("counter"), 0
        if counter is None or counter.wall is None or not self._stools:
            return 0
        step = min(0.56, (counter.piece.width - 0.1) / self._stools)
        wood = self._colour("chair", self.scheme.wood)
        for index in range(self._stools):
            u = counter.u + (index - (self._stools - 1) / 2) * step
            x, z = self.plan.room.spot(counter.wall, u, counter.piece.depth + 0.28)
            stool = furniture.stool(self.palette, wood, self.scheme.cushion)
            placed += self.plan.at(stool, x, z, counter.yaw_deg + 180.0)
        return placed

    def _chairs_at_table(self) -> int:
        if not self._count("dining_table", 1) or self._are_chairs_loose():
            return 0
        return self._count("chair", 4 if self._size < 36 else 6)

    def _dining(self) -> None:
        if not self._count("dining_table", 1):
            return
        seats = self._chairs_at_table()
        wood = self._colour("dining_table", self.scheme.wood)
        attributes = self._attributes("dining_table")
        is_round = "round" in attributes
        table = furniture.dining_table(self.palette, wood, is_round, seats, "small" in attributes)
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
        chairs = 0 if self._are_chairs_loose() else self._count("chair", 2 * count)
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
        if "chair" not in self._wanted or not self._are_chairs_loose():
            return
        desk = self.plan.first("desk")
        count = self._count("chair", 1 if desk is not None else 2)
        hub_x, hub_z = self._hub()
        for index in range(self._stools_placed(), count):
            piece = self._chair()
            if self._related(piece):
                continue
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
        if "tall" in self._attributes("bookshelf"):
            height = min(height + 0.4, self.plan.room.height - 0.2)
        walls = ("north", self._far, "south") if is_library else (self._far, "south", "north")
        prefers = (-0.36, 0.36, -0.4, 0.4, 0.0) if is_library else (0.45, -0.45, 0.6, -0.6, 0.0)
        for index in range(count):
            piece = furniture_storage.bookshelf(self.palette, wood, self.rng, 1.5, height)
            placed = self._related(piece) or self.plan.against_wall(piece, walls, prefers[index % 5])
            if not placed:
                piece = furniture_storage.bookshelf(self.palette, wood, self.rng, 0.9, height)
                placed = self.plan.against_wall(piece, (*walls, self.side), prefers[index % 5])
            self._miss("bookshelf", placed)

    def _wardrobes(self) -> None:
        for _ in range(self._count("wardrobe", 1)):
            piece = furniture_storage.wardrobe(self.palette, self._colour("wardrobe", self.scheme.wood))
            placed = self._related(piece) or self.plan.against_wall(
                piece, (self._far, "south", "north"), 0.35
            )
            self._miss("wardrobe", placed)

    def _desk(self) -> None:
        if not self._count("desk", 1):
            return
        piece = furniture.desk(self.palette, self._colour("desk", self.scheme.wood), self._books)
        walls = (
            ("north", self._far, "south") if self.brief.setting == "study" else (self._far, "south", "north")
        )
        self._miss("desk", self._related(piece) or self.plan.against_wall(piece, walls, -0.1))

    def _sideboard(self) -> None:
        if not self._count("sideboard", 1):
            return
        piece = furniture_storage.sideboard(
            self.palette, self._colour("sideboard", self.scheme.wood), self.rng
        )
        walls = ("north", self._far, "south", self.side)
        self._miss("sideboard", self._related(piece) or self.plan.against_wall(piece, walls, 0.0))

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
            piece = furniture_storage.sculpture(self.palette, self.rng, self._attributes("sculpture"))
            placed = self._related(piece) or self.plan.at(piece, x * room.width, z * room.depth, 0.0, 1.5)
            self._miss("sculpture", placed)

    def _benches(self) -> None:
        for index in range(self._count("bench_seat", 1)):
            piece = furniture.bench_seat(self.palette, self.scheme.second_seat, self.scheme.wood)
            placed = self._related(piece) or self.plan.at(piece, 0.0, (0.04, 0.3)[index % 2], 90.0, 1.5)
            self._miss("bench_seat", placed)


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
        along = 2 if half_x <= 0.8 else 3 if half_x <= 1.0 else 5
        steps = [(index - (along - 1) / 2) * (2 * half_x - 0.1) / along for index in range(along)]
        pairs = [(x, side) for x in steps for side in (1, -1)]
        spots = [(x, side * (half_z + 0.14), 180.0 if side > 0 else 0.0) for x, side in pairs]
        spots += [(half_x + 0.16, 0.0, -90.0), (-half_x - 0.16, 0.0, 90.0)]
        if seats <= 2:
            spots = spots[-2:]
        elif seats == 3:
            spots = [spots[0], spots[2], spots[1]]
    stand, seat = (piece.mesh.labelled(piece.kind) for piece in (table, chair))
    meshes = [seat.placed([x, 0, z], turn) for x, z, turn in spots[:seats]]
    reach_x = max([half_x, *(abs(x) + 0.26 for x, _, _ in spots[:seats])])
    reach_z = max([half_z, *(abs(z) + 0.26 for _, z, _ in spots[:seats])])
    return Piece(table.kind, concatenate([stand, *meshes]), 2 * reach_x, 2 * reach_z, table.height)
