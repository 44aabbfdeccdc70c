"""What a read prompt is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .lexicon import Concept
from .relation_words import RelationWord

ItemKind = Literal["concept", "number", "negation", "relation", "function", "unknown", "frame", "stop"]

THINGS = frozenset({"setting", "room", "element"})  # slots of nouns; words of other slots may describe them


@dataclass(frozen=True, slots=True)
class Item:
    """One word, or the words of one lexicon entry or relation."""

    kind: ItemKind
    text: str  # as written
    concept: Concept | None = None
    number: int = 0
    is_vague: bool = False  # a number that leaves the number open: "several", "two or three"
    relation: RelationWord | None = None
    is_absent: bool = False  # rules its own concept out: "treeless"
    is_guess: bool = False  # understood by likeness of meaning, not by the lexicon
