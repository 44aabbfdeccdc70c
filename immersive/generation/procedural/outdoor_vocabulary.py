"""Every setting and element of the outdoor world."""

from __future__ import annotations

from .kinds import COLOURS, Kind, Setting

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
    Setting(
        "alpine_lake",
        False,
        ("lake", "pine", "rock", "boulder", "grass", "path", "mountains"),
        ("alpine tarn", "high tarn"),
    ),
    Setting(
        "village_street",
        False,
        ("house", "street_lamp", "flower_pot", "bench", "barrel", "broadleaf", "grass", "path", "mountains"),
        (
            "village street",
            "village",
            "hamlet",
            "old town",
            "small town",
            "alley",
            "medieval village",
            "town",
            "main street",
        ),
    ),
    Setting(
        "japanese_garden",
        False,
        ("lake", "cherry_tree", "bamboo", "stone_lantern", "bush", "rock", "grass", "path", "mountains"),
        (
            "japanese garden",
            "zen garden",
            "zen rock garden",
            "rock garden",
            "tea garden",
            "temple garden",
            "stone garden",
        ),
    ),
    Setting(
        "city_square",
        False,
        ("building", "street_lamp", "bench", "broadleaf"),
        (
            "city square",
            "town square",
            "plaza",
            "piazza",
            "market square",
            "market place",
            "city",
            "downtown",
            "city street",
        ),
    ),
    Setting(
        "ruins",
        False,
        ("ruin", "column", "arch", "broadleaf", "bush", "rock", "grass", "path", "mountains"),
        ("ruins", "ancient ruins", "temple ruins", "ruined city", "archaeological site", "acropolis"),
    ),
    Setting(
        "canyon",
        False,
        ("cactus", "rock", "boulder", "grass", "path", "bush"),
        ("canyon", "gorge", "ravine", "rock canyon", "slot canyon"),
    ),
    Setting(
        "jungle",
        False,
        ("palm", "broadleaf", "bush", "rock", "log", "grass", "path"),
        ("jungle", "rainforest", "rain forest", "tropical forest"),
    ),
    Setting(
        "farm",
        False,
        ("barn", "fence", "hay_bale", "broadleaf", "grass", "path"),
        ("farm", "farmyard", "ranch", "cornfield"),
    ),
)

_GREEN = (
    *("forest", "meadow", "lake_shore", "mountain", "alpine_lake", "village_street", "japanese_garden"),
    *("city_square", "ruins", "jungle", "farm"),
)
_COLD = (*_GREEN, "snow_field")

_HOUSES = (*COLOURS, "stone", "brick", "wooden", "small", "old")

