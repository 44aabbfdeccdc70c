"""How a thing is to look: its colour, stuff and size, from the words that describe it."""

from __future__ import annotations

from dataclasses import dataclass

from .world import RGB

# Linear albedo of paint outdoors.
PAINTS: dict[str, RGB] = {
    "red": (0.42, 0.05, 0.035),
    "orange": (0.6, 0.21, 0.035),
    "yellow": (0.65, 0.42, 0.05),
    "green": (0.07, 0.2, 0.07),
    "teal": (0.05, 0.22, 0.22),
    "blue": (0.055, 0.13, 0.36),
    "purple": (0.2, 0.075, 0.29),
    "pink": (0.62, 0.25, 0.3),
    "brown": (0.19, 0.1, 0.055),
    "white": (0.68, 0.67, 0.63),
    "cream": (0.6, 0.52, 0.38),
    "grey": (0.25, 0.25, 0.25),
    "black": (0.03, 0.03, 0.032),
}


@dataclass(frozen=True, slots=True)
class Look:
    """The attributes of an element, asked for what they mean."""

    attributes: tuple[str, ...] = ()
    is_lit: bool = False  # lamps and windows shine

    def colour(self, usual: RGB, index: int = 0) -> RGB:
        """Return the colour that was asked for; of several, the one of the thing's own number."""
        said = [PAINTS[name] for name in self.attributes if name in PAINTS]
        return said[index % len(said)] if said else usual

    def has(self, *names: str) -> bool:
        """Return whether any of the attributes was asked for."""
        return any(name in self.attributes for name in names)

    @property
    def size(self) -> float:
        """How large with respect to the usual."""
        small, large = self.has("small"), self.has("large", "tall")
        return 0.75 if small and not large else 1.3 if large and not small else 1.0
