"""What words of a prompt stand for beyond themselves: compounds, stand-ins, views, moods.

Pure tables; `brief_assembly` applies them.
"""

from __future__ import annotations

from immersive.brief import Element

# What a compound setting adds to a plain one; None as count leaves the number to the world.
COMPOUND_SETTINGS: dict[str, tuple[str, tuple[Element, ...]]] = {
    "pine_forest": ("forest", (Element("pine"), Element("birch", 0))),
    "birch_forest": ("forest", (Element("birch"), Element("pine", 0))),
    "broadleaf_forest": ("forest", (Element("broadleaf"), Element("pine", 0))),
    "garden": ("meadow", (Element("flower"), Element("bush"))),
}

# A second setting in the same prompt is built as a part of the first.
SETTING_AS_ELEMENT = {
    "forest": "tree",
    "pine_forest": "pine",
    "birch_forest": "birch",
    "broadleaf_forest": "broadleaf",
    "garden": "flower",
    "meadow": "grass",
    "lake_shore": "lake",
    "beach": "lake",
    "mountain": "mountains",
}

# The setting that an outdoor prompt without one has in mind; the first that is mentioned decides.
SETTING_OF_ELEMENT = {
    "cactus": "desert",
    "palm": "beach",
    "sea": "beach",
    "lighthouse": "beach",
    "lake": "lake_shore",
    "river": "lake_shore",
    "dock": "lake_shore",
    "boat": "lake_shore",
    "reed": "lake_shore",
    "mountains": "mountain",
    "flower": "meadow",
    "grass": "meadow",
    "broadleaf": "meadow",
    "windmill": "meadow",
}

ROOM_OF_ELEMENT = {
    "bed": "bedroom",
    "nightstand": "bedroom",
    "wardrobe": "bedroom",
    "sofa": "living_room",
    "counter": "kitchen",
    "desk": "study",
    "dining_table": "dining_room",
    "chair": "dining_room",
    "bookshelf": "library",
    "sculpture": "gallery",
}

# Words for any room; a more particular one in the same prompt decides which.
ANY_ROOM = frozenset({"room", "rooms", "interior", "indoors", "home interior", "apartment", "flat", "loft"})

# Kinds that the worlds do not model are built as their nearest relative, and the user is told.
STAND_IN_OUTDOORS = {
    "sea": "lake",
    "river": "lake",
    "fireplace": "campfire",
    "floor_lamp": "lantern",
    "plant": "bush",
}
STAND_IN_INDOORS = {
    "campfire": "fireplace",
    "lantern": "floor_lamp",
    "flower": "plant",
    "bush": "plant",
    "cactus": "plant",
    "palm": "plant",
    "statue": "sculpture",
    "bench": "bench_seat",
}

# A plain word means what is usual in the place.
KIND_IN_SETTING = {("cafe", "dining_table"): "cafe_table", ("gallery", "chair"): "bench_seat"}

TREES = ("pine", "birch", "broadleaf", "palm", "dead_tree")
TREE_OF_SETTING = {"meadow": "broadleaf", "lake_shore": "birch", "beach": "palm", "desert": "dead_tree"}

# What a room's windows show when the prompt names something that only exists outdoors.
VIEW_OF = {
    **dict.fromkeys(("forest", "pine_forest", "birch_forest", "broadleaf_forest", *TREES, "tree"), "forest"),
    **dict.fromkeys(("lake", "lake_shore", "beach", "sea", "river"), "water"),
    **dict.fromkeys(("mountain", "mountains"), "mountain"),
    **dict.fromkeys(("meadow", "garden", "grass"), "meadow"),
    "desert": "desert",
    "snow_field": "snow",
}

# Descriptions that a place fulfils by being what it is.
GRANTED = {
    "desert": {"sandy", "stone"},
    "beach": {"sandy", "stone"},
    "mountain": {"stone", "tall"},
    "mountains": {"tall", "snow"},
    "meadow": {"grassy", "green"},
    "forest": {"wooden", "lush", "green"},
    "pine": {"green"},
    "birch": {"green"},
    "broadleaf": {"green"},
    "bush": {"green"},
    "grass": {"green"},
    "plant": {"green"},
    "bookshelf": {"wooden"},
    "dock": {"wooden"},
    "fence": {"wooden"},
    "bench": {"wooden"},
    "boat": {"wooden"},
    "well": {"stone"},
    "floor": {"wooden"},
    "desk": {"wooden"},
    "dining_table": {"wooden"},
    "coffee_table": {"wooden"},
    "bed": {"wooden"},
    "cafe_table": {"round", "small", "wooden"},
    "ladder": {"wooden"},
    "easel": {"wooden"},
    "piano": {"black"},
    "clock": {"round"},
    "display_case": {"glass"},
    "bottle": {"glass"},
    "sculpture": {"stone", "white"},
    "window": {"glass"},
}

# Moods of the open air, as things the world builds; `styles` indoors are palettes of the room instead.
STYLE_OUTDOORS: dict[str, tuple[Element, ...]] = {
    "lush": (Element("bush"), Element("grass"), Element("flower")),
    "fantasy": (Element("mushroom"), Element("flower")),
    "cozy": (Element("lantern"),),
    "eerie": (Element("dead_tree"),),
    "serene": (),
    "bright": (),
}
STYLES_INDOORS = frozenset({"cozy", "rustic", "minimal", "bright", "serene", "eerie", "lush", "grand"})

ENTERABLE = frozenset({"cabin", "castle", "tower", "tent", "lighthouse"})

# "A lamp in a tent" is inside it; "a boat in the lake" is on it; "flowers in the grass" are anywhere.
CONTAINERS = ENTERABLE | {"house", "greenhouse", "boat", "cart", "fireplace", "bookshelf", "wardrobe", "pot"}
IN_IS_ON = frozenset({"lake", "river", "sea", "pond", "stream", "armchair", "bed", "sofa"})

# What a lamp that stands on is a small one.
TABLE_TOPS = frozenset(
    {"nightstand", "desk", "sideboard", "coffee_table", "counter", "dining_table", "cafe_table", "bookshelf"}
)

# Things that share a relation when they are named in one breath.
FAMILIES = (
    frozenset({*TREES, "bush", "flower", "reed", "grass", "cherry_tree"}),
    frozenset({"sofa", "armchair", "chair", "bench_seat", "bench"}),
    frozenset({"rock", "boulder", "log", "stump"}),
    frozenset({"floor_lamp", "table_lamp"}),
)
