"""Every setting and element the procedural worlds can build: what prompts are understood into.

Understanding reads these tables and the builders implement them; a test holds both to it.
"""

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


OUTDOOR_SETTINGS = (
    Setting(
        "forest",
        False,
        ("pine", "birch", "rock", "grass", "path"),
        ("forest", "woods", "woodland", "pine forest", "taiga", "grove", "wilderness"),
    ),
    Setting(
        "meadow",
        False,
        ("broadleaf", "grass", "flower", "rock", "path"),
        ("meadow", "field", "pasture", "countryside", "prairie", "valley", "park", "garden"),
    ),
    Setting(
        "lake_shore",
        False,
        ("lake", "pine", "birch", "rock", "grass", "path", "reed"),
        ("lake shore", "lakeside", "lakeshore", "waterside", "riverbank", "fjord"),
    ),
    Setting(
        "mountain",
        False,
        ("pine", "rock", "boulder", "grass", "path", "mountains"),
        ("mountain", "alps", "alpine", "highlands", "peaks", "summit", "mountainside"),
    ),
    Setting(
        "beach",
        False,
        ("lake", "palm", "rock", "path"),
        ("beach", "coast", "seaside", "seashore", "shore", "tropical island", "island"),
    ),
    Setting(
        "desert",
        False,
        ("cactus", "rock", "boulder", "path", "mountains"),
        ("desert", "dunes", "canyon", "badlands", "wasteland", "mars", "savanna"),
    ),
    Setting(
        "snow_field",
        False,
        ("pine", "rock", "path", "mountains"),
        ("snow field", "tundra", "arctic", "snowscape", "winter landscape", "glacier"),
    ),
)

_GREEN = ("forest", "meadow", "lake_shore", "mountain")
_COLD = (*_GREEN, "snow_field")

OUTDOOR_KINDS = (
    Kind(
        "pine",
        _COLD,
        False,
        ("pine", "fir", "spruce", "conifer", "evergreen", "tree", "redwood", "cedar"),
        most=160,
        attributes=("tall", "small", "old"),
    ),
    Kind("birch", _COLD, False, ("birch", "aspen"), most=80, attributes=("tall", "small")),
    Kind(
        "broadleaf",
        _GREEN,
        False,
        ("broadleaf", "oak", "maple", "beech", "elm", "willow", "apple tree", "cherry tree"),
        most=80,
        attributes=("tall", "small", "old", "red", "golden"),
    ),
    Kind("palm", ("beach", "desert"), False, ("palm", "palm tree", "coconut tree"), most=40),
    Kind("dead_tree", (), False, ("dead tree", "bare tree", "snag"), most=40),
    Kind("stump", _COLD, False, ("stump", "tree stump"), most=20),
    Kind("log", (), False, ("log", "fallen tree", "fallen log", "driftwood"), most=20),
    Kind("bush", (), False, ("bush", "shrub", "undergrowth", "hedge", "fern"), most=120),
    Kind("cactus", ("desert",), False, ("cactus", "saguaro"), most=60),
    Kind("grass", _GREEN, False, ("grass", "tall grass", "tuft"), most=4000),
    Kind("reed", _GREEN, False, ("reed", "cattail", "rushes"), most=400),
    Kind(
        "flower",
        _GREEN,
        False,
        ("flower", "wildflower", "poppy", "daisy", "lavender", "bluebell"),
        most=1500,
        attributes=("red", "blue", "yellow", "white", "purple", "pink"),
    ),
    Kind("mushroom", _COLD, False, ("mushroom", "toadstool"), most=60, attributes=("red", "brown")),
    Kind("rock", (), False, ("rock", "stone", "pebble"), most=200, attributes=("mossy",)),
    Kind("boulder", (), False, ("boulder", "big rock", "standing stone", "megalith"), most=24),
    Kind(
        "cabin",
        (),
        False,
        ("cabin", "hut", "cottage", "house", "lodge", "shack", "chalet", "barn", "farmhouse"),
        most=3,
        attributes=("wooden", "log", "stone", "red", "white", "small", "old"),
    ),
    Kind("tent", (), False, ("tent", "campsite"), most=4, attributes=("red", "blue", "orange", "green")),
    Kind("campfire", (), False, ("campfire", "bonfire", "fire pit", "firepit", "fire"), most=3),
    Kind("fence", (), False, ("fence", "railing", "paddock"), most=1),
    Kind("bench", (), False, ("bench",), most=6),
    Kind("lantern", (), False, ("lantern", "lamp post", "street lamp", "lamppost"), most=10),
    Kind("well", (), False, ("well", "wishing well"), most=1),
    Kind("signpost", (), False, ("signpost", "sign"), most=2),
    Kind(
        "lake",
        (),
        False,
        ("lake", "pond", "tarn", "water", "sea", "ocean", "lagoon", "oasis", "river", "stream", "brook"),
        most=1,
        attributes=("frozen", "small"),
    ),
    Kind("dock", (), False, ("dock", "pier", "jetty", "boardwalk"), most=1),
    Kind("boat", (), False, ("boat", "rowboat", "canoe", "rowing boat"), most=3, attributes=("red", "blue")),
    Kind("path", (), False, ("path", "trail", "track", "footpath", "road", "lane"), most=1),
    Kind("mountains", (), False, ("mountains", "hills", "mountain range", "peaks"), most=1),
)

