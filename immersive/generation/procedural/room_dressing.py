"""What makes a furnished room a home: lamps, plants, a rug, pictures and curtains, each with its rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from . import furniture_decor
from .furniture import Piece
from .mesh import Mesh, concatenate
from .room_palette import DYES, Palette, dyed, tone_of
from .room_plan import Placed
from .room_relations import TOPS_M, Relating


class Dresser(Relating):
    """The rules that run after the furniture stands."""

    def _floor_lamps(self) -> None:
        tone = tone_of(self._attributes("floor_lamp"))
        for _ in range(self._count("floor_lamp", 1)):
            piece = furniture_decor.floor_lamp(self.palette, self.light.lamp, tone)
            if (
                self._related(piece)
                or self._beside_seat(piece)
                or self.plan.against_wall(piece, ("north", "south", self._far), 0.92)
            ):
                lamp = self.plan.placed[-1]
                self._shine(lamp.floor.x, 1.58, lamp.floor.z, 3.2, 0.32, tone)
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
        on = self._target("plant", "on")
        supports = [] if on is None else self._tops([on])
        low, high = (
            (1.5, 1.8) if "tall" in attributes else (0.7, 0.9) if "small" in attributes else (1.05, 1.5)
        )
        for index in range(self._count("plant", 1 if self._size < 30 else 2)):
            if supports:
                support, top = supports[index % len(supports)]
                self._stand_on(_small_plant(self.palette, self.rng), support, top, index)
                continue
            piece = furniture_decor.plant(self.palette, self.rng, float(self.rng.uniform(low, high)))
            if self._related(piece):
                self.plan.placed[-1] = self._bent_by_walls(self.plan.placed[-1])
                continue
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

    def _stand_on(self, piece: Piece, support: Placed, top: float, index: int) -> None:
        """Stand a small piece on another, the first at an end so that the middle stays free."""
        dx = (0.34, -0.34, 0.0, 0.17)[index % 4] * support.piece.width
        x, z = beside(support, dx, -0.02)
        self.plan.on_top(piece, x, top, z)

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
        under = self._target("rug", "under", "beside", "in_front_of")
        if under is not None and (below := self.plan.first(under)) is not None:
            x, z = below.floor.x, below.floor.z
            if below.wall is not None:  # most of it lies before what stands at a wall
                x, z = self.plan.room.spot(below.wall, below.u, below.piece.depth * 0.5 + 0.55)
        room = self.plan.room
        width, depth = min(width, room.width - 0.5), min(depth, room.depth - 0.5)
        piece = furniture_decor.rug(self.palette, base, motif, width, depth, "round" in attributes)
        x = float(np.clip(x, -room.width / 2 + width / 2 + 0.1, room.width / 2 - width / 2 - 0.1))
        z = float(np.clip(z, -room.depth / 2 + depth / 2 + 0.1, room.depth / 2 - depth / 2 - 0.1))
        self.plan.on_top(piece, x, 0.0, z, is_flat=True)

    def _table_lamps(self) -> None:
        usual = ("nightstand", "desk", "sideboard", "coffee_table")
        asked = self._target("table_lamp", "on", "beside")
        if asked in TOPS_M:
            usual = (asked, *(kind for kind in usual if kind != asked))
        supports = self._tops(usual)
        wanted = self._count("table_lamp", 2 if self.plan.first("nightstand") else 1)
        attributes = self._attributes("table_lamp")
        foot, tone = dyed(attributes, self.scheme.second_seat), tone_of(attributes)
        for support, top in supports[:wanted]:
            piece = furniture_decor.table_lamp(self.palette, foot, self.light.lamp, tone)
            shift = {
                "desk": (0.52, -0.14), "sideboard": (-0.5, 0.0), "coffee_table": (0.0, 0.0),
                "counter": (0.9, -0.1), "dining_table": (0.0, 0.0), "cafe_table": (0.0, 0.0),
            }  # fmt: skip
            dx, dz = shift.get(support.piece.kind, (0.0, -0.04))
            x, z = beside(support, dx, dz)
            self.plan.on_top(piece, x, top, z)
            self._shine(x, top + 0.36, z, 1.5, 0.24, tone)
        for _ in range(max(0, wanted - len(supports)) if self._was_asked("table_lamp") else 0):
            self._miss("table_lamp", False)

    def _pendant_lamps(self) -> None:
        if self.brief.setting == "spaceship_corridor":
            return  # its lights are part of its walls
        count = self._count("pendant_lamp", 1 if self.brief.setting != "cafe" else 3)
        over = self._target("pendant_lamp", "above")
        kinds = ("dining_table", "cafe_table") if over not in TOPS_M else (over,)
        tables = [e for e in self.plan.placed if e.piece.kind in kinds]
        room, tone = self.plan.room, tone_of(self._attributes("pendant_lamp"))
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
            lamp = furniture_decor.pendant_lamp(self.palette, room.height, low, self.light.lamp, tone)
            self.plan.on_top(lamp, x, 0.0, z)
            self._shine(x, low - 0.02, z, 2.6, 0.3, tone)

    def _wall_lamps(self) -> None:
        room, tone = self.plan.room, tone_of(self._attributes("wall_lamp"))
        spots = [(wall, share) for share in (-0.34, 0.34, 0.0, 0.62, -0.62) for wall in (self._far, "north")]
        spots += [(wall, share) for share in (-0.2, 0.5) for wall in ("south", self.side)]
        hung, count = 0, self._count("wall_lamp", 2)
        for wall, share in spots:
            if hung == count:
                return
            u = share * room.length(wall) / 2
            if self.plan.hang(furniture_decor.wall_lamp(self.palette, self.light.lamp, tone), wall, u, 1.78):
                hung += 1
                x, z = room.spot(wall, u, 0.16)
                self._shine(x, 1.82, z, 1.1, 0.2, tone)
        if self._was_asked("wall_lamp"):
            self._miss("wall_lamp", False)

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
        over = self._target("picture", "above")
        for wall, share in spots:
            if hung == count:
                return
            width, height = sizes[hung % len(sizes)]
            frame = self.scheme.wood if hung % 2 == 0 else (0.08, 0.07, 0.06)
            piece = furniture_decor.picture(self.palette, self.rng, width, height, frame)
            if over is not None and self._over(piece, over):
                hung, over = hung + 1, over if over != "fireplace" else None
                continue
            if over is not None:
                self.plan.unrelated += ["picture"] if hung == 0 else []
                over = None
            hung += self.plan.hang(piece, wall, share * self.plan.room.length(wall) / 2, 1.62)
        if hung < count and self._was_asked("picture") and self._wanted["picture"].count is not None:
            self._miss("picture", False)

    @property
    def _are_curtains_tied(self) -> bool:
        return "minimal" not in self.brief.style and self.brief.setting not in (
            "kitchen",
            "study",
            "workshop",
        )

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
                cloth = furniture_decor.curtain(self.palette, colour, top, 0.4, self._are_curtains_tied)
                parts.append(cloth.placed([o.u + side * (o.width / 2 + 0.14), 0, 0]))
            drapes = concatenate(parts).labelled("curtain")
            self.hung.append(self.plan.room.against(drapes, o.wall, 0.0, 0.0, 0.02))


def _small_plant(palette: Palette, rng: Generator) -> Piece:
    """Return a plant for a table top."""
    piece, scale = furniture_decor.plant(palette, rng, 0.9), 0.55
    mesh = replace(piece.mesh, vertices=piece.mesh.vertices * np.float32(scale))
    return Piece("plant", mesh, piece.width * scale, piece.depth * scale, piece.height * scale)


def beside(support: Placed, dx: float, dz: float) -> tuple[float, float]:
    """Return (x, z) of a point given in the frame of a placed piece."""
    turn = np.radians(support.yaw_deg)
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    return support.floor.x + cos * dx + sin * dz, support.floor.z - sin * dx + cos * dz
