"""Which relations the worlds build: `understand` lists every other one as said but not built.

Each line is a promise that the furnisher of rooms or the outdoor world keeps; "*" stands for any kind.
"""

from __future__ import annotations

from immersive.brief import Relation, RelationKind

_Rules = dict[RelationKind, tuple[tuple[str, str], ...]]  # subjects and targets, words apart

_OUTDOORS: _Rules = {
    "on": (("boat dock reed", "lake"),),
    "beside": (("dock boat reed", "lake"),),
    "around": (("reed", "lake"),),
    "along": (("reed", "lake"),),
    "inside": (("boat", "lake"),),
}
_INDOORS: _Rules = {}


def is_built(kind: str, relation: Relation, *, is_indoor: bool) -> bool:
    """Return whether a thing of this kind really stands where the relation says."""
    rules = (_INDOORS if is_indoor else _OUTDOORS).get(relation.kind, ())
    return any(_names(subjects, kind) and _names(targets, relation.to) for subjects, targets in rules)


def _names(kinds: str, kind: str) -> bool:
    return kinds == "*" or kind in kinds.split()
