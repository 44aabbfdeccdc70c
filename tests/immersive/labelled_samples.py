"""What a person says the prompts of `samples/briefs` name, written before anything was tuned on them.

A label is a name of this project's vocabulary where one existed when it was written, else the plain noun;
`a|b` accepts either. What stands in `may` is neither asked for nor wrong.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one prompt; an empty string says that the prompt names none."""

    things: str  # setting, kinds of things, time, weather, season, style: "forest cabin lake|river dusk"
    relations: tuple[str, ...] = ()  # "cabin beside lake"
    described: tuple[str, ...] = ()  # "cabin wooden", "chair red"
    counted: tuple[str, ...] = ()  # "chair 3"
    absent: str = ""
    may: str = ""


HOUSE = "cabin|house|cottage"

SAMPLES: dict[str, Labels] = {
    "cabin_frozen_lake": Labels(
        "forest pine cabin lake snow dusk",
        ("cabin beside lake",),
        ("cabin wooden", "lake frozen"),
    ),
    "birch_wood_autumn": Labels("forest birch log mushroom fog autumn dawn", described=("mushroom red",)),
    "windmill_poppies": Labels("meadow windmill flower fence path summer", ("fence along path",)),
    "old_oak": Labels(
        "meadow broadleaf|oak bench dusk",
        ("bench under broadleaf|oak",),
        ("broadleaf|oak old",),
        absent="person",
    ),
    "desert_camp": Labels(
        "desert tent campfire night", ("tent around campfire",), counted=("tent 2",), may="clear"
    ),
    "desert_well": Labels(
        "desert well ruin|ruins|temple palm day",
        ("well in_front_of ruin|ruins|temple", "palm behind well"),
        counted=("palm 3",),
    ),
    "tropical_beach": Labels("beach boat palm clear dawn", may="lake sea"),
    "storm_lighthouse": Labels(
        f"beach lighthouse {HOUSE} rain night",
        (f"{HOUSE} beside lighthouse",),
        (f"{HOUSE} small", f"{HOUSE} red"),
        may="rock",
    ),
    "alpine_sunrise": Labels(
        "alpine_lake|lake_shore|mountain lake mountains dock boat dawn",
        ("mountains around lake",),
        ("boat blue",),
        may="snow alpine_lake lake_shore mountain",
    ),
    "stone_hut": Labels(
        "alpine_lake|lake_shore|mountain cabin boulder lake overcast autumn day",
        ("cabin behind boulder", "cabin beside lake"),
        ("cabin stone",),
        may="mountains lake_shore mountain",
    ),
    "polar_signpost": Labels("snow_field signpost aurora|night", may="night snow"),
    "winter_lodge": Labels(
        "sledge|sled cabin|lodge river|lake snow",
        ("sledge|sled in_front_of cabin|lodge", "river|lake behind cabin|lodge"),
        ("cabin|lodge wooden", "river|lake frozen"),
        ("sledge|sled 2",),
    ),
    "village_rain": Labels(
        f"village_street|village {HOUSE} fountain bakery|shop|{HOUSE} rain dusk",
        (f"fountain in_front_of bakery|shop|{HOUSE}",),
        (f"{HOUSE} stone",),
        may="path street",
    ),
    "market_day": Labels(
        "village_street|village market_stall|stall cart well clear spring dawn",
        ("cart beside well",),
        counted=("market_stall|stall 3",),
        may="path street",
    ),
    "japanese_garden": Labels(
        "japanese_garden|garden cherry_tree|cherry|broadleaf lake|pond bridge lantern|stone_lantern path "
        "spring",
        (
            "cherry_tree|cherry|broadleaf around lake|pond",
            "bridge on|above lake|pond",
            "lantern|stone_lantern beside path",
        ),
        ("bridge red",),
        ("lantern|stone_lantern 2",),
    ),
    "torii_gate": Labels(
        "japanese_garden|garden torii path rock fog", described=("rock mossy",), may="serene"
    ),
    "square_at_night": Labels(
        "city_square fountain lantern|street_lamp bench statue night rain",
        ("bench facing statue",),
        counted=("bench 4",),
    ),
    "kiosk": Labels("city_square car kiosk sign|neon_sign rain", ("car beside kiosk",), absent="person"),
    "jungle_ruins": Labels(
        "ruins jungle|broadleaf|palm|tree statue column|ruin fog lush",
        ("statue beside column|ruin",),
        counted=("column|ruin 2",),
    ),
    "abbey_sunset": Labels(
        "ruin|abbey|ruins mountains|hill arch|ruin|ruins sheep wall|ruin|ruins dusk",
        ("ruin|abbey|ruins on mountains|hill", "sheep around wall|ruin|ruins"),
        absent="roof",
        may="mountain",
    ),
    "canyon_bridge": Labels(
        "canyon river|lake bridge tent cliff",
        ("bridge on|above river|lake", "tent under cliff"),
        may="rock",
    ),
    "canyon_saloon": Labels(
        f"canyon wagon|cart saloon|{HOUSE} cactus path day",
        (f"wagon|cart in_front_of saloon|{HOUSE}", "cactus along path"),
        ("wagon|cart wooden",),
        may="clear",
    ),
    "scarecrow": Labels(
        "meadow|farm pumpkin scarecrow fence fog autumn dusk",
        ("scarecrow behind fence",),
        ("fence wooden",),
    ),
    "beehives": Labels(
        "beehive broadleaf|apple_tree wheelbarrow cabin|shed summer day|dusk",
        ("beehive under broadleaf|apple_tree", "wheelbarrow beside cabin|shed"),
        counted=("beehive 6",),
    ),
    "fireside": Labels(
        "armchair fireplace rug coffee_table window snow",
        ("armchair facing fireplace", "rug under coffee_table"),
        ("armchair leather", "rug persian"),
        ("armchair 2",),
    ),
    "grey_sofa": Labels(
        "living_room sofa floor_lamp picture minimal",
        ("floor_lamp beside sofa", "picture on|above sofa"),
        ("sofa grey",),
        ("picture 3",),
    ),
    "old_library": Labels(
        "library grand rustic bookshelf ladder globe desk table_lamp",
        ("bookshelf along wall", "globe on desk"),
        ("bookshelf tall", "table_lamp green"),
        may="wall",
    ),
    "reading_corner": Labels(
        "library|living_room cozy armchair window bookshelf|book coffee_table|table|dining_table rain",
        ("armchair beside window", "bookshelf|book on coffee_table|table|dining_table"),
        ("coffee_table|table|dining_table small",),
    ),
    "cafe_morning": Labels(
        "cafe cafe_table|dining_table chair plant counter bright dawn",
        ("chair around|beside cafe_table|dining_table", "plant on counter"),
        ("cafe_table|dining_table round",),
        ("cafe_table|dining_table 4",),
    ),
    "empty_bar": Labels(
        "cafe|bar chair|stool counter bottle bookshelf|shelf jukebox night",
        ("chair|stool along counter", "bottle on bookshelf|shelf"),
        counted=("chair|stool 12",),
    ),
    "carpenter": Labels(
        "workshop tool desk|workbench window shavings",
        ("tool on wall", "desk|workbench under window", "shavings on floor"),
        may="wall floor",
    ),
    "painter": Labels(
        "workshop|studio easel window picture chair|stool",
        ("easel facing window", "picture on wall"),
        ("chair|stool wooden",),
        absent="curtain",
        may="wall",
    ),
    "white_gallery": Labels(
        "gallery sculpture|statue bench_seat|bench picture",
        ("bench_seat|bench in_front_of picture",),
        ("wall white", "sculpture|statue stone"),
        may="wall",
    ),
    "museum_hall": Labels(
        "gallery|museum skeleton display_case|case|cabinet|wardrobe",
        ("display_case|case|cabinet|wardrobe along wall",),
        ("display_case|case|cabinet|wardrobe glass",),
        absent="person|visitor",
        may="wall",
    ),
    "starship_corridor": Labels(
        "spaceship_corridor|corridor lamp|light|floor_lamp|pendant_lamp door pipe "
        "panel|control_panel|console",
        ("panel|control_panel|console beside door",),
        ("lamp|light|floor_lamp|pendant_lamp blue",),
    ),
    "derelict_starship": Labels(
        "spaceship_corridor|corridor crate robot airlock|door",
        ("crate on floor", "robot beside airlock|door"),
        may="eerie floor",
    ),
    "red_chairs": Labels(
        "chair dining_table pendant_lamp",
        ("chair around dining_table", "pendant_lamp above dining_table"),
        ("chair red",),
        ("chair 3",),
        absent="curtain",
    ),
    "moonlit_bedroom": Labels(
        "bedroom bed nightstand table_lamp|floor_lamp wardrobe door night",
        ("table_lamp|floor_lamp on nightstand", "wardrobe beside door"),
        ("bed blue",),
    ),
    "farmhouse_kitchen": Labels(
        "kitchen dining_table chair pot fireplace|stove cat window|windowsill",
        ("pot above|on fireplace|stove", "cat on window|windowsill"),
        ("dining_table wooden",),
        ("chair 6",),
        may="rustic",
    ),
    "windowless_office": Labels(
        "study desk wall plant table_lamp|floor_lamp",
        ("desk facing wall", "table_lamp|floor_lamp on desk"),
        ("wall brick",),
        absent="window",
    ),
}
