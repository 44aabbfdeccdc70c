"""Furniture where the brief puts it: beside, under, before, facing, on and above other things of the room.

Each rule tries the places that keep the relation, nearest first. A piece that finds none stands where it
would without one and is noted in `RoomPlan.unrelated`; the builder then tries a larger room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from .furniture import Piece
from .mesh import Mesh
from .room_plan import Placed, opposite
from .room_shell import yaw_deg
from .room_wishes import Wishes

# Heights of what things may stand on, metres.
TOPS_M = {
    "nightstand": 0.56, "desk": 0.76, "sideboard": 0.82, "coffee_table": 0.435, "counter": 0.92,
    "dining_table": 0.755, "cafe_table": 0.755,
}  # fmt: skip
# Heights of what a cat or a toy may sit on, and how far before the middle its seat is, metres.
_SEATS_M = {
    "sofa": 0.575, "armchair": 0.545, "chair": 0.525, "bed": 0.6, "bench_seat": 0.48, "rug": 0.0,
}  # fmt: skip
_SEAT_DEPTHS_M = {"sofa": 0.16, "armchair": 0.1, "bed": 0.1}
_BESIDE_M = 0.1  # between a piece and what it stands beside
_BEFORE_M = 0.65  # in front of something, so that both can be used
_MANTEL_M = 0.375  # how far a chimney breast stands out


@dataclass(frozen=True, slots=True)
class Anchor:
    """What something is placed by: a piece, a window or a door."""

    kind: str
    x: float
    z: float
    half_width: float  # along its wall, or the larger half of a free-standing piece
    half_depth: float
    yaw_deg: float
    wall: str | None = None
    u: float = 0.0
    gap_m: float = _BESIDE_M  # what is kept to it
    depth_m: float = 0.0  # how far it stands out from its wall


class Relating(Wishes):
    """Places pieces by the relations of the brief."""

    def _target(self, kind: str, *relations: str) -> str | None:
        """Return what a kind is to stand by, if one of `relations` says so and the room has it."""
        element = self._wanted.get(kind)
        if element is None or element.relation is None or element.relation.kind not in relations:
            return None
        return element.relation.to if element.relation.to in self._wanted else None

    def _related(self, piece: Piece) -> bool:
        """Place a piece by its relation; False if it has none or there is no room for it."""
        relation = self._wanted[piece.kind].relation if piece.kind in self._wanted else None
        if relation is None or relation.to in ("wall", "floor", "ceiling"):
            return False
        anchors = self._anchors(relation.to)
        place = {
            "beside": self._beside,
            "under": self._under,
            "in_front_of": self._in_front,
            "facing": self._facing,
            "along": self._along,
        }.get(relation.kind)
        if place is None or not anchors:
            return False
        if any(place(piece, anchor) for anchor in anchors):
            return True
        # Of as many as suit the place, one that keeps the relation is enough.
        is_kept = any(entry.piece.kind == piece.kind for entry in self.plan.placed)
        if self._wanted[piece.kind].count is not None or not is_kept:
            self.plan.unrelated.append(piece.kind)
        return False

    def _anchors(self, kind: str) -> list[Anchor]:
        found = []
        for o in self.plan.openings:
            if kind == ("door" if o.is_door else "window"):
                x, z = self.plan.room.spot(o.wall, o.u, 0.0)
                gap = 0.13 if o.is_door else 0.3
                found.append(Anchor(kind, x, z, o.width / 2, 0.0, 0.0, o.wall, o.u, gap))
        for entry in self.plan.placed:
            if entry.piece.kind == kind:
                found.append(_anchor_of(entry))
        # What is placed first by an anchor takes the first one; the next piece may take the next.
        return found

    # One rule each.

    def _beside(self, piece: Piece, anchor: Anchor) -> bool:
        if anchor.wall is not None:
            away = anchor.half_width + piece.width / 2 + anchor.gap_m
            for sign in (1, -1):
                if self.plan.near_wall_spot(piece, anchor.wall, anchor.u + sign * away, 0.25):
                    return True
            return False
        shifts = ((1, 0), (-1, 0), (0, 1), (0, -1))
        for sx, sz in shifts:
            x = anchor.x + sx * (anchor.half_width + piece.width / 2 + _BESIDE_M)
            z = anchor.z + sz * (anchor.half_depth + piece.depth / 2 + _BESIDE_M)
            if self.plan.at(piece, x, z, anchor.yaw_deg if sz == 0 else 0.0, 0.2):
                return True
        return False

    def _under(self, piece: Piece, anchor: Anchor) -> bool:
        return anchor.wall is not None and self.plan.near_wall_spot(piece, anchor.wall, anchor.u, 0.4)

    def _in_front(self, piece: Piece, anchor: Anchor) -> bool:
        return self._before(piece, anchor, _BEFORE_M, 0.7)

    def _facing(self, piece: Piece, anchor: Anchor) -> bool:
        """Place a piece that looks at its target: from across the room if it wants a wall, else nearby."""
        wants_wall = piece.kind in ("sofa", "bed", "bench_seat")
        if wants_wall and anchor.wall is not None:
            across = opposite(anchor.wall)
            if self.plan.near_wall_spot(piece, across, -anchor.u, 0.7):
                return True
        return self._before(piece, anchor, 1.5, 1.0)

    def _along(self, piece: Piece, anchor: Anchor) -> bool:
        for share in (0.0, -0.34, 0.34, -0.68, 0.68, -1.0, 1.0):
            if self._before(piece, anchor, 0.12, 0.06, share * anchor.half_width):
                return True
        return False

    def _before(
        self, piece: Piece, anchor: Anchor, away_m: float, search_m: float, aside_m: float = 0.0
    ) -> bool:
        """Place a piece before an anchor, turned to it; two or more stand side by side."""
        out = anchor.depth_m + away_m + piece.depth / 2
        # The middle first where one piece stands alone, else its two sides.
        asides = (aside_m,) if aside_m or self._count(piece.kind, 1) == 1 else (-0.62, 0.62, -1.3, 1.3)
        for aside in asides:
            if anchor.wall is not None:
                x, z = self.plan.room.spot(anchor.wall, anchor.u + aside, out)
            else:
                turn = np.radians(anchor.yaw_deg)
                cos, sin = float(np.cos(turn)), float(np.sin(turn))
                reach = anchor.half_depth + away_m + piece.depth / 2
                x, z = anchor.x + cos * aside + sin * reach, anchor.z - sin * aside + cos * reach
            aim_x, aim_z = anchor.x - x, anchor.z - z
            if self.plan.at(piece, x, z, float(np.degrees(np.arctan2(aim_x, aim_z))), search_m):
                return True
        return False

    # What stands on or hangs over other things.

    def _tops(self, kinds: Iterable[str]) -> list[tuple[Placed, float]]:
        """Return the pieces of some kinds that things can stand on, and their heights."""
        return [
            (entry, TOPS_M[kind])
            for kind in kinds
            if kind in TOPS_M
            for entry in self.plan.placed
            if entry.piece.kind == kind
        ]

    def _upon(self, piece: Piece, target: str, index: int) -> bool:
        """Put a small piece on a windowsill, a seat or a top; the next one beside the first."""
        if target == "window":
            sills = [o for o in self.plan.openings if not o.is_door]
            if not sills:
                return False
            o = sills[index % len(sills)]
            u = o.u + (0.24, -0.24)[index // len(sills) % 2] * o.width
            x, z = self.plan.room.spot(o.wall, u, 0.07)
            turned = replace(piece, mesh=piece.mesh.placed([0, 0, 0], yaw_deg(o.wall)))
            self.plan.on_top(turned, x, o.low + 0.018, z)
            return True
        supports = [entry for entry in self.plan.placed if entry.piece.kind == target]
        height = {**TOPS_M, **_SEATS_M}.get(target)
        if not supports or height is None:
            return False
        support = supports[index % len(supports)]
        share = (
            0.0 if target in ("chair", "armchair", "rug") else (-0.22, 0.22, 0.0)[index // len(supports) % 3]
        )
        turn = np.radians(support.yaw_deg)
        dx, dz = share * support.piece.width, _SEAT_DEPTHS_M.get(target, 0.0)
        x = support.floor.x + float(np.cos(turn)) * dx + float(np.sin(turn)) * dz
        z = support.floor.z - float(np.sin(turn)) * dx + float(np.cos(turn)) * dz
        if target == "rug":  # what lies there takes floor, unlike what sits above it
            return self.plan.at(piece, x, z, support.yaw_deg, 0.9)
        turned = replace(piece, mesh=piece.mesh.placed([0, 0, 0], support.yaw_deg))
        self.plan.on_top(turned, x, height, z)
        return True

    def _over(self, piece: Piece, target: str) -> bool:
        """Hang a flat piece over what stands at a wall."""
        for anchor in self._anchors(target):
            if anchor.wall is None or target in ("window", "door"):
                continue
            if target == "fireplace":
                mesh: Mesh = self.plan.room.against(piece.mesh, anchor.wall, anchor.u, 1.74, _MANTEL_M)
                self.plan.hung_over(piece, mesh, anchor.wall, anchor.u)
                return True
            # What is tall hangs higher, so that it clears what it hangs over.
            for y, shift in product((1.66, 1.8, 1.95, 2.1, 2.2), (0.0, 0.45, -0.45, 0.9, -0.9)):
                u = anchor.u + shift
                if abs(shift) <= anchor.half_width and self.plan.hang(piece, anchor.wall, u, y):
                    return True
        return False


def _anchor_of(entry: Placed) -> Anchor:
    floor, piece = entry.floor, entry.piece
    if entry.wall is None:
        return Anchor(piece.kind, floor.x, floor.z, floor.half_x, floor.half_z, entry.yaw_deg)
    depth = 0.0 if floor.half_x == 0 else piece.depth + 0.03
    return Anchor(
        piece.kind, floor.x, floor.z, piece.width / 2, piece.depth / 2, entry.yaw_deg,
        entry.wall, entry.u, depth_m=depth,
    )  # fmt: skip
