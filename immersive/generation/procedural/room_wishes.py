"""What a brief wishes for in a room, as numbers and colours, beside the room as far as it is furnished."""

from __future__ import annotations

from numpy.random import Generator

from immersive.brief import Element, SceneBrief

from .mesh import Mesh
from .room_palette import Palette, RoomLight, Scheme, dyed
from .room_plan import RoomPlan, opposite
from .world import RGB, WHITE, Lamp

_BOOKS: tuple[tuple[RGB, RGB], ...] = (
    ((0.10, 0.18, 0.32), (0.55, 0.42, 0.26)),
    ((0.36, 0.09, 0.07), (0.60, 0.56, 0.47)),
    ((0.12, 0.24, 0.17), (0.55, 0.30, 0.10)),
)
_WARM: RGB = (1.0, 0.72, 0.42)


class Wishes:
    """What the rules of furnishing and dressing share; `plan`, `hung` and `lamps` hold the result."""

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

    def _hub(self) -> tuple[float, float]:
        """Return (x, z) of what seats gather around."""
        sofa = self.plan.first("sofa")
        if sofa is not None and sofa.wall is not None:
            return self.plan.room.spot(sofa.wall, sofa.u, 1.86)
        hearth = self.plan.first("fireplace")
        if hearth is not None and hearth.wall is not None:
            return self.plan.room.spot(hearth.wall, hearth.u, 2.1)
        return 0.0, -0.1 * self.plan.room.depth

    def _was_asked(self, kind: str) -> bool:
        return any(element.kind == kind for element in self.brief.elements)

    def _shine(self, x: float, y: float, z: float, power: float, clear_m: float, tone: RGB = WHITE) -> None:
        strength = power * self.light.lamp
        r, g, b = (strength * warm * hue for warm, hue in zip(_WARM, tone, strict=True))
        colour = (r, g, b)
        self.lamps.append(Lamp((x, y, z), colour, radius=0.1, clear_m=clear_m))
