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
    "oasis": ("desert", (Element("lake", None, ("small",)), Element("palm"))),
    "graveyard": ("meadow", (Element("tombstone"), Element("stone_wall"), Element("flower", 0))),
    "playground": ("meadow", (Element("swing"), Element("slide"), Element("bench"))),
}

# A second setting in the same prompt is built as a part of the first.
SETTING_AS_ELEMENT = {
    "forest": "tree",
    "pine_forest": "pine",
    "birch_forest": "birch",
    "broadleaf_forest": "broadleaf",
    "garden": "flower",
    "oasis": "palm",
    "graveyard": "tombstone",
    "playground": "swing",
    "meadow": "grass",
    "lake_shore": "lake",
    "beach": "lake",
    "mountain": "mountains",
    "village_street": "house",
    "ruins": "ruin",
    "canyon": "cliff",
    "jungle": "broadleaf",
    "farm": "barn",
    "japanese_garden": "cherry_tree",
}

# A setting that another element makes a more particular one.
SETTING_WITH_ELEMENT = {("mountain", "lake"): "alpine_lake"}

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
    **dict.fromkeys(("ruin", "column", "arch"), "ruins"),
    **dict.fromkeys(("torii", "pagoda", "bamboo", "cherry_tree", "stone_lantern"), "japanese_garden"),
    **dict.fromkeys(
        ("building", "kiosk", "neon_sign", "telephone_box", "street_lamp", "fountain"), "city_square"
    ),
    **dict.fromkeys(("market_stall", "church", "shop"), "village_street"),
    **dict.fromkeys(("pumpkin", "scarecrow", "hay_bale", "haystack", "cow", "tractor", "trough"), "farm"),
    **dict.fromkeys(("sheep", "horse", "picnic_table", "swing", "slide", "beehive", "castle"), "meadow"),
    **dict.fromkeys(("snowman", "sledge", "aurora"), "snow_field"),
    **dict.fromkeys(("camel", "pyramid", "rocket"), "desert"),
    **dict.fromkeys(("cliff", "waterfall"), "mountain"),
    "parasol": "beach",
    "sandcastle": "beach",
    "tombstone": "meadow",
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
    "fireplace": "campfire",
    "floor_lamp": "lantern",
    "plant": "bush",
    "chair": "garden_chair",
    "dining_table": "picnic_table",
    "sculpture": "statue",
    "wall": "stone_wall",
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
    "flower_pot": "plant",
    "street_lamp": "floor_lamp",
    "cherry_tree": "plant",
    "bamboo": "plant",
}

# A plain word means what is usual in the place.
KIND_IN_SETTING = {
    ("cafe", "dining_table"): "cafe_table",
    ("gallery", "chair"): "bench_seat",
    ("spaceship_corridor", "floor_lamp"): "pendant_lamp",
    ("village_street", "cabin"): "house",
    ("city_square", "cabin"): "house",
    ("city_square", "lantern"): "street_lamp",
    ("village_street", "lantern"): "street_lamp",
    ("japanese_garden", "lantern"): "stone_lantern",
}

TREES = ("pine", "birch", "broadleaf", "palm", "dead_tree", "cherry_tree")
TREE_OF_SETTING = {
    **dict.fromkeys(("meadow", "village_street", "city_square", "ruins", "farm"), "broadleaf"),
    "japanese_garden": "cherry_tree",
    "jungle": "palm",
    "canyon": "dead_tree",
    "lake_shore": "birch",
    "beach": "palm",
    "desert": "dead_tree",
}

# What a room's windows show when the prompt names something that only exists outdoors.
VIEW_OF = {
    **dict.fromkeys(("forest", "pine_forest", "birch_forest", "broadleaf_forest", *TREES, "tree"), "forest"),
    **dict.fromkeys(("lake", "lake_shore", "beach", "sea", "river"), "water"),
    **dict.fromkeys(("mountain", "mountains"), "mountain"),
    **dict.fromkeys(("meadow", "garden", "grass"), "meadow"),
    "desert": "desert",
    "snow_field": "snow",
}

# What a word says of colour besides naming a thing.
COLOUR_OF_WORD = {
    "poppy": "red",
    "poppies": "red",
    "lavender": "purple",
    "bluebell": "blue",
    "bluebells": "blue",
    "sunflower": "yellow",
    "sunflowers": "yellow",
    "daisy": "white",
    "daisies": "white",
    "rose": "red",
    "roses": "red",
    "violets": "purple",
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
    "pot": {"metal"},
    "kettle": {"metal"},
    "pipe": {"metal"},
    "shavings": {"wooden"},
    "kiln": {"brick"},
    "clock": {"round"},
    "display_case": {"glass"},
    "bottle": {"glass"},
    "sculpture": {"stone", "white"},
    "window": {"glass"},
    "village_street": {"stone", "wooden"},
    "city_square": {"stone"},
    "canyon": {"red", "stone", "sandy"},
    "jungle": {"lush", "green"},
    "ruins": {"stone", "mossy"},
    "ruin": {"stone"},
    "column": {"stone"},
    "arch": {"stone"},
    "tower": {"stone"},
    "castle": {"stone"},
    "statue": {"stone"},
    "fountain": {"stone"},
    "stone_lantern": {"stone"},
    "stone_wall": {"stone"},
    "pyramid": {"stone"},
    "cliff": {"stone", "tall", "overhanging"},
    "waterfall": {"tall"},
    "torii": {"wooden"},
    "pagoda": {"wooden"},
    "cherry_tree": {"pink"},
    "pumpkin": {"orange"},
    "bamboo": {"green"},
    "market_stall": {"wooden"},
    "crate": {"wooden"},
    "barrel": {"wooden"},
    "barn": {"wooden"},
    "cart": {"wooden"},
    "sledge": {"wooden"},
    "beehive": {"wooden"},
    "picnic_table": {"wooden"},
    "garden_chair": {"wooden"},
    "path": {"stone"},
    "cabin": {"wooden"},
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
    frozenset({*TREES, "bush", "flower", "reed", "grass", "bamboo"}),
    frozenset({"cabin", "house", "shop", "church", "tower"}),
    frozenset({"sheep", "cow", "horse", "deer", "camel", "dog", "cat"}),
    frozenset({"crate", "barrel", "pumpkin", "hay_bale", "flower_pot"}),
    frozenset({"lantern", "street_lamp", "stone_lantern"}),
    frozenset({"sofa", "armchair", "chair", "bench_seat", "bench"}),
    frozenset({"rock", "boulder", "log", "stump"}),
    frozenset({"floor_lamp", "table_lamp"}),
)
