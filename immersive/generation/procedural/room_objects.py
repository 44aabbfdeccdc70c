"""Where the smaller things of a room go: on a table top, with their back to a wall, on a wall, or free.

A thing for a table top gets a stand of its own where the room has no table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from . import furniture_decor, furniture_storage
from . import furniture_objects as objects
from .corridor import SPACESHIP_CORRIDOR, pipes
from .furniture import Piece
from .mesh import concatenate
from .room_dressing import Dresser, beside
from .room_relations import TOPS_M
from .world import RGB

_USUAL_TOPS = ("desk", "sideboard", "coffee_table", "counter", "dining_table", "cafe_table", "nightstand")
# Shares of a top's width; lamps and plants take its ends.
_SPOTS = (-0.24, 0.12, -0.06, 0.26, -0.4)


class Keeper(Dresser):
    """Places what is asked for by name and furnishes no room by itself."""

    def object_rules(self) -> dict[str, Callable[[], None]]:
        """Return a rule for each kind, in the order they run."""
        wood = self.scheme.wood
        return {
            "piano": lambda: self._at_wall(lambda: objects.piano(self.palette, wood)),
            "display_case": lambda: self._at_wall(lambda: objects.display_case(self.palette, self.rng, wood)),
            "television": lambda: self._at_wall(
                lambda: objects.television(self.palette, wood, self.light.lamp)
            ),
            "control_panel": self._control_panels,
            "pipe": self._pipes,
            "jukebox": lambda: self._at_wall(lambda: objects.jukebox(self.palette)),
            "ladder": lambda: self._at_wall(lambda: objects.ladder(self.palette, wood)),
            "easel": lambda: self._free(lambda: objects.easel(self.palette, self.rng, wood)),
            "basket": lambda: self._free(lambda: objects.basket(self.palette, self.rng)),
            "globe": lambda: self._on_top(lambda: objects.globe(self.palette, self.rng, wood)),
            "bottle": self._bottles,
            "book_stack": lambda: self._on_top(lambda: objects.book_stack(self.palette, self.rng)),
            "candle": lambda: self._on_top(lambda: objects.candles(self.palette, self.light.lamp)),
            "mirror": lambda: self._hung(lambda: objects.mirror(self.palette, wood)),
            "clock": lambda: self._hung(lambda: objects.clock(self.palette, self.rng, wood)),
            "wall_shelf": lambda: self._hung(
                lambda: furniture_decor.wall_shelf(self.palette, self.rng, wood, self._ornaments), 1.55
            ),
            "tool_rack": lambda: self._hung(lambda: objects.tool_rack(self.palette, self.rng, wood)),
        }

    def _at_wall(self, make: Callable[[], Piece]) -> None:
        piece = make()
        for index in range(self._count(piece.kind, 1)):
            piece = make() if index else piece
            walls = (self._far, "north", "south", self.side)
            self._miss(piece.kind, self._related(piece) or self.plan.against_wall(piece, walls, -0.3))

    def _control_panels(self) -> None:
        for index in range(self._count("control_panel", 1)):
            piece = objects.control_panel(self.palette, self.rng)
            doors = self._anchors("door")
            placed = self._related(piece) or any(self._beside(piece, door) for door in doors[index:])
            walls = (self._far, "north", "south", self.side)
            self._miss("control_panel", placed or self.plan.against_wall(piece, walls, 0.2))

    def _pipes(self) -> None:
        """Run pipes under the ceiling; those of a corridor are part of it."""
        room = self.plan.room
        if self._count("pipe", 1) and self.brief.setting != SPACESHIP_CORRIDOR:
            side = -1 if self._far == "west" else 1
            run = pipes(self.palette, room.depth - 0.1, room.height, 1.4)
            self.hung.append(run.placed([side * (room.width / 2 - 0.75), 0, 0]).labelled("pipe"))

    def _free(self, make: Callable[[], Piece]) -> None:
        piece = make()
        room = self.plan.room
        for index in range(self._count(piece.kind, 1)):
            piece = make() if index else piece
            x, z = (0.3 - 0.6 * (index % 2)) * room.width, (0.26 - 0.5 * (index // 2 % 2)) * room.depth
            placed = self._related(piece) or self.plan.at(piece, x, z, 200.0 if x > 0 else 160.0, 2.2)
            self._miss(piece.kind, placed)

    def _bottles(self) -> None:
        count = self._count("bottle", 4)
        if count:
            self._on_top(lambda: objects.bottles(self.palette, self.rng, count), 1)

    def _on_top(self, make: Callable[[], Piece], count: int | None = None) -> None:
        piece = make()
        asked = self._target(piece.kind, "on", "beside")
        tops = self._tops((asked,) if asked in TOPS_M else _USUAL_TOPS)
        for index in range(self._count(piece.kind, 1) if count is None else count):
            piece = make() if index else piece
            if not tops:
                self._on_own_stand(piece)
                continue
            support, top = tops[index % len(tops)]
            taken = sum(
                entry.floor.half_x == 0
                and entry.wall is None
                and abs(entry.floor.x - support.floor.x) < support.piece.width / 2
                and abs(entry.floor.z - support.floor.z) < support.piece.width / 2
                and entry.piece.kind not in ("rug", "pendant_lamp")
                for entry in self.plan.placed
            )
            x, z = beside(support, _SPOTS[taken % len(_SPOTS)] * support.piece.width, -0.03)
            self.plan.on_top(piece, x, top, z)
            if piece.kind == "candle":
                self._shine(x, top + 0.36, z, 0.5, clear_m=0.2)

    def _on_own_stand(self, piece: Piece) -> None:
        stand = furniture_storage.nightstand(self.palette, self.scheme.wood)
        top = piece.mesh.labelled(piece.kind).placed([0, TOPS_M["nightstand"], 0])
        mesh = concatenate([stand.mesh.labelled(stand.kind), top])
        whole = replace(stand, kind=piece.kind, mesh=mesh, height=stand.height + piece.height)
        walls = (self._far, "north", "south", self.side)
        self._miss(piece.kind, self._related(whole) or self.plan.against_wall(whole, walls, 0.5))

    @property
    def _ornaments(self) -> tuple[RGB, ...]:
        return (self.scheme.cushion, self.scheme.seat, (0.66, 0.62, 0.53), self.scheme.second_seat)

    def _hung(self, make: Callable[[], Piece], y: float = 1.62) -> None:
        piece = make()
        over = self._target(piece.kind, "above")
        for index in range(self._count(piece.kind, 1)):
            piece = make() if index else piece
            if over is not None and self._over(piece, over):
                continue
            if over is not None:
                self.plan.unrelated.append(piece.kind)
            self._miss(piece.kind, self._hung_anywhere(piece, y))

    def _hung_anywhere(self, piece: Piece, y: float) -> bool:
        for share in (0.0, -0.45, 0.45, -0.7, 0.7, 0.22, -0.22):
            for wall in (self._far, "north", "south", self.side):
                if self.plan.hang(piece, wall, share * self.plan.room.length(wall) / 2, y):
                    return True
        return False
