"""Every setting and element the procedural worlds can build: what prompts are understood into.

Understanding reads these tables and the builders implement them; a test holds both to it.
"""

from __future__ import annotations

from dataclasses import replace

from .kinds import COLOURS, Kind, Setting
from .outdoor_vocabulary import OUTDOOR_KINDS, OUTDOOR_SETTINGS

_SEATING = ("sofa", "armchair", "coffee_table", "rug", "floor_lamp", "window", "curtain", "plant", "picture")

INDOOR_SETTINGS = (
    Setting(
        "living_room",
        True,
        (*_SEATING, "bookshelf", "cushion", "blanket", "wall_lamp", "sideboard", "door"),
        ("living room", "lounge", "sitting room", "parlour", "den", "room"),
    ),
    Setting(
        "bedroom",
        True,
        (
            *("bed", "nightstand", "table_lamp", "rug", "wardrobe", "window", "curtain"),
            *("picture", "plant", "blanket", "wall_shelf", "door"),
        ),
        ("bedroom", "guest room", "dormitory"),
    ),
    Setting(
        "study",
        True,
        (
            "desk",
            "chair",
            "bookshelf",
            "rug",
            "table_lamp",
            "armchair",
            "window",
            "picture",
            "plant",
            "wall_shelf",
            "door",
        ),
        ("study", "office", "home office"),
    ),
    Setting(
        "library",
        True,
        (
            "bookshelf",
            "armchair",
            "coffee_table",
            "rug",
            "floor_lamp",
            "desk",
            "window",
            "plant",
            "wall_lamp",
            "door",
        ),
        ("library", "reading room", "bookshop"),
    ),
    Setting(
        "kitchen",
        True,
        ("counter", "dining_table", "chair", "pendant_lamp", "window", "plant", "wall_shelf", "pot", "door"),
        ("kitchen",),
    ),
    Setting(
        "dining_room",
        True,
        (
            "dining_table",
            "chair",
            "pendant_lamp",
            "sideboard",
            "rug",
            "window",
            "curtain",
            "picture",
            "wall_lamp",
            "door",
        ),
        ("dining room",),
    ),
    Setting(
        "cafe",
        True,
        (
            "cafe_table",
            "chair",
            "counter",
            "pendant_lamp",
            "window",
            "plant",
            "picture",
            "wall_shelf",
            "door",
        ),
        ("cafe", "coffee shop", "bistro"),
    ),
    Setting(
        "gallery",
        True,
        ("picture", "sculpture", "bench_seat", "window", "door"),
        ("gallery", "museum"),
    ),
    Setting(
        "workshop",
        True,
        ("desk", "chair", "bookshelf", "pendant_lamp", "picture", "window", "plant", "door"),
        ("workshop", "studio", "atelier"),
    ),
    Setting(
        "spaceship_corridor",
        True,
        ("pendant_lamp", "pipe", "door", "control_panel", "window"),
        (
            *("spaceship corridor", "starship corridor", "corridor", "starship", "space station"),
            *(
                "corridor of a spaceship",
                "corridor of a starship",
                "inside a spaceship",
                "spaceship interior",
            ),
        ),
    ),
)

