"""Words that say where one thing is with respect to another, longest phrase first.

Every phrase is made of function words (`lexicon.FUNCTION_WORDS`), so none of them is ever taken for a thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from immersive.brief import RelationKind


@dataclass(frozen=True, slots=True)
class RelationWord:
    """What a phrase between two things says."""

    kind: RelationKind
    is_reversed: bool = False  # "a lake surrounded by pines": the second thing is around the first
    is_weak: bool = False  # "in", "at": often only says which place is meant


_FORWARD: dict[RelationKind, str] = {
    "beside": (
        "beside, besides, near, by, next to, close to, close by, alongside, at the edge of, on the edge of, "
        "at the side of, at the foot of, at the end of, at the corner of, "
        "on the bank of, on the banks of, to the left of, to the right of, left of, right of, not far from, "
        "against, between, among, amongst, amid, amidst, in between, leaning against, tied to"
    ),
    "around": "around, all around, surrounding, encircling, ringing, gathered around, arranged around",
    "along": "along, all along, lining",
    "on": "on, on top of, upon, onto, atop, standing on, floating on",
    "under": "under, beneath, below, underneath",
    "above": "over, above, hanging over, spanning, across",
    "in_front_of": "in front of, before",
    "behind": "behind, beyond, at the back of",
    "facing": (
        "facing, faces, face, overlooking, overlooks, opposite, across from, looking onto, looking over, "
        "looking out over, looking out onto, looking towards, with a view of, with views of, with a view over"
    ),
    "inside": "inside, inside of, within",
}
_REVERSED: dict[RelationKind, str] = {
    "around": (
        "surrounded by, surrounded with, ringed by, encircled by, framed by, fringed by, fringed with, "
        "bordered by, circled by"
    ),
    "along": "lined with, lined by",
    "beside": "flanked by",
    "on": "topped with, topped by",
}
_WEAK: dict[RelationKind, str] = {"inside": "in, in the middle of", "beside": "at"}


@cache
def relation_words() -> dict[tuple[str, ...], RelationWord]:
    """Return the words of each phrase, lower case, and what they say."""
    found: dict[tuple[str, ...], RelationWord] = {}
    for table, is_reversed, is_weak in (
        (_FORWARD, False, False), (_REVERSED, True, False), (_WEAK, False, True),
    ):  # fmt: skip
        for kind, phrases in table.items():
            for phrase in phrases.split(", "):
                found[tuple(phrase.split())] = RelationWord(kind, is_reversed, is_weak)
    return found


LONGEST_RELATION = 4  # words