_SEATING = ("sofa", "armchair", "coffee_table", "rug", "floor_lamp", "window", "curtain", "plant", "picture")

INDOOR_SETTINGS = (
    Setting(
        "living_room",
        True,
        (*_SEATING, "bookshelf", "cushion", "door"),
        ("living room", "lounge", "sitting room", "parlour", "den", "room"),
    ),
    Setting(
        "bedroom",
        True,
        (
            *("bed", "nightstand", "table_lamp", "rug", "wardrobe", "window", "curtain"),
            *("picture", "plant", "door"),
        ),
        ("bedroom", "guest room", "dormitory"),
    ),
    Setting(
        "study",
        True,
        ("desk", "chair", "bookshelf", "rug", "table_lamp", "armchair", "window", "picture", "plant", "door"),
        ("study", "office", "home office"),
    ),
    Setting(
        "library",
        True,
        ("bookshelf", "armchair", "coffee_table", "rug", "floor_lamp", "desk", "window", "plant", "door"),
        ("library", "reading room", "bookshop"),
    ),
    Setting(
        "kitchen",
        True,
        ("counter", "dining_table", "chair", "pendant_lamp", "window", "plant", "door"),
        ("kitchen",),
    ),
    Setting(
        "dining_room",
        True,
        ("dining_table", "chair", "pendant_lamp", "sideboard", "rug", "window", "curtain", "picture", "door"),
        ("dining room",),
    ),
    Setting(
        "cafe",
        True,
        ("cafe_table", "chair", "counter", "pendant_lamp", "window", "plant", "picture", "door"),
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
)

# Every colour that fabrics, walls and painted wood are mixed in.
COLOURS = (
    *("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"),
    *("brown", "white", "cream", "grey", "black"),
)

INDOOR_KINDS = (
    Kind("sofa", (), True, ("sofa", "couch"), most=2, attributes=(*COLOURS, "leather", "fabric")),
    Kind(
        "armchair", (), True, ("armchair", "easy chair"), most=4, attributes=(*COLOURS, "leather", "fabric")
    ),
    Kind("chair", (), True, ("chair", "stool", "seat"), most=8, attributes=(*COLOURS, "wooden")),
    Kind("coffee_table", (), True, ("coffee table", "low table"), attributes=(*COLOURS, "round")),
    Kind("dining_table", (), True, ("dining table", "table"), attributes=(*COLOURS, "round")),
    Kind("cafe_table", ("cafe",), True, ("cafe table",), most=4, attributes=COLOURS),
    Kind("desk", (), True, ("desk", "writing desk", "workbench"), attributes=COLOURS),
    Kind("bed", (), True, ("bed", "bunk"), most=2, attributes=COLOURS),
    Kind("nightstand", (), True, ("nightstand", "bedside table"), most=2, attributes=COLOURS),
    Kind("wardrobe", (), True, ("wardrobe", "closet", "cupboard", "cabinet"), most=2, attributes=COLOURS),
    Kind("sideboard", (), True, ("sideboard", "dresser"), attributes=COLOURS),
    Kind("bookshelf", (), True, ("bookshelf", "bookcase", "shelf", "book"), most=5, attributes=COLOURS),
    Kind("rug", (), True, ("rug", "carpet"), attributes=(*COLOURS, "persian", "round")),
    Kind("floor_lamp", (), True, ("floor lamp", "lamp", "standing lamp"), most=3),
    Kind("table_lamp", (), True, ("table lamp", "desk lamp", "reading lamp"), most=2),
    Kind("pendant_lamp", (), True, ("pendant lamp", "chandelier", "ceiling lamp"), most=3),
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
    Kind("door", (), True, ("door", "doorway"), attributes=COLOURS),
    Kind("plant", (), True, ("plant", "houseplant", "potted plant"), most=4, attributes=("tall", "small")),
    Kind("picture", (), True, ("picture", "painting", "poster"), most=8, attributes=("large", "small")),
    Kind("counter", (), True, ("counter", "kitchen counter", "worktop", "sink"), attributes=COLOURS),
    Kind("sculpture", (), True, ("sculpture", "pedestal", "vase"), most=3),
    Kind("bench_seat", (), True, ("bench seat",), most=2),
    Kind("wall", (), True, ("wall", "wallpaper"), attributes=(*COLOURS, "wooden", "brick", "stone")),
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
    Kind("tool_rack", (), True, ("tool", "tool rack", "hand tool", "workshop tool"), most=2),
)

SETTINGS = {setting.name: setting for setting in (*OUTDOOR_SETTINGS, *INDOOR_SETTINGS)}
VOCABULARY = {kind.name: kind for kind in (*OUTDOOR_KINDS, *INDOOR_KINDS, *OBJECT_KINDS)}