INDOOR_KINDS = (
    Kind("sofa", (), True, ("sofa", "couch"), most=2, attributes=(*COLOURS, "leather", "fabric")),
    Kind(
        "armchair", (), True, ("armchair", "easy chair"), most=4, attributes=(*COLOURS, "leather", "fabric")
    ),
    Kind("chair", (), True, ("chair", "stool", "seat"), most=12, attributes=(*COLOURS, "wooden")),
    Kind("coffee_table", (), True, ("coffee table", "low table"), attributes=(*COLOURS, "round", "small")),
    Kind("dining_table", (), True, ("dining table", "table"), attributes=(*COLOURS, "round", "small")),
    Kind("cafe_table", ("cafe",), True, ("cafe table",), most=4, attributes=COLOURS),
    Kind("desk", (), True, ("desk", "writing desk", "workbench"), attributes=COLOURS),
    Kind("bed", (), True, ("bed", "bunk"), most=2, attributes=COLOURS),
    Kind("nightstand", (), True, ("nightstand", "bedside table"), most=2, attributes=COLOURS),
    Kind("wardrobe", (), True, ("wardrobe", "closet", "cupboard", "cabinet"), most=2, attributes=COLOURS),
    Kind("sideboard", (), True, ("sideboard", "dresser"), attributes=COLOURS),
    Kind(
        "bookshelf",
        (),
        True,
        ("bookshelf", "bookcase", "shelf", "book"),
        most=5,
        attributes=(*COLOURS, "tall"),
    ),
    Kind("rug", (), True, ("rug", "carpet"), attributes=(*COLOURS, "persian", "round")),
    Kind("floor_lamp", (), True, ("floor lamp", "lamp", "standing lamp"), most=3, attributes=COLOURS),
    Kind("table_lamp", (), True, ("table lamp", "desk lamp", "reading lamp"), most=2, attributes=COLOURS),
    Kind(
        "pendant_lamp", (), True, ("pendant lamp", "chandelier", "ceiling lamp"), most=3, attributes=COLOURS
    ),
    Kind("wall_lamp", (), True, ("wall lamp", "sconce", "wall light"), most=4, attributes=COLOURS),
    Kind("wall_shelf", (), True, ("wall shelf", "floating shelf"), most=3),
    Kind("blanket", (), True, ("blanket", "throw", "quilt", "bedspread", "duvet"), attributes=COLOURS),
    Kind("fireplace", (), True, ("fireplace", "hearth", "stove"), attributes=("stone", "brick", "white")),
    Kind(
        "window",
        (),
        True,
        ("window", "bay window"),
        most=4,
        attributes=(
            *("large", "small", "forest_view", "water_view", "mountain_view"),
            *("meadow_view", "desert_view", "snow_view"),
        ),
    ),
    Kind("curtain", (), True, ("curtain", "drapes"), attributes=COLOURS),
    Kind("cushion", (), True, ("cushion", "pillow"), most=4, attributes=COLOURS),
    Kind(
        "door",
        (),
        True,
        ("door", "doorway", "sliding door", "airlock", "hatch", "bulkhead"),
        attributes=COLOURS,
    ),
    Kind("plant", (), True, ("plant", "houseplant", "potted plant"), most=4, attributes=("tall", "small")),
    Kind("picture", (), True, ("picture", "painting", "poster"), most=8, attributes=("large", "small")),
    Kind("counter", (), True, ("counter", "kitchen counter", "worktop", "sink"), attributes=COLOURS),
    Kind(
        "sculpture",
        (),
        True,
        ("sculpture", "pedestal", "vase"),
        most=3,
        attributes=("stone", "metal", "white", "black"),
    ),
    Kind("bench_seat", (), True, ("bench seat",), most=2),
    Kind("wall", (), True, ("wall", "wallpaper"), attributes=(*COLOURS, "wooden", "brick", "stone")),
    Kind("ceiling", (), True, ("ceiling",)),
    Kind("floor", (), True, ("floor", "floorboard"), attributes=("wooden", "stone", "tiled")),
)

# Built where they are asked for; no room has them by itself.
OBJECT_KINDS = (
    Kind("globe", (), True, ("globe", "world globe", "terrestrial globe"), most=2),
    Kind("bottle", (), True, ("bottle", "wine bottle", "flask"), most=8),
    Kind("book_stack", (), True, ("stack of books", "pile of books", "book stack"), most=4),
    Kind("candle", (), True, ("candle", "candlestick", "candelabra", "tea light"), most=3),
    Kind("ladder", (), True, ("ladder", "stepladder", "library ladder"), most=2),
    Kind("easel", (), True, ("easel", "painter's easel"), most=2),
    Kind("piano", (), True, ("piano", "upright piano", "grand piano")),
    Kind("display_case", (), True, ("display case", "glass case", "showcase", "vitrine"), most=3),
    Kind("television", (), True, ("television", "tv", "telly", "television set")),
    Kind("basket", (), True, ("basket", "wicker basket", "laundry basket"), most=3),
    Kind("jukebox", (), True, ("jukebox",)),
    Kind("mirror", (), True, ("mirror", "looking glass"), most=3),
    Kind("clock", (), True, ("clock", "wall clock"), most=2),
    Kind("pot", (), True, ("pot", "copper pot", "pan", "saucepan", "cooking pot"), most=5),
    Kind("kettle", (), True, ("kettle", "teapot"), most=2),
    Kind("cup", (), True, ("cup", "mug", "teacup"), most=4),
    Kind("teddy_bear", (), True, ("teddy bear", "teddy", "stuffed toy"), most=3),
    Kind("kiln", (), True, ("kiln", "oven", "pottery kiln")),
    Kind("shavings", (), True, ("wood shavings", "shavings", "sawdust")),
    Kind("skeleton", (), True, ("skeleton", "dinosaur skeleton", "dinosaur", "fossil")),
    Kind("control_panel", (), True, ("control panel", "console"), most=2),
    Kind("pipe", (), True, ("pipe", "pipework", "piping", "duct"), most=8),
    Kind("tool_rack", (), True, ("tool", "tool rack", "hand tool", "workshop tool"), most=2),
)

# Outdoor things that rooms can hold, too; `room_visitors` builds them there.
BOTH_SIDES = (*("crate", "barrel", "robot", "bicycle", "wheelbarrow", "firewood", "dog", "cat", "pumpkin"),)

SETTINGS = {setting.name: setting for setting in (*OUTDOOR_SETTINGS, *INDOOR_SETTINGS)}
VOCABULARY = {
    kind.name: replace(kind, is_on_both_sides=True) if kind.name in BOTH_SIDES else kind
    for kind in (*OUTDOOR_KINDS, *INDOOR_KINDS, *OBJECT_KINDS)
}
