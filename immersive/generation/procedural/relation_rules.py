"""Which relations the worlds build: `understand` lists every other one as said but not built.

Each line is a promise that the furnisher of rooms or the outdoor world keeps; "*" stands for any kind.
"""

from __future__ import annotations

from immersive.brief import Relation, RelationKind

from .outdoor_vocabulary import SITE_KINDS, THING_KINDS, TREE_KINDS

_Rules = dict[RelationKind, tuple[tuple[str, str], ...]]  # subjects and targets, words apart

_WATERS = "lake river"
_OUTDOORS: _Rules = {
    "on": (("boat dock reed", _WATERS), ("bridge", _WATERS), (" ".join(SITE_KINDS), "mountains")),
    "above": (("bridge", _WATERS), ("mountains", "*"), ("aurora", "*")),
    "beside": (
        ("dock boat reed", _WATERS),
        ("path", "river"),
        ("flower grass fence", "path"),
        ("mountains", "*"),
    ),
    "around": (("reed", _WATERS), ("mountains flower grass", "*")),
    "along": (("reed bridge", _WATERS), ("path", "river"), ("flower grass fence", "path")),
    "inside": (("boat", _WATERS),),
    "behind": ((_WATERS, " ".join(SITE_KINDS)), ("mountains", "*")),
    "in_front_of": (("*", "mountains"),),
    "facing": (("*", "mountains"),),
    "under": (
        ("*", "mountains"),
        (" ".join(THING_KINDS), " ".join((*TREE_KINDS, "cliff", "parasol", "arch"))),
    ),
}
_BY_THINGS = ("beside", "in_front_of", "behind", "around", "facing")
# What stands with its back to a wall wherever it stands.
_AT_WALLS = "bookshelf wardrobe desk sideboard counter fireplace bed sofa picture"
_ON_FLOOR = "sofa armchair chair rug floor_lamp plant bookshelf wardrobe desk bed nightstand sculpture"
_LARGE = "sofa bed desk bookshelf wardrobe sideboard fireplace counter"
_OBJECTS_AT_WALLS = "ladder piano display_case television jukebox control_panel"
_VISITORS = "crate barrel robot bicycle wheelbarrow firewood dog cat pumpkin"
_SEATS = "sofa armchair bed"
_TABLES = "dining_table cafe_table"
_INDOORS: _Rules = {
    "beside": (
        ("chair", _TABLES),
        ("armchair bookshelf wardrobe sideboard floor_lamp plant sculpture", f"{_LARGE} window door"),
        ("desk", "window door"),
        ("floor_lamp plant", "armchair"),
        ("armchair", "floor_lamp plant"),
        ("chair", "desk fireplace window"),
        ("nightstand", "bed"),
        ("table_lamp", "nightstand desk sideboard coffee_table"),
        ("curtain", "window"),
        (_AT_WALLS, "wall"),
        ("rug", "bed sofa"),
        ("ladder piano display_case jukebox", f"{_LARGE} window door wall"),
        ("control_panel kiln", f"{_LARGE} window door wall"),
        (f"{_VISITORS} teddy_bear", f"{_LARGE} armchair door window wall"),
        ("barrel crate", "robot barrel crate"),
        ("television", "bookshelf sideboard fireplace wall"),
        ("basket", f"{_LARGE} armchair"),
    ),
    "around": (("chair", _TABLES), ("curtain", "window")),
    "along": (
        ("pipe", "ceiling"),
        ("crate barrel", "wall"),
        (f"{_AT_WALLS} {_OBJECTS_AT_WALLS}", "wall"),
        ("chair", "counter"),
    ),
    "on": (
        ("table_lamp plant", "desk sideboard coffee_table counter nightstand"),
        ("plant", _TABLES),
        ("globe bottle book_stack candle", f"desk sideboard coffee_table counter nightstand {_TABLES}"),
        ("picture curtain mirror clock tool_rack", "wall"),
        ("pipe pendant_lamp", "ceiling"),
        ("curtain", "window"),
        ("cushion", "sofa"),
        ("blanket", _SEATS),
        ("cat", f"window {_SEATS} rug desk counter {_TABLES}"),
        ("teddy_bear", _SEATS),
        ("pumpkin", f"desk counter sideboard {_TABLES}"),
        ("pot kettle cup", f"desk sideboard coffee_table counter {_TABLES}"),
        ("pot", "fireplace"),
        (f"{_VISITORS} teddy_bear shavings skeleton kiln", "floor"),
        ("dog", "rug"),
        (f"{_ON_FLOOR} {_OBJECTS_AT_WALLS} easel basket", "floor"),
    ),
    "under": (
        ("rug", f"coffee_table {_TABLES} bed sofa desk"),
        ("desk sideboard bench_seat", "window"),
        (_TABLES, "pendant_lamp"),
    ),
    "above": (
        ("picture mirror clock", "sofa fireplace bed desk sideboard"),
        ("pot", "fireplace counter"),
        ("pendant_lamp", f"{_TABLES} coffee_table desk counter"),
        ("curtain", "window"),
    ),
    "in_front_of": (
        ("coffee_table", "sofa fireplace"),
        ("armchair chair bench_seat", "fireplace window bookshelf picture"),
        ("chair", "desk"),
        ("easel cat dog", "window fireplace"),
        ("rug", "fireplace sofa bed"),
        ("curtain", "window"),
    ),
    "facing": (
        ("sofa armchair bed bench_seat chair", "fireplace window"),
        ("armchair", "sofa bookshelf"),
        ("desk", "wall"),
        ("chair", "desk"),
        ("easel", "window fireplace"),
    ),
}


def is_built(kind: str, relation: Relation, *, is_indoor: bool) -> bool:
    """Return whether a thing of this kind really stands where the relation says."""
    if not is_indoor and _stands_by(kind, relation):
        return True
    rules = (_INDOORS if is_indoor else _OUTDOORS).get(relation.kind, ())
    return any(_names(subjects, kind) and _names(targets, relation.to) for subjects, targets in rules)


def _stands_by(kind: str, relation: Relation) -> bool:
    """Return whether the outdoor world places one by the other, whichever of them is placed first."""
    small = (*THING_KINDS, *TREE_KINDS, "bush", "rock", "mushroom")
    if kind in small and relation.to in (*small, *SITE_KINDS, "bridge", "fence"):
        return relation.kind in _BY_THINGS
    if kind in SITE_KINDS and relation.to in (*small, *SITE_KINDS):
        return relation.kind in _BY_THINGS
    if kind in small and relation.to in (*_WATERS.split(), "path"):
        return relation.kind in ("beside", "along", "around")
    return (
        kind in SITE_KINDS
        and relation.to in (*_WATERS.split(), "path")
        and relation.kind in ("beside", "along")
    )


def _names(kinds: str, kind: str) -> bool:
    return kinds == "*" or kind in kinds.split()
