"""Where the smaller things of a room go: on a table top, with their back to a wall, on a wall, or free.

A thing for a table top gets a stand of its own where the room has no table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from . import furniture_curios as curios
from . import furniture_decor, furniture_storage
from . import furniture_objects as objects
from .corridor import SPACESHIP_CORRIDOR, pipes
from .furniture import Piece
from .mesh import concatenate
from .room_dressing import Dresser, beside
from .room_relations import TOPS_M
from .room_visitors import VISITORS, visitor
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
            "kiln": lambda: self._at_wall(lambda: curios.kiln(self.palette, self.light.lamp)),
            "skeleton": lambda: self._free(lambda: curios.skeleton(self.palette, wood)),
            **{kind: partial(self._visit, kind) for kind in VISITORS},
            "teddy_bear": lambda: self._visit("teddy_bear"),
            "pot": self._pots,
            "kettle": lambda: self._on_top(lambda: curios.kettle(self.palette)),
            "cup": self._cups,
            "shavings": self._shavings,
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

    def _visit(self, kind: str) -> None:
        """Place what comes in from outdoors, and toys, where the brief has them, else on the floor."""
        usual = VISITORS[kind].usual if kind in VISITORS else 1
        on = self._target(kind, "on")
        for index in range(self._count(kind, usual)):
            if kind in VISITORS:
                piece = visitor(kind, self.palette, self.rng, self._attributes(kind))
            else:
                piece = curios.teddy_bear(self.palette)
            if on is not None and on != "floor" and self._upon(piece, on, index):
                continue
            if on not in (None, "floor", "rug"):
                self.plan.unrelated.append(kind)
            self._miss(kind, self._related(piece) or self._on_floor(piece, index))

    def _on_floor(self, piece: Piece, index: int) -> bool:
        """Stand a piece at a wall, where it is out of the way."""
        walls = (self._far, "south", "north", self.side)
        share = (0.55, -0.55, 0.75, -0.2, 0.2, -0.8)[index % 6]
        return self.plan.against_wall(piece, walls, share)

    def _pots(self) -> None:
        """Hang pots over the stove or the counter, or stand one where the brief wants it to stand."""
        if not self._count("pot", 4):
            return
        on, over = self._target("pot", "on"), self._target("pot", "above", "on") or "counter"
        if on in TOPS_M:
            self._on_top(lambda: curios.cooking_pot(self.palette))
            return
        piece = curios.pots(self.palette, self._count("pot", 4))
        if not self._over(piece, over):
            self.plan.unrelated += [] if over == "counter" else ["pot"]
            self._miss("pot", self._hung_anywhere(piece, 1.7))

    def _shavings(self) -> None:
        if self._count("shavings", 1):
            bench = self.plan.first("desk")
            x, z = self._hub() if bench is None else beside(bench, 0.25, bench.piece.depth / 2 + 0.62)
            room = self.plan.room
            x = float(np.clip(x, 0.85 - room.width / 2, room.width / 2 - 0.85))
            z = float(np.clip(z, 0.85 - room.depth / 2, room.depth / 2 - 0.85))
            self.plan.on_top(curios.shavings(self.palette, self.rng), x, 0.0, z, is_flat=True)

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

    def _cups(self) -> None:
        count = self._count("cup", 2)
        if count:
            self._on_top(lambda: curios.cups(self.palette, self._ornaments, count), 1)

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
