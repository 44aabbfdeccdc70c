"""What a setting and a kind of element are: the rows of the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """A kind of place."""

    name: str
    is_indoor: bool
    usual: tuple[str, ...]  # elements that appear unless the prompt rules them out
    words: tuple[str, ...]  # what people call it


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of element."""

    name: str
    settings: tuple[str, ...]  # where it makes sense; () is every setting of its side of the door
    is_indoor: bool
    words: tuple[str, ...]  # what people call it, singular and lower case
    most: int = 1  # more than this many are not built, and the user is told
    attributes: tuple[str, ...] = ()  # adjectives that change how it is built
    is_on_both_sides: bool = False  # of the door: built outdoors and in rooms

    def stands(self, *, is_indoor: bool) -> bool:
        """Return whether it is built on one side of the door."""
        return self.is_on_both_sides or self.is_indoor == is_indoor


# Every colour that fabrics, walls and painted wood are mixed in.
COLOURS = (
    *("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"),
    *("brown", "white", "cream", "grey", "black"),
)