OUTDOOR_KINDS = (
    Kind(
        "pine",
        (),
        False,
        ("pine", "fir", "spruce", "conifer", "evergreen", "tree", "redwood", "cedar"),
        most=160,
        attributes=("tall", "small", "old"),
    ),
    Kind("birch", (), False, ("birch", "aspen"), most=80, attributes=("tall", "small")),
    Kind(
        "broadleaf",
        (),
        False,
        ("broadleaf", "oak", "maple", "beech", "elm", "willow", "apple tree", "cherry tree"),
        most=80,
        attributes=("tall", "small", "old", "red", "golden"),
    ),
    Kind(
        "palm",
        ("beach", "desert", "jungle", "canyon", "city_square", "ruins"),
        False,
        ("palm", "palm tree", "coconut tree"),
        most=40,
    ),
    Kind("dead_tree", (), False, ("dead tree", "bare tree", "snag"), most=40),
    Kind("stump", (), False, ("stump", "tree stump"), most=20),
    Kind("log", (), False, ("log", "fallen tree", "fallen log", "driftwood"), most=20),
    Kind("bush", (), False, ("bush", "shrub", "undergrowth", "hedge", "fern"), most=120),
    Kind("cactus", (), False, ("cactus", "saguaro"), most=60),
    Kind("grass", (), False, ("grass", "tall grass", "tuft"), most=4000),
    Kind("reed", (), False, ("reed", "cattail", "rushes"), most=400),
    Kind(
        "flower",
        (),
        False,
        ("flower", "wildflower", "poppy", "daisy", "lavender", "bluebell"),
        most=1500,
        attributes=("red", "blue", "yellow", "white", "purple", "pink"),
    ),
    Kind("mushroom", (), False, ("mushroom", "toadstool"), most=60, attributes=("red", "brown")),
    Kind("rock", (), False, ("rock", "stone", "pebble"), most=200, attributes=("mossy",)),
    Kind("boulder", (), False, ("boulder", "big rock", "standing stone", "megalith"), most=24),
    Kind(
        "cabin",
        (),
        False,
        ("cabin", "hut", "lodge", "shack", "chalet", "farmhouse"),
        most=3,
        attributes=("wooden", "log", "stone", "red", "white", "small", "old"),
    ),
    Kind("tent", (), False, ("tent", "campsite"), most=6, attributes=COLOURS),
    Kind("campfire", (), False, ("campfire", "bonfire", "fire pit", "firepit", "fire"), most=3),
    Kind("fence", (), False, ("fence", "railing", "paddock"), most=1, attributes=COLOURS),
    Kind("bench", (), False, ("bench",), most=8),
    Kind("lantern", (), False, ("lantern",), most=10),
    Kind("well", (), False, ("well", "wishing well"), most=1),
    Kind("signpost", (), False, ("signpost", "sign"), most=2),
    Kind(
        "lake",
        (),
        False,
        ("lake", "pond", "tarn", "water", "sea", "ocean", "lagoon", "oasis"),
        most=1,
        attributes=("frozen", "small"),
    ),
    Kind("dock", (), False, ("dock", "pier", "jetty", "boardwalk"), most=1),
    Kind("boat", (), False, ("boat", "rowboat", "canoe", "rowing boat"), most=3, attributes=COLOURS),
    Kind("path", (), False, ("path", "trail", "track", "footpath", "road", "lane"), most=1),
    Kind("mountains", (), False, ("mountains", "hills", "mountain range", "peaks"), most=1),
    Kind("river", (), False, ("river", "stream", "brook", "creek"), attributes=("frozen", "small")),
    Kind(
        "bridge",
        (),
        False,
        ("bridge", "footbridge"),
        attributes=(*COLOURS, "wooden", "stone", "brick", "rope"),
    ),
    Kind("waterfall", (), False, ("waterfall", "cascade"), most=1),
    Kind("cliff", (), False, ("cliff", "precipice", "rock face"), most=2),
    Kind("aurora", (), False, ("aurora", "northern lights")),
    # Plants.
    Kind(
        "cherry_tree",
        (),
        False,
        ("cherry tree", "cherry blossom", "blossoming tree"),
        most=40,
        attributes=("tall", "small", "old"),
    ),
    Kind("bamboo", (), False, ("bamboo",), most=60, attributes=("tall", "small")),
    Kind("pumpkin", (), False, ("pumpkin", "pumpkin patch"), most=60),
    # Buildings.
    Kind("house", (), False, ("house", "cottage", "town house"), most=8, attributes=_HOUSES),
    Kind(
        "shop",
        (),
        False,
        ("shop", "bakery", "inn", "tavern", "store", "bookshop"),
        most=4,
        attributes=_HOUSES,
    ),
    Kind("building", (), False, ("building", "skyscraper", "tenement", "facade"), most=12),
    Kind("tower", (), False, ("tower", "watchtower", "turret", "keep"), most=3, attributes=("tall", "small")),
    Kind("lighthouse", (), False, ("lighthouse",), most=1, attributes=(*COLOURS, "tall", "small")),
    Kind("windmill", (), False, ("windmill", "mill"), most=2, attributes=COLOURS),
    Kind("castle", (), False, ("castle", "fortress", "citadel"), most=1),
    Kind("church", (), False, ("church", "chapel", "cathedral"), most=1, attributes=COLOURS),
    Kind("pagoda", (), False, ("pagoda", "shrine", "tea house"), most=2, attributes=COLOURS),
    Kind("pyramid", (), False, ("pyramid",), most=2),
    Kind("barn", (), False, ("barn", "stable", "cowshed", "hay barn"), most=2, attributes=COLOURS),
    Kind(
        "pavilion", (), False, ("pavilion", "gazebo", "bandstand", "summerhouse"), most=2, attributes=COLOURS
    ),
    Kind("greenhouse", (), False, ("greenhouse", "glasshouse"), most=2, attributes=COLOURS),
    Kind("kiosk", (), False, ("kiosk", "newsstand", "news stand"), most=2, attributes=COLOURS),
    Kind(
        "market_stall",
        (),
        False,
        ("market stall", "stall", "market stand", "flea market", "farmers market", "street market", "bazaar"),
        most=6,
        attributes=COLOURS,
    ),
    # Stonework.
    Kind("ruin", (), False, ("ruin", "ruins", "temple", "abbey"), most=2, attributes=("old",)),
    Kind("column", (), False, ("column", "pillar"), most=12, attributes=("broken", "tall")),
    Kind("arch", (), False, ("arch", "archway", "stone arch"), most=4, attributes=("large", "small")),
    Kind("stone_wall", (), False, ("stone wall", "dry stone wall", "wall"), most=4),
    Kind(
        "statue",
        (),
        False,
        ("statue", "sculpture", "monument"),
        most=4,
        attributes=("broken", "bronze", "large"),
    ),
    Kind("obelisk", (), False, ("obelisk",), most=2),
    Kind("fountain", (), False, ("fountain",), most=2),
    Kind("torii", (), False, ("torii", "torii gate"), most=4, attributes=(*COLOURS, "stone")),
    Kind("stone_lantern", (), False, ("stone lantern", "japanese lantern"), most=8),
    # Vehicles.
    Kind("car", (), False, ("car", "automobile"), most=4, attributes=COLOURS),
    Kind("truck", (), False, ("truck", "pickup", "lorry"), most=2, attributes=COLOURS),
    Kind("cart", (), False, ("cart", "wagon", "carriage"), most=3, attributes=("covered", "large")),
    Kind("bicycle", (), False, ("bicycle", "bike"), most=4, attributes=COLOURS),
    Kind("sledge", (), False, ("sledge", "sled", "sleigh"), most=4, attributes=COLOURS),
    Kind("wheelbarrow", (), False, ("wheelbarrow",), most=3, attributes=COLOURS),
    Kind("rocket", (), False, ("rocket", "spaceship", "spacecraft"), most=1, attributes=COLOURS),
    # Animals and figures.
    Kind("sheep", (), False, ("sheep", "lamb", "goat"), most=16, attributes=("white", "black", "brown")),
    Kind("cow", (), False, ("cow", "cattle", "bull"), most=8, attributes=("white", "black", "brown")),
    Kind(
        "horse",
        (),
        False,
        ("horse", "pony", "donkey"),
        most=6,
        attributes=("white", "black", "brown", "grey"),
    ),
    Kind("deer", (), False, ("deer", "stag", "reindeer"), most=6),
    Kind("camel", (), False, ("camel",), most=6),
    Kind("elephant", (), False, ("elephant",), most=3),
    Kind("dog", (), False, ("dog", "puppy"), most=4, attributes=("white", "black", "brown")),
    Kind("cat", (), False, ("cat", "kitten"), most=6, attributes=("white", "black", "orange", "grey")),
    Kind("robot", (), False, ("robot", "android"), most=3, attributes=COLOURS),
    Kind("scarecrow", (), False, ("scarecrow",), most=2, attributes=COLOURS),
    Kind("snowman", (), False, ("snowman",), most=3, attributes=COLOURS),
    # Yards, streets and play.
    Kind("tombstone", (), False, ("tombstone", "gravestone", "headstone", "grave"), most=24),
    Kind("tractor", (), False, ("tractor",), most=2, attributes=COLOURS),
    Kind("trough", (), False, ("trough", "water trough", "feeding trough"), most=4),
    Kind("bucket", (), False, ("bucket", "pail"), most=6, attributes=COLOURS),
    Kind("sandcastle", (), False, ("sandcastle", "sand castle"), most=3),
    Kind("crate", (), False, ("crate", "wooden box"), most=12),
    Kind("barrel", (), False, ("barrel", "cask"), most=12),
    Kind("beehive", (), False, ("beehive", "hive"), most=10, attributes=COLOURS),
    Kind("haystack", (), False, ("haystack", "heap of hay"), most=6),
    Kind("hay_bale", (), False, ("hay bale", "bale"), most=12),
    Kind("firewood", (), False, ("firewood", "woodpile", "stack of wood"), most=3),
    Kind("mailbox", (), False, ("mailbox", "letter box", "postbox"), most=2, attributes=COLOURS),
    Kind("flower_pot", (), False, ("flower pot", "flowerpot", "planter"), most=10, attributes=COLOURS),
    Kind("picnic_table", (), False, ("picnic table",), most=4),
    Kind("garden_chair", (), False, ("garden chair", "deck chair"), most=8, attributes=COLOURS),
    Kind("parasol", (), False, ("parasol", "umbrella", "sunshade"), most=8, attributes=COLOURS),
    Kind("swing", (), False, ("swing",), most=3, attributes=COLOURS),
    Kind("slide", (), False, ("slide",), most=1, attributes=COLOURS),
    Kind("neon_sign", (), False, ("neon sign", "neon light"), most=3, attributes=("red", "blue", "pink")),
    Kind(
        "street_lamp",
        (),
        False,
        ("street lamp", "street light", "streetlight", "lamp post", "lamppost", "gas lamp"),
        most=10,
    ),
    Kind(
        "telephone_box", (), False, ("telephone box", "phone box", "phone booth"), most=2, attributes=COLOURS
    ),
)

TREE_KINDS = ("pine", "birch", "broadleaf", "palm", "dead_tree", "cactus", "cherry_tree", "bamboo")
# What the ground is levelled for.
SITE_KINDS = (
    *("cabin", "house", "shop", "building", "tower", "lighthouse", "windmill", "castle", "church", "pagoda"),
    *("ruin", "pyramid", "greenhouse", "barn", "pavilion", "cliff", "waterfall"),
)
_OF_THE_LAND = (
    *("bush", "grass", "reed", "flower", "mushroom", "rock", "fence", "lake", "river", "dock", "boat"),
    *("path", "mountains", "bridge", "aurora"),
)
# What stands on the ground by itself.
THING_KINDS = tuple(
    kind.name for kind in OUTDOOR_KINDS if kind.name not in (*TREE_KINDS, *SITE_KINDS, *_OF_THE_LAND)
)
